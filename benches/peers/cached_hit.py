"""A cached single-line hit: nginx, varnish and Comptoir in front of the same ERP. See `run`."""

import argparse
import functools
import json
import random
import subprocess
import sys

import profile_groups
import server
from server import CUSTOMER, Server, free_port, get, median, sku, spread

SKUS = [sku(number) for number in range(1, 101)]
PAGE_LINES = 48

# As Debian sets it up, and as it is fastest with answers this small: sendfile is one more system call for each.
RIVALS = ["nginx", "nginx without sendfile", "varnish"]
# A server that understands nothing and answers as many bytes as nginx: what the sockets alone cost.
FLOOR = "sockets alone"
FLOOR_ANSWER_BYTES = 805

NGINX = """
daemon off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    open_file_cache max=10000 inactive=300s;
    open_file_cache_valid 300s;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_temp_path {folder}/proxy;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=offers:16m max_size=256m inactive=4h use_temp_path=off;
    upstream erp {{ server 127.0.0.1:{erp}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://erp;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache offers;
            proxy_cache_valid 200 4h;
            # The ERP's own ten minutes may be shorter than a long run.
            proxy_ignore_headers Cache-Control Expires;
            proxy_cache_lock on;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""

VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{erp}"; }}
sub vcl_backend_response {{ set beresp.ttl = 4h; }}
"""

