"""LlamaForCausalLM and Olmo2ForCausalLM of transformers, as their documentation and papers define them, in float32."""
import math
import torch, torch.nn.functional as F


class Config:
    """What config.json says, with the names and defaults of transformers: those of 4, and of 5 where they differ."""

    def __init__(self, c):
        self.architecture, = c["architectures"]
        self.olmo2 = {"LlamaForCausalLM": False, "Olmo2ForCausalLM": True}[self.architecture]
        assert c["model_type"] == ("olmo2" if self.olmo2 else "llama")
        given = lambda name, otherwise: otherwise if c.get(name) is None else c[name]
        self.width, self.ff, self.layers = c["hidden_size"], c["intermediate_size"], c["num_hidden_layers"]
        self.vocabulary, self.context = c["vocab_size"], c["max_position_embeddings"]
        self.heads = c["num_attention_heads"]
        self.groups = given("num_key_value_heads", self.heads)
        self.dim = given("head_dim", self.width // self.heads)
        self.eps = given("rms_norm_eps", 1e-5 if self.olmo2 else 1e-6)
        rope = given("rope_parameters", {})
        assert rope.get("rope_type", "default") == "default" and c.get("rope_scaling") is None
        self.theta = rope.get("rope_theta", given("rope_theta", 10000.0))
        self.tied = given("tie_word_embeddings", False)
        assert given("hidden_act", "silu") == "silu" and not c.get("attention_bias") and not c.get("mlp_bias")

    def shapes(self):
        """The parameters by name."""
        queries, shared = self.heads * self.dim, self.groups * self.dim
        shapes = {"model.embed_tokens.weight": [self.vocabulary, self.width], "model.norm.weight": [self.width]}
        if not self.tied:
            shapes["lm_head.weight"] = [self.vocabulary, self.width]
        layer = {
            "self_attn.q_proj": [queries, self.width], "self_attn.k_proj": [shared, self.width],
            "self_attn.v_proj": [shared, self.width], "self_attn.o_proj": [self.width, queries],
            "mlp.gate_proj": [self.ff, self.width], "mlp.up_proj": [self.ff, self.width], "mlp.down_proj": [self.width, self.ff],
            "post_attention_layernorm": [self.width],
        }
        if self.olmo2:
            layer |= {"self_attn.q_norm": [queries], "self_attn.k_norm": [shared], "post_feedforward_layernorm": [self.width]}
        else:
            layer["input_layernorm"] = [self.width]
        for n in range(self.layers):
            shapes |= {f"model.layers.{n}.{name}.weight": shape for name, shape in layer.items()}
        return shapes


def norm(x, gain, eps):
    """RMSNorm (Zhang and Sennrich 2019)."""
    return gain * (x / torch.sqrt(x.square().mean(-1, keepdim=True) + eps))


def turn(x, theta):
    """Rotary positions (Su et al. 2021) of heads (…,T,dim). The number i of a head and the number i + dim/2 are a point of the plane."""
    length, dim = x.shape[-2:]
    angles = torch.outer(torch.arange(length).float(), theta ** (-torch.arange(0, dim, 2).float() / dim))
    angles = torch.cat((angles, angles), -1)
    first, second = x[..., : dim // 2], x[..., dim // 2 :]
    return x * angles.cos() + torch.cat((-second, first), -1) * angles.sin()


def attention(c, w, x):
    """x (T,width), w the weights of the layer by name."""
    q, k, v = (F.linear(x, w[f"self_attn.{name}_proj"]) for name in "qkv")
    if c.olmo2:
        q, k = norm(q, w["self_attn.q_norm"], c.eps), norm(k, w["self_attn.k_norm"], c.eps)
    q, k, v = (t.view(len(x), -1, c.dim).transpose(0, 1) for t in (q, k, v))
    q, k = turn(q, c.theta), turn(k, c.theta)
    k, v = (t.repeat_interleave(c.heads // c.groups, 0) for t in (k, v))
    scores = q @ k.transpose(1, 2) / math.sqrt(c.dim)
    later = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    out = scores.masked_fill(later, -math.inf).softmax(-1) @ v
    return F.linear(out.transpose(0, 1).reshape(len(x), -1), w["self_attn.o_proj"])


def feed_forward(w, x):
    return F.linear(F.silu(F.linear(x, w["mlp.gate_proj"])) * F.linear(x, w["mlp.up_proj"]), w["mlp.down_proj"])


def logits(c, tensors, ids):
    """Returns the logits (T,vocabulary) of a sequence, with the tensors of a folder by name."""
    x = tensors["model.embed_tokens.weight"][torch.tensor(ids)]
    for n in range(c.layers):
        below = f"model.layers.{n}."
        w = {name[len(below) : -len(".weight")]: t for name, t in tensors.items() if name.startswith(below)}
        if c.olmo2:
            x = x + norm(attention(c, w, x), w["post_attention_layernorm"], c.eps)
            x = x + norm(feed_forward(w, x), w["post_feedforward_layernorm"], c.eps)
        else:
            x = x + attention(c, w, norm(x, w["input_layernorm"], c.eps))
            x = x + feed_forward(w, norm(x, w["post_attention_layernorm"], c.eps))
    x = norm(x, tensors["model.norm.weight"], c.eps)
    return F.linear(x, tensors["model.embed_tokens.weight" if c.tied else "lm_head.weight"])
