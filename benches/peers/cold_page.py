"""A cold page of 48 lines through an idle gateway, beside asking the ERP directly. See `cold_page`."""

import argparse
import http.client
import json
import sys
import time

import server
from server import CUSTOMER, sku

LINES = 48


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--latency", default="50ms")
    args = parser.parse_args()
    with server.session() as (stack, folder):
        measure(args, stack, folder)


def measure(args, stack, folder):
    print(server.machine())
    print(f"others use {server.others_busy():.0%} of the machine")
    erp = server.start_erp(stack, folder, args.binary, "--latency", args.latency, "--per-line", "0ms", "--concurrency", "4")
    comptoir = server.start_comptoir(stack, folder, args.binary, erp)
    # The customer's facts, and both connections.
    server.offers(comptoir.port, CUSTOMER, ["BOLT-8"])
    gateway = http.client.HTTPConnection("127.0.0.1", comptoir.port, timeout=10)
    direct = http.client.HTTPConnection("127.0.0.1", erp.port, timeout=10)
    # The same page of the ERP and of the gateway, one after the other, so that both see the same machine.
    rounds = []
    calls, cpu = server.erp_calls(erp), comptoir.cpu_seconds()
    for number in range(args.pages):
        lines = [{"sku": sku(1 + number * LINES + line)} for line in range(LINES)]
        erp_ms, _ = timed(direct, "/api/offers", {"customer": CUSTOMER, "lines": lines})
        page_ms, answer = timed(gateway, "/v1/offers", {"customer": CUSTOMER, "purpose": "LIST", "lines": lines})
        if any(offer["status"] == "UNAVAILABLE" for offer in answer["offers"]):
            sys.exit(f"a line was not answered: {answer}")
        rounds.append((erp_ms, page_ms))
    cpu = comptoir.cpu_seconds() - cpu
    through = server.erp_calls(erp) - calls - args.pages
    print(f"{args.pages} cold pages of {LINES} lines, ERP latency {args.latency}: {through} ERP calls for them")
    if through != args.pages:
        sys.exit("a page must cost exactly one ERP call")
    print()
    print("| | p50 ms | p90 ms | p99 ms | most ms |")
    print("|---|---|---|---|---|")
    row("ERP asked directly", [erp_ms for erp_ms, _ in rounds])
    row("the same page through the gateway", [page_ms for _, page_ms in rounds])
    overheads = [page_ms - erp_ms for erp_ms, page_ms in rounds]
    row("overhead, page by page", overheads)
    print()
    print(f"overhead at most 5 ms: {sum(one <= 5 for one in overheads)} of {len(overheads)} pages")
    print(f"the gateway's CPU: {cpu / args.pages * 1000:.2f} ms a page")


def timed(connection, path, body):
    text = json.dumps(body)
    start = time.perf_counter()
    connection.request("POST", path, text, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    took = (time.perf_counter() - start) * 1000
    if response.status != 200:
        sys.exit(f"{path} answered {response.status}: {answer[:500]!r}")
    return took, json.loads(answer)


def row(name, values):
    values = sorted(values)
    at = lambda percent: values[min(len(values) - 1, len(values) * percent // 100)]
    print(f"| {name} | {at(50):.2f} | {at(90):.2f} | {at(99):.2f} | {values[-1]:.2f} |")


if __name__ == "__main__":
    main()
