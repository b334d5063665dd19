package pipeline

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"anneal/artifacts/store"
)

// Record is what a run leaves when it ends, in runs/<id>.json: what became of every address.
type Record struct {
	ID       string    `json:"id"`
	Pipeline string    `json:"pipeline"`
	Name     string    `json:"name,omitempty"`
	Note     string    `json:"note,omitempty"`
	Command  []string  `json:"command,omitempty"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Summary  Summary   `json:"summary"`

	Keys    map[string]store.Digest `json:"keys"`              // of the results that this run made or found, by address
	Before  map[string]store.Digest `json:"before,omitempty"`  // of earlier runs, where this one left nothing
	Gone    map[string]store.Digest `json:"gone,omitempty"`    // of points that it had no longer, of blocks it left unfinished: for reasons
	Failed  []string                `json:"failed,omitempty"`  // addresses, in the order of the graph
	Skipped []string                `json:"skipped,omitempty"` // likewise, whatever for: an input that is missing, or an interruption
	Sources map[string]store.Digest `json:"sources,omitempty"` // objects with the HCL files it ran from, by path
	Files   map[string]store.Digest `json:"files,omitempty"`   // local files it was to read, by path: see Graph.Files

	Interrupted bool `json:"interrupted,omitempty"`

	// Unfinished says that the run has left a journal only: it was killed, or still goes on. It has no keys then.
	Unfinished bool `json:"-"`
}

func runsDir(st *store.Store) string { return filepath.Join(st.Dir(), "runs") }

// Runs lists the runs of every pipeline, newest first. What cannot be read is passed over.
func Runs(st *store.Store) []*Record { return slices.Collect(history(st)) }

// history reads the records of a store one by one, newest first.
func history(st *store.Store) iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, id := range runIDs(st) {
			if r := readRecord(st, id); r != nil && !yield(r) {
				return
			}
		}
	}
}

// runIDs lists the runs that left anything, newest first: their names start with the time.
func runIDs(st *store.Store) []string {
	entries, _ := os.ReadDir(runsDir(st))
	ids := map[string]bool{}
	for _, e := range entries {
		if id, ext, _ := strings.Cut(e.Name(), ".json"); ext == "" && strings.HasSuffix(e.Name(), ".json") || ext == "l" {
			ids[id] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(ids))
	slices.Reverse(sorted)
	return sorted
}

// readRecord reads what a run left, nil where it cannot be made out.
func readRecord(st *store.Store, id string) *Record {
	data, err := os.ReadFile(filepath.Join(runsDir(st), id+".json"))
	r := new(Record)
	if err == nil && json.Unmarshal(data, r) == nil && r.Keys != nil {
		r.ID = id
		return r
	}
	if err == nil {
		return nil
	}
	r = &Record{ID: id, Unfinished: true}
	for e, err := range r.Journal(st) {
		if err != nil || e.Begin == nil {
			return nil
		}
		r.Pipeline, r.Started, r.Name, r.Note, r.Command, r.Sources = e.Pipeline, e.Time, e.Begin.Name, e.Begin.Note, e.Begin.Command, e.Begin.Sources
		break
	}
	if r.Pipeline == "" {
		return nil
	}
	if info, err := os.Stat(r.journal(st)); err == nil {
		r.Seconds = max(0, info.ModTime().Sub(r.Started).Seconds())
	}
	return r
}

// Latest is how people name the newest run that ended.
const Latest = "last"

// Short is what lists show of the id, enough for people: the six characters after the time.
func (r *Record) Short() string { return r.ID[strings.LastIndexByte(r.ID, '-')+1:] }

// FindRun returns a run by its id, by the name it was given (the newest of that name), by the start of its id or the six
// characters that end it, or by the word "last", which means the newest that ended; last~1 is the one before. pipeline
// limits the search where it is not "", and so does one before a slash: tiny/last.
func FindRun(st *store.Store, pipeline, what string) (*Record, error) {
	if of, rest, ok := strings.Cut(what, "/"); ok {
		if pipeline != "" && pipeline != of {
			return nil, fmt.Errorf("%s is no run of %s", what, pipeline)
		}
		pipeline, what = of, rest
	}
	back := -1
	if n, ok := strings.CutPrefix(what, Latest); ok {
		if n == "" {
			n = "~0"
		}
		if i, err := strconv.Atoi(strings.TrimPrefix(n, "~")); err == nil && n[0] == '~' {
			back = i
		}
	}
	var starts []*Record
	var known []string
	of := ""
	if pipeline != "" {
		of = " of " + pipeline
	}
	for r := range history(st) {
		if pipeline != "" && r.Pipeline != pipeline {
			continue
		}
		if r.ID == what || r.Name != "" && r.Name == what || r.Short() == what || back == 0 && !r.Unfinished {
			return r, nil
		}
		if !r.Unfinished {
			back--
		}
		if what != "" && strings.HasPrefix(r.ID, what) {
			starts = append(starts, r)
		}
		known = append(known, r.ID)
		if r.Name != "" {
			known = append(known, r.Name)
		}
	}
	switch {
	case len(starts) == 1:
		return starts[0], nil
	case len(starts) > 1:
		return nil, fmt.Errorf("%d runs%s start with %s: write more of the id", len(starts), of, what)
	case known == nil:
		return nil, fmt.Errorf("there is no run%s yet", of)
	case what == Latest:
		return nil, fmt.Errorf("no run%s has ended yet; `anneal runs` lists those there are", of)
	case strings.HasPrefix(what, Latest+"~"):
		return nil, fmt.Errorf("there are fewer runs%s than %s asks for; `anneal runs` lists them", of, what)
	}
	return nil, fmt.Errorf("there is no run %q%s; `anneal runs` lists those there are.%s", what, of, Nearest(what, known))
}

// newest returns the keys of the newest run of a pipeline that ended, and of earlier ones where that left nothing; nil
// where there is none. Records that cannot be read are passed over: they only ever serve to give reasons.
func newest(st *store.Store, pipeline string) map[string]store.Digest {
	return lastRun(st, pipeline).keys()
}

// keys returns what r knows of every address, nil where there is no r.
func (r *Record) keys() map[string]store.Digest {
	if r == nil {
		return nil
	}
	keys := maps.Clone(r.Keys)
	maps.Copy(keys, r.Before)
	return keys
}

// lastRun returns the record of the newest run of a pipeline that ended, nil where there is none.
func lastRun(st *store.Store, pipeline string) *Record {
	for r := range history(st) {
		if r.Pipeline == pipeline && !r.Unfinished {
			return r
		}
	}
	return nil
}

// write stores r, whole or not at all.
func (r *Record) write(st *store.Store) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return st.Replace(filepath.Join(runsDir(st), r.ID+".json"), append(data, '\n'))
}

func (r *Record) journal(st *store.Store) string { return filepath.Join(runsDir(st), r.ID+".jsonl") }

// Journal iterates over the events of the run. A last line that a kill cut short is left out.
func (r *Record) Journal(st *store.Store) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f, err := os.Open(r.journal(st))
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer f.Close()
		for lines := json.NewDecoder(f); ; {
			var e Event
			err := lines.Decode(&e)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return
			}
			if err != nil {
				yield(Event{}, fmt.Errorf("%s: %w", f.Name(), err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}
