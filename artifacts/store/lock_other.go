//go:build unix && !linux

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockSuffix ends the name of the file whose lock is that of a key.
const lockSuffix = ".lock"

func (s *Store) lockPath(key Digest) string {
	return filepath.Join(s.dir, "work", key.String()+lockSuffix)
}

// TryLock takes the lock of key, as Lock does, if it is free.
func (s *Store) TryLock(key Digest) (unlock func(), free bool, err error) {
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

// sameFile tells whether path still names the open file f.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
