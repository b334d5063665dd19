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

// newest returns the keys of the newest run of a pipeline that ended, nil where there is none. Records that cannot be
// read are passed over: they only ever serve to give reasons.
func newest(st *store.Store, pipeline string) map[string]store.Digest {
	entries, _ := os.ReadDir(runsDir(st))
	for _, e := range slices.Backward(entries) { // names start with the time
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(runsDir(st), e.Name()))
		var r Record
		if err == nil && json.Unmarshal(data, &r) == nil && r.Pipeline == pipeline && r.Keys != nil {
			return r.Keys
		}
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
