// Anneal runs language-model experiments that are declared in HCL, and reruns only what changed.
package main

import (
	"context"
	_ "embed"
	"os"

	"anneal/cli"
	"anneal/stages"
)

//go:embed pipelines.hcl
var starter []byte

func main() {
	os.Exit(cli.Main(context.Background(), cli.App{Kinds: stages.Kinds(), Starter: starter}, os.Args[1:], os.Stdout, os.Stderr))
}
