package probe

import (
	"testing"

	"anneal/pipeline/pipelinetest"
)

// Equal configuration gives equal bytes. These digests are those of amd64: gonum's kernels and Go's math round otherwise
// elsewhere. They change only together with a version: the kind's, or that of the arithmetic.
func TestGolden(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, all, nil)
	for output, want := range map[string]string{
		"losses":       "8cdf10d879762a58",
		"separability": "e1959a15ba8b8829",
		"spectrum":     "8edfc639c3d02287",
		"samples":      "9a0d2d3a02815087",
	} {
		if got := r.Blob("probe.p", output).Digest.String()[:16]; got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
	if got, want := r.Blob("probe.s", "scores").Digest.String()[:16], "245cefa9657d7d51"; got != want {
		t.Errorf("scores is %s, want %s", got, want)
	}
}

func TestGoldenSamples(t *testing.T) {
	sampled, asked := pipelinetest.Run(t, kinds, 2, drawn, nil), pipelinetest.Run(t, kinds, 2, demonstrated, nil)
	for _, c := range []struct{ what, got, want string }{
		{"drawn", sampled.Blob("probe.both", "samples").Digest.String(), "756e333b9fdf61dc"},
		{"scores of drawn", sampled.Blob("probe.s_k", "scores").Digest.String(), "af9200cf94842647"},
		{"behind demonstrations", asked.Blob("probe.one", "samples").Digest.String(), "093260535001326f"},
	} {
		if got := c.got[:16]; got != c.want {
			t.Errorf("%s is %s, want %s", c.what, got, c.want)
		}
	}
}
