// Graph is Anneal with one kind of stage, cksum, which does next to nothing: what is left is the engine. bench/graph.py
// runs it beside make, ninja and Snakemake.
package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"

	"anneal/cli"
	"anneal/pipeline"
)

// cksum writes the checksum of each input, as the others' `cksum inputs > output` does.
type cksum struct {
	Name string          `hcl:"name"` // stands in the output, as the names of files do in that of cksum
	From []pipeline.Ref  `hcl:"from,optional" artifact:"sum"`
	File []pipeline.File `hcl:"file,optional"`
}

func (c *cksum) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "sum", Type: "sum"}} }

func (c *cksum) Run(_ context.Context, t *pipeline.Task) error {
	var paths []string
	for _, r := range c.From {
		paths = append(paths, t.Input(r).Path)
	}
	for _, f := range c.File {
		paths = append(paths, t.File(f))
	}
	var text []byte
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = fmt.Appendf(text, "%d %d %s.%d\n", crc32.ChecksumIEEE(data), len(data), c.Name, i)
	}
	return os.WriteFile(t.Output("sum"), text, 0o666)
}

func main() {
	kinds := []*pipeline.Kind{{Name: "cksum", Version: 1, New: func() pipeline.Stage { return new(cksum) }}}
	executors := []*pipeline.ExecutorKind{{Name: "local", New: func() pipeline.Executor { return pipeline.NewLocal(0) }}}
	os.Exit(cli.Main(context.Background(), cli.App{Kinds: kinds, Executors: executors}, os.Args[1:], os.Stdout, os.Stderr))
}
