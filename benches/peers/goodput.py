"""Goodput when more is asked than the ERP can bring. See `goodput`."""

import argparse
import json

import erp_load
import server
from server import get

LINES = 36
LATENCY_MS, PER_LINE_MS = 45, 3.2
# Pages a second, a call each, that four at a time bring.
CAPACITY = erp_load.CONCURRENCY * 1000 / (LATENCY_MS + PER_LINE_MS * LINES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--times", default="1,2,5,10")
    args = parser.parse_args()
    print(server.machine())
    print(f"pages of {LINES} lines nobody asked before, {args.seconds} s; the ERP brings {CAPACITY:.1f} pages/s, "
          f"{CAPACITY * LINES:.0f} lines/s")
    print()
    print("| pages/s | lines within 1 s, /s | of the peak | CHECKOUT lines within 1 s | ERP in flight, most | gateway's memory |")
    print("| --- | --- | --- | --- | --- | --- |")
    peak = 0
    for times in map(float, args.times.split(",")):
        with server.session() as (stack, folder):
            raw, stats, memory = overload(args, stack, folder, times * CAPACITY)
        goodput = raw["lines"]["withinASecond"] / args.seconds
        peak = max(peak, goodput)
        checkout = next((own for own in raw["purposes"] if own["purpose"] == "CHECKOUT"), None)
        share = f"{checkout['linesWithinASecond'] / checkout['lines']:.0%}" if checkout else "-"
        print(f"| {times * CAPACITY:.0f} ({times:g} times) | {goodput:.0f} | {goodput / peak:.0%} | {share} "
              f"| {stats['inFlightPeak']} | {memory / 2**20:.0f} MiB |", flush=True)


def overload(args, stack, folder, rate):
    erp = server.start_erp(stack, folder, args.binary, "--concurrency", erp_load.CONCURRENCY,
                           "--latency", f"{LATENCY_MS}ms", "--per-line", f"{PER_LINE_MS}ms", "--skus", 1_000_000)
    gateway = erp_load.start_gateway(args, stack, folder, erp, "")
    raw, _, _ = erp_load.loaded(gateway, [
        args.binary, "load", "--json", "--target", f"http://127.0.0.1:{gateway.port}", "--timeout", "900ms",
        "--rate", rate, "--duration", f"{args.seconds}s", "--lines", LINES, "--skus", 1_000_000, "--zipf", 0])
    return raw, json.loads(get(erp.port, "/sim/stats")[2]), gateway.memory_bytes()


if __name__ == "__main__":
    main()
