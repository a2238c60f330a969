# SPDX-License-Identifier: GPL-3.0-or-later
"""Prices and stock of many lines in one call.

Every price comes out of Tryton's own `get_sale_price`, every level out of its
own `products_by_location`; this file only asks them well: once per distinct
(unit, quantity), and at every quantity where the customer's list could change
its mind.
"""
import datetime as dt
import math
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from trytond.exceptions import UserError
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .text import (
    decimal_text, parse_date, quantity_text, ratio_text, unit_ratio)


class Product(metaclass=PoolMeta):
    __name__ = 'product.product'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__['comptoir_offers'] = RPC(readonly=True)

    @classmethod
    def comptoir_offers(cls, customer, lines, warehouses=(), breaks=True):
        """Offers for one customer (a party code; null is the public).

        lines: [{"sku", "unit": symbol or null for the sales unit,
        "quantity": decimal text}]; warehouses: codes.
        Context: company (default: the user's), currency (id or ISO code,
        default: the customer's), date (default: today).
        breaks: ask also at every quantity where the price may step. Each
        costs as much as the line's own price, so false is far cheaper.
        The README lists what comes back. Nothing about one line fails another.
        """
        pool = Pool()
        Party = pool.get('party.party')
        Currency = pool.get('currency.currency')
        context = Transaction().context
        company = Party.comptoir_company(context)
        date = parse_date(context.get('date'))
        with Transaction().set_context(company=company):
            today = pool.get('ir.date').today()
            facts, = Party.comptoir_customers([customer])
            currency = context.get('currency') or facts['currency']
            if isinstance(currency, str):
                currency, = Currency.search([('code', '=', currency)])
            else:
                currency = Currency(currency)
            products = {p.code: p for p in cls.search([
                        ('code', 'in', list({l['sku'] for l in lines}))])}
            places = sorted(pool.get('stock.location').search([
                        ('type', '=', 'warehouse'),
                        ('code', 'in', list(warehouses))]),
                key=lambda place: warehouses.index(place.code))
        date = date or today
        with without_check_access(), Transaction().set_context(
                company=company, currency=currency.id, date=date,
                sale_date=date, price_list=facts['price_list'],
                customer=None, uom=None, taxes=None):
            asked = [_Line(l, products.get(l['sku'])) for l in lines]
            if facts['found']:
                _Pricing(cls, facts['price_list'], date, breaks).price(
                    [l for l in asked if l.unit and not l.error])
            else:
                for line in asked:
                    line.error = line.error or 'unknown_customer'
            stock = cls._comptoir_stock(list(products.values()), places, today)
            return {
                'customer': facts,
                'date': date.isoformat(),
                'warehouses': [p.code for p in places],
                'lines': [
                    line.answer(currency.code, stock) for line in asked],
                }

    @classmethod
    def _comptoir_stock(cls, products, warehouses, today):
        """{product id: [levels of each warehouse]} from two stock queries,
        whatever the number of products and warehouses, and the open moves."""
        if not products or not warehouses:
            return {}
        ids = [p.id for p in products]

        def levels(**context):
            # The storage zone stands for its warehouse: what is picked for a
            # shipment (output) or not yet put away (input) is not for sale.
            with Transaction().set_context(
                    stock_skip_warehouse=True, stock_date_end=today,
                    stock_assign=False, **context):
                return cls.products_by_location(
                    [w.id for w in warehouses], with_childs=True,
                    grouping_filter=(ids,))
        on_hand, forecast = levels(forecast=False), levels(forecast=True)
        arriving, due_today = cls._comptoir_receipts(ids, warehouses, today)

        stock = defaultdict(list)
        for product in products:
            for warehouse in warehouses:
                key = warehouse.id, product.id
                there = on_hand.get(key, 0.)
                # The forecast already counts what should arrive today; that
                # is a receipt until it is there.
                free = forecast.get(key, 0.) - due_today.get(key, 0.)
                free = product.default_uom.round(free)
                stock[product.id].append({
                    'warehouse': warehouse.code,
                    'on_hand': quantity_text(there),
                    'reserved': quantity_text(
                        product.default_uom.round(there - free)),
                    'available': quantity_text(free),
                    'receipts': [{
                            'date': date.isoformat(),
                            'quantity': quantity_text(quantity),
                            } for date, quantity in sorted(
                                arriving.get(key, {}).items())],
                    })
        return stock

    @classmethod
    def _comptoir_receipts(cls, ids, warehouses, today):
        """What open moves bring into each warehouse, by day; and what of it
        enters the storage zone today."""
        arriving = defaultdict(lambda: defaultdict(float))
        due_today = defaultdict(float)
        for warehouse, move, planned, stored in cls._comptoir_arrivals(
                ids, warehouses, today):
            key = warehouse.id, move.product.id
            arriving[key][planned] += move.internal_quantity
            if stored and (planned == today or move.state == 'assigned'):
                due_today[key] += move.internal_quantity
        return arriving, due_today

    @classmethod
    def _comptoir_arrivals(cls, ids, warehouses, today):
        """(warehouse, open move into it, day, whether into the storage zone).
        Overdue drafts promise nothing and, as in Tryton's forecast, do not
        count."""
        Move = Pool().get('stock.move')
        Location = Pool().get('stock.location')
        for warehouse in warehouses:
            inside = {l.id for l in Location.search([
                        ('parent', 'child_of', [warehouse.id], 'parent')])}
            zone = {l.id for l in Location.search([('parent', 'child_of',
                            [warehouse.storage_location.id], 'parent')])}
            # A zone may also sit outside the tree of its warehouse.
            inside |= zone | {warehouse.input_location.id,
                warehouse.output_location.id}
            for move in Move.search([
                        ('product', 'in', ids),
                        ('to_location', 'in', list(inside)),
                        ('from_location', 'not in', list(inside)),
                        ['OR', ('state', '=', 'assigned'), [
                                ('state', '=', 'draft'),
                                ('planned_date', '>=', today)]],
                        ]):
                yield (warehouse, move, max(move.planned_date or today, today),
                    move.to_location.id in zone)


