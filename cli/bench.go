package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
)

// Benchmark is what `anneal bench NAME` measures.
type Benchmark struct {
	Name  string
	Short string // what it measures, as a phrase
	Long  string // how, and what its figures are
	// Measure defines flags and returns the function that measures by them. That gives out rows as they come: structs of strings and
	// numbers whose json tags name the columns. Rows of one type that follow one another make a table.
	Measure func(flags *flag.FlagSet) func(ctx context.Context, row func(any)) error
}

func (c *command) bench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench NAME",
		Short: "Measure how fast this machine trains, multiplies and generates",
		Long: `Measure how fast this machine does what experiments spend their time on. Other work on the machine shows in every figure:
compare only what was measured within the same minutes, and more than once.`,
		Args: cobra.ArbitraryArgs,
	}
	var names []string
	for _, b := range c.app.Benchmarks {
		names = append(names, b.Name)
		cmd.AddCommand(c.benchmark(b))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usagef("there is no benchmark %s; there are %s", args[0], strings.Join(names, ", "))
	}
	return cmd
}

func (c *command) benchmark(b Benchmark) *cobra.Command {
	cmd := &cobra.Command{Use: b.Name, Short: b.Short, Long: b.Long, Args: cobra.NoArgs}
	flags := flag.NewFlagSet(b.Name, flag.ContinueOnError)
	measure := b.Measure(flags)
	cmd.Flags().AddGoFlagSet(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var rows []any
		err := measure(cmd.Context(), func(row any) {
			if c.json {
				json.NewEncoder(c.stdout).Encode(row)
				return
			}
			if len(rows) > 0 && reflect.TypeOf(row) != reflect.TypeOf(rows[0]) {
				c.figures(rows)
				fmt.Fprintln(c.stdout)
				rows = nil
			}
			rows = append(rows, row)
		})
		c.figures(rows)
		return err
	}
	return cmd
}

// figures prints structs of one type as a table, whose columns their json tags name.
func (c *command) figures(rows []any) {
	if len(rows) == 0 {
		return
	}
	t := &columns{head: make([][]string, 1), rows: make([][]string, len(rows)), tint: palette(c.color(c.stdout))}
	of := reflect.TypeOf(rows[0])
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		t.head[0] = append(t.head[0], strings.ReplaceAll(name, "_", " "))
		t.right = append(t.right, of.Field(i).Type.Kind() != reflect.String)
		for j, row := range rows {
			t.rows[j] = append(t.rows[j], cell(reflect.ValueOf(row).Field(i).Interface(), 80))
		}
	}
	t.print(c.stdout)
}
