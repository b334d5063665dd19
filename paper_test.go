package main

import (
	"testing"

	"anneal/pipeline"
	"anneal/stages"
	"anneal/stages/pretrain"
	"anneal/stages/tokenize"
)

// The published models are what pipelines/paper.hcl declares, to the last parameter.
func TestPaper(t *testing.T) {
	config, err := pipeline.Load("pipelines/paper.hcl", pipeline.LoadOptions{Kinds: stages.Kinds()})
	if err != nil {
		t.Fatal(err)
	}
	graphs, err := config.Graphs([]string{"paper"})
	if err != nil {
		t.Fatal(err)
	}
	vocabularies := map[string]int{}
	counts := map[string]map[int]int{} // trainings by model and number of parameters
	for _, n := range graphs[0].Nodes {
		switch s := n.Stage.(type) {
		case *tokenize.Tokenize:
			vocabularies[n.Addr] = s.VocabSize
		case *pretrain.Pretrain:
			vocab := vocabularies["tokenize.llama"]
			if s.Model.Family == "olmo2" {
				vocab = vocabularies["tokenize.olmo"]
			}
			model := n.Point.Get("model").(string)
			if counts[model] == nil {
				counts[model] = map[int]int{}
			}
			counts[model][s.Model.ParameterCount(vocab)]++
		}
	}
	for model, want := range map[string]struct{ parameters, decays int }{
		"llama_0_5b":   {500_921_856, 10},
		"llama_1b":     {1_000_564_736, 10},
		"llama_4b":     {4_000_288_768, 3},
		"olmo2_cosine": {1_484_916_736, 5},
		"olmo2_wsd":    {1_484_916_736, 4},
	} {
		if got := counts[model]; len(got) != 1 || got[want.parameters] != want.decays {
			t.Errorf("%s: trainings by parameters are %v, want %d of %d", model, got, want.decays, want.parameters)
		}
	}
}
