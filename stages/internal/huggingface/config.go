// Package huggingface carries language models between "weights" artifacts and the folders in which Hugging Face's transformers keeps
// them: LlamaForCausalLM and Olmo2ForCausalLM.
package huggingface

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"anneal/lm"
)

// config is what config.json says, as far as it decides what a model computes. Of a pointer nil stands for null, and for what is not there.
type config struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	DType         string   `json:"torch_dtype"`

	HiddenSize            int      `json:"hidden_size"`
	IntermediateSize      int      `json:"intermediate_size"`
	NumHiddenLayers       int      `json:"num_hidden_layers"`
	NumAttentionHeads     int      `json:"num_attention_heads"`
	NumKeyValueHeads      *int     `json:"num_key_value_heads"`
	HeadDim               *int     `json:"head_dim,omitempty"`
	VocabSize             int      `json:"vocab_size"`
	MaxPositionEmbeddings int      `json:"max_position_embeddings"`
	HiddenAct             *string  `json:"hidden_act"`
	RMSNormEps            *float64 `json:"rms_norm_eps"`
	RopeTheta             *float64 `json:"rope_theta"`
	RopeParameters        *rope    `json:"rope_parameters,omitempty"` // where transformers 5 has rope_theta
	RopeScaling           *rope    `json:"rope_scaling,omitempty"`
	PartialRotaryFactor   *float64 `json:"partial_rotary_factor,omitempty"`
	SlidingWindow         *int     `json:"sliding_window,omitempty"`
	UseSlidingWindow      *bool    `json:"use_sliding_window,omitempty"`
	TieWordEmbeddings     bool     `json:"tie_word_embeddings"`
	AttentionBias         bool     `json:"attention_bias"`
	MLPBias               bool     `json:"mlp_bias"`

	QuantizationConfig json.RawMessage `json:"quantization_config,omitempty"`
}

// ownConfig is a config.json of ours. Its special tokens change nothing that a model computes, and published files have lists or -1 for them; left
// out, transformers takes the ids of its own defaults.
type ownConfig struct {
	config
	BOS *uint32 `json:"bos_token_id"`
	EOS *uint32 `json:"eos_token_id"`
	Pad *uint32 `json:"pad_token_id"`
}

type rope struct {
	RopeType            string   `json:"rope_type"`
	Type                string   `json:"type"` // the older name
	RopeTheta           *float64 `json:"rope_theta"`
	PartialRotaryFactor *float64 `json:"partial_rotary_factor"`
}

// A family as transformers knows it.
type family struct {
	family, modelType, architecture string
	eps                             float64 // where config.json has none
}

var families = []family{
	{"llama", "llama", "LlamaForCausalLM", 1e-6},
	{"olmo2", "olmo2", "Olmo2ForCausalLM", 1e-5},
}

// fields are those of config.json by what lm.Model.Check calls them.
var fields = map[string]string{
	"layers": "num_hidden_layers", "width": "hidden_size", "heads": "num_attention_heads", "kv_heads": "num_key_value_heads",
	"ff": "intermediate_size", "norm_eps": "rms_norm_eps", "rope_theta": "rope_theta",
}

// mostContext bounds the tables of rotary positions.
const mostContext = 1 << 20

// readConfig returns the model that config.json describes, the size of its vocabulary and its context. What it could not compute as
// transformers does is refused.
func readConfig(text []byte) (m lm.Model, vocab, context int, err error) {
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		var e *json.UnmarshalTypeError
		if errors.As(err, &e) && e.Field != "" {
			err = fmt.Errorf("%s is of another type than it should be, %s", e.Field, e.Value)
		}
		return m, 0, 0, err
	}
	m, err = c.model()
	return m, c.VocabSize, c.MaxPositionEmbeddings, err
}

