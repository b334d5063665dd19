package probe

import (
	"testing"

	"anneal/pipeline/pipelinetest"
)

// See TestGolden.
func TestGoldenMeasures(t *testing.T) {
	r := pipelinetest.Run(t, measuring, 2, measured, nil)
	for output, want := range map[string]string{
		"losses":   "d008904a4aa62b5d",
		"features": "5c0ee1f2f9029a64",
		"norms":    "09aa978207942403",
		"noise":    "326fef712e2a12f1",
	} {
		if got := r.Blob("probe.random", output).Digest.String()[:16]; got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
}
