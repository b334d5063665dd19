#!/usr/bin/env python3
"""sgemm.py: OpenBLAS multiplying matrices of the shapes on standard input, on one core.

Reads lines of `anneal bench gemm --json` and prints them again with OpenBLAS's GFLOP/s by CPU time: the best of several, as there. Run it with
OPENBLAS_NUM_THREADS=1. Needs libopenblas alone (Debian: libopenblas0-pthread).
"""
import ctypes, ctypes.util, json, random, struct, sys, time

name = ctypes.util.find_library("openblas")
if not name:
    sys.exit("there is no libopenblas")
sgemm = ctypes.CDLL(name).cblas_sgemm
ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
number = ctypes.c_float
ROUNDS, SHORTEST = 5, 0.004


def matrix(n):
    block = struct.pack("4096f", *(random.random() - 0.5 for _ in range(4096)))
    return (number * n).from_buffer_copy(block * (n // 4096 + 1))


def measure(op, m, n, k):
    a, b, c = matrix(m * k), matrix(k * n), matrix(m * n)
    lda, ldb = (m if op[0] == "T" else k), (k if op[1] == "T" else n)
    ops = [TRANSPOSED if x == "T" else PLAIN for x in op]
    run = lambda: sgemm(ROW_MAJOR, *ops, m, n, k, number(1), a, lda, b, ldb, number(0), c, n)
    run()
    times, speeds = 1, []
    while len(speeds) < ROUNDS:
        start = time.process_time()
        for _ in range(times):
            run()
        took = time.process_time() - start
        if took < SHORTEST:
            times *= 2
        else:
            speeds.append(2 * m * n * k * times / took / 1e9)
    return max(speeds)


for line in sys.stdin:
    s = json.loads(line)
    s = {key: s[key] for key in ("size", "role", "op", "m", "n", "k")}
    print(json.dumps(s | {"gflops": round(measure(s["op"], s["m"], s["n"], s["k"]), 1)}), flush=True)
