#!/usr/bin/env python3
"""bench/graph.py [N...]: the engine on a graph of N stages that do next to nothing, beside make, ninja and Snakemake.

10 layers, 10 independent groups. Stage (layer, group, i) reads (layer-1, group, i) and (layer-1, group, i+1 mod width);
layer 0 reads params/GROUP.txt, so that an edit of one such file concerns exactly a tenth of the stages. With the others
a stage is a process, `cksum inputs > output`; with Anneal it is a stage of bench/graph, in process, its output hashed and
made durable. Each tool in turn: cold, again with nothing to do, and after an edit of params/3.txt. Seconds by the clock,
medians over the rounds of what is repeatable; MB is the most memory that a process of the tool had. On Debian as root it
installs the tools that are missing; elsewhere it goes without them.
"""
import os, re, shutil, statistics, subprocess, sys, tempfile, time

LAYERS = GROUPS = 10
ROUNDS = 3


def name(l, g, i):
    return f"{l}_{g}_{i}"


def inputs(l, g, i, width):
    return list(dict.fromkeys([name(l - 1, g, i), name(l - 1, g, (i + 1) % width)]))


def write(n, d):
    width = n // (LAYERS * GROUPS)
    nodes = [(l, g, i) for l in range(LAYERS) for g in range(GROUPS) for i in range(width)]
    for sub in "params", "out", "sweep/params", "blocks/params":
        os.makedirs(f"{d}/{sub}")
    for g in range(GROUPS):
        for sub in "", "sweep/", "blocks/":
            with open(f"{d}/{sub}params/{g}.txt", "w") as f:
                f.write("wd=0.1\n")
    files = lambda l, g, i: [f"params/{g}.txt"] if l == 0 else ["out/" + x for x in inputs(l, g, i, width)]
    last = ["out/" + name(LAYERS - 1, g, i) for g in range(GROUPS) for i in range(width)]
    with open(d + "/Makefile", "w") as f:
        f.write("MAKEFLAGS += -rR\n.SUFFIXES:\nall: " + " ".join(last) + "\n\n")
        for s in nodes:
            f.write(f"out/{name(*s)}: {' '.join(files(*s))}\n\t@cksum $^ > $@\n")
    with open(d + "/build.ninja", "w") as f:
        f.write("rule s\n  command = cksum $in > $out\n  description = $out\n")
        for s in nodes:
            f.write(f"build out/{name(*s)}: s {' '.join(files(*s))}\n")
        f.write("build all: phony " + " ".join(last) + "\ndefault all\n")
    with open(d + "/Snakefile", "w") as f:
        f.write(f'''W={width}
rule all:
    input: [f"out/{LAYERS-1}_{{g}}_{{i}}" for g in range({GROUPS}) for i in range(W)]
def prev(w):
    l, g, i = int(w.l), int(w.g), int(w.i)
    if l == 0: return [f"params/{{g}}.txt"]
    return list(dict.fromkeys([f"out/{{l-1}}_{{g}}_{{i}}", f"out/{{l-1}}_{{g}}_{{(i+1)%W}}"]))
rule stage:
    input: prev
    output: "out/{{l}}_{{g}}_{{i}}"
    shell: "cksum {{input}} > {{output}}"
''')
    # The graph as a user of sweeps writes it, a block a layer,
    with open(d + "/sweep/pipelines.hcl", "w") as f:
        f.write(f'pipeline "graph" {{\n  locals {{\n    next = concat(slice(range({width}), 1, {width}), [0])\n  }}\n')
        for l in range(LAYERS):
            reads = 'file = ["params/${each.value.group}.txt"]'
            if l > 0:
                sums = [f"cksum.l{l-1}[each.key].sum"]
                if width > 1:
                    sums.append(f'cksum.l{l-1}["group=${{each.value.group}},i=${{local.next[each.value.i]}}"].sum')
                reads = f"from = [{', '.join(sums)}]"
            f.write(f'  cksum "l{l}" {{\n    for_each = grid({{ group = range({GROUPS}), i = range({width}) }})\n    name = "{l} ${{each.key}}"\n    {reads}\n  }}\n')
        f.write("}\n")
    # and as a program would, a block a stage.
    with open(d + "/blocks/pipelines.hcl", "w") as f:
        f.write('pipeline "graph" {\n')
        for l, g, i in nodes:
            reads = f'file = ["params/{g}.txt"]' if l == 0 else "from = [" + ", ".join(f"cksum.s{x}.sum" for x in inputs(l, g, i, width)) + "]"
            f.write(f'  cksum "s{name(l, g, i)}" {{\n    name = "{name(l, g, i)}"\n    {reads}\n  }}\n')
        f.write("}\n")


