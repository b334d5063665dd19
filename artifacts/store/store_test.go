package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

var facts = []Fact{{"kind", "pretrain", "1"}, {"config", "adamw.weight_decay", "0.1"}}

// put commits outputs given by name, a tree where the name ends in "/", under the facts given.
func put(t *testing.T, s *Store, facts []Fact, outputs map[string]string) *Result {
	t.Helper()
	unlock, err := s.Lock(t.Context(), Key(facts), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	a, err := s.Attempt(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for name, content := range outputs {
		tree, file, isTree := strings.Cut(name, "/")
		types[tree] = "text"
		path := a.Out(tree)
		if isTree {
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
			path = filepath.Join(path, file)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Commit(facts, types, Made{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestKeyIsInjective: lists of facts that differ as sets have different keys, wherever the boundaries between their
// parts fall; the order of facts does not matter.
func TestKeyIsInjective(t *testing.T) {
	distinct := [][]Fact{
		nil,
		{{"", "", ""}},
		{{"", "", ""}, {"", "", ""}},
		{{"a", "b", "c"}},
		{{"ab", "", "c"}},
		{{"", "ab", "c"}},
		{{"a", "b", "c"}, {"d", "e", "f"}},
		{{"a", "b", "cd"}, {"", "e", "f"}},
		{{"config", "betas.0", "1"}},
		{{"config", "betas.0", "1"}, {"config", "betas.1", "0"}},
	}
	seen := map[Digest]int{}
	for i, f := range distinct {
		if j, twice := seen[Key(f)]; twice {
			t.Errorf("%v and %v have one key", distinct[j], f)
		}
		seen[Key(f)] = i
	}
	property := func(a, b []Fact) bool {
		shuffled := slices.Clone(a)
		slices.Reverse(shuffled)
		sorted := func(f []Fact) []Fact { f = slices.Clone(f); slices.SortFunc(f, Fact.compare); return f }
		return Key(a) == Key(shuffled) && (Key(a) == Key(b)) == slices.Equal(sorted(a), sorted(b))
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestCommitAndRead(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	if _, err := s.Result(Key(facts)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty store answers %v", err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("asking made a folder")
	}
	made := put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
	if _, err := s.Result(Key(facts)); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(made); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, file := range map[string]string{"a": "a", "w": "w/model.json"} {
		if err := s.Stage(made.Outputs[name], filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o222 != 0 {
			t.Errorf("%s was staged writable: %s", file, info.Mode())
		}
	}
	// Equal bytes are one object. The folders of the first attempt serve the second.
	again := put(t, s, []Fact{{"kind", "other", "1"}}, map[string]string{"b": "alpha"})
	if err := s.Tidy(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir(), "work", "?*[0-9]*")); len(left) > 0 {
		t.Errorf("work/ still has %v", left)
	}
	if again.Outputs["b"].Digest != made.Outputs["a"].Digest {
		t.Error("equal bytes have two digests")
	}
}

// TestDamage: whatever happens to a file of the store, it is reported and never used.
func TestDamage(t *testing.T) {
	object := func(s *Store, r *Result) string { return s.object(r.Outputs["a"].Digest) }
	result := func(s *Store, r *Result) string { return s.resultPath(Key(r.Key)) }
	manifest := func(s *Store, r *Result) string { return s.object(r.Outputs["w"].Digest) }
	flip := func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		os.Chmod(path, 0o666)
		return os.WriteFile(path, b, 0o666)
	}
	truncate := func(path string) error {
		os.Chmod(path, 0o666)
		return os.Truncate(path, 2)
	}
	for name, c := range map[string]struct {
		path   func(*Store, *Result) string
		damage func(path string) error
		gone   bool
	}{
		"flipped object":     {object, flip, false},
		"truncated object":   {object, truncate, false},
		"missing object":     {object, os.Remove, true},
		"flipped result":     {result, flip, false},
		"truncated result":   {result, truncate, false},
		"missing result":     {result, os.Remove, true},
		"flipped manifest":   {manifest, flip, false},
		"truncated manifest": {manifest, truncate, false},
		"missing manifest":   {manifest, os.Remove, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(filepath.Join(t.TempDir(), "store"))
			r := put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
			if err := c.damage(c.path(s, r)); err != nil {
				t.Fatal(err)
			}
			s = Open(s.Dir()) // another process
			got, err := s.Result(Key(facts))
			if err == nil {
				err = s.Complete(got)
			}
			var damaged *DamagedError
			if c.gone && !errors.Is(err, fs.ErrNotExist) || !c.gone && !errors.As(err, &damaged) {
				t.Errorf("reported as %v", err)
			}
			put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
			if got, err = s.Result(Key(facts)); err == nil {
				err = s.Complete(got)
			}
			if err != nil {
				t.Errorf("after making it again: %v", err)
			}
		})
	}
}

// TestFirstMissing: of several missing outputs, the same one is named every time.
func TestFirstMissing(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	r := put(t, s, facts, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"})
	if err := os.RemoveAll(filepath.Join(s.Dir(), "objects")); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := s.Complete(r); err == nil || !strings.HasPrefix(err.Error(), "output a is missing") {
			t.Fatalf("reported as %v", err)
		}
	}
}

// TestSilentDamage: bytes that changed without the file's time are found when they are staged.
func TestSilentDamage(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	b := put(t, s, facts, map[string]string{"a": "alpha"}).Outputs["a"]
	path := s.object(b.Digest)
	os.Chmod(path, 0o666)
	if err := os.WriteFile(path, []byte("gamma"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, intact, intact); err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	if err := s.Stage(b, filepath.Join(t.TempDir(), "a")); !errors.As(err, &damaged) {
		t.Fatalf("staging changed bytes: %v", err)
	}
	if err := s.SetAside(b); err != nil {
		t.Fatal(err)
	}
	if err := s.Present(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after setting aside: %v", err)
	}
	if kept, _ := os.ReadFile(filepath.Join(s.Dir(), "damaged", b.Digest.String())); string(kept) != "gamma" {
		t.Error("the damaged bytes were not kept")
	}
	put(t, s, facts, map[string]string{"a": "alpha"})
	if err := s.Stage(b, filepath.Join(t.TempDir(), "a")); err != nil {
		t.Errorf("after making it again: %v", err)
	}
}

// TestCopiedStore: a store whose files lost their times in a copy is whole.
func TestCopiedStore(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	r := put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(s.Dir())); err != nil {
		t.Fatal(err)
	}
	c := Open(copied)
	got, err := c.Result(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(got); err != nil || got.Outputs["a"] != r.Outputs["a"] {
		t.Errorf("a copied store answers %v, %v", got, err)
	}
}

// TestLoserAdopts: of two attempts at one key the recorded result stands.
func TestLoserAdopts(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	first := put(t, s, facts, map[string]string{"a": "alpha"})
	second := put(t, s, facts, map[string]string{"a": "beta"})
	if first.Outputs["a"] != second.Outputs["a"] {
		t.Error("a second result took the place of the first")
	}
}

func TestMissingOutput(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a, err := s.Attempt(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Commit(facts, map[string]string{"weights": "weights"}, Made{}); err == nil || !strings.Contains(err.Error(), `no output "weights"`) {
		t.Errorf("a missing output: %v", err)
	}
	if _, err := s.Result(Key(facts)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a result was left: %v", err)
	}
}

// TestLockDiesWithItsHolder: a killed process leaves no lock behind.
func TestLockDiesWithItsHolder(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_HOLD"); dir != "" {
		if _, err := Open(dir).Lock(context.Background(), Key(facts), nil); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	dir := filepath.Join(t.TempDir(), "store")
	holder := exec.Command(os.Args[0], "-test.run=^TestLockDiesWithItsHolder$")
	holder.Env = append(os.Environ(), "STORE_TEST_HOLD="+dir)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	s := Open(dir)
	waited := false
	_, err = s.Lock(t.Context(), Key(facts), func() {
		waited = true
		holder.Process.Kill()
		holder.Wait()
	})
	if err != nil || !waited {
		t.Errorf("lock after a kill: %v, waited %v", err, waited)
	}
}

func TestLockGivesUp(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	unlock, err := s.Lock(t.Context(), Key(facts), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Lock(ctx, Key(facts), cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
	unlock()
	if unlock, err = s.Lock(t.Context(), Key(facts), nil); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func FuzzParseDigest(f *testing.F) {
	f.Add(strings.Repeat("a0", 32))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDigest(text)
		if err == nil && d.String() != text {
			t.Errorf("%q reads as %s", text, d)
		}
	})
}
