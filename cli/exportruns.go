package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// Rows of the tables that `export --runs` writes. They join by run, addr and key; what holds for a result, whichever
// runs had it, stands there once, by key.

type runRow struct {
	Run       string    `parquet:"run,dict" doc:"its id"`
	Pipeline  string    `parquet:"pipeline,dict" doc:"that was run"`
	Name      *string   `parquet:"name" null:"it was given none" doc:"of the run"`
	Note      *string   `parquet:"note" null:"it was given none" doc:"on the run"`
	Started   time.Time `parquet:"started,timestamp(microsecond)" doc:"when it began, UTC"`
	Seconds   float64   `parquet:"seconds" unit:"s" doc:"that it took"`
	Finished  bool      `parquet:"finished" doc:"false: killed, or still going on"`
	Ran       int64     `parquet:"ran" unit:"stages" doc:"that ran"`
	Cached    int64     `parquet:"cached" unit:"stages" doc:"that were stored"`
	Failed    int64     `parquet:"failed" unit:"stages" doc:"that failed"`
	Skipped   int64     `parquet:"skipped" unit:"stages" doc:"that were skipped"`
	Command   *string   `parquet:"command" null:"not known" doc:"that started it"`
	Variables *string   `parquet:"variables" null:"there were none" doc:"as JSON, the text of each by its name"`
	Anneal    *string   `parquet:"anneal" null:"not known" doc:"version of the program"`
	Revision  *string   `parquet:"revision" null:"not known" doc:"of its source"`
	Go        *string   `parquet:"go" null:"not known" doc:"version of the toolchain"`
	Platform  *string   `parquet:"platform" null:"not known" doc:"operating system and processor"`
}

type stepRow struct {
	Run      string   `parquet:"run,dict" doc:"id of the run"`
	Pipeline string   `parquet:"pipeline,dict" doc:"of the run"`
	Addr     string   `parquet:"addr,dict" doc:"of the stage"`
	Kind     string   `parquet:"kind,dict" doc:"of the stage"`
	Block    string   `parquet:"block,dict" doc:"address without coordinates"`
	Outcome  string   `parquet:"outcome,dict" doc:"ran, cached, failed, skipped; unfinished where the run was cut short"`
	Seconds  *float64 `parquet:"seconds" unit:"s" null:"it did not run" doc:"that it took"`
	Key      *string  `parquet:"key,dict" null:"it was never known" doc:"of the result"`
	Why      *string  `parquet:"why" null:"no reason is kept" doc:"why it ran"`
	Text     *string  `parquet:"text" null:"it did neither" doc:"why it failed or was skipped"`
}

type coordinateRow struct {
	Addr   string   `parquet:"addr,dict" doc:"of the stage"`
	Name   string   `parquet:"name,dict" doc:"of the coordinate"`
	Number *float64 `parquet:"number" unit:"1" null:"it is no number" doc:"its value"`
	Text   string   `parquet:"text,dict" doc:"its value as text"`
}

type configurationRow struct {
	Key    string   `parquet:"key,dict" doc:"of the result"`
	Kind   string   `parquet:"kind,dict" doc:"of the fact: config, input, point and the like"`
	Name   string   `parquet:"name,dict" doc:"of the setting"`
	Value  string   `parquet:"value,dict" doc:"as text"`
	Number *float64 `parquet:"number" unit:"1" null:"it is no number" doc:"the value"`
}

type metricRow struct {
	Key    string   `parquet:"key,dict" doc:"of the result"`
	Output string   `parquet:"output,dict" doc:"whose table it stands in"`
	Row    int64    `parquet:"row" unit:"index" doc:"of the table, from 0"`
	Step   *int64   `parquet:"step" unit:"steps" null:"the table has no steps" doc:"of the row"`
	Name   string   `parquet:"name,dict" doc:"of the column"`
	Value  *float64 `parquet:"value" unit:"1" null:"the column holds text" doc:"of the cell, in the unit of the column"`
	Text   *string  `parquet:"text" null:"the column holds numbers" doc:"of the cell"`
}

// histories are the schemas of these tables.
var histories = []artifacts.Schema{
	artifacts.SchemaOf[configurationRow]("configuration", 1, "a fact of a result; a setting at its default has none"),
	artifacts.SchemaOf[coordinateRow]("coordinates", 1, "a coordinate of an address"),
	artifacts.SchemaOf[metricRow]("metrics", 1, "a cell of a table that a stage left, nulls left out"),
	artifacts.SchemaOf[runRow]("runs", 1, "a run"),
	artifacts.SchemaOf[stepRow]("steps", 1, "a stage in a run"),
}

