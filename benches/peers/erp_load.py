"""The same pages through nginx and through Comptoir, on an ERP with a budget. See `erp_load`."""

import argparse
import json
import resource
import subprocess
import sys

import server
from server import LOAD_CORE, ROOT, Server, free_port, get

CONCURRENCY = 4
CALLS_PER_MINUTE = 600

# What a real ERP costs, and what it bears: more than that many calls in a minute it turns away with 503.
ERP = ["--concurrency", CONCURRENCY, "--latency", "45ms", "--per-line", "3.2ms", "--calls-per-minute", CALLS_PER_MINUTE,
       "--skus", 100_000, "--customers", 5_000, "--price-lists", 40]

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 15000; }}
http {{
    access_log off;
    sendfile off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_temp_path {folder}/proxy;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=offers:64m max_size=2g inactive=4h use_temp_path=off;
    upstream erp {{ server 127.0.0.1:{erp}; keepalive 64; keepalive_requests 1000000000; }}
    upstream misses {{ server 127.0.0.1:{misses}; keepalive 64; keepalive_requests 1000000000; }}
    limit_req_zone $server_port zone=erp:1m rate=600r/m;
    # For misses alone: paces them to what the ERP bears, and turns away what would wait longer than the burst.
    server {{
        listen 127.0.0.1:{misses};
        location / {{
            limit_req zone=erp burst=4;
            proxy_pass http://erp;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache offers;
            proxy_cache_valid 200 10m;
            proxy_cache_lock on;
            # A client that hung up has its answer cached all the same.
            proxy_ignore_client_abort on;
            proxy_cache_use_stale error timeout updating http_503;
            proxy_cache_background_update on;
        }}
    }}
}}
"""

COMPTOIR = """
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"

[erp]
preset = "{root}/examples/erp/simulated.toml"
url = "http://127.0.0.1:{erp}"

[erp.budget]
concurrency = {concurrency}
{budget}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--gets", required=True)
    parser.add_argument("--seconds", type=int, default=70)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="nginx,paced,comptoir,lists", help="which of nginx,paced,comptoir,lists")
    args = parser.parse_args()
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, 20_000), files))
    print(server.machine())
    print(f"{args.rate:g} pages/s of 24 to 48 lines for {args.seconds} s, 100,000 SKUs, 5,000 customers, Zipf 1.0, "
          f"seed {args.seed}; ERP: {CONCURRENCY} at a time, {CALLS_PER_MINUTE} calls a minute, 45 ms + 3.2 ms a line")
    runs = {
        "nginx": ("nginx", [], lambda stack, folder, erp: nginx_run(args, stack, folder, erp, "erp")),
        "paced": ("nginx, misses paced", [], lambda stack, folder, erp: nginx_run(args, stack, folder, erp, "misses")),
        "comptoir": ("Comptoir, own prices", [], lambda stack, folder, erp: comptoir_run(args, stack, folder, erp)),
        # For nginx a customer's price is a key of its own either way.
        "lists": ("Comptoir, list prices", ["--list-priced"],
                  lambda stack, folder, erp: comptoir_run(args, stack, folder, erp)),
    }
    rows = {}
    for short in args.only.split(","):
        name, more, run = runs[short]
        # Each with its own ERP, so that none finds what another left there.
        with server.session() as (stack, folder):
            erp = server.start_erp(stack, folder, args.binary, *ERP, *more)
            rows[short] = {"name": name, **measured(erp, lambda: run(stack, folder, erp))}
            print(f"{name}: {rows[short]['raw']}", file=sys.stderr)
    report(args, rows)


def measured(erp, run):
    """The run's figures, the ERP's own counters and everybody's CPU."""
    cpu_before = erp.cpu_seconds()
    figures = run()
    stats = json.loads(get(erp.port, "/sim/stats")[2])
    stats.pop("recent")
    # Its CPU is read while it still runs.
    return {**figures, "erp": stats, "erp_cpu": erp.cpu_seconds() - cpu_before}


def nginx_run(args, stack, folder, erp, upstream):
    own = folder / "nginx"
    own.mkdir()
    # Its worker gives up root, so its own folder is everybody's.
    own.chmod(0o777)
    port, misses = free_port(), free_port()
    config = own / "nginx.conf"
    config.write_text(NGINX.format(folder=own, erp=erp.port, port=port, misses=misses, upstream=upstream))
    nginx = Server(stack, "nginx", ["nginx", "-c", config, "-e", "stderr"], folder=folder)
    nginx.wait_for_port(port)
    raw, cpu, load_cpu = loaded(nginx, [args.gets, f"127.0.0.1:{port}", *shape(args)])
    return {
        "raw": raw, "cpu": cpu, "load_cpu": load_cpu,
        "lines": raw["lines"], "in_time": raw["linesWithinASecond"], "late": raw["lateness"]["p99"],
    }


