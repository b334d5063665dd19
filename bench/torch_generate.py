#!/usr/bin/env python3
"""torch_generate.py THREADS [tiny|small|mid ...]: tokens/s of PyTorch generating greedily with the models of torch_train.py.

A plain loop with a cache of keys and values that is allocated once: 64 random prompts of 32 tokens go through the model together, then a token
at a time for each until the context is full. Under inference_mode. Prints one JSON line a size: generated tokens over the time for prompts and
all, the median of runs. Run it with OMP_NUM_THREADS=OPENBLAS_NUM_THREADS=THREADS.
"""
import json, math, statistics, sys, time
import torch, torch.nn.functional as F
from torch_train import LM, SIZES, rope

BATCH, PROMPT, RUNS = 64, 32, 3


def attend(b, x, at, keys, values, cos, sin, mask):
    """The attention of torch_train's Block for positions from at on; keys and values (B,h,T,D/h) hold those before."""
    B, T, D = x.shape
    q, k, v = (t.view(B, T, b.h, D // b.h).transpose(1, 2) for t in b.qkv(b.n1(x)).split(D, -1))
    end = at + T
    keys[:, :, at:end], values[:, :, at:end] = rope(k, cos[at:end], sin[at:end]), v
    scores = rope(q, cos[at:end], sin[at:end]) @ keys[:, :, :end].transpose(-1, -2) / math.sqrt(D // b.h)
    if T > 1:
        scores = scores + mask[at:end, :end]
    a = torch.softmax(scores, -1) @ values[:, :, :end]
    return b.o(a.transpose(1, 2).reshape(B, T, D))


def logits(m, tokens, at, cache):
    """Logits of the last of tokens (B,T), which stand at positions from at on."""
    x = m.e(tokens)
    for b, (keys, values) in zip(m.b, cache):
        x = x + attend(b, x, at, keys, values, m.cos, m.sin, m.mask)
        g, u = b.up(b.n2(x)).chunk(2, -1)
        x = x + b.down(F.silu(g) * u)
    return m.u(m.n(x[:, -1]))


def generate(m, prompts, context):
    """Extends prompts (B,T) greedily to context tokens."""
    B, T = prompts.shape
    width, heads = m.e.embedding_dim, m.b[0].h
    cache = [[torch.empty(B, heads, context, width // heads) for _ in range(2)] for _ in m.b]
    out = [prompts]
    tokens = prompts
    for at in [0, *range(T, context - 1)]:
        tokens = logits(m, tokens, at, cache).argmax(-1, keepdim=True)
        out.append(tokens)
    return torch.cat(out, 1)


def measure(name, threads):
    V, d, L, h, ff, T, _, _ = SIZES[name]
    m = LM(V, d, L, h, ff, T)
    prompts = torch.randint(0, V, (BATCH, PROMPT))
    seconds = []
    with torch.inference_mode():
        for _ in range(RUNS):
            start = time.perf_counter()
            generate(m, prompts, T)
            seconds.append(time.perf_counter() - start)
    print(json.dumps(dict(engine="torch " + torch.__version__, size=name, threads=threads, batch=BATCH,
                          tokens_per_second=round(BATCH * (T - PROMPT) / statistics.median(seconds[1:])))), flush=True)


if __name__ == "__main__":
    threads = int(sys.argv[1])
    torch.set_num_threads(threads)
    for name in sys.argv[2:] or SIZES:
        measure(name, threads)