func (c *config) model() (lm.Model, error) {
	if len(c.Architectures) != 1 {
		return lm.Model{}, fmt.Errorf("architectures is [%s], want one", strings.Join(c.Architectures, ", "))
	}
	i := slices.IndexFunc(families, func(f family) bool { return f.architecture == c.Architectures[0] })
	if i < 0 {
		return lm.Model{}, fmt.Errorf("architectures is %s: what can be read is LlamaForCausalLM and Olmo2ForCausalLM", c.Architectures[0])
	}
	f := families[i]
	if c.ModelType != "" && c.ModelType != f.modelType {
		return lm.Model{}, fmt.Errorf("model_type is %s, and that of %s is %s", c.ModelType, f.architecture, f.modelType)
	}
	if err := c.refused(); err != nil {
		return lm.Model{}, err
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"hidden_size", c.HiddenSize}, {"intermediate_size", c.IntermediateSize}, {"num_hidden_layers", c.NumHiddenLayers},
		{"num_attention_heads", c.NumAttentionHeads}, {"num_key_value_heads", either(c.NumKeyValueHeads, 1)}, {"vocab_size", c.VocabSize},
	} {
		if n.value < 1 {
			return lm.Model{}, fmt.Errorf("%s is %d, must be at least 1", n.name, n.value)
		}
	}
	m := lm.Model{
		Family: f.family, Layers: c.NumHiddenLayers, Width: c.HiddenSize, Heads: c.NumAttentionHeads, FF: c.IntermediateSize,
		Tied: c.TieWordEmbeddings, NormEps: either(c.RMSNormEps, f.eps), RopeTheta: either(c.RopeTheta, 10000),
	}
	if c.RopeParameters != nil {
		m.RopeTheta = either(c.RopeParameters.RopeTheta, m.RopeTheta)
	}
	if groups := either(c.NumKeyValueHeads, m.Heads); groups != m.Heads {
		m.KVHeads = groups
	}
	if e := (*lm.FieldError)(nil); errors.As(m.Check(), &e) {
		return m, fmt.Errorf("%s %s", fields[e.Field], e.Text)
	}
	switch {
	case either(c.HeadDim, m.HeadDim()) != m.HeadDim():
		return m, fmt.Errorf("head_dim is %d: heads other than of hidden_size/num_attention_heads, %d, cannot be computed", *c.HeadDim, m.HeadDim())
	case c.MaxPositionEmbeddings < 1 || c.MaxPositionEmbeddings > mostContext:
		return m, fmt.Errorf("max_position_embeddings is %d, must be 1 to %d", c.MaxPositionEmbeddings, mostContext)
	}
	return m, nil
}

// refused says what is beside our models.
func (c *config) refused() error {
	switch {
	case len(c.QuantizationConfig) > 0 && string(c.QuantizationConfig) != "null":
		return errors.New("quantization_config is there, and quantized weights cannot be read: take the model as it was before")
	case c.AttentionBias:
		return errors.New("attention_bias is true, and models here have no biases")
	case c.MLPBias:
		return errors.New("mlp_bias is true, and models here have no biases")
	case either(c.SlidingWindow, c.MaxPositionEmbeddings) < c.MaxPositionEmbeddings && either(c.UseSlidingWindow, true):
		return fmt.Errorf("sliding_window is %d, and attention here sees all positions before its own", *c.SlidingWindow)
	case either(c.HiddenAct, "silu") != "silu":
		return fmt.Errorf("hidden_act is %s, and models here compute silu alone", *c.HiddenAct)
	case c.RopeScaling != nil && c.RopeScaling.kind() != "default":
		return fmt.Errorf("rope_scaling is of type %q, and positions here are not scaled", c.RopeScaling.kind())
	}
	for _, r := range []*rope{{PartialRotaryFactor: c.PartialRotaryFactor}, c.RopeParameters, c.RopeScaling} {
		switch {
		case r == nil:
		case r.kind() != "default" && r.kind() != "":
			return fmt.Errorf("rope_parameters is of type %q, and positions here are not scaled", r.kind())
		case either(r.PartialRotaryFactor, 1) != 1:
			return fmt.Errorf("partial_rotary_factor is %g, and heads here are turned as a whole", *r.PartialRotaryFactor)
		}
	}
	return nil
}

func (r *rope) kind() string {
	if r.RopeType == "" {
		return r.Type
	}
	return r.RopeType
}

// either returns what p points to, or what holds where it is nil.
func either[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// configOf describes a model, whose numbers are of a type of torch. Its special tokens have the ids bos and eos, or nil.
func configOf(m lm.Model, vocab, context int, dtype string, bos, eos *uint32) ownConfig {
	f := families[slices.IndexFunc(families, func(f family) bool { return f.family == m.Family })]
	groups, act := m.Groups(), "silu"
	return ownConfig{config: config{
		Architectures: []string{f.architecture}, ModelType: f.modelType, DType: dtype,
		HiddenSize: m.Width, IntermediateSize: m.FF, NumHiddenLayers: m.Layers, NumAttentionHeads: m.Heads, NumKeyValueHeads: &groups,
		VocabSize: vocab, MaxPositionEmbeddings: context, HiddenAct: &act, RMSNormEps: &m.NormEps, RopeTheta: &m.RopeTheta, TieWordEmbeddings: m.Tied,
	}, BOS: bos, EOS: eos}
}