// exportRuns writes what the journals of all runs say, and what their results hold, as tables into dir.
func (c *command) exportRuns(dir string) (err error) {
	st := c.store()
	records := pipeline.Runs(st)
	if len(records) == 0 {
		return fmt.Errorf("%s has no runs yet", st.Dir())
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	w := &runsWriter{st: st, addrs: map[string]bool{}, keys: map[store.Digest]bool{}}
	if w.staged, err = os.MkdirTemp(dir, ".export-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.discard()) }()
	start(w, &w.runs, "runs")
	start(w, &w.steps, "steps")
	start(w, &w.coordinates, "coordinates")
	start(w, &w.configuration, "configuration")
	start(w, &w.metrics, "metrics")
	if w.err != nil {
		return w.err
	}
	for _, r := range slices.Backward(records) { // oldest first
		if err := w.run(r); err != nil {
			return err
		}
	}
	if err := w.results(); err != nil {
		return err
	}
	for _, f := range w.files {
		if err := f.close(); err != nil {
			return err
		}
	}
	for _, f := range w.files {
		path := filepath.Join(dir, filepath.Base(f.path))
		if err := os.Rename(f.path, path); err != nil {
			return err
		}
		if err := c.wrote(path); err != nil {
			return err
		}
	}
	if err := c.loadScript(dir); err != nil {
		return err
	}
	if w.absent > 0 {
		are := "are"
		if w.absent == 1 {
			are = "is"
		}
		fmt.Fprintf(c.stderr, "%s %s not in metrics.parquet: dropped, lost or damaged. `anneal verify` tells which.\n", count(w.absent, "table"), are)
	}
	return nil
}

// runsWriter holds the tables while they are written.
type runsWriter struct {
	st     *store.Store
	staged string // folder of what is not whole
	files  []*runsFile
	err    error

	runs          *artifacts.RowWriter[runRow]
	steps         *artifacts.RowWriter[stepRow]
	coordinates   *artifacts.RowWriter[coordinateRow]
	configuration *artifacts.RowWriter[configurationRow]
	metrics       *artifacts.RowWriter[metricRow]

	addrs  map[string]bool       // whose coordinates are written
	keys   map[store.Digest]bool // of results that some run reached
	absent int                   // tables that are not to be had
}

type runsFile struct {
	path  string
	close func() error
}

// start begins one of the tables, which takes its name only when all are whole.
func start[T any](w *runsWriter, to **artifacts.RowWriter[T], name string) {
	if w.err != nil {
		return
	}
	f := &runsFile{path: filepath.Join(w.staged, name+".parquet")}
	i := slices.IndexFunc(histories, func(s artifacts.Schema) bool { return s.Name == name })
	if *to, w.err = artifacts.CreateRows[T](f.path, describe(&histories[i])); w.err == nil {
		f.close = (*to).Close
		w.files = append(w.files, f)
	}
}

// discard removes what did not become a table.
func (w *runsWriter) discard() error {
	for _, f := range w.files {
		f.close() // closed already, or of no use any more
	}
	return os.RemoveAll(w.staged)
}

// run writes the rows of one run.
func (w *runsWriter) run(r *pipeline.Record) error {
	row := runRow{Run: r.ID, Pipeline: r.Pipeline, Name: known(r.Name), Note: known(r.Note), Started: r.Started.UTC(),
		Seconds: r.Seconds, Finished: !r.Unfinished, Command: known(shellWords(r.Command))}
	steps := map[string]*stepRow{}
	var order []*stepRow
	step := func(addr string) *stepRow {
		s := steps[addr]
		if s == nil {
			block, _, _ := strings.Cut(addr, "[")
			s = &stepRow{Run: r.ID, Pipeline: r.Pipeline, Addr: addr, Kind: pipeline.KindOf(addr), Block: block, Outcome: "unfinished"}
			steps[addr] = s
			order = append(order, s)
		}
		return s
	}
	end := func(s *stepRow, outcome string, n *int64) {
		if s.Outcome == "unfinished" { // what is made once more on behalf of others counts as it first ended
			s.Outcome = outcome
			*n++
		}
	}
	for e, err := range r.Journal(w.st) {
		if err != nil {
			break // the rest of a journal that cannot be read; what stands before is good
		}
		if e.Begin != nil {
			if err := row.begin(e.Begin); err != nil {
				return err
			}
		}
		if e.Addr == "" {
			continue
		}
		s := step(e.Addr)
		if !e.Key.IsZero() {
			s.Key = known(e.Key.String())
			w.keys[e.Key] = true
		}
		switch e.Action {
		case "plan":
			s.Why = known(strings.Join(e.Why, "; "))
		case "done":
			end(s, "ran", &row.Ran)
			if seconds, ok := e.Values["seconds"]; ok {
				s.Seconds = &seconds
			}
		case "cached":
			end(s, "cached", &row.Cached)
		case "fail":
			end(s, "failed", &row.Failed)
			s.Text = known(e.Text)
		case "skip":
			end(s, "skipped", &row.Skipped)
			s.Text = known(e.Text)
		}
	}
	for addr, key := range r.Reached() {
		w.keys[key] = true
		if s := steps[addr]; s != nil && r.Keys[addr] == key {
			s.Key = known(key.String())
		}
	}
	for _, s := range order {
		if err := errors.Join(w.steps.Write(*s), w.point(s.Addr)); err != nil {
			return err
		}
	}
	return w.runs.Write(row)
}

// begin takes over what the first line of a journal says.
func (row *runRow) begin(b *pipeline.Begin) error {
	if len(b.Variables) > 0 {
		text, err := json.Marshal(b.Variables)
		if err != nil {
			return err
		}
		row.Variables = known(string(text))
	}
	row.Anneal, row.Revision = known(b.Versions["anneal"]), known(b.Versions["revision"])
	row.Go, row.Platform = known(b.Versions["go"]), known(b.Versions["arch"])
	return nil
}

// point writes the coordinates of an address, once.
func (w *runsWriter) point(addr string) error {
	if w.addrs[addr] {
		return nil
	}
	w.addrs[addr] = true
	_, point, err := pipeline.ParseAddr(addr)
	if err != nil {
		return err
	}
	for _, c := range point {
		row := coordinateRow{Addr: addr, Name: c.Name, Text: c.Text()}
		switch v := c.Value.(type) {
		case int64:
			row.Number = new(float64(v))
		case float64:
			row.Number = new(v)
		case string:
			row.Text = v
		}
		if err := w.coordinates.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// results writes the facts and the metrics of every result that a run reached.
func (w *runsWriter) results() error {
	keys := make([]store.Digest, 0, len(w.keys))
	for key := range w.keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b store.Digest) int { return slices.Compare(a[:], b[:]) })
	for _, key := range keys {
		res, err := w.st.Result(key)
		if err != nil {
			continue // of a run that was killed, or collected since
		}
		for _, f := range res.Key {
			row := configurationRow{Key: key.String(), Kind: f.Kind, Name: f.Name, Value: f.Value}
			if v, err := strconv.ParseFloat(f.Value, 64); err == nil && (f.Kind == "config" || f.Kind == "point") {
				row.Number = new(v)
			}
			if err := w.configuration.Write(row); err != nil {
				return err
			}
		}
		for _, output := range sortedNames(res.Outputs) {
			b := res.Outputs[output]
			if b.Type != "table" {
				continue
			}
			path := filepath.Join(w.staged, key.String()+output)
			if err := w.st.Stage(b, path); err != nil {
				w.absent++
				continue
			}
			if err := errors.Join(w.table(key.String(), output, path), os.Remove(path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// table writes a table cell by cell, nulls left out.
func (w *runsWriter) table(key, output, path string) error {
	at := metricRow{Key: key, Output: output}
	for batch, err := range artifacts.Batches(path) {
		if err != nil {
			return err
		}
		step := batch.Column("step")
		for i := range batch.Rows() {
			at.Step = nil
			if step != nil {
				if n, ok := step.Values[i].(int64); ok {
					at.Step = &n
				}
			}
			for _, c := range batch.Columns {
				if err := w.cell(at, c.Name, c.Values[i]); err != nil {
					return err
				}
			}
			at.Row++
		}
	}
	return nil
}

// cell writes a value of a row, unless that is null, or the row's step.
func (w *runsWriter) cell(at metricRow, column string, value any) error {
	at.Name = column
	switch v := value.(type) {
	case nil:
		return nil
	case int64:
		at.Value = new(float64(v))
	case float64:
		at.Value = new(v)
	case bool:
		at.Text = known(strconv.FormatBool(v))
	case string:
		at.Text = &v
	}
	if column == "step" && at.Value != nil {
		return nil
	}
	return w.metrics.Write(at)
}

// known returns a text, nil where there is none.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
