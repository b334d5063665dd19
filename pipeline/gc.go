package pipeline

import (
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"anneal/artifacts/store"
)

// Collection is what a garbage collection goes by.
type Collection struct {
	KeepRuns int           // what so many of the newest runs of each pipeline have stays
	Grace    time.Duration // whatever was made or used so lately stays
	Delete   bool          // or else it only looks
}

// Reasons for which a result stays; the first that holds is given.
const (
	StaysCurrent = "current" // the files' stages have it, or would look it up
	StaysNamed   = "named"   // a run that was given a name had it
	StaysRecent  = "recent"  // one of the newest runs had it
	StaysYoung   = "young"   // it was made or used within the grace
)

// Collected is what a garbage collection found.
type Collected struct {
	*store.Swept
	Addrs map[store.Digest]string // of results and of trajectories, by key: PIPELINE/ADDR, where the files or a run know it
	Why   map[store.Digest]string // of results that stay: one of the reasons
}

// Collect finds, in all pipelines of the files, what is of no more use, and removes it if it is told so. What is used
// while it looks stays.
func Collect(st *store.Store, graphs []*Graph, c Collection) (*Collected, error) {
	r := newReach()
	found := &Collected{Swept: new(store.Swept), Addrs: r.addrs, Why: r.why}
	if _, err := os.Stat(st.Dir()); os.IsNotExist(err) {
		return found, nil
	}
	now := time.Now()
	if c.Delete {
		var err error
		if now, err = st.Now(); err != nil {
			return nil, err
		}
	}
	for _, g := range graphs {
		r.graph(st, g)
	}
	records := Runs(st)
	r.named(records)
	r.recent(records, c.KeepRuns)
	for _, rec := range records { // older runs still know the addresses of what goes
		r.run(rec, "")
	}

	keep := store.Retention{
		Results: map[store.Digest]bool{}, Objects: map[store.Digest]bool{},
		Trees: map[store.Digest]time.Time{}, States: map[store.Digest]time.Time{},
		Before: now.Add(-c.Grace),
	}
	for key := range found.Why {
		keep.Results[key] = true
	}
	for key, limit := range r.limits {
		if limit >= 0 && !r.needed[key] && !r.whole[key] {
			keep.Trees[key] = now.Add(-max(limit, c.Grace))
		}
	}
	for trajectory, limit := range r.courses {
		keep.States[trajectory] = time.Time{}
		if limit >= 0 {
			keep.States[trajectory] = now.Add(-max(limit, c.Grace))
		}
	}
	for _, rec := range records { // histories stay, and with them the text that they ran
		for _, d := range rec.Sources {
			keep.Objects[d] = true
		}
	}
	var err error
	if found.Swept, err = st.Sweep(keep, c.Delete); err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(found.Gone, found.Stay) {
		if t := s.Result.Made.Trajectory; r.addrs[t] == "" {
			r.addrs[t] = r.addrs[s.Key]
		}
	}
	for _, s := range found.Stay {
		if found.Why[s.Key] == "" {
			found.Why[s.Key] = StaysYoung
		}
	}
	return found, nil
}

// Owners tells which address the results and the trajectories of a store have, by key: PIPELINE/ADDR, going by graphs and then by runs,
// newest first. current has the keys that the graphs' stages have, or had last where that is not known yet.
func Owners(st *store.Store, graphs []*Graph) (addrs map[store.Digest]string, current map[store.Digest]bool) {
	r := newReach()
	for _, g := range graphs {
		r.graph(st, g)
	}
	current = map[store.Digest]bool{}
	for key := range r.why {
		current[key] = true
	}
	for rec := range history(st) {
		r.run(rec, "")
	}
	return r.addrs, current
}

