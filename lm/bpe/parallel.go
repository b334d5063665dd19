package bpe

import (
	"bytes"
	"iter"
	"unicode/utf8"
)

const (
	// jobBytes is the text that one worker encodes in one go: milliseconds of work, so that handing it over costs nothing.
	jobBytes = 1 << 18
	// jobSpans bounds the number of texts in one go, where these are short.
	jobSpans = 1 << 13
)

// EncodeParallel encodes texts on several goroutines and yields the ids that Encode gives for each, in order. A text comes in one part
// or several: the second value of parts says that the same text goes on in the next part, that of what is yielded that more ids of
// the same text follow. The end of each text is yielded, if without ids. Slices yielded hold until the next; of those that parts
// yields none is kept. Both loops run on the caller's goroutine. It takes a few megabytes a worker, and more only for a longer piece.
func (v *Vocabulary) EncodeParallel(parts iter.Seq2[[]byte, bool], workers int) iter.Seq2[[]uint32, bool] {
	return func(yield func([]uint32, bool) bool) {
		q := &queued{v: v, yield: yield, jobs: make(chan *job, 2*workers)}
		defer close(q.jobs)
		for range workers {
			go func() {
				for j := range q.jobs {
					j.encode(v)
				}
			}()
		}
		q.next()
		for part, more := range parts {
			if !q.add(part, more) {
				return
			}
		}
		if q.flush() {
			for len(q.sent) > 0 && q.receive() {
			}
		}
	}
}

// A job is a stretch of the texts.
type job struct {
	text  []byte
	spans []span
	ids   []uint32
	done  chan struct{}
}

// A span is a text in a job, or the part of it that falls there.
type span struct {
	from, to int  // in the job's text
	more     bool // the next job has the rest
	ids      int  // where its ids end in the job's
}

func (j *job) encode(v *Vocabulary) {
	j.ids = j.ids[:0]
	for i := range j.spans {
		s := &j.spans[i]
		j.ids, _ = v.EncodeSome(j.ids, j.text[s.from:s.to], false)
		s.ids = len(j.ids)
	}
	j.done <- struct{}{}
}

// queued is the caller's side of EncodeParallel.
type queued struct {
	v     *Vocabulary
	yield func([]uint32, bool) bool
	jobs  chan *job
	sent  []*job // in order
	idle  []*job

	filling *job
	limit   int  // of the bytes of filling
	open    bool // its last text goes on
	started bool // and had a byte
}

// next takes a job to fill.
func (q *queued) next() {
	if n := len(q.idle); n > 0 {
		q.filling, q.idle = q.idle[n-1], q.idle[:n-1]
		q.filling.text, q.filling.spans = q.filling.text[:0], q.filling.spans[:0]
	} else {
		q.filling = &job{done: make(chan struct{}, 1)}
	}
	q.limit = jobBytes
}

// add takes one part of a text. It reports false when no more is wanted, as all that follow.
func (q *queued) add(part []byte, more bool) bool {
	if !q.open {
		q.filling.spans = append(q.filling.spans, span{from: len(q.filling.text)})
		q.open, q.started = true, false
	}
	if !q.started && len(part) > 0 {
		q.started = true
		if q.v.wantsSpace(part) {
			q.filling.text = append(q.filling.text, ' ')
		}
	}
	for len(part) > 0 {
		n := min(len(part), q.limit-len(q.filling.text))
		q.filling.text = append(q.filling.text, part[:n]...)
		part = part[n:]
		if len(q.filling.text) == q.limit && !q.cut() {
			return false
		}
	}
	if more {
		return true
	}
	j := q.filling
	j.spans[len(j.spans)-1].to = len(j.text)
	q.open = false
	return len(j.spans) < jobSpans || q.flush()
}

// cut sends the job that is filled up to a place where a piece begins, and what is behind that goes to the next job. Where there is no
// such place the job grows.
func (q *queued) cut() bool {
	j := q.filling
	last := &j.spans[len(j.spans)-1]
	n := q.v.boundary(j.text[last.from:])
	if n == 0 {
		q.limit *= 2
		return true
	}
	last.to, last.more = last.from+n, true
	rest := j.text[last.to:]
	if !q.flush() {
		return false
	}
	q.filling.text = append(q.filling.text, rest...)
	q.filling.spans = append(q.filling.spans, span{})
	q.limit += len(rest)
	return true
}

// flush sends the job that is filled.
func (q *queued) flush() bool {
	q.jobs <- q.filling
	q.sent = append(q.sent, q.filling)
	q.next()
	return len(q.sent) < cap(q.jobs) || q.receive()
}

// receive waits for the oldest job and yields its ids.
func (q *queued) receive() bool {
	j := q.sent[0]
	q.sent = q.sent[1:]
	<-j.done
	from := 0
	for _, s := range j.spans {
		if !q.yield(j.ids[from:s.ids], s.more) {
			return false
		}
		from = s.ids
	}
	q.idle = append(q.idle, j)
	return true
}

// boundary returns a place in text, as far back as it finds one, at which a piece begins whatever follows text, and that leaves the
// pieces before it as they are when text ends there; 0 where it finds none. Behind white space there is none: at the end of a text
// that is cut otherwise than before something else.
func (v *Vocabulary) boundary(text []byte) int {
	for n := settled(text); n > 0; n-- {
		if utf8.RuneStart(text[n]) && v.parts(text, n) {
			return n
		}
	}
	n, last, end := 0, 0, settled(text)
	for n < end {
		length := v.piece(text[n:])
		if n+length > end {
			break
		}
		if len(bytes.TrimSpace(text[n:n+length])) > 0 {
			last = n + length
		}
		n += length
	}
	return last
}

// parts tells whether a piece begins at a character of text whatever stands before the one in front of it: a cut that needs no
// look at all the text. Between other characters there may be a cut, too.
func (v *Vocabulary) parts(text []byte, n int) bool {
	if v.joints != nil {
		return !v.joints.joined(text, n)
	}
	after, _ := first(text[n:])
	r, _ := utf8.DecodeLastRune(text[:n])
	switch before := classOf(r); before {
	case letter, number:
		return after != before
	case mark:
		return text[n] == ' '
	}
	return false
}
