package pipeline

import "time"

// Meta is what a block says about where and how its stages run. It cannot change what they make, so none of it enters
// a key.
type Meta struct {
	Executor  string // the name of an executor, "local" where the block says nothing
	Resources Resources
	Retry     int           // further attempts after one that failed
	Timeout   time.Duration // of one attempt; 0: none
	OnFailure string        // what becomes of a run whose stage failed: one of the constants below
	Keep      time.Duration // how long artifacts that are folders, such as weights, stay unused before gc drops them; negative: for good
}

// What becomes of a run in which a stage failed.
const (
	SkipDependents = "skip"   // what needs the stage is skipped, the rest goes on
	StopRun        = "stop"   // nothing new is started
	IgnoreFailure  = "ignore" // as skip, and the run counts as a success
)

// Resources is what one stage occupies while it runs.
type Resources struct {
	Cores  int   // 0: a share of those that are free
	Memory int64 // bytes
	GPUs   int
}

func defaultMeta() Meta { return Meta{Executor: "local", OnFailure: SkipDependents, Keep: -1} }
