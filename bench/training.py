#!/usr/bin/env python3
"""bench/training.py [ROUNDS]: products, training and generation, against PyTorch, OpenBLAS, the machine's peak and our goals.

Ours (`anneal bench`) and theirs take turns, ROUNDS times over (3), so that other load falls on both; the tables have medians. Five to ten minutes.
PyTorch of Debian is built for /usr/bin/python3; with the reference BLAS it would be ten times slower, so that OpenBLAS is the fair opponent. On
Debian as root both are installed where they are missing; elsewhere the script goes without them.
"""
import collections, json, os, platform, shutil, statistics, subprocess, sys, tempfile

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = ["tiny", "small", "mid"]


def run(what, command, stdin=None, threads=1):
    """Runs a command and returns its lines of JSON. A failure is said and not fatal."""
    print(what, file=sys.stderr)
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    try:
        p = subprocess.run(command, cwd=HERE, env=env, input=stdin, stdout=subprocess.PIPE, timeout=300, check=True, text=True)
    except (OSError, subprocess.SubprocessError) as e:
        print(f"{what}: {e}", file=sys.stderr)
        return []
    return [json.loads(line) for line in p.stdout.splitlines()]


def has_torch():
    return os.access(PYTHON, os.X_OK) and subprocess.run([PYTHON, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0


def install():
    if not has_torch() and os.getuid() == 0 and shutil.which("apt-get"):
        print("installing python3-torch with OpenBLAS", file=sys.stderr)
        quiet = dict(stdout=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "python3-torch", "libopenblas0-pthread"], **quiet)
    if not has_torch():
        print(f"no PyTorch for {PYTHON}: ours alone", file=sys.stderr)
    return has_torch()


class Figures(collections.defaultdict):
    """What was measured, by key, round after round."""

    def __init__(self):
        super().__init__(list)

    def add(self, rows, name, *keys, value):
        for r in rows:
            self[(name, *(r[k] for k in keys))].append(r[value])

    def median(self, *key):
        return statistics.median(self[key]) if self[key] else None


def measure(rounds, torch, work):
    anneal = work + "/anneal"
    subprocess.run(["go", "build", "-o", anneal, "."], cwd=HERE + "/..", check=True)
    bench = lambda name, *flags: run(f"anneal bench {name} {' '.join(flags)}", [anneal, "bench", name, "--json", *flags])
    gcc = subprocess.run(["gcc", "-O2", "-march=native", HERE + "/fma_peak.c", "-o", work + "/fma_peak"], capture_output=True).returncode if shutil.which("gcc") else 1
    f, products = Figures(), []
    for r in range(rounds):
        print(f"round {r + 1} of {rounds}", file=sys.stderr)
        if gcc == 0:
            f.add(run("FMA peak in C", [work + "/fma_peak"]), "peak in C", value="fma_peak_gflops")
        shape = ("size", "role", "op")
        rows = bench("gemm")
        products = rows or products
        f.add(rows, "gemm", *shape, value="gflops")
        f.add((r for r in rows if r["share"]), "share", *shape, value="share")
        f.add(rows, "peak", value="peak_gflops")
        lines = "\n".join(json.dumps(p) for p in rows)
        f.add(run("OpenBLAS", [PYTHON, "sgemm.py"], stdin=lines), "openblas", *shape, value="gflops")
        for size in SIZES:
            for cores in 1, 2:
                ours = bench("train", "--size", size, "--cores", str(cores), "--seconds", "5" if size == "mid" else "2")
                f.add(ours, "train", "size", "cores", value="tokens_per_second")
                f.add(ours, "train cpu", "size", "cores", value="tokens_per_cpu_second")
                if torch:
                    theirs = run(f"PyTorch trains {size}, threads: {cores}", [PYTHON, "torch_train.py", str(cores), size], threads=cores)
                    f.add(theirs, "torch", "size", "threads", value="tokens_per_second")
                    f.add(theirs, "torch cpu", "size", "threads", value="tokens_per_cpu_second")
        for cores in 1, 2:
            f.add(bench("train", "--size", "small", "--models", "4", "--cores", str(cores), "--seconds", "4"), "sweep", "cores", value="tokens_per_second")
        for cores in 1, 2:
            f.add(bench("sample", "--size", "small", "--cores", str(cores), "--seconds", "1"), "generate", "cores", value="tokens_per_second")
            if torch:
                theirs = run(f"PyTorch generates, threads: {cores}", [PYTHON, "torch_generate.py", str(cores), "small"], threads=cores)
                f.add(theirs, "torch generates", "threads", value="tokens_per_second")
        f.add(bench("decay"), "decay", "weight_decay", value="tokens_per_cpu_second")
    tokenizer = bench("tokenize")
    return f, products, tokenizer


def number(x, digits=0):
    return "-" if x is None else f"{x:,.{digits}f}"


def ratio(a, b):
    return a / b if a and b else None


def best(*xs):
    xs = [x for x in xs if x]
    return max(xs) if xs else None


def report(f, products, tokenizer):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "") if os.path.exists("/proc/cpuinfo") else platform.processor()
    go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    print(f"{go[2]} {go[3]}, {os.cpu_count()} cores of {cpu}, load {os.getloadavg()[0]:.1f}")

    peak = f.median("peak")
    print(f"\nGFLOP/s of one core: fused multiply-adds {number(peak, 1)}, the same in C {number(f.median('peak in C'), 1)}")
    print(f"\n{'size':6} {'product':21} {'op':3} {'m':>5} {'n':>5} {'k':>5} {'ours':>7} {'of peak':>8} {'OpenBLAS':>9} {'ratio':>6}")
    shares, against = collections.defaultdict(list), []
    for p in products:
        key = p["size"], p["role"], p["op"]
        ours, theirs, share = (f.median(name, *key) for name in ("gemm", "openblas", "share"))
        if share:
            shares[p["size"]].append(share)
        if theirs:
            against.append(ours / theirs)
        print(f"{p['size']:6} {p['role']:21} {p['op']:3} {p['m']:5} {p['n']:5} {p['k']:5} {ours:7.1f} {number(share, 2):>8} {number(theirs, 1):>9} {number(ratio(ours, theirs), 2):>6}")

    print(f"\n{'size':6} {'cores':>5} {'ours tokens/s':>14} {'PyTorch':>9} {'ratio':>6}   {'ours /cpu-s':>12} {'PyTorch':>9} {'ratio':>6}")
    for size in SIZES:
        for cores in 1, 2:
            a, b, c, d = (f.median(name, size, cores) for name in ("train", "torch", "train cpu", "torch cpu"))
            print(f"{size:6} {cores:5} {number(a):>14} {number(b):>9} {number(ratio(a, b), 2):>6}   {number(c):>12} {number(d):>9} {number(ratio(c, d), 2):>6}")
    for what, a, b in ("a sweep of 4 small", "sweep", None), ("generation, small, batch 64", "generate", "torch generates"):
        print(f"\n{what}, tokens/s: " + "; ".join(f"cores: {n}, ours {number(f.median(a, n))}" + (f", PyTorch {number(f.median(b, n))}" if b else "") for n in (1, 2)))
    for t in tokenizer:
        print(f"\nbyte-level BPE with {t['vocab']} tokens, one core: training {t['train_mb_per_second']} MB/s, encoding {t['encode_mb_per_second']} MB/s")

    train = lambda size, cores: f.median("train", size, cores)
    theirs = lambda size: best(f.median("torch", size, 1), f.median("torch", size, 2))
    low = lambda xs: min(xs) if xs else None
    goals = [
        ("matrix product of 1024³, share of the peak, least of NN, NT, TN", 0.75, low(shares["1024"])),
        ("matrix product at the shapes of small, share of the peak, least", 0.6, low(shares["small"])),
        ("matrix product over OpenBLAS, least of all shapes", 1, low(against)),
        *((f"training {s}, one core over PyTorch's one thread", g, ratio(train(s, 1), f.median("torch", s, 1))) for s, g in zip(SIZES, (2.0, 2.0, 1.6))),
        *((f"training {s}, two cores over one", 1.8, ratio(train(s, 2), train(s, 1))) for s in SIZES[1:]),
        *((f"training {s}, two cores over PyTorch's better setting", 3, ratio(train(s, 2), theirs(s))) for s in SIZES[1:]),
        ("a sweep of 4 small, two cores over one", 1.9, ratio(f.median("sweep", 2), f.median("sweep", 1))),
        ("generation, one core over PyTorch's one thread", 3, ratio(f.median("generate", 1), f.median("torch generates", 1))),
        ("generation, two cores over PyTorch's better setting", 3, ratio(f.median("generate", 2), best(*(f.median("torch generates", n) for n in (1, 2))))),
        ("training with weight decay 10 over 0.1, CPU time", 0.98, ratio(f.median("decay", 10), f.median("decay", 0.1))),
    ]
    print(f"\n{'goal':66} {'wanted':>7} {'is':>6}")
    for what, wanted, value in goals:
        print(f"{what:66} {wanted:7.2f} {number(value, 2):>6} {'' if value is None or value >= wanted else '  missed'}".rstrip())


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    torch = install()
    with tempfile.TemporaryDirectory(prefix="anneal-training-") as work:
        report(*measure(rounds, torch, work))
