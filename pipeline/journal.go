package pipeline

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"anneal/artifacts/store"
)

// Event is one line of a run's journal. Every view of a run draws from these.
type Event struct {
	Time   time.Time          `json:"time"`
	Addr   string             `json:"addr,omitempty"`
	Action string             `json:"action"` // first begin; of stages plan, start, resume, progress, done, cached, fail, skip; last of all summary
	Step   int                `json:"step,omitempty"`
	Total  int                `json:"total,omitempty"`
	Values map[string]float64 `json:"values,omitempty"`
	Text   string             `json:"text,omitempty"`

	// What a plan event says: see Step. Done has the key too.
	Do    string       `json:"do,omitempty"`
	Why   []string     `json:"why,omitempty"`
	Notes []string     `json:"notes,omitempty"`
	Key   store.Digest `json:"key,omitzero"`
	Facts []store.Fact `json:"facts,omitempty"`

	// Left is how many seconds of stages' time are to come at most, going by past runs: of plan events and of those that
	// tell an end.
	Left float64 `json:"left,omitempty"`

	Pipeline string `json:"pipeline,omitempty"`

	*Begin
	*Summary
}

// Begin is what the first event of a run says: what it was asked to do, and with what.
type Begin struct {
	Run       string                  `json:"run"` // id
	Name      string                  `json:"name,omitempty"`
	Note      string                  `json:"note,omitempty"`
	Command   []string                `json:"command,omitempty"`
	Versions  map[string]string       `json:"versions"`
	Variables map[string]string       `json:"variables,omitempty"`
	Sources   map[string]store.Digest `json:"sources,omitempty"` // objects with the HCL files, by path
	Stages    int                     `json:"stages"`            // selected for this run
	Of        int                     `json:"of"`                // those that the pipeline has
}

// Summary counts what became of a run's nodes.
type Summary struct {
	Ran     int     `json:"ran"`
	Cached  int     `json:"cached"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"`
	Ignored int     `json:"ignored,omitempty"` // of those that failed, the ones with on_failure = "ignore"
}

// MarshalJSON writes a summary whole, any other event without what it does not say.
func (e Event) MarshalJSON() ([]byte, error) {
	if e.Summary != nil {
		return json.Marshal(struct {
			Action string `json:"action"`
			*Summary
			Pipeline string `json:"pipeline,omitempty"`
		}{e.Action, e.Summary, e.Pipeline})
	}
	return json.Marshal(plainEvent(e))
}

type plainEvent Event // without the method

// versions tells what runs: the program, the toolchain that built it, the machine.
func versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "arch": runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v["anneal"] = info.Main.Version
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				v["revision"] = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				v["modified"] = s.Value
			}
		}
	}
	return v
}

// journal writes the events of a run to runs/<id>.jsonl. Whoever looks on sees what starts or ends at once, and the rest
// within a second: thousands of cached stages are one write.
type journal struct {
	mu    sync.Mutex
	f     *os.File
	lines *bufio.Writer
	enc   *json.Encoder
	later *time.Timer // flushes what waits, nil where nothing does
	err   error       // the first
}

// patience is how long a line of a journal may wait for others.
const patience = time.Second

// openJournal starts the journal of a run and makes its name durable.
func openJournal(st *store.Store, id string) (*journal, error) {
	if err := os.MkdirAll(runsDir(st), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile((&Record{ID: id}).journal(st), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewWriterSize(f, 1<<16)
	j := &journal{f: f, lines: lines, enc: json.NewEncoder(lines)}
	j.enc.SetEscapeHTML(false)
	return j, syncDir(runsDir(st))
}

func (j *journal) write(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Summary != nil {
		j.keep(j.enc.Encode(e))
	} else {
		j.keep(j.enc.Encode((*plainEvent)(&e))) // as Event would, in one pass
	}
	switch e.Action {
	case "begin", "start", "resume", "done", "fail", "summary":
		j.flush()
	default:
		if j.later == nil {
			j.later = time.AfterFunc(patience, func() {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.flush()
			})
		}
	}
}

func (j *journal) flush() {
	if j.later != nil {
		j.later.Stop()
		j.later = nil
	}
	j.keep(j.lines.Flush())
}

func (j *journal) keep(err error) {
	if j.err == nil {
		j.err = err
	}
}

// close makes the journal durable, and returns the first error that writing it met.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flush()
	return errors.Join(j.err, j.f.Sync(), j.f.Close())
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
