package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"anneal": main})
}

// TestScripts runs testdata/script: what a user types, and what must come of it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"HOME", "GOCACHE", "GOROOT"} { // the go command wants one of them
				env.Setenv(name, os.Getenv(name))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"edit": edit, "code": code, "damage": damage, "serve": serve,
		},
	})
}

// edit FILE OLD NEW replaces OLD, which must stand in the file just once.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%q stands %d times in %s", args[1], n, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o666))
}

// code N COMMAND... demands the exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	shell := append([]string{"-c", `want=$1; shift; "$@"; got=$?; [ $got -eq $want ] || { echo "exit code $got, want $want" >&2; exit 1; }`, "sh"}, args...)
	ts.Check(ts.Exec("sh", shell...))
}

// damage GLOB flips a byte in every file that matches.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if neg || len(files) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		ts.Check(err)
		b[len(b)/2] ^= 1
		ts.Check(os.Chmod(f, 0o666))
		ts.Check(os.WriteFile(f, b, 0o666))
	}
}

// serve DIR serves a folder's files, those below N/ with the status N, at the address SERVER.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	files := http.FileServer(http.Dir(ts.MkAbs(args[0])))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if code, err := strconv.Atoi(first); err == nil {
			w.WriteHeader(code)
			return
		}
		files.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

// longTraining is a pipeline with a training that nobody waits for.
const longTraining = `
pipeline "long" {
  dataset "text" {
    source = [gofile("src/testdata/Isaac.Newton-Opticks.txt")]
    split {}
  }
  tokenize "bytes" {
    text = [dataset.text.train]
  }
  pretrain "base" {
    tokens  = tokenize.bytes.tokens
    steps   = 1000000
    context = 8
    batch   = 1
    model {
      layers = 1
      width  = 8
      heads  = 1
      ff     = 8
    }
  }
}
`

// TestStop: a run that is told to stop, or killed, keeps every finished stage; the next one goes on from there.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		signal os.Signal
		code   int
	}{{os.Interrupt, 1}, {syscall.SIGTERM, 1}, {os.Kill, -1}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			long := study{t, dir, longTraining}
			code, lines, notes := long.stop(c.signal)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if last := lines[len(lines)-1]; c.code == 1 && !strings.Contains(last, `"ran":2,"cached":0,"failed":0,"skipped":1`) {
				t.Errorf("the last line is %s", last)
			}
			if c.code == 1 && !regexp.MustCompile(`Interrupted: 2 finished, 1 stopped in the middle \(pretrain.base at step \d+ of 1000000\)\. Run again to go on\.`).MatchString(notes) {
				t.Errorf("says %s", notes)
			}
			short := study{t, dir, strings.Replace(longTraining, "1000000", "1", 1)}
			if text := short.run("run", "--json"); !strings.Contains(text, `"ran":1,"cached":2,"failed":0,"skipped":0`) {
				t.Errorf("the run after:\n%s", text)
			}
			if c.code == 1 { // a killed attempt lies in work/ until its stage runs again
				left, err := filepath.Glob(filepath.Join(dir, ".anneal", "work", "*", "*", "*"))
				for _, path := range left {
					if name := filepath.Base(path); err != nil || name != "log" && name != "snapshots" {
						t.Errorf("left %s", path)
					}
				}
			}
		})
	}
}

// TestInterruptedTraining: a training that was killed at any moment or told to stop, twenty times, leaves what one leaves that was left alone.
func TestInterruptedTraining(t *testing.T) {
	whole := study{t, t.TempDir(), strings.Replace(longTraining, "1000000", "3000", 1)}
	whole.run("run")
	s := study{t, t.TempDir(), strings.Replace(whole.text, "tokens  =", "snapshot_every = \"0s\"\n    tokens  =", 1)}
	random := rand.New(rand.NewPCG(1, 1))
	for kills, step := 0, 0; kills < 20; kills++ {
		signal := os.Kill
		if kills%5 == 4 {
			signal = os.Interrupt
		}
		code, lines, _ := s.stopAfter(time.Duration(random.Int64N(50e6)), signal)
		if code == 0 {
			t.Fatalf("over after %d kills", kills)
		}
		events := strings.Join(lines, "\n")
		if resumed := strings.Contains(events, `"addr":"pretrain.base","action":"resume"`); resumed != (step > 0) {
			t.Errorf("with a snapshot of step %d:\n%s", step, events)
		}
		before := step
		if step = s.snapshot(); step < before {
			t.Errorf("the snapshot of step %d was followed by that of step %d", before, step)
		}
	}
	s.text = whole.text
	s.run("run")
	if disturbed, want := s.run("ls", "--json"), whole.run("ls", "--json"); disturbed != want {
		t.Errorf("disturbed:\n%s\nleft alone:\n%s", disturbed, want)
	}
}

// snapshot is the step of the newest one in the store.
func (s study) snapshot() (step int) {
	paths, _ := filepath.Glob(filepath.Join(s.dir, ".anneal", "work", "*", "*", "snapshots", "*"))
	for _, path := range paths {
		if n, err := strconv.Atoi(filepath.Base(path)); err == nil {
			step = max(step, n)
		}
	}
	return step
}

