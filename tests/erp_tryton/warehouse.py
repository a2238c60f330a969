"""A Tryton of a test's own: a database, a server, and the pusher's commands.

Loading Tryton's models takes seconds of a processor. Here it is done once, as
gunicorn does with --preload, and whatever runs is a fork that has them already:
also a server that is started anew, and one command after another. The port is
held all the while, so that nobody else gets it and no caller is refused.

    warehouse.py DATABASE

TRYTOND_CONFIG says where. Reads one JSON command a line, writes one JSON answer
a line, and ends with its input.

{"do": "serve"}     {"port": number}: a server runs, and is a fresh one
{"do": "keep"}      {}: what `restore` goes back to, from now on
{"do": "restore"}   {}: the database as it was kept; a fresh server
{"do": "push", "arguments": [...]}
    {"status": number, "said": text}: the pusher's command has ended so.
"""
import gc
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import traceback

import trytond.config as config
from trytond.application import app
from trytond.modules.comptoir_gateway import push
from trytond.pool import Pool
from trytond.transaction import Transaction
from werkzeug.serving import WSGIRequestHandler, make_server

DATABASE = sys.argv[1]
CONFIG = os.environ['TRYTOND_CONFIG']
LIVE = pathlib.Path(config.get('database', 'path'), f'{DATABASE}.sqlite')
KEPT = LIVE.with_suffix('.kept')

with Transaction().start(DATABASE, 0, readonly=True):
    Pool(DATABASE).init()
# What SQLite knows of an open file must not be inherited.
for connection in gc.get_objects():
    if isinstance(connection, sqlite3.Connection):
        connection.close()

listener = socket.create_server(('127.0.0.1', 0), backlog=128)
port = listener.getsockname()[1]
server = None


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def fork(job):
    "The id of a process that does this and nothing else."
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        job()
        status = 0
    except SystemExit as end:
        if isinstance(end.code, int):
            status = end.code
        else:
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def answer_requests():
    make_server('127.0.0.1', port, app, threaded=True, request_handler=Quiet,
        fd=listener.fileno()).serve_forever()


def end():
    "As a crash does: what was committed is in SQLite's log."
    global server
    if server:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        server = None


def serve():
    global server
    end()
    server = fork(answer_requests)
    return {'port': port}


def keep():
    source, target = sqlite3.connect(LIVE), sqlite3.connect(KEPT)
    source.backup(target)
    target.close()
    source.close()
    return {}


def restore():
    end()
    for file in LIVE.parent.glob(f'{LIVE.name}-*'):
        file.unlink()
    shutil.copy(KEPT, LIVE)
    serve()
    return {}


def run_pusher(arguments):
    with tempfile.TemporaryFile() as said:
        def job():
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            # Loaded already.
            Pool.init = lambda *_: None
            sys.argv = ['push', '-c', CONFIG, '-d', DATABASE, *arguments]
            push.main()
        _, status = os.waitpid(fork(job), 0)
        said.seek(0)
        return {'status': os.waitstatus_to_exitcode(status),
            'said': said.read().decode('utf-8', 'replace')}


COMMANDS = {'serve': serve, 'keep': keep, 'restore': restore, 'push': run_pusher}

try:
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(COMMANDS[command.pop('do')](**command)), flush=True)
finally:
    end()
