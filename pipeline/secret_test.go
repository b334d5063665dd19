package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// TestMask: texts are told without what env has read, however it is quoted or parted.
func TestMask(t *testing.T) {
	s := &secrets{environ: []string{"TOKEN=first", "TOKEN=hunter2", "LONG=hunter2-and-more", "KEY=line one\nline \"two\"\n--\n", "SHORT=abc", "UNREAD=unread"}}
	env := s.function()
	for _, name := range []string{"TOKEN", "LONG", "KEY", "SHORT", "NONE"} {
		v, err := env.Call([]cty.Value{cty.StringVal(name)})
		if err != nil {
			t.Fatal(err)
		}
		if got := secretsIn(cty.TupleVal([]cty.Value{v})); fmt.Sprint(got) != "["+name+"]" {
			t.Errorf("%s is marked as of %v", name, got)
		}
		if v, _ := reveal(v); name == "TOKEN" && v.AsString() != "hunter2" || v.IsNull() != (name == "NONE") {
			t.Errorf("%s is %#v", name, v)
		}
	}
	for text, want := range map[string]string{
		"it is hunter2.":              "it is (secret TOKEN).",
		"it is hunter2-and-more, no?": "it is (secret LONG), no?",
		`cannot take "line \"two\""`:  `cannot take "(secret KEY)"`,
		"1: line one 2: line \"two\"": "1: (secret KEY) 2: (secret KEY)",
		"abc -- first unread":         "abc -- first unread",
	} {
		if got := s.mask(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	var out strings.Builder
	w, flush := s.writer(&out)
	for _, part := range []string{"a hun", "ter2 b\nc ", "hunter", "2-and-more"} {
		fmt.Fprint(w, part)
	}
	if err := flush(); err != nil {
		t.Fatal(err)
	}
	if want := "a (secret TOKEN) b\nc (secret LONG)"; out.String() != want {
		t.Errorf("written as %q, want %q", out.String(), want)
	}
	if w, _ := (&secrets{}).writer(&out); w != &out {
		t.Error("without secrets, a writer is not itself")
	}
}
