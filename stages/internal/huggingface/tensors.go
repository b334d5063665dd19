package huggingface

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/lm"
)

// tensor is a parameter of ours and the tensor that it is in transformers.
type tensor struct {
	ours       lm.Shape
	theirs     artifacts.TensorShape
	transposed bool // matrices of torch's Linear are (out,in), ours (in,out)
}

// names are those of transformers by ours. Layers' stand below model.layers.N. The rotary positions need no permutation: in both the
// halves of a head are paired.
var names = map[string]string{
	"embedding": "model.embed_tokens.weight", "norm": "model.norm.weight", "output": "lm_head.weight",

	"q": "self_attn.q_proj.weight", "k": "self_attn.k_proj.weight", "v": "self_attn.v_proj.weight", "o": "self_attn.o_proj.weight",
	"q_norm": "self_attn.q_norm.weight", "k_norm": "self_attn.k_norm.weight",
	"gate": "mlp.gate_proj.weight", "up": "mlp.up_proj.weight", "down": "mlp.down_proj.weight",

	"llama attention_norm": "input_layernorm.weight", "llama ffn_norm": "post_attention_layernorm.weight",
	"olmo2 attention_norm": "post_attention_layernorm.weight", "olmo2 ffn_norm": "post_feedforward_layernorm.weight",
}

// tensorsOf lists a model's parameters in their order.
func tensorsOf(m lm.Model, vocab int) []tensor {
	var all []tensor
	for _, s := range m.Shapes(vocab) {
		below, name := "", s.Name
		if rest, ok := strings.CutPrefix(s.Name, "layers."); ok {
			layer, part, _ := strings.Cut(rest, ".")
			below, name = "model.layers."+layer+".", part
		}
		theirs, ok := names[name]
		if !ok {
			theirs = names[m.Family+" "+name]
		}
		t := tensor{ours: s, transposed: len(s.Dims) == 2 && name != "embedding"}
		t.theirs = artifacts.TensorShape{Name: below + theirs, Shape: slices.Clone(s.Dims)}
		if t.transposed {
			slices.Reverse(t.theirs.Shape)
		}
		all = append(all, t)
	}
	return all
}

// match returns the published tensor of each parameter. All must be there, with their shapes, and no others but what transformers computes
// itself.
func match(published *artifacts.Safetensors, m lm.Model, vocab int) ([]tensor, []artifacts.Tensor, error) {
	if m.Layers > len(published.Tensors) {
		return nil, nil, fmt.Errorf("there are %d tensors, too few for num_hidden_layers of %d", len(published.Tensors), m.Layers)
	}
	all := tensorsOf(m, vocab)
	found := make([]artifacts.Tensor, len(all))
	known := map[string]bool{}
	for i, t := range all {
		p, ok := published.Tensor(t.theirs.Name)
		if !ok {
			return nil, nil, fmt.Errorf("tensor %s is missing", t.theirs.Name)
		}
		if !slices.Equal(p.Shape, t.theirs.Shape) {
			return nil, nil, fmt.Errorf("tensor %s is of shape %v, %s asks for %v", p.Name, p.Shape, configFile, t.theirs.Shape)
		}
		if p.Size() > math.MaxInt32 {
			return nil, nil, fmt.Errorf("tensor %s has %d elements, and at most %d can be read", p.Name, p.Size(), math.MaxInt32)
		}
		found[i], known[p.Name] = p, true
	}
	for _, p := range published.Tensors {
		switch {
		case known[p.Name] || strings.HasSuffix(p.Name, ".rotary_emb.inv_freq"):
		case p.Name == names["output"] && m.Tied:
			if !p.Equal(found[0]) {
				return nil, nil, fmt.Errorf("tensor %s is another than %s, with which tie_word_embeddings makes it one", p.Name, found[0].Name)
			}
		default:
			return nil, nil, fmt.Errorf("tensor %s belongs to no part of the model that %s describes", p.Name, configFile)
		}
	}
	return all, found, nil
}

// band is how many rows of a matrix are transposed at a time: of each column they are a line of the processor's cache.
const band = 16

// transpose writes rows of a matrix (rows,columns), which from holds, to the columns of the transposed matrix from the first of to on; a row of
// that has stride elements.
func transpose(to []float32, stride int, from []float32, columns int) {
	for first := 0; first*columns < len(from); first += band {
		rows := from[first*columns : min((first+band)*columns, len(from))]
		for j := range columns {
			column := to[j*stride+first:]
			for i, at := 0, j; at < len(rows); i, at = i+1, at+columns {
				column[i] = rows[at]
			}
		}
	}
}
