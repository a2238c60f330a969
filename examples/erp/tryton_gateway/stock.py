# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock pushed to the gateway: what moved, in numbers of its own.

A move leaves a mark in the transaction that changed it, so a mark is there
exactly when the change is. The pusher (push.py) turns marks into figures as
they then are, gives them numbers and keeps them until they are delivered:
an outbox. Figures are absolute, so several marks of one article are one change.
"""
import json
import uuid
from collections import defaultdict

import trytond.config as config
from trytond.model import ModelSingleton, ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .text import quantity_text

# Numbered changes kept after delivery: a gateway that was restored from a
# backup is brought up from them.
KEPT = 10_000


def pushing():
    "Whether anybody is to be told."
    return bool(config.get('comptoir', 'push_url', default=''))


class Mark(ModelSQL):
    "A stock figure to be told again"
    __name__ = 'comptoir.stock.mark'

    product = fields.Many2One(
        'product.product', "Product", required=True, ondelete='CASCADE')
    # The receipt concerned, if the move is one; it may be gone by now.
    warehouse = fields.Many2One(
        'stock.location', "Warehouse", ondelete='CASCADE')
    move = fields.Integer("Move")


class Outgoing(ModelSQL):
    "A numbered stock change"
    __name__ = 'comptoir.stock.outgoing'

    number = fields.Integer("Number", required=True)
    sku = fields.Char("SKU", required=True)
    change = fields.Text("Change", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('number', 'ASC')]


class Counter(ModelSingleton, ModelSQL):
    "Where the numbering stands"
    __name__ = 'comptoir.stock.counter'

    # Another one when the numbers begin anew.
    epoch = fields.Char("Epoch", required=True)
    number = fields.Integer("Last Number", required=True)
    # Drafts count from their day on: the figures of a day are that day's.
    day = fields.Date("Day")

    @classmethod
    def get(cls):
        counter = cls.get_singleton()
        if counter is None:
            counter, = cls.create([{'epoch': uuid.uuid4().hex, 'number': 0}])
        return counter

    @classmethod
    def hold(cls):
        """The same, for whoever is about to number. SQLite knows no locks of
        tables and begins at the first write: until then it would read each
        table as of another moment."""
        table = cls.__table__()
        Transaction().connection.cursor().execute(
            *table.update([table.number], [table.number]))
        return cls.get()


class Move(metaclass=PoolMeta):
    __name__ = 'stock.move'

    @classmethod
    def on_write(cls, moves, values):
        # What they were before concerns other figures than what they become.
        cls._comptoir_mark(moves)
        return super().on_write(moves, values)

    @classmethod
    def on_modification(cls, mode, moves, field_names=None):
        super().on_modification(mode, moves, field_names=field_names)
        cls._comptoir_mark(moves)

    @classmethod
    @without_check_access
    def _comptoir_mark(cls, moves):
        if not pushing():
            return
        Mark = Pool().get('comptoir.stock.mark')
        marks = {(
                move.product.id, place.id if place else None, move.id)
            for move in moves if move.product
            for place in [move.to_location and move.to_location.warehouse]}
        Mark.create([{
                    'product': product,
                    'warehouse': warehouse,
                    'move': move,
                    } for product, warehouse, move in marks])


class Product(metaclass=PoolMeta):
    __name__ = 'product.product'

    @classmethod
    def comptoir_waiting(cls):
        "Whether there is anything to collect."
        pool = Pool()
        counter = pool.get('comptoir.stock.counter').get()
        return (counter.day != pool.get('ir.date').today()
            or bool(pool.get('comptoir.stock.mark').search([], limit=1)))

    @classmethod
    def comptoir_collect(cls, limit=500):
        "Turns marks into numbered changes, in this transaction."
        pool = Pool()
        Mark = pool.get('comptoir.stock.mark')
        Outgoing = pool.get('comptoir.stock.outgoing')
        counter = pool.get('comptoir.stock.counter').hold()
        today = pool.get('ir.date').today()
        if counter.day != today:
            if counter.day:
                cls._comptoir_new_day()
            counter.day = today
            counter.save()
        marks = Mark.search([], order=[('id', 'ASC')], limit=limit)
        if not marks:
            return
        receipts = defaultdict(set)
        for mark in marks:
            receipts[mark.product]
            if mark.warehouse:
                receipts[mark.product].add((mark.warehouse.id, mark.move))
        levels = cls.comptoir_levels(list(receipts), today, receipts)
        # An article's figures side by side: they are sent in one request.
        numbered = list(enumerate(
                sorted(levels, key=lambda level: level['sku']),
                start=counter.number + 1))
        Outgoing.create([{
                    'number': number,
                    'sku': level['sku'],
                    'change': json.dumps({
                            'sequence': str(number), 'kind': 'SET', **level}),
                    } for number, level in numbered])
        counter.number += len(numbered)
        counter.save()
        Mark.delete(marks)

    @classmethod
    def comptoir_restate(cls):
        "(epoch, number, rows): everything, as of that number."
        pool = Pool()
        Mark = pool.get('comptoir.stock.mark')
        counter = pool.get('comptoir.stock.counter').hold()
        counter.day = pool.get('ir.date').today()
        # All that is marked by now is in these rows; what is marked from now
        # on is told after them.
        marks = Mark.search([])
        products = cls.search([('code', '!=', None), ('type', '!=', 'service'),
                ('active', 'in', [True, False])])
        rows = [row for row in cls.comptoir_levels(products, counter.day)
            if row['quantity'] != '0']
        # A number of its own, or there could not be two in a row.
        counter.number += 1
        counter.save()
        Mark.delete(marks)
        return counter.epoch, counter.number, rows

    @classmethod
    def comptoir_renumber(cls):
        "Begins to count anew: for when the gateway knows other numbers."
        pool = Pool()
        Outgoing = pool.get('comptoir.stock.outgoing')
        counter = pool.get('comptoir.stock.counter').hold()
        counter.epoch, counter.number = uuid.uuid4().hex, 0
        counter.save()
        Outgoing.delete(Outgoing.search([]))

    @classmethod
    def comptoir_levels(cls, products, today, gone=None):
        """What there is of some products in every pushed warehouse.

        gone: {product: {(warehouse id, move id)}}, receipts to be told as
        zero if they are not expected any more.
        """
        gone = gone or {}
        warehouses = cls.comptoir_warehouses()
        products = cls._comptoir_named(products)
        stock = cls._comptoir_stock(products, warehouses, today)
        for product in products:
            for level in stock.get(product.id, []):
                for measure, name in (
                        ('ON_HAND', 'on_hand'), ('RESERVED', 'reserved')):
                    yield {
                        'sku': product.code, 'location': level['warehouse'],
                        'measure': measure, 'quantity': level[name]}
        codes = {w.id: w.code for w in warehouses}
        arriving = {}
        for warehouse, move, planned, _ in cls._comptoir_arrivals(
                [p.id for p in products], warehouses, today):
            arriving[warehouse.id, move.id] = (
                move.product.code, quantity_text(move.internal_quantity),
                planned.isoformat())
        for product in products:
            for warehouse, move in sorted(gone.get(product, ())):
                if warehouse in codes:
                    arriving.setdefault(
                        (warehouse, move), (product.code, '0', None))
        for (warehouse, move), (sku, quantity, planned) in sorted(
                arriving.items()):
            row = {
                'sku': sku, 'location': codes[warehouse],
                'measure': 'INCOMING', 'row': str(move),
                'quantity': quantity}
            if planned:
                row['expectedOn'] = planned
            yield row

    @classmethod
    def _comptoir_named(cls, products):
        """Those that their code means. Tryton lets several share one, as when
        an article was archived and entered anew: the active one is meant."""
        codes = list({p.code for p in products if p.code})
        meant = {}
        for product in cls.search([
                    ('code', 'in', codes), ('active', 'in', [True, False])],
                order=[('active', 'DESC'), ('id', 'ASC')]):
            meant.setdefault(product.code, product)
        return [p for p in products if p.code and meant[p.code] == p]

    @classmethod
    def comptoir_warehouses(cls):
        "The warehouses that are pushed: those named, else all with a code."
        named = config.get('comptoir', 'push_warehouses', default='').split()
        return [w for w in Pool().get('stock.location').search([
                    ('type', '=', 'warehouse'), ('code', '!=', None)])
            if not named or w.code in named]

    @classmethod
    def _comptoir_new_day(cls):
        "Open moves may count from today on, or not any more."
        Move = Pool().get('stock.move')
        Move._comptoir_mark(Move.search([
                    ('state', 'in', ['draft', 'assigned'])]))
