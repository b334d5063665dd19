#!/usr/bin/env python3
"""compare.py DIR: trains in PyTorch what `go run ./interop/torch DIR` has trained, and compares the losses of all steps.

Equal initial weights and batches; the model, AdamW with decay of every parameter, clipping and the schedule are written here anew. Exit 1 where
a loss differs by more than 1e-3.
"""
import json, math, os, sys
import numpy, torch, torch.nn.functional as F

TOLERANCE = 1e-3


def norm(x, gain, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * gain


def rotate(x, theta):
    """Turns the halves of each head (…,T,dim) by its position."""
    T, dim = x.shape[-2:]
    angle = torch.arange(T)[:, None] * theta ** (-2 * torch.arange(dim // 2) / dim)
    a, b = x.chunk(2, -1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), -1)


def loss_of(m, w, tokens, targets):
    """The mean loss of a batch (B,T) of the model m, with weights w by name."""
    B, T = tokens.shape
    dim, groups, eps = m["Width"] // m["Heads"], m["KVHeads"] or m["Heads"], m["NormEps"]
    olmo2 = m["Family"] == "olmo2"
    mask = torch.full((T, T), float("-inf")).triu(1)
    heads = lambda x, n: x.view(B, T, n, dim).transpose(1, 2)
    x = w["embedding"][tokens]
    for l in range(m["Layers"]):
        p = lambda name: w[f"layers.{l}.{name}"]
        h = x if olmo2 else norm(x, p("attention_norm"), eps)
        q, k, v = h @ p("q"), h @ p("k"), h @ p("v")
        if olmo2:
            q, k = norm(q, p("q_norm"), eps), norm(k, p("k_norm"), eps)
        q, k, v = rotate(heads(q, m["Heads"]), m["RopeTheta"]), rotate(heads(k, groups), m["RopeTheta"]), heads(v, groups)
        k, v = (t.repeat_interleave(m["Heads"] // groups, 1) for t in (k, v))
        a = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(dim) + mask, -1) @ v
        a = a.transpose(1, 2).reshape(B, T, -1) @ p("o")
        x = x + (norm(a, p("attention_norm"), eps) if olmo2 else a)
        h = x if olmo2 else norm(x, p("ffn_norm"), eps)
        f = (F.silu(h @ p("gate")) * (h @ p("up"))) @ p("down")
        x = x + (norm(f, p("ffn_norm"), eps) if olmo2 else f)
    logits = norm(x, w["norm"], eps) @ (w["embedding"].T if m["Tied"] else w["output"])
    return F.cross_entropy(logits.view(B * T, -1), targets.view(-1))


def rate(s, step, steps):
    """The learning rate's factor: a linear warmup, then a cosine."""
    warmup = round(s["Warmup"] * steps)
    if step < warmup:
        return (step + 1) / warmup
    x = (step + 1 - warmup) / (steps - warmup)
    return s["Final"] + (1 - s["Final"]) * (1 + math.cos(math.pi * x)) / 2


def train(folder):
    """Returns the losses of PyTorch and ours."""
    with open(folder + "/index.json") as f:
        index = json.load(f)
    steps, o, s = index["Steps"], index["Optimizer"], index["Schedule"]
    assert o["Decay"] == "all" and s["Shape"] == "cosine" and s["WarmupSteps"] == 0
    flat = torch.from_numpy(numpy.fromfile(folder + "/weights", "<f4"))
    shapes = index["Weights"]
    parts = flat.split([math.prod(p["Dims"]) for p in shapes])
    weights = {p["Name"]: x.view(p["Dims"]).clone().requires_grad_() for p, x in zip(shapes, parts)}
    batches = [torch.from_numpy(numpy.fromfile(f"{folder}/{name}", "<i4").astype("i8")).view(steps, index["Batch"], index["Length"]) for name in ("tokens", "targets")]
    optimizer = torch.optim.AdamW(weights.values(), lr=o["LearningRate"], betas=o["Betas"], eps=o["Eps"], weight_decay=o["WeightDecay"])
    losses = []
    for step, (tokens, targets) in enumerate(zip(*batches)):
        loss = loss_of(index["Model"], weights, tokens, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), o["Clip"])
        for group in optimizer.param_groups:
            group["lr"] = o["LearningRate"] * rate(s, step, steps)
        optimizer.step()
        losses.append(loss.item())
    return losses, index["Losses"]


def main():
    torch.set_num_threads(1)
    equal = True
    for family in sorted(os.listdir(sys.argv[1])):
        theirs, ours = train(os.path.join(sys.argv[1], family))
        assert len(ours) == len(theirs)
        d = [abs(a - b) for a, b in zip(ours, theirs)]
        equal = equal and all(x <= TOLERANCE for x in d)
        print(f"{family}: {len(ours)} steps from a loss of {ours[0]:.4f} to {ours[-1]:.4f} (PyTorch {theirs[-1]:.4f}); largest difference {max(d):.2g}, at step {d.index(max(d)) + 1}")
    if not equal:
        sys.exit(f"losses differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
