#!/usr/bin/env python3
"""bench/data.py [ROUNDS]: hashing and storing what stages leave, and opening token ids, against other programs and our goals.

Ours (`anneal bench`, one core) and theirs take turns, ROUNDS times over (3), so that other load falls on both; the tables have medians. A minute.
All files lie in /dev/shm, which has room for 4 GB, so that no disk is measured.
"""
import collections, json, os, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = "/dev/shm"
MB = 1024


def bench(anneal, name):
    print(f"anneal bench {name}", file=sys.stderr)
    env = os.environ | {"GOMAXPROCS": "1"}
    p = subprocess.run([anneal, "bench", name, "--json", "--mb", str(MB), "--dir", MEMORY], env=env, stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in p.stdout.splitlines()]


def others(work):
    """Seconds that others take to hash, and to hash and copy, the same number of bytes."""
    path = work + "/bytes"
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for _ in range(MB):
            f.write(block)
    for name, commands in {
        "sha256sum": [["sha256sum", path]],
        "openssl": [["openssl", "dgst", "-sha256", path]],
        "sha256sum, cp": [["sha256sum", path], ["cp", path, path + ".copy"]],
        "openssl, cp": [["openssl", "dgst", "-sha256", path], ["cp", path, path + ".copy"]],
    }.items():
        if shutil.which(commands[0][0]):
            print(name, file=sys.stderr)
            start = time.monotonic()
            for command in commands:
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            yield name, time.monotonic() - start
            if os.path.exists(path + ".copy"):
                os.remove(path + ".copy")
    os.remove(path)


def measure(rounds, work):
    anneal = work + "/anneal"
    subprocess.run(["go", "build", "-o", anneal, "."], cwd=HERE + "/..", check=True)
    figures = collections.defaultdict(list)
    for r in range(rounds):
        print(f"round {r + 1} of {rounds}", file=sys.stderr)
        for row in bench(anneal, "store"):
            figures["store", row["what"], row["files"]].append((row["gb_per_second"], row["gb_per_cpu_second"]))
        for name, seconds in others(work):
            figures["other", name].append((MB * (1 << 20) / 1e9 / seconds,))
        for row in bench(anneal, "tokens"):
            figures["tokens", row["what"]].append((row["milliseconds"], row["resident_mb"]))
    return {key: [statistics.median(column) for column in zip(*values)] for key, values in figures.items()}


def report(f):
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    print(f"{go[2]} {go[3]}, one core of {cpu}, load {os.getloadavg()[0]:.1f}; {MB} MB in {MEMORY}")

    print(f"\n{'':24} {'files':>5} {'GB/s':>6} {'GB/cpu-s':>9}")
    for key, values in f.items():
        if key[0] == "store":
            print(f"{key[1]:24} {key[2]:5} {values[0]:6.2f} {values[1]:9.2f}")
    for key, values in f.items():
        if key[0] == "other":
            print(f"{key[1]:24} {1:5} {values[0]:6.2f}")
    print(f"\n{'tokens artifact':24} {'milliseconds':>12} {'resident MB':>12}")
    for key, values in f.items():
        if key[0] == "tokens":
            print(f"{key[1]:24} {values[0]:12.3f} {values[1]:12.1f}")

    stored = min(f["store", "commit", n][0] for n in (1, 64))
    goals = [
        ("hashing and storing, GB/s, less of one file and 64", stored, 1, "at least"),
        ("hashing and storing over sha256sum and cp", stored / f["other", "sha256sum, cp"][0], 1, "at least"),
        ("opening 1 GB of token ids, milliseconds", f["tokens", "open"][0], 20, "at most"),
        ("opening 1 GB of token ids, resident MB", f["tokens", "open"][1], 5, "at most"),
    ]
    print(f"\n{'goal':54} {'wanted':>14} {'is':>7}")
    for what, value, wanted, sense in goals:
        missed = value < wanted if sense == "at least" else value > wanted
        print(f"{what:54} {sense:>8} {wanted:5} {value:7.2f} {'  missed' if missed else ''}".rstrip())


if __name__ == "__main__":
    if not os.path.isdir(MEMORY):
        sys.exit(f"bench/data.py wants {MEMORY}, which only Linux has")
    with tempfile.TemporaryDirectory(prefix="anneal-data-", dir=MEMORY) as work:
        report(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3, work))
