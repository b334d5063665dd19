#!/usr/bin/env python3
"""compare.py DIR, from the repository's root: imports and exports of Hugging Face folders compute the same model as PyTorch does.

In DIR, which must not exist, it makes folders of random models, has Anneal train small models and export them, has Anneal import all these folders, and
compares Anneal's logits with those of model.py, which is written anew from the published definitions. Exit 1 where two differ by more than 1e-4,
or where transformers would not read what was exported. Where transformers can be imported, its own classes read each folder too.
"""
import functools, json, os, subprocess, sys
import numpy, torch
import folder, make, model

TOLERANCE = 1e-4
TEXT = "In the beginning the naïve théorie of light: 12345 rays, and\tthen — 光学 🌈!\n\n  The thing isn't done; it'll bend in the prism, says Newton."

# Trained models of both families, exported in each of the types, whole and in shards.
STUDY = '''
variable "folders" {
  type    = list(string)
  default = []
}
pipeline "out" {
  dataset "prose" {
    source = [gofile("src/testdata/Isaac.Newton-Opticks.txt")]
    split {
      unit       = "block"
      size       = 256
      validation = 0.2
    }
  }
  tokenize "bpe" {
    text            = [dataset.prose.train]
    vocab_size      = 280
    special         = ["<|endoftext|>"]
    end_of_document = "<|endoftext|>"
  }
  pretrain "base" {
    for_each = grid({
      family = ["llama", "olmo2"]
      tied   = [false, true]
    })
    tokens  = tokenize.bpe.tokens
    steps   = 200
    context = 32
    batch   = 4
    seed    = 1
    model {
      family   = each.value.family
      layers   = 2
      width    = 32
      heads    = 4
      kv_heads = 2
      ff       = 56
      tied     = each.value.tied
    }
    adamw {
      learning_rate = 1e-2
    }
  }
  checkpoint "final" {
    for_each = grid({
      base  = pretrain.base
      dtype = ["float32", "float16", "bfloat16"]
      shard = [10000, 5000000000]
    })
    from = each.value.base.weights
    export {
      dtype = each.value.dtype
      shard = each.value.shard
    }
  }
}
pipeline "in" {
  checkpoint "model" {
    for_each = grid({
      folder = var.folders
    })
    import = "folders/${each.value.folder}"
  }
}
'''


def run(dir, *command):
    """Runs a program in the folder dir, and ends with what it says where it fails."""
    done = subprocess.run(command, cwd=dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{done.stdout[-5000:]}")


def outputs(dir, output):
    """Returns the folders of an output that were exported to dir, by the name of what they are of, such as checkpoint.final.dtype=float32."""
    end = "." + output
    return {name[: -len(end)]: f"{dir}/{name}" for name in sorted(os.listdir(dir)) if name.endswith(end)}


def read(path):
    """Returns what config.json says, and the tensors."""
    with open(f"{path}/config.json") as f:
        given = json.load(f)
    tensors, files = folder.read(path)
    return given, model.Config(given), tensors, files


def check_export(path, dtype, shards):
    """Reads a folder as strictly as transformers: every parameter there, with its shape, in the type that config.json says, and no others."""
    given, config, tensors, files = read(path)
    assert {name: list(t.shape) for name, t in tensors.items()} == config.shapes(), f"{path}: other tensors than config.json asks for"
    assert given["torch_dtype"] == dtype and {str(t.dtype) for t in tensors.values()} == {"torch." + dtype}, f"{path}: numbers of another type"
    assert (files > 1) == shards, f"{path}: {files} files"
    with open(f"{path}/tokenizer.json") as f:
        special = {t["content"]: t["id"] for t in json.load(f)["added_tokens"]}
    with open(f"{path}/generation_config.json") as f:
        assert json.load(f)["eos_token_id"] == given["eos_token_id"] == special[make.END], f"{path}: the end of a text is another token"


def theirs(path, sequences):
    """Returns PyTorch's logits, those of one sequence below those of the other."""
    _, config, tensors, _ = read(path)
    tensors = {name: t.float() for name, t in tensors.items()}
    return torch.cat([model.logits(config, tensors, ids) for ids in sequences])


def ours(weights):
    """Returns the sequences that Anneal computed, and its logits."""
    with open(f"{weights}/ids.json") as f:
        sequences = json.load(f)
    logits = torch.from_numpy(numpy.fromfile(f"{weights}/logits", "<f4"))
    return sequences, logits.view(sum(map(len, sequences)), -1)


def published(transformers, path, sequences):
    """Returns the logits of transformers' own classes. The text comes first of what Anneal computed, each id of the vocabulary once after it."""
    net = transformers.AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float32).eval()
    with torch.no_grad():
        logits = torch.cat([net(torch.tensor([ids])).logits[0] for ids in sequences])
    ids = [i for s in sequences for i in s]
    found = transformers.AutoTokenizer.from_pretrained(path)(TEXT, add_special_tokens=False)["input_ids"]
    assert found == ids[: len(ids) - logits.shape[1]], f"{path}: AutoTokenizer makes other ids: {found}"
    return logits


