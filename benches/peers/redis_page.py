"""A page of 48 cached lines over gRPC beside Redis MGET of 48 values of the same size. See `redis_page`."""

import argparse
import functools
import json
import socket
import subprocess

import profile_groups
import server
from server import CUSTOMER, Server, free_port, median, sku, spread

LINES = 48
KEYS = 100_000

# How the load comes: (name, connections, gRPC streams on each). Redis has a connection for each of Comptoir's pages under way.
SHAPES = [("1 connection, 1 page at a time", 1, 1), ("1 connection, 16 pages", 1, 16), ("16 connections, 1 page each", 16, 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    with server.session() as (stack, folder):
        measure(args, stack, folder)


def measure(args, stack, folder):
    print(server.machine())
    print(f"others use {server.others_busy():.0%} of the machine")
    erp = server.start_erp(stack, folder, args.binary, "--latency", "1ms", "--per-line", "0ms", "--concurrency", "8")
    comptoir = server.start_comptoir(stack, folder, args.binary, erp)
    before = comptoir.memory_bytes()
    for first in range(1, KEYS + 1, 500):
        server.offers(comptoir.port, CUSTOMER, map(sku, range(first, first + 500)), timeout="10s")
    grown = (comptoir.memory_bytes() - before) / KEYS
    # A first run tells how large an answer is; Redis gets values of that size.
    first = load(args, comptoir, "grpc", 1, 4, 1, 0)
    value_bytes = round(first["bytes"] / first["pages"] / LINES)
    redis = start_redis(stack, folder)
    before = redis.memory_bytes()
    fill(redis, value_bytes)
    print(f"{KEYS} keys; {value_bytes} bytes a value; resident bytes per key: Comptoir {grown:.0f}, "
          f"Redis {(redis.memory_bytes() - before) / KEYS:.0f}")

    calls = server.erp_calls(erp)
    results = {name: {"comptoir": [], "redis": []} for name, *_ in SHAPES}
    for number in range(args.rounds):
        for name, connections, streams in SHAPES:
            runs = [
                ("comptoir", comptoir, ("grpc", connections, streams)),
                ("redis", redis, ("redis", connections * streams, 1)),
            ]
            for who, target, shape in runs if number % 2 else reversed(runs):
                results[name][who].append(load(args, target, *shape, args.seconds, value_bytes))
    if server.erp_calls(erp) != calls:
        comptoir.fail(f"not all were hits: the ERP was called {server.erp_calls(erp) - calls} times")
    print(f"{args.rounds} rounds of {args.seconds} s, interleaved, 0 ERP calls; medians (least-most)")
    print()
    print("| load | server | CPU µs/page | pages/s | p50 µs | p99 µs |")
    print("|---|---|---|---|---|---|")
    for name, both in results.items():
        for who, rounds in both.items():
            print(f"| {name} | {who} | {spread([r['cpu_us'] for r in rounds])} | {median([r['rate'] for r in rounds]):.0f} "
                  f"| {median([r['p50_us'] for r in rounds]):.0f} | {median([r['p99_us'] for r in rounds]):.0f} |")
    print()
    for name, both in results.items():
        ratios = [c["cpu_us"] / r["cpu_us"] for c, r in zip(both["comptoir"], both["redis"])]
        print(f"CPU Comptoir / Redis, {name}: {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    if args.profile:
        for name, connections, streams in SHAPES:
            print(f"\nWhere Comptoir's CPU goes, {name}:\n")
            work = functools.partial(load, args, comptoir, "grpc", connections, streams, 5, 0)
            profile_groups.record(comptoir.process.pid, folder, 4, work)


def load(args, target, wire, connections, streams, seconds, value_bytes):
    before = target.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", str(server.LOAD_CORE), args.load, wire, f"127.0.0.1:{target.port}",
         "--connections", str(connections), "--streams", str(streams), "--seconds", str(seconds),
         "--lines", str(LINES), "--skus", str(KEYS), "--customer", CUSTOMER, "--value-bytes", str(value_bytes)],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout
    cpu = target.cpu_seconds() - before
    result = json.loads(output)
    return {**result, "cpu_us": cpu * 1e6 / result["pages"], "rate": result["pages"] / result["seconds"]}


def start_redis(stack, folder):
    port = free_port()
    redis = Server(
        stack, "redis",
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
         "--dir", folder],
        folder=folder,
    )
    redis.wait_for_port(port)
    return redis


def fill(redis, value_bytes):
    """SETs every key. What the values hold does not matter to Redis."""
    value = "v" * value_bytes
    with socket.create_connection(("127.0.0.1", redis.port)) as stream:
        for first in range(1, KEYS + 1, 1000):
            commands = []
            for number in range(first, first + 1000):
                key = f"offer:{CUSTOMER}:{sku(number)}"
                commands.append(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${value_bytes}\r\n{value}\r\n")
            stream.sendall("".join(commands).encode())
            answers = b""
            while answers.count(b"\n") < 1000:
                answers += stream.recv(65536)
            if answers != b"+OK\r\n" * 1000:
                redis.fail(f"did not take the keys: {answers[:200]!r}")


if __name__ == "__main__":
    main()