// reach finds out what is reached, and from where.
type reach struct {
	why    map[store.Digest]string
	addrs  map[store.Digest]string        // PIPELINE/ADDR
	keep   map[string]time.Duration       // by pipeline and block, negative: for good
	limits map[store.Digest]time.Duration // of keys whose blocks all limit how long trees stay: the longest
	needed map[store.Digest]bool          // keys of stages whose outputs a stage is yet to read
	whole  map[store.Digest]bool          // keys of runs that were given names: nothing of theirs is dropped

	courses map[store.Digest]time.Duration // trajectories of stages, with the longest time for which their blocks keep trees; negative: for good
}

func newReach() *reach {
	return &reach{
		why: map[store.Digest]string{}, addrs: map[store.Digest]string{}, keep: map[string]time.Duration{},
		limits: map[store.Digest]time.Duration{}, needed: map[store.Digest]bool{}, whole: map[store.Digest]bool{},
		courses: map[store.Digest]time.Duration{},
	}
}

// reaches notes that the result under key is that of an address, and stays for the reason why unless that is "".
func (r *reach) reaches(key store.Digest, pipeline, addr, why string) {
	block, _, _ := strings.Cut(addr, "[")
	limit, known := r.keep[pipeline+"/"+block]
	if !known {
		limit = -1
	}
	keepLonger(r.limits, key, limit)
	if r.addrs[key] == "" {
		r.addrs[key] = pipeline + "/" + addr
	}
	if why != "" && r.why[key] == "" {
		r.why[key] = why
	}
}

// keepLonger raises the time for which something is kept to limit; negative: for good.
func keepLonger[K comparable](limits map[K]time.Duration, of K, limit time.Duration) {
	if old, ok := limits[of]; !ok || old >= 0 && (limit < 0 || limit > old) {
		limits[of] = limit
	}
}

// graph reaches what the stages of g have, and where that is not known yet, what they had last.
func (r *reach) graph(st *store.Store, g *Graph) {
	for _, n := range g.Nodes {
		name := g.Name + "/" + n.Block
		keepLonger(r.keep, name, n.Meta.Keep)
	}
	keys := map[*Node]store.Digest{}
	last := newest(st, g.Name)
	steps := g.Plan(st)
	g.Forecast(st, steps, nil) // what is wrong with the files is for others to say
	for _, s := range steps {
		r.course(g, s)
		key, known := s.Key, !s.Key.IsZero()
		if !known {
			key, known = last[s.Node.Addr]
		}
		if known {
			keys[s.Node] = key
			r.reaches(key, g.Name, s.Node.Addr, StaysCurrent)
		}
		if s.Do != Cached {
			for _, p := range s.Node.producers() {
				r.needed[keys[p]] = true
			}
		}
	}
}

// course reaches the trajectory of a step.
func (r *reach) course(g *Graph, s Step) {
	var key store.Digest
	if s.Result != nil {
		key = s.Result.Made.Trajectory
	} else if s.prospect != nil {
		key = s.prospect.key
	}
	if key.IsZero() {
		return
	}
	keepLonger(r.courses, key, r.keep[g.Name+"/"+s.Node.Block])
	if r.addrs[key] == "" {
		r.addrs[key] = g.Name + "/" + s.Node.Addr
	}
}

// named reaches what runs have that were given names.
func (r *reach) named(records []*Record) {
	for _, rec := range records {
		if rec.Name != "" {
			r.run(rec, StaysNamed)
			for _, key := range rec.keys() {
				r.whole[key] = true
			}
		}
	}
}

// recent reaches what the newest runs of each pipeline have.
func (r *reach) recent(records []*Record, n int) {
	count := map[string]int{}
	for _, rec := range records { // newest first
		if rec.Unfinished {
			continue
		}
		if count[rec.Pipeline]++; count[rec.Pipeline] <= n {
			r.run(rec, StaysRecent)
		}
	}
}

func (r *reach) run(rec *Record, why string) {
	keys := rec.keys()
	for _, addr := range slices.Sorted(maps.Keys(keys)) {
		r.reaches(keys[addr], rec.Pipeline, addr, why)
	}
}
