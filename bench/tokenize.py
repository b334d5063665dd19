#!/usr/bin/env python3
"""bench/tokenize.py [ROUNDS]: encoding text and learning vocabularies, beside tiktoken in Go and in WebAssembly, Hugging Face's tokenizers and
the naive loop.

The text to encode is Newton's Opticks, 20 times over; that to learn from is the book and the sources of Go's library, 15 MB, which the
vocabulary of 32k is of. Each program runs in a process of its own, is warm before its clock starts, and takes turns with the others,
ROUNDS times over (3); the table has medians. What is not ours is held to one core. All must give the same ids, or this fails. npm
installs two of the others in a temporary folder; what cannot be had is left out. Four minutes.
"""
import collections, json, os, shutil, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = os.cpu_count()
NPM = ["tiktoken@1.0.22", "tokenizers@0.23.2"]
VOCAB, HUGGING_FACE, NAIVE = 32768, 30000, 1256  # ids to learn: ours; all that npm's tokenizers can; what the naive loop does in seconds
MB = 1e6


def write_texts(work):
    root = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
    with open(root + "/src/testdata/Isaac.Newton-Opticks.txt", "rb") as f:
        book = f.read()
    with open(work + "/book", "wb") as f:
        f.write(20 * book)
    library = sorted(os.path.join(d, name) for d, _, names in os.walk(root + "/src") for name in names if name.endswith(".go"))
    size = len(book)
    with open(work + "/library", "wb") as f:
        f.write(book)
        for path in library:
            with open(path, "rb") as source:
                text = source.read()[: int(15 * MB) - size]
            f.write(text)
            size += len(text)


def build(work):
    """Builds or installs all programs: those that can be had."""
    subprocess.run(["go", "build", "-o", work + "/bpe", "./bench/bpe"], cwd=HERE + "/..", check=True)
    subprocess.run(["go", "build", "-o", work + "/tiktoken", "."], cwd=HERE + "/tiktoken")
    if shutil.which("npm"):
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", work, *NPM])
    return os.path.exists(work + "/tiktoken"), [os.path.isdir(f"{work}/node_modules/{p.split('@')[0]}") for p in NPM]


def programs(work):
    """What is measured, a row each: its part, its name, cores and the command."""
    go, (wasm, hugging_face) = build(work)
    bpe, node = work + "/bpe", lambda script: ["node", f"{HERE}/tiktoken/{script}.cjs"]
    ours, r50k = work + "/ours", work + "/r50k"
    subprocess.run([bpe, "learn", work + "/library", str(VOCAB), ours], check=True, stdout=subprocess.DEVNULL)
    vocabularies = [("32k", ours)]
    if wasm:
        with open(work + "/node_modules/tiktoken/encoders/r50k_base.json") as f:
            tokens = [t for line in json.load(f)["bpe_ranks"].splitlines() for t in line.split()[2:]]
        with open(r50k, "w") as f:
            f.writelines(f"{t} {rank}\n" for rank, t in enumerate(tokens))
        vocabularies.append(("r50k", r50k))
    for name, ranks in vocabularies:
        part = "encode, " + name
        yield part, "anneal", 1, [bpe, "encode", work + "/book", ranks]
        yield part, "anneal", CORES, [bpe, "encode", work + "/book", ranks]
        if wasm:
            yield part, "npm tiktoken", 1, node("encode") + [work + "/book", ranks]
        if go and name == "r50k":
            yield part, "tiktoken-go", 1, [work + "/tiktoken", work + "/book"]
    for size in VOCAB, HUGGING_FACE, NAIVE:
        part = f"learn, {size}"
        yield part, "anneal", 1, [bpe, "learn", work + "/library", str(size)]
        if size == VOCAB:
            yield part, "anneal", CORES, [bpe, "learn", work + "/library", str(size)]
        if size == HUGGING_FACE and hugging_face:
            yield part, "npm tokenizers", 1, node("learn") + [work + "/library"]
        if size == NAIVE:
            yield part, "naive loop", 1, [bpe, "naive", work + "/library", str(size)]


def measure(rounds, work):
    write_texts(work)
    rows = list(programs(work))
    seconds, digests = collections.defaultdict(list), collections.defaultdict(set)
    for r in range(rounds):
        print(f"round {r + 1} of {rounds}", file=sys.stderr)
        for part, name, cores, command in rows:
            env = os.environ | {"GOMAXPROCS": str(cores), "RAYON_NUM_THREADS": "1", "NODE_PATH": work + "/node_modules"}
            p = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
            result = json.loads(p.stdout.splitlines()[-1])
            seconds[part, name, cores].append(result["seconds"])
            if "digest" in result:
                digests[part].add(result["digest"])
    for part, found in digests.items():
        if len(found) > 1:
            sys.exit(f"{part}: the programs disagree about the ids")
    return {key: statistics.median(values) for key, values in seconds.items()}, os.path.getsize(work + "/book"), os.path.getsize(work + "/library")


def report(seconds, book, library):
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    version = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    print(f"{version[2]} {version[3]}, {CORES} cores of {cpu}, load {os.getloadavg()[0]:.1f}; texts of {book / MB:.1f} and {library / MB:.1f} MB")
    print(f"\n{'':14} {'':15} {'cores':>5} {'seconds':>8} {'MB/s':>7} {'time over ours on one core':>27}")
    for (part, name, cores), s in seconds.items():
        size = book if part.startswith("encode") else library
        print(f"{part:14} {name:15} {cores:5} {s:8.2f} {size / MB / s:7.1f} {s / seconds[part, 'anneal', 1]:27.2f}")

    goals = [("learning 32k of 15 MB on one core, seconds", seconds[f"learn, {VOCAB}", "anneal", 1], 20, "at most")]
    for what, part, name, wanted in [
        ("encoding, all cores, over tiktoken-go on one", "encode, r50k", "tiktoken-go", 3),
        ("encoding, all cores, over npm tiktoken on one, r50k", "encode, r50k", "npm tiktoken", 1.5),
        ("encoding, all cores, over npm tiktoken on one, 32k", "encode, 32k", "npm tiktoken", 1.5),
    ]:
        if (part, name, 1) in seconds:
            goals.append((what, seconds[part, name, 1] / seconds[part, "anneal", CORES], wanted, "at least"))
    goals.append(("learning over the naive loop, one core", seconds[f"learn, {NAIVE}", "naive loop", 1] / seconds[f"learn, {NAIVE}", "anneal", 1], 5, "at least"))
    print(f"\n{'goal':54} {'wanted':>14} {'is':>7}")
    for what, value, wanted, sense in goals:
        missed = value < wanted if sense == "at least" else value > wanted
        print(f"{what:54} {sense:>8} {wanted:5} {value:7.2f} {'  missed' if missed else ''}".rstrip())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="anneal-tokenize-") as work:
        report(*measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3, work))
