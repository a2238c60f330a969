# SPDX-License-Identifier: GPL-3.0-or-later
"""What about a customer decides its prices: list, currency, blocked."""
import trytond.config as config
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import Transaction


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__['comptoir_customers'] = RPC(readonly=True)

    @classmethod
    def comptoir_customers(cls, codes):
        """Facts per customer code, one answer per code, in request order.

        A null code is the public: the company's default list and currency.
        """
        company = Pool().get('company.company')(
            cls.comptoir_company(Transaction().context))
        with Transaction().set_context(company=company.id, active_test=False):
            parties = {p.code: p for p in cls.search([
                        ('code', 'in', [c for c in codes if c is not None]),
                        ('active', 'in', [True, False])])}
            return [cls._comptoir_facts(code, parties.get(code), company)
                for code in codes]

    @classmethod
    def comptoir_company(cls, context):
        "The company of the context, else the user's. Without one no price."
        company = context.get('company')
        if company is None:
            user = Pool().get('res.user')(Transaction().user)
            company = user.company.id if user.company else None
        assert company is not None, "no company in the context nor on the user"
        return company

    @classmethod
    def _comptoir_facts(cls, code, party, company):
        currency, price_list, blocked = company.currency, None, False
        if party:
            currency = party.customer_currency or currency
            price_list = party.sale_price_list
            category = config.get('comptoir', 'blocked_category', default='')
            blocked = not party.active or category in {
                c.name for c in party.categories}
        elif code is None:
            default = cls.default_sale_price_list(company=company.id)
            if default:
                price_list = Pool().get('product.price_list')(default)
        return {
            'code': code,
            'found': code is None or party is not None,
            'price_list': price_list.id if price_list else None,
            'price_list_name': price_list.name if price_list else None,
            'currency': currency.code,
            'blocked': blocked,
            }
