package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"anneal/stages"
)

// TestStagesPage: docs/stages.md names every attribute and block of every kind, under the kind's heading.
func TestStagesPage(t *testing.T) {
	page, err := os.ReadFile("docs/stages.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(page), "\n## ")[1:] {
		name, text, _ := strings.Cut(s, "\n")
		sections[name] = text
	}
	shared := sections["pretrain"] // finetune's blocks are described there
	var check func(kind string, ty reflect.Type)
	check = func(kind string, ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct {
			return
		}
		for i := range ty.NumField() {
			tag, ok := ty.Field(i).Tag.Lookup("hcl")
			if !ok {
				continue
			}
			name, role, _ := strings.Cut(tag, ",")
			if role != "label" && !strings.Contains(sections[kind], "`"+name) && !(kind == "finetune" && strings.Contains(shared, "`"+name+"`")) {
				t.Errorf("docs/stages.md does not name %s of %s", name, kind)
			}
			if role == "block" {
				check(kind, ty.Field(i).Type)
			}
		}
	}
	for _, k := range stages.Kinds() {
		if sections[k.Name] == "" {
			t.Errorf("docs/stages.md has no section on %s", k.Name)
		}
		check(k.Name, reflect.TypeOf(k.New()))
	}
}
