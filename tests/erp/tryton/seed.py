#!/usr/bin/env python3
"""Fill an empty Tryton database with a small wholesaler.

    seed.py CONFIG DATABASE_URI IDS_JSON

Runs in-process through proteus, so no server is needed. Every figure is a
pure function of an article number, so a test can work out what to expect;
only dates of planned documents are relative to the day of seeding.

IDS_JSON receives the record ids, codes and the REST key.
"""
import datetime as dt
import json
import sys
from decimal import Decimal

from proteus import Model, Wizard, config as proteus_config

ARTICLES = 220
BATCH = 40          # SQLite's parser gives up on larger nested creates
TODAY = dt.date.today()
COUNTED_ON = dt.date(2026, 1, 5)    # the day of the stock count
USER, PASSWORD = 'comptoir', 'comptoir-demo'


# --- the figures ------------------------------------------------------------

def sku(i):
    return f'M-{i:04d}'


def list_price(i):
    "per default unit; every eighth article is a small part at four decimals"
    if i % 8 == 5:
        return Decimal(35 + i * 7919 % 9000).scaleb(-4)
    return Decimal(95 + i * 7919 % 48000).scaleb(-2)


def cost_price(i):
    return (list_price(i) * Decimal('0.62')).quantize(Decimal('0.0001'))


def units(i):
    "(stocked in, sold by)"
    if i % 40 == 11:
        return 'kg', 'g'
    if i % 40 == 19:
        return 'kg', 'bag'
    if i % 8 == 3:
        return 'kg', 'kg'
    if i % 6 == 0:
        return 'u', 'box'
    return 'u', 'u'


def category(i):
    if i % 8 == 0:
        return 'Screws'         # below Fixings: rules reach it through its parent
    return ['Fixings', 'Hand tools', 'Cabling', 'Pipework'][i % 4]


def on_hand(i, w):
    if w == 1 and i % 5 == 0:
        return 0.0
    whole = (i * 11 + w * 57 + 3) % 180
    return whole + (i % 4) / 4 if units(i)[0] == 'kg' else float(whole)


def reserved(i, w):
    "assigned to customer orders"
    if w == 0 and i % 7 == 1:
        return min(4.0, on_hand(i, w))
    return 0.0


def receipts(i):
    "(warehouse, quantity, days after seeding)"
    if i % 4 == 0:
        yield 0, 60.0, 30
    if i % 12 == 0:
        yield 0, 24.0, 60
    if i % 9 == 0:
        yield 1, 30.0, 45


# --- records ----------------------------------------------------------------

config_file, database, ids_file = sys.argv[1:]
session = proteus_config.set_trytond(database, config_file=config_file)


def first(model, *domain):
    found = Model.get(model).find(list(domain), limit=1)
    return found[0] if found else None


def make(model, /, **values):
    record = Model.get(model)(**values)
    record.save()
    return record


def create(model, rows):
    proxy, made = session.get_proxy(model), []
    for start in range(0, len(rows), BATCH):
        made += proxy.create(rows[start:start + BATCH], session.context)
    return made


for item in Model.get('ir.module.config_wizard.item').find([]):
    item.state = 'done'
    item.save()

# --- company and currencies --------------------------------------------------

currencies = {}
for code, name, symbol, rate in [
        ('EUR', 'Euro', '€', '1'), ('USD', 'US dollar', '$', '1.0875')]:
    currencies[code] = make(
        'currency.currency', code=code, name=name, symbol=symbol,
        rounding=Decimal('0.01'), digits=2)
    make('currency.currency.rate', currency=currencies[code],
        date=dt.date(2020, 1, 1), rate=Decimal(rate))

setup = Wizard('company.company.config')
setup.execute('company')
setup.form.party = make('party.party', name='Comptoir Demo Wholesale')
setup.form.currency = currencies['EUR']
setup.execute('add')
company = first('company.company')
session._context = Model.get('res.user').get_preferences(True, {})

# --- articles ----------------------------------------------------------------

uom = {symbol: first('product.uom', ('symbol', '=', symbol))
    for symbol in ('u', 'kg', 'g')}
uom['box'] = make('product.uom', name='Box of 12', symbol='box',
    category=uom['u'].category, factor=12.0, rate=round(1 / 12, 12),
    rounding=1.0, digits=0)
uom['bag'] = make('product.uom', name='Bag of 2.5 kg', symbol='bag',
    category=uom['kg'].category, factor=2.5, rate=0.4, rounding=1.0, digits=0)

categories = {name: make('product.category', name=name)
    for name in ('Fixings', 'Hand tools', 'Cabling', 'Pipework')}
