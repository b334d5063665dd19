//go:build unix

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock takes the lock of key, which is given back by the returned function or by the end of the process, whatever
// ends it. waiting, if not nil, is called once when another process holds it.
func (s *Store) Lock(ctx context.Context, key Digest, waiting func()) (unlock func(), err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		unlock, free, err := s.TryLock(key)
		if err != nil || free {
			return unlock, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Objects are put in place before the result that names them, and nothing names them in between. Whoever puts holds
// sweep.lock together with others; a sweep, which removes what nothing names, holds it alone. Both pass sweep.gate, which
// a sweep keeps shut while it waits: else commits that overlap would keep it waiting for good.

func (s *Store) share() (unlock func(), err error) {
	open, err := s.flock("sweep.gate", syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer open()
	return s.flock("sweep.lock", syscall.LOCK_SH)
}

func (s *Store) alone() (unlock func(), err error) {
	open, err := s.flock("sweep.gate", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer open()
	return s.flock("sweep.lock", syscall.LOCK_EX)
}

// flock waits for a lock on a file of the store's folder.
func (s *Store) flock(name string, how int) (unlock func(), err error) {
	path := filepath.Join(s.dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(s.dir, 0o777); err == nil {
			f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		}
	}
	if err != nil {
		return nil, err
	}
	for {
		switch err = syscall.Flock(int(f.Fd()), how); err {
		case nil:
			return func() { f.Close() }, nil
		case syscall.EINTR:
		default:
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
	}
}
