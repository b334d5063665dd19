package bench

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"anneal/artifacts"
	"anneal/cli"
	"anneal/lm/bpe"
)

var tokens = cli.Benchmark{
	Name:  "tokens",
	Short: "How long a tokens artifact takes to open, and what memory",
	Long: `Write a tokens artifact of ids of two bytes, and measure in turn: opening it, taking one id from its middle, and reading them all, which sums them up.
Resident memory is what the step added to the process's; pages of the map that were touched count, though the system can take them back at any time.
It reads /proc, which only Linux has.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		dir := flags.String("dir", "", "write the artifact in `DIR`, and remove it; without it, /dev/shm or else where temporary files go")
		mb := countFlag(flags, "mb", 1024, "`N` MB of ids")
		return func(_ context.Context, row func(any)) error {
			return inFolder(*dir, func(dir string) error { return openTokens(dir, int(*mb), row) })
		}
	},
}

// tokensRow is a result of openTokens.
type tokensRow struct {
	What         string  `json:"what"`
	Milliseconds float64 `json:"milliseconds"`
	ResidentMB   float64 `json:"resident_mb"`
}

func openTokens(dir string, mb int, row func(any)) error {
	out, err := artifacts.CreateTokens(dir, bpe.Plain(nil))
	if err != nil {
		return err
	}
	ids := make([]uint32, 1<<19) // a MB of them
	for i := range ids {
		ids[i] = uint32(i % 256)
	}
	for range mb {
		out.Write(ids) // what fails, Close says
	}
	if err := out.Close(); err != nil {
		return err
	}
	debug.FreeOSMemory()

	measure := func(what string, f func() error) error {
		before, err := resident()
		if err != nil {
			return err
		}
		start := time.Now()
		if err := f(); err != nil {
			return err
		}
		took := time.Since(start)
		after, err := resident()
		row(tokensRow{what, round(took.Seconds()*1e3, 3), round(float64(after-before)/1e6, 1)})
		return err
	}
	var t *artifacts.Tokens
	err = measure("open", func() (err error) {
		t, err = artifacts.OpenTokens(dir)
		return err
	})
	if err != nil {
		return err
	}
	defer t.Close()
	all, sum := t.Uint16(), 0
	err = measure("one id", func() error {
		sum += int(all[len(all)/2])
		return nil
	})
	if err != nil {
		return err
	}
	err = measure("all ids", func() error {
		for _, id := range all {
			sum += int(id)
		}
		return nil
	})
	if want := (255*256/2)*len(all)/256 + int(all[len(all)/2]); err == nil && sum != want {
		err = fmt.Errorf("the ids sum up to %d, want %d", sum, want)
	}
	return err
}

// resident is how many bytes of the process's memory are in the machine's.
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
