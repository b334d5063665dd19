package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
			"edit": edit, "code": code, "damage": damage,
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

// TestStop: a run that is interrupted, or killed, keeps every finished stage; the next one goes on from there.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		signal os.Signal
		code   int
	}{{os.Interrupt, 1}, {os.Kill, -1}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "pipelines.hcl")
			if err := os.WriteFile(file, []byte(longTraining), 0o666); err != nil {
				t.Fatal(err)
			}
			run := exec.Command("anneal", "run", "--json")
			run.Dir = dir
			out, err := run.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			var last string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				last = lines.Text()
				if strings.Contains(last, `"addr":"pretrain.base","action":"progress"`) {
					run.Process.Signal(c.signal)
				}
			}
			run.Wait()
			if got := run.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
			if c.signal == os.Interrupt && !strings.Contains(last, `"ran":2,"cached":0,"failed":0,"skipped":1`) {
				t.Errorf("the last line is %s", last)
			}
			short := strings.Replace(longTraining, "1000000", "1", 1)
			if err := os.WriteFile(file, []byte(short), 0o666); err != nil {
				t.Fatal(err)
			}
			again := exec.Command("anneal", "run", "--json")
			again.Dir = dir
			text, err := again.CombinedOutput()
			if err != nil || !strings.Contains(string(text), `"ran":1,"cached":2,"failed":0,"skipped":0`) {
				t.Errorf("the run after: %v\n%s", err, text)
			}
		})
	}
}
