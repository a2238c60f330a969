"""Stock beside Redis, beside the disk, and a million of it. See `stock`."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import server
from server import ROOT, Server, free_port, median, spread

# Both servers may use all of the machine, as may the load: a sync takes none of it.
CORES = "0-1"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--levels", type=int, default=1_000_000)
    args = parser.parse_args()
    with server.session() as (stack, _):
        folder = pathlib.Path(tempfile.mkdtemp(dir=args.folder))
        stack.callback(shutil.rmtree, folder)
        print(server.machine())
        print(f"others use {server.others_busy():.0%} of the machine")
        rates(args, stack, folder)
        callers(args, stack, folder)
        million(args, stack, folder)


def start(args, stack, folder):
    """A gateway that takes stock from anybody; its ERP is not there, nobody asks for prices."""
    folder.mkdir(exist_ok=True)
    config = folder / "gateway.toml"
    config.write_text(
        f"""
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"

[erp]
preset = "{ROOT}/examples/erp/simulated.toml"
url = "http://127.0.0.1:9"

[stock]
any_source = true
"""
    )
    comptoir = Server(
        stack, "comptoir", [args.binary, "serve", "--config", config], core=CORES,
        environment={"COMPTOIR_LOG": "warn"}, folder=folder,
    )
    comptoir.port = int(comptoir.ready_line()["gateway"].rpartition(":")[2])
    return comptoir


def load(args, *more):
    out = subprocess.run([args.load, *map(str, more)], stdout=subprocess.PIPE, text=True, check=True).stdout
    result = json.loads(out)
    return {**result, "rate": result["changes"] / result["seconds"]}


def rates(args, stack, folder):
    comptoir = start(args, stack, folder / "rates")
    redis = Server(
        stack, "redis",
        ["redis-server", "--port", str(port := free_port()), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
         "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--dir", folder],
        core=CORES, folder=folder,
    )
    redis.wait_for_port(port)
    ours, theirs = [], []
    for number in range(args.rounds):
        def of_redis():
            out = subprocess.run(
                ["redis-benchmark", "-p", str(port), "-c", "1", "-P", "64", "-n", str(args.changes), "-q", "XADD", "changes", "*",
                 "sequence", "1001", "kind", "SET", "sku", "BOLT-000001", "location", "PARIS", "measure", "ON_HAND",
                 "quantity", "12"],
                stdout=subprocess.PIPE, text=True, check=True,
            ).stdout
            theirs.append(float(re.findall(r"([0-9.]+) requests per second", out)[-1]))

        def of_comptoir():
            ours.append(load(args, "grpc", f"127.0.0.1:{comptoir.port}", "--changes", args.changes,
                             "--after", number * args.changes)["rate"])

        for run in (of_redis, of_comptoir) if number % 2 else (of_comptoir, of_redis):
            run()
    ratios = [one / other for one, other in zip(ours, theirs)]
    print(f"\n{args.rounds} rounds of {args.changes} changes, interleaved; medians (least-most)")
    print(f"changes/s, durable: Comptoir, one gRPC stream of 256 a request {spread(ours)}; "
          f"Redis XADD, appendfsync always, pipeline of 64 {spread(theirs)}")
    print(f"Comptoir / Redis: {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    redis.stop()
    comptoir.stop()


def callers(args, stack, folder):
    comptoir = start(args, stack, folder / "callers")
    alone = disk(folder)
    waits = load(args, "http", f"127.0.0.1:{comptoir.port}")
    print("\n64 HTTP callers of one change each, 64 sources: "
          f"{waits['rate']:.0f} changes/s, acknowledged after {waits['p50_us']} µs (p50), {waits['p99_us']} µs (p99)")
    print(f"the disk's own sync of 4 KiB, alone: {alone[0]} µs (p50), {alone[1]} µs (p99)")
    comptoir.stop()


def disk(folder):
    times = []
    with open(folder / "sync", "wb") as file:
        for _ in range(1000):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1e6)
    times.sort()
    return round(times[500]), round(times[990])


def million(args, stack, folder):
    comptoir = start(args, stack, folder / "million")
    before = comptoir.memory_bytes()
    filled = load(args, "grpc", f"127.0.0.1:{comptoir.port}", "--changes", args.levels, "--skus", args.levels)
    after, most = comptoir.memory_bytes(), comptoir.peak_bytes()
    # Rows are written behind; what waits for that goes.
    time.sleep(15)
    later = comptoir.memory_bytes()
    at_most, just_after, later = ((bytes - before) / args.levels for bytes in (most, after, later))
    print(f"\n{args.levels} levels pushed in {filled['seconds']:.1f} s; resident bytes a level: "
          f"{at_most:.0f} at most, {just_after:.0f} just after, {later:.0f} 15 s later")
    comptoir.process.kill()
    comptoir.process.wait()
    begun = time.perf_counter()
    comptoir = start(args, stack, folder / "million")
    took = time.perf_counter() - begun
    grown = (comptoir.memory_bytes() - before) / args.levels
    print(f"killed, and ready again with them after {took:.2f} s; resident bytes a level then: {grown:.0f}")


if __name__ == "__main__":
    main()
