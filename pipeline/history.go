package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"anneal/artifacts/store"
)

// Record is what a run leaves when it ends, in runs/<id>.json: which address had which key.
type Record struct {
	ID       string                  `json:"id"`
	Pipeline string                  `json:"pipeline"`
	Started  time.Time               `json:"started"`
	Seconds  float64                 `json:"seconds"`
	Summary  Summary                 `json:"summary"`
	Keys     map[string]store.Digest `json:"keys"`
}

func runsDir(st *store.Store) string { return filepath.Join(st.Dir(), "runs") }

// Runs lists the runs of a pipeline that ended, newest first; of all pipelines where the name is "".
func Runs(st *store.Store, pipeline string) []*Record {
	entries, _ := os.ReadDir(runsDir(st))
	var all []*Record
	for _, e := range slices.Backward(entries) { // names start with the time
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(runsDir(st), e.Name()))
		r := new(Record)
		if err == nil && json.Unmarshal(data, r) == nil && (pipeline == "" || r.Pipeline == pipeline) {
			all = append(all, r)
		}
	}
	return all
}

// newest returns the keys of the newest run of a pipeline, nil where there is none.
func newest(st *store.Store, pipeline string) map[string]store.Digest {
	if runs := Runs(st, pipeline); len(runs) > 0 {
		return runs[0].Keys
	}
	return nil
}

// write stores r, whole or not at all.
func (r *Record) write(st *store.Store) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(runsDir(st), r.ID+".json")
	if err := os.WriteFile(path+".part", append(data, '\n'), 0o666); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// journal appends the events of a run to runs/<id>.jsonl as they happen.
type journal struct{ f *os.File }

func openJournal(st *store.Store, id string) (*journal, error) {
	if err := os.MkdirAll(runsDir(st), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(runsDir(st), id+".jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	return &journal{f}, err
}

func (j *journal) write(e Event) error {
	var line bytes.Buffer
	err := json.NewEncoder(&line).Encode(e)
	if err == nil {
		_, err = j.f.Write(line.Bytes())
	}
	return err
}

func (j *journal) close() error { return errors.Join(j.f.Sync(), j.f.Close()) }
