package cli

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

// stubborn is a stage that does not heed the end of its context.
type stubborn struct {
	Text string `hcl:"text,optional"`
}

func (*stubborn) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (*stubborn) Run(ctx context.Context, t *pipeline.Task) error {
	t.Progress(1, 2, nil)
	<-ctx.Done()
	select {}
}

// TestSecondSignal: a stage that does not stop when it is told to is waited for; a second signal ends the program at once.
func TestSecondSignal(t *testing.T) {
	if dir := os.Getenv("CLI_TEST_RUN"); dir != "" {
		kinds := []*pipeline.Kind{{Name: "stubborn", Version: 1, New: func() pipeline.Stage { return &stubborn{} }}}
		os.Exit(Main(context.Background(), App{Kinds: kinds}, []string{"-C", dir, "run", "--json"}, os.Stdout, os.Stderr))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipelines.hcl"), []byte("pipeline \"p\" {\n  stubborn \"s\" {}\n}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(os.Args[0], "-test.run=^TestSecondSignal$")
	run.Env = append(os.Environ(), "CLI_TEST_RUN="+dir)
	events, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	notes, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(events); lines.Scan() && !strings.Contains(lines.Text(), `"progress"`); {
	}
	run.Process.Signal(os.Interrupt)
	if line, err := bufio.NewReader(notes).ReadString('\n'); err != nil || !strings.HasPrefix(line, "Stopping as soon as") {
		t.Errorf("after the first signal it says %q, %v", line, err)
	}
	run.Process.Signal(os.Interrupt)
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}
