// Package stages lists the kinds of stages, each a folder here.
package stages

import (
	"anneal/pipeline"
	"anneal/stages/checkpoint"
	"anneal/stages/dataset"
	"anneal/stages/finetune"
	"anneal/stages/pretrain"
	"anneal/stages/probe"
	"anneal/stages/report"
	"anneal/stages/tokenize"
)

// Kinds returns every kind, in the order in which a study uses them.
func Kinds() []*pipeline.Kind {
	return []*pipeline.Kind{
		dataset.Kind, tokenize.Kind, pretrain.Kind, checkpoint.Kind, finetune.Kind, probe.Kind, report.Kind,
	}
}
