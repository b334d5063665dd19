"""Reads and writes the tensors of a folder as https://github.com/huggingface/safetensors defines them: model.safetensors, or its shards with an index."""
import json, os, struct
import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
TYPES = {name: dtype for dtype, name in NAMES.items()}


def write_file(path, tensors):
    """Tensors by name, in their order, one after the other."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(t.contiguous().flatten().view(torch.int16 if t.element_size() == 2 else torch.int32).numpy().tobytes())


def write(folder, tensors, shards):
    """Deals tensors to so many files, turn by turn, with an index where there is more than one."""
    if shards == 1:
        return write_file(f"{folder}/model.safetensors", tensors)
    files = {}
    for i, (name, t) in enumerate(tensors.items()):
        files.setdefault(f"model-{i % shards + 1:05}-of-{shards:05}.safetensors", {})[name] = t
    for file, part in files.items():
        write_file(f"{folder}/{file}", part)
    index = {
        "metadata": {"total_size": sum(t.numel() * t.element_size() for t in tensors.values())},
        "weight_map": {name: file for file, part in files.items() for name in part},
    }
    with open(f"{folder}/model.safetensors.index.json", "w") as f:
        json.dump(index, f)


def read_file(path):
    with open(path, "rb") as f:
        data = f.read()
    size, = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + size]), memoryview(data)[8 + size :]
    assert header.pop("__metadata__", {}).get("format") == "pt", f"{path}: transformers reads files of format pt alone"
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda e: e[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        assert begin == end, f"{path}: {name} begins at byte {begin}, what is before it ends at {end}"
        tensors[name] = torch.frombuffer(bytearray(body[begin:stop]), dtype=TYPES[entry["dtype"]]).view(entry["shape"])
        end = stop
    assert end == len(body), f"{path}: bytes behind the last tensor"
    return tensors


def read(folder):
    """Returns the tensors of a folder by name, and the number of files that they lie in."""
    index = f"{folder}/model.safetensors.index.json"
    if not os.path.exists(index):
        return read_file(f"{folder}/model.safetensors"), 1
    assert not os.path.exists(f"{folder}/model.safetensors"), f"{folder}: both an index and a file of all tensors"
    with open(index) as f:
        index = json.load(f)
    files = sorted(set(index["weight_map"].values()))
    parts = {file: read_file(f"{folder}/{file}") for file in files}
    assert index["weight_map"] == {name: file for file, part in parts.items() for name in part}, f"{folder}: the index is of other tensors"
    tensors = {name: t for part in parts.values() for name, t in part.items()}
    assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in tensors.values()), f"{folder}: the index has another total_size"
    return tensors, len(files)