def main():
    torch.set_num_threads(1)
    dir = os.path.abspath(sys.argv[1])
    folders = f"{dir}/folders"
    os.makedirs(folders)
    run(".", "go", "build", "-o", f"{dir}/", ".", "./interop/huggingface")
    for name, content in {"pipelines.hcl": STUDY, "text": TEXT}.items():
        with open(f"{dir}/{name}", "w") as f:
            f.write(content)
    make.folders(folders)

    # What was trained goes on under the name of a folder too, as what was made does.
    run(dir, "./anneal", "run", "out")
    run(dir, "./anneal", "export", "out/checkpoint.final", "--to", "out")
    trained = {}
    for i, (name, path) in enumerate(outputs(f"{dir}/out", "huggingface").items()):
        coordinates = dict(c.split("=") for c in name.split(".")[2:])
        check_export(path, coordinates["dtype"], coordinates["shard"] == "10000")
        trained[f"trained-{i}"] = f"{dir}/out/{name}.weights", coordinates["dtype"]
        os.rename(path, f"{folders}/trained-{i}")

    names = sorted(os.listdir(folders))
    run(dir, "./anneal", "run", "in", "--var", "folders=" + json.dumps(names))
    run(dir, "./anneal", "export", "in/checkpoint.model", "--to", "in")
    imported = {name.split("=")[1]: path for name, path in outputs(f"{dir}/in", "weights").items()}
    assert sorted(imported) == names
    run(dir, "./huggingface", "text", *imported.values(), *{path for path, _ in trained.values()})

    try:
        import transformers
    except ImportError:
        transformers = None
    readers = {"PyTorch": theirs}
    if transformers:
        readers["transformers " + transformers.__version__] = functools.partial(published, transformers)
    groups, equal = {}, True
    for name, weights in imported.items():
        path = f"{folders}/{name}"
        sequences, logits = ours(weights)
        if name in trained and trained[name][1] == "float32":
            assert torch.equal(ours(trained[name][0])[1], logits), f"{name}: exported and imported again it is another model"
        for reader, compute in readers.items():
            d = (compute(path, sequences) - logits).abs().max().item()
            equal = equal and d <= TOLERANCE
            group = groups.setdefault((reader, read(path)[1].architecture, "exported" if name in trained else "made here"), [])
            group.append((d, logits.abs().max().item()))
    for (reader, architecture, origin), all in sorted(groups.items()):
        print(f"{reader}, {architecture}, {len(all)} folders {origin}: largest difference {max(all)[0]:.2g}, of logits up to {max(m for _, m in all):.2g}")
    if not transformers:
        print("transformers cannot be imported here: its own classes and AutoTokenizer have read none of these folders")
    if not equal:
        sys.exit(f"logits differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
