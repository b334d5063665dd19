package training

import (
	"errors"
	"time"

	"anneal/lm"
	"anneal/pipeline"
)

// SnapshotEvery is the default of the attribute snapshot_every.
const SnapshotEvery = "60s"

// Snapshots reads the attribute snapshot_every. The error blames it.
func Snapshots(every string) (time.Duration, error) {
	d, err := time.ParseDuration(every)
	if err != nil || d < 0 {
		return 0, pipeline.Errorf("snapshot_every", "must be a time such as 60s or 5m, or 0s, is %q", every)
	}
	return d, nil
}

// Check blames those of the attributes that every training has, batch included, that none could start with.
func Check(batch, microBatch int, snapshotEvery string, zLoss float64) error {
	_, err := Snapshots(snapshotEvery)
	errs := []error{err}
	refuse := func(bad bool, field, format string, args ...any) {
		if bad {
			errs = append(errs, pipeline.Errorf(field, format, args...))
		}
	}
	refuse(batch < 1, "batch", "must be at least 1, is %d", batch)
	refuse(microBatch < 0 || batch > 0 && microBatch > batch, "micro_batch", "must be from 0, which leaves it open, to batch, which is %d, is %d", batch, microBatch)
	refuse(!(zLoss >= 0), "z_loss", "must be at least 0, is %g", zLoss)
	return errors.Join(errs...)
}

// tokensAtOnce bounds micro-batches that are left open: enough rows for the matrix products to run at their full speed, and a bound on the
// memory that activations take.
const tokensAtOnce = 1 << 13

// MicroBatch returns how many of a batch's sequences of so many tokens to compute at once: as many as asked for, unless that is 0.
func MicroBatch(asked, batch, length int) int {
	if asked > 0 {
		return asked
	}
	return min(batch, max(1, tokensAtOnce/length))
}

// Past returns a schedule for the past of a training of so many steps: one that all schedules with equal first steps share. What cannot be
// shared stays as it is.
func Past(s lm.Schedule, steps int) lm.Schedule {
	if shared, _ := s.Independent(steps); shared == 0 {
		return s
	}
	past := lm.DefaultSchedule()
	past.Shape, past.WarmupSteps = "constant", s.WarmupSteps
	return past
}

// Forecast tells what a training of so many steps with these save points will take.
func Forecast(past pipeline.Stage, s lm.Schedule, steps int, save []int, memory int64) pipeline.Forecast {
	shared, alone := s.Independent(steps)
	f := pipeline.Forecast{Memory: memory, Steps: steps, Past: past, Shared: shared, Alone: alone}
	for _, step := range save {
		if 0 < step && step <= shared {
			f.Stops = append(f.Stops, step)
		}
	}
	return f
}