class _Line:
    "One asked line: what was understood of it, and what was found."
    error = net_price = list_price = valid_until = None

    def __init__(self, asked, product):
        self.asked, self.product, self.breaks = asked, product, []
        self.unit = self.units = None
        try:
            quantity = Decimal(str(asked.get('quantity', '1')))
            if not quantity.is_finite():
                raise InvalidOperation
            self.quantity = float(quantity)
        except InvalidOperation:
            self.error = 'bad_quantity'
        if not product:
            self.error = 'unknown_sku'
            return
        default, sales = product.default_uom, product.sale_uom
        # The product's own two units first, then the rest of their category;
        # only those with an exact factor.
        self.units = {}
        for unit in [default, sales, *default.category.uoms]:
            factor = unit and ratio_text(unit_ratio(unit, default))
            if factor and unit.active:
                self.units.setdefault(unit.symbol, (unit, factor))
        symbol = asked.get('unit')
        if not product.salable or not sales:
            self.error = 'not_salable'
        elif symbol is None:
            self.unit = sales
        elif symbol in self.units:
            self.unit = self.units[symbol][0]
        else:
            self.error = self.error or 'unknown_unit'

    def answer(self, currency, stock):
        product = self.product
        answer = {
            'sku': self.asked['sku'],
            'unit': self.asked.get('unit'),
            'quantity': self.asked.get('quantity'),
            'found': product is not None,
            'error': self.error,
            }
        if not product:
            return answer
        answer.update({
                'salable': bool(product.salable),
                'default_unit': product.default_uom.symbol,
                'sales_unit': product.sale_uom and product.sale_uom.symbol,
                'units': [{'unit': symbol, 'factor': factor}
                    for symbol, (_, factor) in self.units.items()],
                'price_unit': self.unit and self.unit.symbol,
                'base_quantity': self.unit and ratio_text(
                    unit_ratio(self.unit, product.default_uom)),
                'list_price': decimal_text(self.list_price),
                'net_price': decimal_text(self.net_price),
                'currency': currency,
                'breaks': [{'min_quantity': minimum,
                        'net_price': decimal_text(price)}
                    for minimum, price in self.breaks],
                'price_valid_until': (
                    self.valid_until and self.valid_until.isoformat()),
                'stock': stock.get(product.id, []),
                })
        return answer


