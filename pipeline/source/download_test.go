package source

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"anneal/artifacts/store"
)

// hasten makes pauses short, and returns how long they were to be.
func hasten(t *testing.T) *[]time.Duration {
	pauses := new([]time.Duration)
	before := pause
	pause = func(_ context.Context, d time.Duration) { *pauses = append(*pauses, d) }
	t.Cleanup(func() { pause = before })
	return pauses
}

// downloads fetches into a store of its own.
func downloads(t *testing.T) *Downloads {
	return &Downloads{Store: store.Open(filepath.Join(t.TempDir(), ".anneal")), Tell: func(string) {}, Progress: func(_, _, _ int64) {}}
}
