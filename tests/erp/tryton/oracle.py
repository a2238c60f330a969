#!/usr/bin/env python3
"""What Tryton itself says, asked without the gateway and without our module.

    oracle.py [--dir TRYTON_DIR] [--port N] [--out FILE]

Plain `search_read` over JSON-RPC: every price of five customers and the public
at three quantities, digit for digit, and every stock level. The answers of a
gateway are compared with this file. Standard library only.

{"prices": {customer code or "": {sku: {"1": text, "10": text, "100": text}}},
 "stock": {sku: {warehouse: {"onHand": text, "forecast": text}}},
 "units": {sku: {"default", "sales", "factor", "listPrice", "salable"}},
 "currency", "date", "database"}

A quantity is in the article's sales unit and a price is per sales unit. Stock
is in the default unit, of the storage zone, `forecast` as of today.
"""
import argparse
import base64
import datetime as dt
import gzip
import json
import pathlib
import sys
import urllib.error
import urllib.request

STATE = pathlib.Path(__file__).resolve().parents[3] / 'target' / 'tryton'
QUANTITIES = (1, 10, 100)
PAGE = 100          # the ERP answers 100 prices in under a second


class Tryton:
    def __init__(self, port, ids):
        self.url = f'http://127.0.0.1:{port}/{ids["database"]}/rpc/'
        self.headers = {
            'Content-Type': 'application/json', 'Accept-Encoding': 'gzip'}
        user, token, _ = self.call(
            'common.db.login', ids['user'], {'password': ids['password']})
        session = f'{ids["user"]}:{user}:{token}'
        self.headers['Authorization'] = 'Session ' + base64.b64encode(
            session.encode()).decode()

    def call(self, method, *params):
        request = urllib.request.Request(self.url, json.dumps(
                {'id': 1, 'method': method, 'params': params}).encode(),
            self.headers)
        with urllib.request.urlopen(request, timeout=120) as response:
            body = response.read()
        if body.startswith(b'\x1f\x8b'):    # the header says gzip too often
            body = gzip.decompress(body)
        # Floats stay the text Tryton sent.
        answer = json.loads(body, parse_float=str)
        if 'error' in answer:
            sys.exit(f'{method}: {answer["error"]}')
        return answer['result']

    def rows(self, model, domain, fields, **context):
        return self.call(f'model.{model}.search_read', domain, 0, None, None,
            fields, context)


def pages(items):
    for start in range(0, len(items), PAGE):
        yield items[start:start + PAGE]


def prices(erp, base, price_list, skus):
    found = {sku: {} for sku in skus}
    for quantity in QUANTITIES:
        for page in pages(skus):
            for row in erp.rows('product.product', [['code', 'in', page]],
                    ['code', 'sale_price_uom'], **base,
                    price_list=price_list, quantity=float(quantity)):
                price = row['sale_price_uom']
                found[row['code']][str(quantity)] = (
                    price and price['decimal'])
    return found


def stock(erp, base, warehouses, skus):
    found = {sku: {} for sku in skus}
    for code, location in warehouses.items():
        for page in pages(skus):
            for row in erp.rows('product.product', [['code', 'in', page]],
                    ['code', 'quantity', 'forecast_quantity'], **base,
                    locations=[location], stock_skip_warehouse=True,
                    stock_date_end=base['date']):
                found[row['code']][code] = {
                    'onHand': plain(row['quantity']),
                    'forecast': plain(row['forecast_quantity'])}
    return found


def plain(number):
    "the JSON number's own digits without a needless .0"
    text = str(number)
    assert 'e' not in text.lower(), text
    return text.rstrip('0').rstrip('.') if '.' in text else text


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--dir', type=pathlib.Path, default=STATE)
    options.add_argument('--port', type=int, default=18000)
    options.add_argument('--out', type=pathlib.Path,
        help='default: oracle.json in the directory')
    options = options.parse_args()

    ids = json.loads((options.dir / 'ids.json').read_text())
    erp = Tryton(options.port, ids)
    today = dt.date.today()
    typed = {'__class__': 'date', 'year': today.year, 'month': today.month,
        'day': today.day}
    base = {'company': ids['company'], 'currency': ids['currencies']['EUR'],
        'date': typed, 'sale_date': typed}

    articles = {row['code']: row for row in erp.rows('product.product', [], [
                'code', 'salable', 'list_price_used', 'default_uom.symbol',
                'sale_uom.symbol', 'sale_uom.factor', 'default_uom.factor'],
            **base)}
    skus = sorted(articles)
    # An article without a sales unit makes a whole batch of prices fail.
    for_sale = [sku for sku in skus if articles[sku]['salable']]
    lists = {row['code']: row['sale_price_list'] for row in erp.rows(
            'party.party', [['code', 'in', sorted(ids['customers'])]],
            ['code', 'sale_price_list'], company=ids['company'])}
    lists[''] = erp.call('model.sale.configuration.read', [1],
        ['sale_price_list'], {'company': ids['company']})[0]['sale_price_list']

    answer = {
        'database': ids['database'], 'date': today.isoformat(),
        'currency': 'EUR',
        'prices': {code: prices(erp, base, lists[code], for_sale)
            for code in sorted(lists)},
        'stock': stock(erp, base, ids['warehouses'], skus),
        'units': {sku: {
                'default': row['default_uom.']['symbol'],
                'sales': row['sale_uom.'] and row['sale_uom.']['symbol'],
                'factor': row['sale_uom.'] and plain(
                    row['sale_uom.']['factor']),
                'listPrice': row['list_price_used']['decimal'],
                'salable': row['salable'],
                } for sku, row in articles.items()},
        }
    out = options.out or options.dir / 'oracle.json'
    out.write_text(json.dumps(answer, indent=1) + '\n')
    print(f'{out}: {len(lists) * len(for_sale) * len(QUANTITIES)} prices, '
        f'{len(skus) * len(ids["warehouses"])} levels')


if __name__ == '__main__':
    main()
