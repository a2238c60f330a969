#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers stock changes to the gateway.

    python -m trytond.modules.comptoir_gateway.push -c trytond.conf -d DATABASE

Runs beside the server, like trytond-cron; one is enough, two do no harm (what
comes twice is a duplicate). It looks for marks several times a second, numbers
what it finds, sends it in order, and goes on from where the gateway says it
is. When there is nothing to say it says that, once in a while. It may be
killed at any time.

    --once              deliver what there is, and end
    --snapshot          send everything anew, and end
    --snapshot --force  even if that empties more than the gateway believes
"""
import argparse
import json
import logging
import time
import urllib.error
import urllib.parse
import urllib.request

logger = logging.getLogger('comptoir.push')

BATCH = 1000            # changes in a request
LOOK = 0.2              # seconds between two looks for marks
PATIENCE = (0.5, 30)    # seconds between two tries: the first, the longest


class Refused(Exception):
    "The gateway does not take it; `reason` is its own word."

    def __init__(self, status, problem):
        super().__init__(f'{status} {json.dumps(problem)}')
        self.status, self.reason = status, problem.get('reason')


class Elsewhere(Exception):
    "The gateway is at another number than it should be."


class Held(Exception):
    "Somebody has to look at it first."


class Gateway:
    def __init__(self, url, source):
        self.url, self.source = url.rstrip('/'), source

    def ask(self, method, path, body=None, timeout=60, **query):
        url = f'{self.url}{path}'
        if query:
            url += '?' + urllib.parse.urlencode(query)
        kind = ('application/x-ndjson' if method == 'PUT'
            else 'application/json')
        request = urllib.request.Request(url, body, {'Content-Type': kind},
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {'detail': text[:200].decode('utf-8', 'replace')}
            raise Refused(error.code, problem) from None

    def position(self):
        "(epoch, last number, state); no epoch: never heard."
        try:
            source, = self.ask('GET', '/v1/stock/sources',
                source=self.source)['sources']
        except Refused as refused:
            # Where any source may push, one it never heard is unknown.
            if refused.reason != 'unknown_source':
                raise
            source = {}
        return (source.get('epoch', ''), int(source.get('lastSequence', '0')),
            source.get('state', ''))

    def push(self, epoch, changes, sequence=None):
        body = {'source': self.source, 'epoch': epoch, 'changes': changes}
        if sequence is not None:
            body['sequence'] = str(sequence)
        return self.ask('POST', '/v1/stock/changes', json.dumps(body).encode())

    def restate(self, epoch, sequence, rows, force):
        body = ''.join(json.dumps(row) + '\n' for row in rows)
        return self.ask('PUT', '/v1/stock/snapshots', body.encode(),
            timeout=600, source=self.source, epoch=epoch, sequence=sequence,
            rows=len(rows), force='true' if force else 'false')


def begins_at(changes, number):
    return bool(changes) and int(changes[0]['sequence']) == number


class Pusher:
    "One database's changes to one gateway."

    def __init__(self, database, gateway, heartbeat):
        self.database, self.gateway = database, gateway
        self.heartbeat, self.quiet_since = heartbeat, None
        self.delivered = None       # unknown: the gateway is asked first
        self.held = None            # where it was when it refused a snapshot

    def transaction(self, readonly=False):
        from trytond.transaction import Transaction
        # Who writes numbers, and does so alone.
        extras = {} if readonly else {
            '_lock_tables': ['comptoir_stock_counter']}
        return Transaction().start(self.database, 0, readonly=readonly,
            context={'company': self.company}, **extras)

    def model(self, name):
        from trytond.pool import Pool
        return Pool(self.database).get(name)

    def prepare(self):
        import trytond.config as config
        from trytond.pool import Pool
        from trytond.transaction import Transaction
        with Transaction().start(self.database, 0, readonly=True):
            pool = Pool(self.database)
            pool.init()
            companies = pool.get('company.company').search([])
            wanted = config.getint('comptoir', 'push_company', default=0)
            self.company = wanted or companies[0].id
        with self.transaction():
            self.model('comptoir.stock.counter').get()

    def step(self):
        "Collects and sends what there is; whether there was anything."
        Product = self.model('product.product')
        with self.transaction(readonly=True):
            collected = Product.comptoir_waiting()
        if collected:
            with self.transaction():
                Product.comptoir_collect()
        epoch, last = self.counter()
        if self.delivered is None and not self.catch_up(epoch, last):
            return True
        while self.delivered < last:
            changes = self.changes(self.delivered)
            if not begins_at(changes, self.delivered + 1):
                # Somebody else sent a snapshot, or nobody kept the rest.
                self.delivered = None
                return True
            answer = self.gateway.push(epoch, changes)
            if not self.taken(answer, int(changes[-1]['sequence'])):
                return True
        now = time.monotonic()
        if collected:
            self.quiet_since = now
            self.forget()
        elif self.quiet_since is None or (
                now - self.quiet_since >= self.heartbeat):
            self.quiet_since = now
            self.taken(self.gateway.push(epoch, [], last), last)
        return collected

    def counter(self):
        with self.transaction(readonly=True):
            counter = self.model('comptoir.stock.counter').get()
            return counter.epoch, counter.number

    def changes(self, after, limit=BATCH):
        "The next ones; all of an article's that were numbered together."
        with self.transaction(readonly=True):
            rows = self.model('comptoir.stock.outgoing').search(
                [('number', '>', after)], limit=limit)
            whole = len(rows)
            if whole == limit:
                while whole and rows[whole - 1].sku == rows[-1].sku:
                    whole -= 1
            return [json.loads(row.change) for row in rows[:whole or limit]]

    def forget(self):
        from .stock import KEPT
        with self.transaction():
            Outgoing = self.model('comptoir.stock.outgoing')
            Outgoing.delete(Outgoing.search(
                    [('number', '<=', self.delivered - KEPT)]))

    def taken(self, answer, last):
        "Whether all of it was; otherwise it is not known what is next."
        self.delivered = None
        restored = False
        for result in answer.get('results', ()):
            if result['verdict'] in ('REJECTED', 'CONFLICT'):
                logger.warning('not taken: %s', json.dumps(result))
            restored |= (result['verdict'] == 'OUT_OF_DATE'
                or result.get('reason') == 'sequence_reused')
        if restored:
            # It knows other changes under these numbers.
            self.renumber()
            return False
        position = int(answer['lastSequence'])
        if position != last:
            raise Elsewhere(f'{last} was sent, the gateway is at {position}')
        self.delivered = position
        return True

    def catch_up(self, epoch, last):
        "Finds where to go on; whether there is a place."
        position = self.gateway.position()
        known, heard, state = position
        if self.held == position:
            raise Held('the snapshot that was refused has to be looked at: '
                '--snapshot --force sends it nevertheless')
        self.held = None
        if known == epoch and heard > last:
            # This database is an older one than it was told from.
            self.renumber()
            return False
        if known == epoch and state != 'SNAPSHOT_REQUIRED':
            # The last one again: if another was heard under its number, this
            # database was restored from a backup and has gone on since.
            again = self.changes(heard - 1, limit=1)
            if begins_at(again, heard) and not self.taken(
                    self.gateway.push(epoch, again), heard):
                return False
            if heard == last or begins_at(
                    self.changes(heard, limit=1), heard + 1):
                self.delivered = heard
                return True
        self.everything()
        return False

    def everything(self, force=False):
        with self.transaction():
            epoch, number, rows = self.model(
                'product.product').comptoir_restate()
        try:
            answer = self.gateway.restate(epoch, number, rows, force)
        except Refused as refused:
            if refused.reason == 'too_many_zeros':
                # Said again it would be believed. That is not for a machine.
                self.held = self.gateway.position()
            raise
        logger.info('%d rows as of %d: %s', len(rows), number,
            json.dumps(answer))
        return answer

    def renumber(self):
        with self.transaction():
            self.model('product.product').comptoir_renumber()
        logger.warning('the gateway knows other numbers: counting anew')

    def run(self):
        wait = PATIENCE[0]
        while True:
            try:
                more = self.step()
                wait = PATIENCE[0]
                time.sleep(0 if more else LOOK)
            except Exception as error:
                # Nothing is lost: what was collected stays until delivered.
                expected = isinstance(
                    error, (OSError, Refused, Elsewhere, Held))
                logger.warning('%s: trying again in %.1f s', repr(error),
                    wait, exc_info=not expected)
                self.delivered = None
                time.sleep(wait)
                wait = min(wait * 2, PATIENCE[1])


def main():
    import trytond.config as config
    options = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('-c', '--config', required=True)
    options.add_argument('-d', '--database', required=True)
    options.add_argument('--once', action='store_true')
    options.add_argument('--snapshot', action='store_true')
    options.add_argument('--force', action='store_true')
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
    pusher = Pusher(options.database, gateway, config.getint('comptoir',
            'push_heartbeat', default=60))
    pusher.prepare()
    try:
        if options.snapshot:
            print(json.dumps(pusher.everything(options.force)))
        elif options.once:
            while pusher.step():
                pass
        else:
            pusher.run()
    except (OSError, Refused, Elsewhere, Held) as error:
        raise SystemExit(f'not delivered: {error}') from None


if __name__ == '__main__':
    main()
