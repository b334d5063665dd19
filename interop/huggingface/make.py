"""Makes folders of random models as transformers writes them, of all kinds that Anneal says it reads."""
import itertools, json, os
import torch
import folder, model

CONTEXT = 48
MERGES = [("t", "h"), ("Ġ", "th"), ("Ġth", "e"), ("i", "n"), ("Ã", "©")]
END = "<|endoftext|>"


def characters():
    """The character that stands for each byte in a byte-level vocabulary: its own where that can be seen, otherwise one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in seen]
    return [chr(b) for b in seen] + [chr(256 + i) for i in range(len(hidden))]


def tokenizer(pairs):
    """A tokenizer.json of bytes, some merges and one special token, its merges as pairs or as words."""
    tokens = characters() + [a + b for a, b in MERGES]
    end = {"id": len(tokens), "content": END, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end],
        "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [list(m) if pairs else " ".join(m) for m in MERGES],
        },
    }


def config(i, olmo2, shared, tied, dtype):
    """A config.json as transformers 4 or 5 writes it, by turns."""
    new, kind = i % 2 == 1, i // 3 % 3
    c = {
        "architectures": ["Olmo2ForCausalLM" if olmo2 else "LlamaForCausalLM"], "model_type": "olmo2" if olmo2 else "llama",
        "hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2 if shared else 4,
        # Published models often have more rows than their tokenizer has tokens.
        "vocab_size": 262 if kind else 272, "max_position_embeddings": CONTEXT, "hidden_act": "silu", "initializer_range": 0.02, "use_cache": True,
        "attention_bias": False, "attention_dropout": 0.0, "rms_norm_eps": [1e-5, 1e-6, 1e-3][kind], "tie_word_embeddings": tied,
        "bos_token_id": None, "eos_token_id": 261, "pad_token_id": None, "transformers_version": "5.0.0" if new else "4.48.0",
    }
    theta = [500000.0, 10000.0, 100.0][kind]
    if new:
        c |= {"dtype": dtype, "rope_parameters": {"rope_theta": theta, "rope_type": "default"}}
    else:
        c |= {"torch_dtype": dtype, "rope_theta": theta, "rope_scaling": None}
    if not olmo2:
        c |= {"head_dim": 8, "mlp_bias": False, "pretraining_tp": 1}
    return c


def weights(c, generator):
    """Random parameters at whose sizes attention looks at few positions, and no part is too small to be seen in the logits."""
    tensors = {}
    for name, shape in c.shapes().items():
        if len(shape) == 1:
            t = torch.rand(shape, generator=generator) + 0.5
        else:
            t = torch.randn(shape, generator=generator) * (1 if "embed" in name and not c.tied else shape[1] ** -0.5)
            if "q_proj" in name or "k_proj" in name:
                t = 2 * t
        tensors[name] = t
    return tensors


def folders(into):
    """Returns the names of the folders that it makes."""
    generator, names = torch.Generator().manual_seed(1), []
    for i, (olmo2, shared, tied, dtype) in enumerate(itertools.product((False, True), (False, True), (False, True), ("float32", "float16", "bfloat16"))):
        shards = 1 + i // 2 % 2 * 2
        names.append("-".join(("olmo2" if olmo2 else "llama", "grouped" if shared else "full", "tied" if tied else "untied", dtype, f"{shards}files")))
        path = f"{into}/{names[-1]}"
        os.makedirs(path)
        c = config(i, olmo2, shared, tied, dtype)
        tensors = {name: t.to(getattr(torch, dtype)) for name, t in weights(model.Config(c), generator).items()}
        if i % 4 == 0 and not olmo2:  # early folders of Llama hold what transformers computes itself
            tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.rand(4, generator=generator)
        if i % 4 == 3 and tied:  # and some hold the embeddings twice
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
        folder.write(path, tensors, shards)
        for name, content in {
            "config.json": c, "tokenizer.json": tokenizer(pairs=i % 2 == 1), "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END},
        }.items():
            with open(f"{path}/{name}", "w") as f:
                json.dump(content, f, indent=2)
    return names