categories['Screws'] = make('product.category', name='Screws',
    parent=categories['Fixings'])


def article(code, name, i, stock_unit, sale_unit, salable=True):
    return {
        'name': name, 'code': code, 'type': 'goods', 'salable': salable,
        'default_uom': uom[stock_unit].id,
        'sale_uom': sale_unit and uom[sale_unit].id,
        'list_price': list_price(i), 'cost_price_method': 'fixed',
        'categories': [('add', [categories[category(i)].id])],
        'products': [('create', [{'cost_price': cost_price(i)}])],
        }


create('product.template', [
        article(sku(i), f'{category(i)} {i:04d}', i, *units(i))
        for i in range(1, ARTICLES + 1)] + [
        article('M-9001', 'Display stand', 1, 'u', 'u', salable=False),
        article('M-9002', 'Workshop rag', 2, 'u', None, salable=False),
        ])
products = {p.code: p.id
    for p in Model.get('product.product').find([('code', 'like', 'M-%')])}
print(len(products), 'articles')

# --- price lists: the first line that matches decides --------------------------


def price_list(name, price, lines, unit='product_default'):
    ids = create('product.price_list', [{
                'name': name, 'price': price, 'unit': unit,
                'company': company.id,
                'lines': [('create', [
                            dict(line, sequence=n)
                            for n, line in enumerate(lines, 1)])],
                }])
    return Model.get('product.price_list')(ids[0])


def net_prices(i):
    for quantity, part in ((100.0, '0.58'), (10.0, '0.66'), (None, '0.74')):
        price = (list_price(i) * Decimal(part)).quantize(Decimal('0.0001'))
        yield {'product': products[sku(i)], 'quantity': quantity,
            'formula': f"Decimal('{price}')"}


fixings, cabling = categories['Fixings'].id, categories['Cabling'].id
lists = {
    'PUBLIC': price_list('PUBLIC', 'list_price', [{'formula': 'unit_price'}]),
    'TRADE': price_list('TRADE', 'list_price', [
            {'category': fixings, 'quantity': 200.0,
                'formula': 'unit_price * 0.725'},
            {'category': fixings, 'quantity': 50.0,
                'formula': 'unit_price * 0.80'},
            {'quantity': 50.0, 'formula': 'unit_price * 0.875'},
            {'quantity': 10.0, 'formula': 'unit_price * 0.92'},
            {'formula': 'unit_price * 0.96'},
            ]),
    'NET': price_list('NET', 'list_price', [
            *(line for i in range(1, 41) for line in net_prices(i)),
            {'formula': 'unit_price * 0.93'},
            ]),
    'COSTPLUS': price_list('COSTPLUS', 'cost_price', [
            {'quantity': 25.0, 'formula': 'cost_price * 1.32'},
            {'formula': 'cost_price * 1.45'},
            ]),
    # Its breaks count sales units (boxes, bags), not stocked units.
    'SEASON': price_list('SEASON', 'list_price', [
            {'start_date': dt.date(2020, 12, 1),
                'end_date': dt.date(2020, 12, 31),
                'formula': 'unit_price * 0.60'},
            {'start_date': dt.date(2040, 1, 1),
                'formula': 'unit_price * 1.10'},
            {'start_date': dt.date(2024, 1, 1), 'category': cabling,
                'quantity': 5.0, 'formula': 'unit_price * 0.82'},
            {'quantity': 5.0, 'formula': 'unit_price * 0.90'},
            {'formula': 'unit_price - unit_price / 30'},
            ], unit='product_sale'),
    }
sale_config = Model.get('sale.configuration')(1)
sale_config.sale_price_list = lists['PUBLIC']
sale_config.save()
print(len(lists), 'price lists')

# --- customers -----------------------------------------------------------------

blocked = make('party.category', name='Blocked')
customers = {}
for code, name, list_name, currency in [
        ('C10001', 'Aubert Travaux', 'TRADE', None),
        ('C10002', 'Benoit Maintenance', 'NET', None),
        ('C10003', 'Carver Supplies', 'COSTPLUS', 'USD'),
        ('C10004', 'Dupin Retail', 'SEASON', None),
        ('C10005', 'Estève', None, None),       # falls back to PUBLIC
        ('C10099', 'Faillite SARL', 'TRADE', None)]:
    party = Model.get('party.party')(code=code, name=name)
    if list_name:
        party.sale_price_list = lists[list_name]
    if currency:
        party.customer_currency = currencies[currency]
    if code == 'C10099':
        party.categories.append(Model.get('party.category')(blocked.id))
    party.save()
    customers[code] = party

