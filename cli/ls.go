package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// many is how many instances of a sweep ls lists one by one.
const many = 8

func (c *command) ls() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls [PIPELINE...]",
		Short: "List artifacts, with type, size and digest",
		Args:  cobra.ArbitraryArgs,
	}
	all := cmd.Flags().Bool("all", false, "list every instance of large sweeps")
	cmd.RunE = func(_ *cobra.Command, names []string) error {
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		list := &listing{st: c.store(), sizes: map[store.Digest]int64{}, enc: json.NewEncoder(c.stdout), columns: columns{
			head: [][]string{{"ARTIFACT", "TYPE", "SIZE", "DIGEST"}}, right: []bool{false, false, true, false}}}
		list.enc.SetEscapeHTML(false)
		for _, g := range graphs {
			for steps := g.Plan(list.st); len(steps) > 0; {
				n := 1
				for n < len(steps) && steps[n].Node.Block == steps[0].Node.Block {
					n++
				}
				block := steps[:n]
				steps = steps[n:]
				switch {
				case c.json:
					err = list.json(g.Name, block)
				case n > many && !*all:
					list.sweep(g.Name, block)
				default:
					list.each(g.Name, block)
				}
				if err != nil {
					return err
				}
			}
		}
		if c.json {
			return nil
		}
		list.print(c.stdout)
		var total int64
		for _, size := range list.sizes {
			total += size
		}
		fmt.Fprintf(c.stdout, "%s, %s\n", count(len(list.sizes), "stored artifact"), bytes(total))
		return nil
	}
	return cmd
}

// listing is what ls prints.
type listing struct {
	st    *store.Store
	sizes map[store.Digest]int64 // of artifacts that are there; stages may have left equal ones
	enc   *json.Encoder
	columns
}

// state of an artifact.
const (
	missing = "-"
	dropped = "dropped"
)

// look returns an output of a step, and whether it is "missing", "dropped" or, if it is there, "".
func (l *listing) look(s pipeline.Step, output string) (store.Blob, string) {
	b, ok := s.Output(output)
	switch {
	case !ok:
		return b, missing
	case l.st.Dropped(b):
		return b, dropped
	}
	l.sizes[b.Digest] = b.Size
	return b, ""
}

// each adds a line an artifact.
func (l *listing) each(of string, block []pipeline.Step) {
	for _, s := range block {
		for _, o := range s.Node.Stage.Outputs() {
			line := []string{of + "/" + s.Node.Addr + "." + o.Name, o.Type, missing, missing}
			switch b, state := l.look(s, o.Name); state {
			case "":
				line[2], line[3] = bytes(b.Size), b.Digest.Short()
			case dropped:
				line[2], line[3] = dropped, b.Digest.Short()
			}
			l.rows = append(l.rows, line)
		}
	}
}

// sweep adds a line an output of a block, for all instances together.
func (l *listing) sweep(of string, block []pipeline.Step) {
	for _, o := range block[0].Node.Stage.Outputs() {
		stored, gone, size := 0, 0, int64(0)
		for _, s := range block {
			switch b, state := l.look(s, o.Name); state {
			case "":
				stored++
				size += b.Size
			case dropped:
				gone++
			}
		}
		line := []string{fmt.Sprintf("%s/%s[%d points].%s", of, block[0].Node.Block, len(block), o.Name), o.Type, missing, missing}
		if stored+gone > 0 {
			line[2], line[3] = bytes(size), fmt.Sprintf("%d stored", stored)
		}
		if gone > 0 {
			line[3] += fmt.Sprintf(", %d dropped", gone)
		}
		l.rows = append(l.rows, line)
	}
}

func (l *listing) json(of string, block []pipeline.Step) error {
	for _, s := range block {
		for _, o := range s.Node.Stage.Outputs() {
			b, state := l.look(s, o.Name)
			line := struct {
				Pipeline string `json:"pipeline"`
				Addr     string `json:"addr"`
				Output   string `json:"output"`
				Type     string `json:"type"`
				Size     int64  `json:"size,omitempty"`
				Digest   string `json:"digest,omitempty"`
				Dropped  bool   `json:"dropped,omitempty"`
			}{of, s.Node.Addr, o.Name, o.Type, b.Size, "", state == dropped}
			if state != missing {
				line.Digest = b.Digest.String()
			}
			if err := l.enc.Encode(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// bytes prints a size as 812 B, 3.2 kB or 1.4 GB.
func bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1000, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, next
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
