"""Where a server's CPU goes, from `perf record --call-graph`: samples put into groups by what they were done for.

A sample belongs to the innermost frame that some group claims, so a memcpy counts for whoever copied. Beside each group
stand the functions its samples were taken in.
"""

import collections
import re
import subprocess

GROUPS = [
    ("kernel: socket write", r"^(__x64_)?sys_(writev?|sendto|sendmsg)$|^__sys_send|^(ksys_write|vfs_writev?|do_writev)$|tcp_sendmsg"),
    ("kernel: socket read", r"^(__x64_)?sys_(readv?|recvfrom|recvmsg)$|^__sys_recv|^(ksys_read|vfs_readv?|do_readv)$|tcp_recvmsg"),
    ("kernel: epoll and wake-ups", r"^(__x64_)?sys_epoll|^(do_)?epoll|^ep_|eventfd|futex|^__?schedule"),
    ("decode request", r"comptoir::api::request|GetOffersRequest|OfferLine|comptoir::offer::query"),
    ("encode answer", r"comptoir::api::encode"),
    ("HTTP caching headers", r"comptoir::api::caching"),
    ("assemble lines", r"comptoir::offer::assemble"),
    ("count", r"^<?metrics|metrics_exporter|comptoir::(api|offer)::metrics"),
    ("trace", r"tracing"),
    ("look up and decide", r"comptoir::(offer|cache|erp|domain)|moka::"),
    ("read the clock", r"comptoir::clock|jiff::"),
    ("the gateway's own HTTP handling", r"comptoir::api|comptoir::app"),
    ("h2", r"\bh2::"),
    ("hyper, HTTP/1 and headers", r"\bhyper|httparse|\bhttp::|http_body"),
    ("tokio", r"\btokio|\bmio::"),
]


def record(pid, folder, seconds, work):
    """Prints a table of what the process does while `work` runs, which must last a little longer than `seconds`."""
    data = folder / "perf.data"
    recorder = subprocess.Popen(
        ["perf", "record", "-q", "-F", "1999", "--call-graph", "dwarf,16384", "-o", data, "-p", str(pid),
         "--", "sleep", str(seconds)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    work()
    recorder.wait()
    report(data)
    data.unlink()


def report(data):
    counts, leaves, total = collections.Counter(), collections.defaultdict(collections.Counter), 0
    for frames in samples(data):
        total += 1
        group = group_of(frames)
        counts[group] += 1
        leaves[group][short(frames[0])] += 1
    print(f"| what for | share of {total} samples | mostly in |")
    print("|---|---|---|")
    for group, count in counts.most_common():
        most = ", ".join(f"`{leaf}` {own / total:.1%}" for leaf, own in leaves[group].most_common(5))
        print(f"| {group} | {count / total:.1%} | {most} |")


def short(function):
    """The last words of a path, without what it is generic over."""
    plain, before = function, None
    while plain != before:
        before, plain = plain, re.sub(r"<[^<>]*>", "", plain)
    parts = [part for part in re.split("::", plain) if part and part != "{closure#0}"]
    return "::".join(parts[-2:]) or function[:60]


def group_of(frames):
    for frame in frames:
        for group, pattern in GROUPS:
            if re.search(pattern, frame):
                return group
    return "other"


def samples(data):
    """Each sample's frames, innermost first, those inlined included."""
    process = subprocess.Popen(
        ["perf", "script", "-i", str(data), "-F", "ip,sym", "--max-stack", "64"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
    )
    frames = []
    for line in process.stdout:
        line = line.strip()
        if line:
            frames.append(line.partition(" ")[2])
        elif frames:
            yield frames
            frames = []
    if frames:
        yield frames
    process.wait()
