package report

import (
	"testing"

	"anneal/pipeline/pipelinetest"
)

// Equal rows make equal bytes. The digest is that of amd64: gonum's kernels and Go's math round otherwise elsewhere. It
// changes only together with the kind's Version.
func TestGolden(t *testing.T) {
	const want = "e75f9ae0791802fd"
	if got := pipelinetest.Run(t, kinds, 2, whole, nil).Blob("report.r", "report").Digest.String()[:16]; got != want {
		t.Errorf("report is %s, want %s", got, want)
	}
}
