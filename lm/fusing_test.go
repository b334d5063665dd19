//go:build crossbuild

package lm

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// numeric are the packages whose numbers reach bytes that are promised to be equal everywhere. Probes and reports promise less.
var numeric = []string{".", "./kernel", "./bpe", "../artifacts", "../stages/checkpoint", "../stages/dataset", "../stages/finetune", "../stages/internal/...", "../stages/pretrain", "../stages/tokenize"}

// A compiler may fuse a·b + c where a product is not rounded by a conversion. Where the architecture invites it, the only
// fused instructions of the numeric packages are those of kernel/fma.go, whose product is exact. (The assembly of the
// tiles does not pass through the compiler.) It builds for two other architectures, which takes minutes from an empty
// cache: `make check` does it.
func TestNothingIsFused(t *testing.T) {
	fusedInstruction := regexp.MustCompile(`\((\S+\.go:\d+)\)\s+(V?FN?M(?:ADD|SUB)\S*)`)
	for _, target := range [][]string{{"GOARCH=arm64"}, {"GOARCH=amd64", "GOAMD64=v3"}} {
		build := exec.Command("go", append([]string{"build", "-gcflags=anneal/lm/...=-S", "-gcflags=anneal/artifacts=-S", "-gcflags=anneal/stages/...=-S"}, numeric...)...)
		build.Env = append(append(os.Environ(), "CGO_ENABLED=0"), target...)
		listing, err := build.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", target, err, listing)
		}
		exact := 0
		for _, m := range fusedInstruction.FindAllStringSubmatch(string(listing), -1) {
			if strings.Contains(m[1], "kernel/fma.go:") {
				exact++
				continue
			}
			t.Errorf("%s: %s has %s", target, m[1], m[2])
		}
		for _, shown := range []string{"anneal/lm.Schedule.Factor STEXT", "anneal/stages/checkpoint.describe STEXT", "anneal/artifacts.(*WeightsWriter).Save STEXT"} {
			if exact == 0 || !strings.Contains(string(listing), shown) {
				t.Errorf("%s: the listing lacks %s", target, shown)
			}
		}
	}
}
