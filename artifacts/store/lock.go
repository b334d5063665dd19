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

const lockSuffix = ".lock"

// Lock takes the lock of key, which is given back by the returned function or by the end of the process, whatever
// ends it. waiting, if not nil, is called once when another process holds it.
func (s *Store) Lock(ctx context.Context, key Digest, waiting func()) (unlock func(), err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		unlock, free, err := s.tryLock(key)
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

func (s *Store) lockPath(key Digest) string {
	return filepath.Join(s.dir, "work", key.String()+lockSuffix)
}

// tryLock takes the lock of key if it is free.
func (s *Store) tryLock(key Digest) (unlock func(), free bool, err error) {
	path := s.lockPath(key)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		if errors.Is(err, fs.ErrNotExist) {
			if err = os.MkdirAll(filepath.Dir(path), 0o777); err == nil {
				f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
			}
		}
		if err != nil {
			return nil, false, err
		}
		switch err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil && sameFile(f, path):
			return func() {
				os.Remove(path) // still locked: whoever opened it meanwhile sees that it is gone
				f.Close()
			}, true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			f.Close()
			return nil, false, nil
		case err != nil && !errors.Is(err, syscall.EINTR):
			f.Close()
			return nil, false, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		f.Close()
	}
}

// locked tells whether somebody holds the lock of key. It writes nothing.
func (s *Store) locked(key Digest) bool {
	f, err := os.Open(s.lockPath(key))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
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

// sameFile tells whether path still names the open file f.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