# --- warehouses and stock --------------------------------------------------------

north = first('stock.location', ('type', '=', 'warehouse'), ('code', '=', 'WH'))
zones = {zone: make('stock.location', name=f'South {zone}', type='storage',
        code=f'{zone[:3].upper()}2') for zone in ('storage', 'input', 'output')}
south = make('stock.location', name='South warehouse', code='WH2',
    type='warehouse', storage_location=zones['storage'],
    input_location=zones['input'], output_location=zones['output'],
    lost_found_location=first('stock.location', ('type', '=', 'lost_found')))
warehouses = [north, south]
articles = range(1, ARTICLES + 1)

for w, warehouse in enumerate(warehouses):
    count, = create('stock.inventory', [{
                'company': company.id, 'date': COUNTED_ON,
                'location': warehouse.storage_location.id,
                'empty_quantity': 'keep',
                'lines': [('create', [
                            {'product': products[sku(i)],
                                'quantity': on_hand(i, w)}
                            for i in articles if on_hand(i, w)])],
                }])
    Model.get('stock.inventory')(count).click('confirm')
    print('stock counted in', warehouse.code)

supplier = first('stock.location', ('code', '=', 'SUP'))
customer = first('stock.location', ('code', '=', 'CUS'))


def move(i, quantity, source, target, days):
    return {
        'company': company.id, 'product': products[sku(i)],
        'unit': uom[units(i)[0]].id, 'quantity': quantity,
        'from_location': source.id, 'to_location': target.id,
        'planned_date': TODAY + dt.timedelta(days=days),
        'unit_price': Decimal(1), 'currency': currencies['EUR'].id,
        }


planned = [
    move(i, quantity, supplier, warehouses[w].storage_location, days)
    for i in articles for w, quantity, days in receipts(i)]
orders = [
    move(i, reserved(i, w), warehouse.storage_location, customer, 30)
    for i in articles for w, warehouse in enumerate(warehouses)
    if reserved(i, w)]
create('stock.move', planned)
session.get_proxy('stock.move').write(
    create('stock.move', orders), {'state': 'assigned'}, session.context)
print(len(planned), 'receipts planned,', len(orders), 'orders reserved')

# One real delivery, picked but not shipped: the goods sit in the output zone,
# still in the warehouse and no longer for sale.
shipment = Model.get('stock.shipment.out')(
    customer=customers['C10001'], warehouse=south,
    planned_date=TODAY + dt.timedelta(days=30))
for i in (1, 2, 4):
    line = shipment.outgoing_moves.new()
    line.product = Model.get('product.product')(products[sku(i)])
    line.quantity = 2.0
    line.from_location, line.to_location = zones['output'], customer
    line.unit_price, line.currency = Decimal(1), currencies['EUR']
shipment.save()
for step in ('wait', 'assign_try', 'pick'):
    shipment.click(step)
assert shipment.state == 'picked', shipment.state

# --- the integration user: may read what it needs, may write nothing ---------------

group = make('res.group', name='Price and stock readers')
for model in (
        'company.company', 'currency.currency', 'currency.currency.rate',
        'party.party', 'party.category', 'product.category',
        'product.template', 'product.product', 'product.uom',
        'product.uom.category', 'product.price_list',
        'product.price_list.line', 'sale.configuration', 'stock.location',
        'stock.move'):
    make('ir.model.access', model=model, group=group, perm_read=True,
        perm_write=False, perm_create=False, perm_delete=False)
user = Model.get('res.user')(name='Comptoir', login=USER, password=PASSWORD)
user.companies.append(Model.get('company.company')(company.id))
user.company = Model.get('company.company')(company.id)
user.groups.append(Model.get('res.group')(group.id))
user.save()
key = make('res.user.application', user=user, application='rest')
if key.state != 'validated':
    key.click('validate_')
key.reload()

with open(ids_file, 'w') as out:
    json.dump({
            'database': session.database_name, 'series': '8.0',
            'company': company.id, 'seeded_on': TODAY.isoformat(),
            'user': USER, 'password': PASSWORD, 'rest_key': key.key,
            'currencies': {c: r.id for c, r in currencies.items()},
            'units': {s: r.id for s, r in uom.items()},
            'warehouses': {r.code: r.id for r in warehouses},
            'price_lists': {n: r.id for n, r in lists.items()},
            'public_price_list': lists['PUBLIC'].id,
            'customers': {c: r.id for c, r in customers.items()
                if c != 'C10099'},
            'blocked_customer': 'C10099',
            'not_salable': ['M-9001', 'M-9002'],
            'products': dict(sorted(products.items())),
            }, out, indent=1)