def comptoir_run(args, stack, folder, erp):
    gateway = start_gateway(args, stack, folder, erp, f"calls_per_minute = {CALLS_PER_MINUTE}")
    raw, cpu, load_cpu = loaded(gateway, [
        args.binary, "load", "--json", "--wire", "both", "--target", f"http://127.0.0.1:{gateway.port}",
        # A little less than the second that counts, so that what was held is not late for the sake of what was not.
        "--timeout", "900ms", *shape(args)])
    return {
        "raw": raw, "cpu": cpu, "load_cpu": load_cpu, "memory": gateway.memory_bytes(),
        "lines": raw["lines"]["asked"], "in_time": raw["lines"]["withinASecond"], "late": raw["lateness"]["p99"],
    }


def start_gateway(args, stack, folder, erp, budget):
    config = folder / "gateway.toml"
    config.write_text(COMPTOIR.format(root=ROOT, erp=erp.port, concurrency=CONCURRENCY, budget=budget))
    # One core, one worker: as nginx is given one.
    environment = {"TOKIO_WORKER_THREADS": "1", "COMPTOIR_LOG": "error"}
    gateway = Server(
        stack, "comptoir", [args.binary, "serve", "--config", config], environment=environment, folder=folder)
    gateway.port = int(gateway.ready_line()["gateway"].rpartition(":")[2])
    return gateway


def shape(args):
    return ["--rate", args.rate, "--duration", f"{args.seconds}s", "--seed", args.seed, "--skus", 100_000,
            "--customers", 5_000, "--zipf", "1.0", "--lines", "24..48"]


def loaded(target, command):
    """What the load printed; CPU seconds of the server and of the load."""
    before, load_before = target.cpu_seconds(), children_cpu()
    ended = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), *map(str, command)], stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        target.fail(f"{command[0]} ended with {ended.returncode}")
    return json.loads(ended.stdout), target.cpu_seconds() - before, children_cpu() - load_before


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(args, rows):
    seconds = args.seconds
    print()
    print("| | " + " | ".join(row["name"] for row in rows.values()) + " |")
    print("| --- |" + " --- |" * len(rows))

    def line(what, figure):
        print(f"| {what} | " + " | ".join(figure(row) for row in rows.values()) + " |")

    line("lines asked", lambda row: f"{row['lines']:,}")
    line("answered within a second", lambda row: f"{row['in_time']:,} ({row['in_time'] / row['lines']:.1%})")
    line("ERP: calls that reached it", lambda row: f"{row['erp']['calls']:,}")
    line("ERP: of them turned away", lambda row: f"{row['erp']['refused']:,}")
    line("ERP: most in flight", lambda row: f"{row['erp']['inFlightPeak']:,}")
    line("ERP: most calls in any 60 s", lambda row: f"{row['erp']['callsPerMinutePeak']:,}")
    line("**ERP calls per 1,000 lines within a second**", lambda row: f"**{per_thousand(row, reached(row)):,.2f}**")
    line("the same, calls it served", lambda row: f"{per_thousand(row, served(row)):,.2f}")
    line("pages left late by, p99", lambda row: f"{row['late']:.1f} ms")
    line("CPU of one core: server, ERP, load",
         lambda row: f"{row['cpu'] / seconds:.0%}, {row['erp_cpu'] / seconds:.0%}, {row['load_cpu'] / seconds:.0%}")
    print()
    for own in (row for short, row in rows.items() if short in ("comptoir", "lists")):
        for other in (row for short, row in rows.items() if short in ("nginx", "paced")):
            print(
                f"{other['name']} / {own['name']}: "
                f"{per_thousand(other, reached(other)) / per_thousand(own, reached(own)):,.1f} times the calls per 1,000 lines "
                f"({per_thousand(other, served(other)) / per_thousand(own, served(own)):,.1f} of served ones); "
                f"{own['in_time'] / other['in_time']:.1f} times the lines within a second")
        over = [name for name, most in [("inFlightPeak", CONCURRENCY), ("callsPerMinutePeak", CALLS_PER_MINUTE)]
                if own["erp"][name] > most]
        if over:
            sys.exit(f"{own['name']} exceeded the ERP's budget: {over} of {own['erp']}")


def reached(row):
    return row["erp"]["calls"]


def served(row):
    return row["erp"]["calls"] - row["erp"]["refused"]


def per_thousand(row, calls):
    return calls * 1000 / max(1, row["in_time"])


if __name__ == "__main__":
    main()
