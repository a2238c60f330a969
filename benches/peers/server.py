"""Servers under measure: started on one core, their CPU read from /proc, ended by their own process id."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SERVER_CORE = 0
LOAD_CORE = 1
CUSTOMER = "C-00042"
TICKS = os.sysconf("SC_CLK_TCK")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process with its children, pinned to one core. Ended when the stack it was started on is closed."""

    def __init__(self, stack, name, argv, core=SERVER_CORE, environment=None, folder=None):
        self.name = name
        self.port = None
        self.log = open(pathlib.Path(folder) / f"{name}.log", "w+")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        stack.callback(self.stop)

    def stop(self):
        family = self.family()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:
            # Children normally leave with their parent.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        self.log.close()

    def fail(self, why):
        self.log.seek(0)
        sys.exit(f"{self.name}: {why}\n{self.log.read()[-2000:]}")

    def ready_line(self):
        """The addresses in the line a command of ours prints when it serves."""
        for line in self.process.stdout:
            if line.startswith("ready "):
                return dict(part.split("=", 1) for part in line.split()[1:])
        self.fail("ended before it was ready")

    def wait_for_port(self, port, patience=10):
        self.port = port
        end = time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        self.fail(f"does not answer on port {port}")

    def family(self):
        """This process and all below it, oldest first."""
        parents = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    parents[int(entry.name)] = int(stat(entry.name)[1])
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def cpu_seconds(self):
        """User and system time of all its threads, past and present."""
        fields = [stat(pid) for pid in self.family()]
        return sum(int(f[11]) + int(f[12]) for f in fields) / TICKS

    def memory_bytes(self):
        pages = [int(stat(pid)[21]) for pid in self.family()]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self):
        """The most each of them ever had."""
        status = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.family()]
        return sum(int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) for text in status) * 1024


def stat(pid):
    """The fields of /proc/PID/stat from the third on; the second may hold anything."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextlib.contextmanager
def session():
    """A stack for servers and a temporary folder in memory; a signal ends both as an error would."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("stopped"))
    in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="comptoir-peers-", dir=in_memory) as folder, contextlib.ExitStack() as stack:
        # Servers that give up root must still get in.
        os.chmod(folder, 0o755)
        os.sched_setaffinity(0, {LOAD_CORE})
        yield stack, pathlib.Path(folder)


def start_erp(stack, folder, binary, *arguments):
    erp = Server(
        stack, "erp", [binary, "erp", "--listen", "127.0.0.1:0", *arguments], core=LOAD_CORE, folder=folder
    )
    erp.port = int(erp.ready_line()["erp"].rpartition(":")[2])
    return erp


def start_comptoir(stack, folder, binary, erp, environment=None):
    """The gateway, with ages so long that nothing is asked again while it is measured."""
    config = folder / "gateway.toml"
    config.write_text(
        f"""
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"

[erp]
preset = "{ROOT}/examples/erp/simulated.toml"
url = "http://127.0.0.1:{erp.port}"

[freshness.no]
unknown_sku = "4h"
no_price = "4h"
not_for_sale = "4h"
unknown_unit = "4h"

[freshness.LIST]
max_age = "4h"
stock_max_age = "4h"

[freshness.customers]
max_age = "4h"
"""
    )
    # One core, one worker: as the others are given one.
    environment = {"TOKIO_WORKER_THREADS": "1", "COMPTOIR_LOG": "warn", **(environment or {})}
    comptoir = Server(
        stack, "comptoir", [binary, "serve", "--config", config], environment=environment, folder=folder
    )
    comptoir.port = int(comptoir.ready_line()["gateway"].rpartition(":")[2])
    return comptoir


def get(port, path):
    return ask(port, "GET", path)


def ask(port, method, path, body=None):
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def offers(port, customer, skus, **more):
    """The offers of one page."""
    body = {"customer": customer, "purpose": "LIST", "lines": [{"sku": sku} for sku in skus], **more}
    status, _, answer = ask(port, "POST", "/v1/offers", body)
    if status != 200:
        sys.exit(f"comptoir answered {status}: {answer[:500]!r}")
    return json.loads(answer)["offers"]


def erp_calls(erp):
    return json.loads(get(erp.port, "/sim/stats")[2])["calls"]


def sku(number):
    return f"SKU-{number:06}"


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def others_busy(seconds=2):
    """The share of both cores that somebody else uses while nothing of ours runs."""

    def reading():
        user, nice, system, idle, wait, *rest = map(int, open("/proc/stat").readline().split()[1:9])
        busy = user + nice + system + sum(rest)
        return busy, busy + idle + wait

    (busy, total), _ = reading(), time.sleep(seconds)
    busy_after, total_after = reading()
    return (busy_after - busy) / max(1, total_after - total)


def machine():
    cpu = next(line for line in open("/proc/cpuinfo") if line.startswith("model name")).split(":")[1].strip()
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"], capture_output=True, text=True
    ).stdout.strip()
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores {cpu}, Linux {os.uname().release}, commit {commit}"