class _Pricing:
    "Asks Tryton for every price some lines need, each question once."

    def __init__(self, Product, price_list, date, breaks):
        self.Product, self.breaks = Product, breaks
        self.price_list = price_list and Pool().get('product.price_list')(
            price_list)
        # The list's lines that may apply on that day, by product (None: any).
        self.rules, self.edges = defaultdict(list), defaultdict(set)
        for rule in self.price_list.lines if self.price_list else []:
            owner = rule.product.id if rule.product else None
            if rule.match({'date': date}):
                self.rules[owner].append(rule)
            if rule.start_date and rule.start_date > date:
                self.edges[owner].add(rule.start_date)
            if rule.end_date and rule.end_date >= date:
                self.edges[owner].add(rule.end_date + dt.timedelta(days=1))

    def price(self, lines):
        questions = defaultdict(dict)       # (unit, quantity) -> products
        listed = defaultdict(dict)          # unit -> products
        candidates = {}
        for line in lines:
            unit, product = line.unit, line.product
            questions[unit, line.quantity][product.id] = product
            listed[unit][product.id] = product
            if (product.id, unit) not in candidates:
                candidates[product.id, unit] = list(
                    self._candidates(product, unit))
            for _, quantity in candidates[product.id, unit]:
                questions[unit, quantity][product.id] = product
        net = {(unit, quantity): self._ask(products.values(), unit, quantity)
            for (unit, quantity), products in questions.items()}
        with Transaction().set_context(price_list=None):
            catalogue = {unit: self._ask(products.values(), unit, 1.)
                for unit, products in listed.items()}
        for line in lines:
            id_, unit = line.product.id, line.unit
            line.list_price = catalogue[unit][id_]
            line.net_price = net[unit, line.quantity][id_]
            if line.net_price is None:
                line.error = 'no_price'
            before = None
            for minimum, quantity in candidates[id_, unit]:
                price = net[unit, quantity][id_]
                if price is not None and price != before:
                    line.breaks.append((ratio_text(minimum), price))
                    before = price
            line.valid_until = min(
                self.edges[None] | self.edges.get(id_, set()), default=None)

    def _ask(self, products, unit, quantity):
        "{product id: price per `unit`}; None where Tryton has none."
        products = list(products)
        try:
            with Transaction().set_context(uom=unit.id):
                return self.Product.get_sale_price(
                    products, quantity=quantity)
        except UserError:
            # A formula that fails for one article must not fail the others.
            if len(products) == 1:
                return {products[0].id: None}
            prices = {}
            for product in products:
                prices.update(self._ask([product], unit, quantity))
            return prices

    def _candidates(self, product, unit):
        """(minimum in the default unit, quantity to ask for in `unit`), from
        none upwards: wherever a line of the list has a minimum. Some of them
        change nothing; the prices tell."""
        if not self.breaks:
            return
        default = product.default_uom
        minimums = {_ratio_of(0.)}
        if self.price_list:
            counted_in = self.price_list.get_uom(product)
            scale = unit_ratio(counted_in, default)
            minimums |= {scale * _ratio_of(rule.quantity)
                for owner in (None, product.id)
                for rule in self.rules.get(owner, ()) if rule.quantity}
        for minimum in sorted(minimums):
            if ratio_text(minimum) is not None:
                yield minimum, self._reaching(minimum, product, unit)

    def _reaching(self, minimum, product, unit):
        """The float quantity in `unit` that Tryton's own conversion takes to
        the minimum: 49 pieces are 4.083333333333333 boxes, or just short."""
        quantity = float(minimum / unit_ratio(unit, product.default_uom))
        if not minimum or not self.price_list:
            return quantity
        Uom = Pool().get('product.uom')
        counted_in = self.price_list.get_uom(product)
        target = float(
            minimum / unit_ratio(counted_in, product.default_uom))
        for _ in range(8):
            if Uom.compute_qty(
                    unit, quantity, counted_in, round=False) >= target:
                break
            quantity = math.nextafter(quantity, math.inf)
        return quantity


def _ratio_of(quantity):
    "The decimal a float field shows, not its binary neighbour."
    return Fraction(repr(float(quantity)))