// TestUnkeyedAttributes: whatever stays out of keys, tagged key:"-", leaves the bytes as they are when it is set.
func TestUnkeyedAttributes(t *testing.T) {
	flips := map[string]string{
		"stage.for_each":          `for_each = { here = 1 }`,
		"stage.enabled":           `enabled = 1 < 2`,
		"stage.executor":          `executor = "local"`,
		"stage.retry":             `retry = 3`,
		"stage.timeout":           `timeout = "24h"`,
		"stage.on_failure":        `on_failure = "stop"`,
		"stage.keep":              `keep = "0"`,
		"stage.resources.cores":   `resources { cores = 1 }`,
		"stage.resources.memory":  `resources { memory = "1MB" }`,
		"stage.resources.gpus":    `resources { gpus = 0 }`,
		"pretrain.micro_batch":    `micro_batch = 2`,
		"pretrain.snapshot_every": `snapshot_every = "0s"`,
		"finetune.micro_batch":    `micro_batch = 3`,
		"finetune.snapshot_every": `snapshot_every = "0s"`,
		"report.partial":          `partial = true`,
	}
	s := study{t, t.TempDir(), strings.NewReplacer("1000000", "20", "batch   = 1", "batch   = 4", "context = 8", "context = 16").Replace(longTraining)}
	s.text = strings.TrimSuffix(strings.TrimSpace(s.text), "}") + `
  dataset "letters" {
    sorting {
      letters = [1, 2]
    }
    examples = 40
  }
  finetune "sft" {
    from     = pretrain.base.weights
    examples = dataset.letters.train
    batch    = 4
    epochs   = 1
  }
  report "curves" {
    table "loss" {
      from = [pretrain.base.metrics]
    }
  }
}
`
	var all schema
	if err := json.Unmarshal([]byte(s.run("schema", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	declared := append(all.Stage.unkeyed("stage"), all.unkeyedOfKinds()...)
	if want := slices.Sorted(maps.Keys(flips)); !slices.Equal(slices.Sorted(slices.Values(declared)), want) {
		t.Fatalf("out of keys are\n%q\nand this test sets\n%q", declared, want)
	}
	digests := func() string {
		return strings.Join(regexp.MustCompile(`"digest":"[0-9a-f]{64}"`).FindAllString(s.run("ls", "--json"), -1), "\n")
	}
	s.run("run")
	before := digests()
	plain := s.text
	for name, line := range flips {
		addr, input := "finetune.sft", "    examples = dataset"
		switch kind, _, _ := strings.Cut(name, "."); kind {
		case "pretrain":
			addr, input = "pretrain.base", "    tokens  ="
		case "report":
			addr, input = "report.curves", "    table "
		}
		s.text = strings.Replace(plain, input, "    "+line+"\n"+input, 1)
		if events := s.run("run", "--json", "--replace", addr); !strings.Contains(events, `"ran":1,"cached":5,`) {
			t.Errorf("%s: the stage did not run anew:\n%s", name, events)
		}
		if after := digests(); after != before {
			t.Errorf("%s: digests were\n%s\nand are\n%s", name, before, after)
		}
	}
}

// schema is what "anneal schema --json" prints of what stays out of keys.
type schema struct {
	Kinds []described
	Stage described
}

type described struct {
	Name       string
	Attributes []struct {
		Name    string
		Unkeyed bool
	}
	Blocks []described
}

func (s schema) unkeyedOfKinds() (all []string) {
	for _, k := range s.Kinds {
		all = append(all, k.unkeyed(k.Name)...)
	}
	return all
}

// unkeyed lists the attributes that stay out of keys, sorted.
func (d described) unkeyed(at string) (all []string) {
	for _, a := range d.Attributes {
		if a.Unkeyed {
			all = append(all, at+"."+a.Name)
		}
	}
	for _, b := range d.Blocks {
		all = append(all, b.unkeyed(at+"."+b.Name)...)
	}
	slices.Sort(all)
	return all
}

// study is a folder with a pipeline file.
type study struct {
	t         *testing.T
	dir, text string
}

func (s study) command(args ...string) *exec.Cmd {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "pipelines.hcl"), []byte(s.text), 0o666); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("anneal", args...)
	cmd.Dir = s.dir
	return cmd
}

// run returns what a command prints, which must succeed.
func (s study) run(args ...string) string {
	s.t.Helper()
	text, err := s.command(args...).Output()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", args, err, text)
	}
	return string(text)
}

// stop runs the pipeline and sends it a signal once its training is under way.
func (s study) stop(signal os.Signal) (code int, lines []string, notes string) {
	s.t.Helper()
	return s.stopAfter(0, signal)
}

// stopAfter is stop some time into the training.
func (s study) stopAfter(wait time.Duration, signal os.Signal) (code int, lines []string, notes string) {
	s.t.Helper()
	run := s.command("run", "--json")
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		s.t.Fatal(err)
	}
	sent := false
	for all := bufio.NewScanner(out); all.Scan(); {
		lines = append(lines, all.Text())
		if !sent && strings.Contains(all.Text(), `"addr":"pretrain.base","action":"progress"`) {
			time.AfterFunc(wait, func() { run.Process.Signal(signal) })
			sent = true // a second one would end the program at once
		}
	}
	run.Wait()
	return run.ProcessState.ExitCode(), lines, stderr.String()
}