# What varnish would write into its log in shared memory for a hit. Nobody reads it here, and the others log nothing.
VARNISH_UNLOGGED = """
    Begin End Link Timestamp ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ReqAcct RespProtocol RespStatus
    RespReason RespHeader RespUnset VCL_call VCL_return VCL_use Hit Length Filters
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    with server.session() as (stack, folder):
        measure(args, stack, folder)


def measure(args, stack, folder):
    print(server.machine())
    print(f"others use {server.others_busy():.0%} of the machine")
    erp = server.start_erp(stack, folder, args.binary, "--latency", "2ms", "--per-line", "0ms", "--concurrency", "8")
    servers = [
        start_nginx(stack, folder, erp, "nginx", sendfile="on"),
        start_nginx(stack, folder, erp, "nginx without sendfile", sendfile="off"),
        start_varnish(stack, folder, erp),
        server.start_comptoir(stack, folder, args.binary, erp),
    ]
    form = {s.name: "/api/offers?customer={}&sku={}" for s in servers} | {
        "comptoir": "/v1/offers?customer={}&sku={}&purpose=LIST"
    }
    paths = {s.name: [form[s.name].format(CUSTOMER, one) for one in SKUS] for s in servers}
    warm(servers, paths)
    for s in servers:
        write_lines(folder / f"{s.name}.paths", paths[s.name])
    dice = random.Random(48)
    pages = [
        {"customer": CUSTOMER, "purpose": "LIST", "lines": [{"sku": one} for one in dice.sample(SKUS, PAGE_LINES)]}
        for _ in range(100)
    ]
    write_lines(folder / "page.paths", ["/v1/offers"])
    write_lines(folder / "page.bodies", map(json.dumps, pages))

    comptoir = servers[-1]
    runs = [(s.name, s, [folder / f"{s.name}.paths"]) for s in servers]
    runs.append((FLOOR, start_floor(stack, folder, args.floor), [folder / f"{comptoir.name}.paths"]))
    runs.append((f"comptoir page of {PAGE_LINES}", comptoir, [folder / "page.paths", folder / "page.bodies"]))
    for run in runs:
        one_round(run, 1, args.connections)
    calls_before = server.erp_calls(erp)
    results = {name: [] for name, *_ in runs}
    for number in range(args.rounds):
        # Each comes first as often as last.
        for run in runs[number % len(runs):] + runs[: number % len(runs)]:
            results[run[0]].append(one_round(run, args.seconds, args.connections))
    calls_after = server.erp_calls(erp)
    if calls_after != calls_before:
        sys.exit(f"not all were hits: the ERP was called {calls_after - calls_before} times")
    report(args, results)
    if args.profile:
        for run in runs:
            if run[1] is comptoir:
                print(f"\nWhere the CPU of {run[0]} goes:\n")
                work = functools.partial(one_round, run, 5, args.connections)
                profile_groups.record(comptoir.process.pid, folder, 4, work)


def report(args, results):
    total = sum(r["requests"] for rounds in results.values() for r in rounds)
    print(f"{args.rounds} rounds of {args.seconds} s, {args.connections} connections, {total} requests, "
          "0 ERP calls, 0 errors; medians (least-most)")
    print()
    print("| server | CPU µs/request | requests/s | p50 µs | p99 µs | bytes/answer |")
    print("|---|---|---|---|---|---|")
    for name, rounds in results.items():
        print(
            f"| {name} | {spread([r['cpu_us'] for r in rounds])} | {median([r['rate'] for r in rounds]):.0f} "
            f"| {median([r['p50_us'] for r in rounds]):.0f} | {median([r['p99_us'] for r in rounds]):.0f} "
            f"| {median([r['bytes'] / r['requests'] for r in rounds]):.0f} |"
        )
    print()
    cpu = {name: median([r["cpu_us"] for r in rounds]) for name, rounds in results.items()}
    page = cpu[f"comptoir page of {PAGE_LINES}"]
    for rival in RIVALS:
        # Round by round, so that a slow moment of the machine is in both.
        ratios = [c["cpu_us"] / r["cpu_us"] for c, r in zip(results["comptoir"], results[rival])]
        verdict = "met" if median(ratios) <= 0.6 else "MISSED"
        print(f"CPU Comptoir / {rival}: {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}); goal 0.60 {verdict}")
        floors = [f["cpu_us"] / r["cpu_us"] for f, r in zip(results[FLOOR], results[rival])]
        print(f"CPU of the sockets alone / {rival}: {median(floors):.2f} ({min(floors):.2f}-{max(floors):.2f})")
        print(f"CPU page of {PAGE_LINES} in one / {PAGE_LINES} hits of {rival}: {page / (PAGE_LINES * cpu[rival]):.2f}")


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))


def one_round(run, seconds, connections):
    _, target, files = run
    before = target.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", str(server.LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "-s", str(server.ROOT / "benches/peers/cached_hit.lua"), f"http://127.0.0.1:{target.port}/",
         "--", *map(str, files)],
        capture_output=True, text=True, check=True,
    ).stdout
    cpu = target.cpu_seconds() - before
    result = json.loads(output.rpartition("RESULT ")[2])
    if result["errors"]:
        target.fail(f"{result['errors']} of {result['requests']} requests failed")
    return {**result, "cpu_us": cpu * 1e6 / result["requests"], "rate": result["requests"] / result["seconds"]}


def start_nginx(stack, folder, erp, name, sendfile):
    # Its worker gives up root, so its own folder is everybody's.
    own = folder / name.replace(" ", "-")
    own.mkdir()
    own.chmod(0o777)
    port = free_port()
    config = own / "nginx.conf"
    config.write_text(NGINX.format(folder=own, erp=erp.port, port=port, sendfile=sendfile))
    nginx = Server(stack, name, ["nginx", "-c", config, "-e", "stderr"], folder=folder)
    nginx.wait_for_port(port)
    return nginx


def start_floor(stack, folder, binary):
    port = free_port()
    floor = Server(stack, "floor", [binary, port, FLOOR_ANSWER_BYTES], folder=folder)
    floor.wait_for_port(port)
    return floor


def start_varnish(stack, folder, erp):
    config = folder / "peer.vcl"
    config.write_text(VARNISH.format(erp=erp.port))
    port = free_port()
    varnish = Server(
        stack,
        "varnish",
        # One pool for one core.
        ["varnishd", "-F", "-a", f"127.0.0.1:{port}", "-f", config, "-n", folder / "varnish", "-T", "none",
         "-s", "malloc,256m", "-p", "thread_pools=1", "-p", "thread_pool_min=64", "-p", "thread_pool_max=256",
         "-p", "vsl_mask=" + ",".join(f"-{tag}" for tag in VARNISH_UNLOGGED.split())],
        folder=folder,
    )
    varnish.wait_for_port(port)
    return varnish


def warm(servers, paths):
    """Asks for everything twice; the second time all must be hits, and all three must tell the same prices."""
    prices = {}
    for s in servers:
        for path in paths[s.name]:
            get(s.port, path)
        for one, path in zip(SKUS, paths[s.name]):
            status, headers, body = get(s.port, path)
            if status != 200 or not is_hit(s.name, headers, body):
                s.fail(f"{path}: {status} {dict(headers)} {body[:300]!r} is no hit")
            prices.setdefault(one, set()).add(net_price(json.loads(body)))
    differing = [one for one, told in prices.items() if len(told) != 1]
    if differing:
        sys.exit(f"the servers tell different prices for {differing}: {prices[differing[0]]}")


def is_hit(name, headers, body):
    if name.startswith("nginx"):
        return headers["X-Cache"] == "HIT"
    if name == "varnish":
        # Two transactions: this one, and the one that brought it.
        return len(headers["X-Varnish"].split()) == 2
    offer = json.loads(body)["offers"][0]
    return all(offer[part]["freshness"]["source"] == "MEMORY" for part in ("price", "availability"))


def net_price(answer):
    return answer["offers"][0]["price"]["netPrice"] if "offers" in answer else answer["lines"][0]["netPrice"]


if __name__ == "__main__":
    main()
