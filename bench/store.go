package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"anneal/artifacts/store"
	"anneal/cli"
)

var storing = cli.Benchmark{
	Name:  "store",
	Short: "GB a second of hashing and storing what a stage made",
	Long: `Commit what a stage left in its folder into a store, and check it as before every stage that reads it, in GB of 10⁹ bytes a second, by the clock and
by CPU time of all threads: as one file and as a folder of 64. Beside them, SHA-256 of bytes in memory: no store can be faster.

The store lies in memory where the machine has /dev/shm: a disk would be measured otherwise. GOMAXPROCS=1 in the environment holds it to one core.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		dir := flags.String("dir", "", "make the store in `DIR`, and remove it; without it, /dev/shm or else where temporary files go")
		mb := countFlag(flags, "mb", 1024, "store `N` MB")
		return func(ctx context.Context, row func(any)) error {
			return inFolder(*dir, func(dir string) error { return storeSpeed(ctx, dir, int(*mb), row) })
		}
	},
}

// storeRow is a result of storeSpeed.
type storeRow struct {
	What           string  `json:"what"`
	Files          int     `json:"files"`
	GBPerSecond    float64 `json:"gb_per_second"`
	GBPerCPUSecond float64 `json:"gb_per_cpu_second"`
}

// inFolder calls f with a new folder in parent, and removes it. Without a parent it is one whose files lie in memory, or the one for temporary files.
func inFolder(parent string, f func(dir string) error) error {
	if info, err := os.Stat("/dev/shm"); parent == "" && err == nil && info.IsDir() {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "anneal-bench-")
	if err != nil {
		return err
	}
	return errors.Join(f(dir), os.RemoveAll(dir))
}

func storeSpeed(ctx context.Context, dir string, mb int, row func(any)) error {
	data := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	measure := func(what string, files int, f func() error) error {
		start, cpu := time.Now(), cpuTime()
		err := f()
		gb := float64(mb) * float64(len(data)) / 1e9
		row(storeRow{what, files, round(gb/time.Since(start).Seconds(), 3), round(gb/(cpuTime()-cpu).Seconds(), 3)})
		return err
	}
	err := measure("SHA-256 in memory", 1, func() error {
		h := sha256.New()
		for range mb {
			h.Write(data)
		}
		return nil
	})
	for _, files := range []int{1, 64} {
		if err == nil && files <= mb {
			err = commitSpeed(ctx, filepath.Join(dir, fmt.Sprint(files)), data, mb, files, measure)
		}
	}
	return err
}

// commitSpeed measures one commit of so many files, mb times data in all, and the check of what it stored.
func commitSpeed(ctx context.Context, dir string, data []byte, mb, files int, measure func(string, int, func() error) error) error {
	s := store.Open(dir)
	facts := []store.Fact{{Kind: "kind", Name: "bench", Value: "1"}}
	unlock, err := s.Lock(ctx, store.Key(facts), nil)
	if err != nil {
		return err
	}
	defer unlock()
	attempt, err := s.Attempt(store.Key(facts))
	if err != nil {
		return err
	}
	if err := writeFiles(attempt.Out("out"), data, mb, files); err != nil {
		return err
	}
	var result *store.Result
	err = measure("commit", files, func() (err error) {
		result, err = attempt.Commit(facts, map[string]string{"out": "text"}, store.Made{})
		return err
	})
	if err != nil {
		return err
	}
	other := store.Open(dir) // as another process, which has checked nothing yet
	return errors.Join(measure("check", files, func() error { return other.Verify(result.Outputs["out"]) }), os.RemoveAll(dir))
}

// writeFiles writes data mb times: a file, or a folder of several that differ.
func writeFiles(path string, data []byte, mb, files int) error {
	if files > 1 {
		if err := os.Mkdir(path, 0o777); err != nil {
			return err
		}
	}
	for i := range files {
		name := path
		if files > 1 {
			name = filepath.Join(path, fmt.Sprint(i))
		}
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		data[0] = byte(i)
		for range mb*(i+1)/files - mb*i/files {
			if _, err := f.Write(data); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
