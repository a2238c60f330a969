#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers stock changes to the gateway.

    python -m trytond.modules.comptoir_gateway.push -c trytond.conf -d DATABASE

Runs beside the server, like trytond-cron; one is enough, two do no harm (what
comes twice is a duplicate). It looks for marks several times a second, numbers
what it finds, sends it in order, and goes on from where the gateway says it
is. When there is nothing to say it says that, once in a while.
"""
import argparse
import json
import logging
import time
import urllib.error
import urllib.parse
import urllib.request

logger = logging.getLogger('comptoir.push')

BATCH = 500             # changes in a request
LOOK = 0.2              # seconds between two looks for marks
PATIENCE = (0.5, 30)    # seconds between two tries: the first, the longest


class Refused(Exception):
    "The gateway does not take it; `reason` is its own word."

    def __init__(self, status, problem):
        super().__init__(f'{status} {json.dumps(problem)}')
        self.status, self.reason = status, problem.get('reason')


class Gateway:
    def __init__(self, url, source):
        self.url, self.source = url.rstrip('/'), source

    def ask(self, method, path, body=None, **query):
        url = f'{self.url}{path}'
        if query:
            url += '?' + urllib.parse.urlencode(query)
        kind = ('application/x-ndjson' if method == 'PUT'
            else 'application/json')
        request = urllib.request.Request(url, body, {'Content-Type': kind},
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {'detail': text[:200].decode('utf-8', 'replace')}
            raise Refused(error.code, problem) from None

    def position(self):
        sources = self.ask(
            'GET', '/v1/stock/sources', source=self.source)['sources']
        return sources[0]

    def push(self, epoch, changes, sequence=None):
        body = {'source': self.source, 'epoch': epoch, 'changes': changes}
        if sequence is not None:
            body['sequence'] = str(sequence)
        return self.ask('POST', '/v1/stock/changes', json.dumps(body).encode())

    def restate(self, epoch, sequence, rows):
        body = ''.join(json.dumps(row) + '\n' for row in rows)
        return self.ask('PUT', '/v1/stock/snapshots', body.encode(),
            source=self.source, epoch=epoch, sequence=sequence,
            rows=len(rows))


class Pusher:
    "One database's changes to one gateway."

    def __init__(self, database, gateway, heartbeat):
        self.database, self.gateway = database, gateway
        self.heartbeat, self.quiet_since = heartbeat, None
        self.delivered = None       # unknown: the gateway is asked first

    def transaction(self, readonly=False):
        from trytond.transaction import Transaction
        extras = {} if readonly else {
            # Who numbers does so alone.
            '_lock_tables': ['comptoir_stock_counter']}
        return Transaction().start(self.database, 0, readonly=readonly,
            context={'company': self.company}, **extras)

    def prepare(self):
        from trytond.pool import Pool
        from trytond.transaction import Transaction
        import trytond.config as config
        with Transaction().start(self.database, 0, readonly=True):
            pool = Pool(self.database)
            pool.init()
            companies = pool.get('company.company').search([])
            wanted = config.getint('comptoir', 'push_company', default=0)
            self.company = wanted or companies[0].id
        with self.transaction():
            pool.get('comptoir.stock.counter').get()

    def step(self):
        "Collects and sends what there is; whether there was anything."
        from trytond.pool import Pool
        from .stock import KEPT
        pool = Pool(self.database)
        Product = pool.get('product.product')
        with self.transaction(readonly=True):
            collected = Product.comptoir_waiting()
        if collected:
            with self.transaction():
                Product.comptoir_collect()
        with self.transaction(readonly=True):
            counter = pool.get('comptoir.stock.counter').get()
            epoch, last = counter.epoch, counter.number
        if self.delivered is None:
            self.catch_up(epoch, last)
        while self.delivered < last:
            with self.transaction(readonly=True):
                Outgoing = pool.get('comptoir.stock.outgoing')
                rows = Outgoing.search([('number', '>', self.delivered)],
                    order=[('number', 'ASC')], limit=BATCH)
                changes = [json.loads(row.change) for row in rows]
            if not changes or int(changes[0]['after']) != self.delivered:
                # What the gateway lacks is not kept any more.
                return self.everything()
            answer = self.gateway.push(epoch, changes)
            if not self.taken(answer, int(changes[-1]['sequence'])):
                return True
        now = time.monotonic()
        if collected:
            self.quiet_since = now
            with self.transaction():
                Outgoing = pool.get('comptoir.stock.outgoing')
                Outgoing.delete(Outgoing.search([
                            ('number', '<=', self.delivered - KEPT)]))
        elif self.quiet_since is None or (
                now - self.quiet_since >= self.heartbeat):
            self.quiet_since = now
            self.taken(self.gateway.push(epoch, [], last), last)
        return collected

    def taken(self, answer, last):
        "Notes how far the gateway is, and whether that is where it should be."
        for result in answer.get('results', ()):
            if result['verdict'] in ('REJECTED', 'CONFLICT'):
                logger.warning('not taken: %s', json.dumps(result))
        position = int(answer['lastSequence'])
        conflict = any(result['verdict'] in ('CONFLICT', 'OUT_OF_DATE')
            for result in answer.get('results', ()))
        if position == last and not conflict:
            self.delivered = position
            return True
        # It says where to go on from.
        self.delivered = None
        if conflict:
            # It has seen these numbers with another content: this database
            # was restored.
            self.renumber()
        return False

    def catch_up(self, epoch, last):
        position = self.gateway.position()
        heard = int(position.get('lastSequence', '0'))
        known = position.get('epoch', '') == epoch
        if not known or heard > last or (
                position.get('state') == 'SNAPSHOT_REQUIRED'):
            if known and heard > last:
                self.renumber()
            self.everything()
        else:
            self.delivered = heard

    def everything(self):
        from trytond.pool import Pool
        with self.transaction():
            epoch, number, rows = Pool(self.database).get(
                'product.product').comptoir_restate()
        answer = self.gateway.restate(epoch, number, rows)
        logger.info('restated %d rows as of %d: %s', len(rows), number,
            json.dumps(answer)[:500])
        self.delivered = number
        return True

    def renumber(self):
        from trytond.pool import Pool
        with self.transaction():
            Pool(self.database).get('product.product').comptoir_renumber()
        logger.warning('the gateway knows other numbers: counting anew')

    def run(self, once=False):
        self.prepare()
        wait = PATIENCE[0]
        while True:
            try:
                more = self.step()
                wait = PATIENCE[0]
                if once and not more:
                    return
                time.sleep(0 if more else LOOK)
            except Exception as error:
                # Nothing is lost: what was collected stays until delivered.
                logger.warning('%s: trying again in %.1f s', repr(error),
                    wait, exc_info=not isinstance(error, (OSError, Refused)))
                self.delivered = None
                time.sleep(wait)
                wait = min(wait * 2, PATIENCE[1])


def main():
    import trytond.config as config
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('-c', '--config', required=True)
    options.add_argument('-d', '--database', required=True)
    options.add_argument('--once', action='store_true',
        help='deliver what there is and end')
    options = options.parse_args()
    logging.basicConfig(format='%(asctime)s %(name)s %(message)s',
        level=logging.INFO)
    logging.getLogger('trytond').setLevel(logging.WARNING)
    config.update_etc(options.config)
    url = config.get('comptoir', 'push_url', default='')
    if not url:
        raise SystemExit('push_url is missing in the section [comptoir]')
    gateway = Gateway(url, config.get('comptoir', 'push_source',
            default='tryton'))
    Pusher(options.database, gateway, config.getint('comptoir',
            'push_heartbeat', default=60)).run(options.once)


if __name__ == '__main__':
    main()