def run(command, d):
    """Runs a command: seconds, MB of its largest process, its last line."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        p = subprocess.Popen(command, cwd=d, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(p.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read().decode()
    if status != 0:
        sys.exit(f"{' '.join(command)} failed in {d}:\n{text[-2000:]}")
    return seconds, usage.ru_maxrss / 1000, text.strip().splitlines()[-1] if text.strip() else ""


def install():
    """Installs what is missing, where that is possible."""
    missing = [package for tool, package in [("make", "make"), ("ninja", "ninja-build"), ("snakemake", "snakemake")] if not shutil.which(tool)]
    if missing and os.getuid() == 0 and shutil.which("apt-get"):
        print("installing", *missing, file=sys.stderr)
        quiet = dict(stdout=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing], **quiet)


def main():
    install()
    here = os.path.dirname(os.path.abspath(__file__))
    sizes = [int(a) for a in sys.argv[1:]] or [1000, 10000]
    work = tempfile.mkdtemp(prefix="anneal-graph-")
    anneal = work + "/anneal"
    subprocess.run(["go", "build", "-o", anneal, "./bench/graph"], cwd=here + "/..", check=True)
    print(f"{'stages':>7} {'tool':16} {'cold':>8} {'no-op':>8} {'10 % edit':>10} {'reran':>6} {'MB':>6}   seconds, -j2; no-op and edit: medians of {ROUNDS}")
    for n in sizes:
        tools = [("anneal, sweeps", "sweep", [anneal, "run", "-j", "2"]), ("anneal, blocks", "blocks", [anneal, "run", "-j", "2"])]
        if shutil.which("make"):
            tools.append(("make", ".", ["make", "-j2", "-s"]))
        if shutil.which("ninja"):
            tools.append(("ninja", ".", ["ninja", "-j2", "--quiet"]))
        if shutil.which("snakemake") and n <= 1000:  # minutes at more
            tools.append(("snakemake", ".", ["snakemake", "-j2", "--quiet", "all", "--nolock"]))
        if n > 10000:
            tools = tools[:2]
        state = {}
        for tool, sub, command in tools:
            d = f"{work}/{n}-{tool.split(',')[0]}-{sub.strip('.')}"
            write(n, d)
            at = f"{d}/{sub}"
            state[tool] = dict(at=at, command=command, cold=run(command, at)[0], idle=[], edit=[], mb=0, reran="")
        for r in range(ROUNDS):
            for tool, s in state.items():
                seconds, mb, last = run(s["command"], s["at"])
                s["idle"].append(seconds)
                s["mb"] = max(s["mb"], mb)
                with open(s["at"] + "/params/3.txt", "w") as f:
                    f.write(f"wd={r}\n")
                seconds, _, last = run(s["command"], s["at"])
                s["edit"].append(seconds)
                if tool.startswith("anneal"):
                    s["reran"] = int(re.search(r"(\d+) ran", last)[1])
        for tool, s in state.items():
            print(f"{n:7} {tool:16} {s['cold']:8.2f} {statistics.median(s['idle']):8.3f} {statistics.median(s['edit']):10.2f} {s['reran']:>6} {s['mb']:6.0f}", flush=True)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
