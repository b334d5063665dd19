// Anneal runs language-model experiments that are declared in HCL, and reruns only what changed.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	"anneal/bench"
	"anneal/cli"
	"anneal/lm/kernel"
	"anneal/pipeline"
	"anneal/stages"
)

//go:embed pipelines.hcl
var starter []byte

func main() {
	if err := kernel.Check(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(3)
	}
	os.Exit(cli.Main(context.Background(), app(), os.Args[1:], os.Stdout, os.Stderr))
}

func app() cli.App {
	return cli.App{Kinds: stages.Kinds(), Executors: executors, Starter: starter, Benchmarks: bench.Benchmarks()}
}

var executors = []*pipeline.ExecutorKind{{
	Name: "local",
	Doc:  "this machine, whose cores and memory stages share",
	New:  func() pipeline.Executor { return pipeline.NewLocal(0) },
}}
