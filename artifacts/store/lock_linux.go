package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The lock of a key is that of a byte of the file work/locks, at an offset that the key gives. A file for each key would
// be made and removed for every stage, and file systems such as ext4 look through what was just removed whenever they
// make a file.
//
// The locks are of open file descriptions: they die with the process, and two of one process exclude each other too.
const (
	getLock = 36 // F_OFD_GETLK
	setLock = 37 // F_OFD_SETLK
)

// lockSuffix ends no name here: there are no files for the locks of keys.
const lockSuffix = ""

func byteOf(key Digest) *syscall.Flock_t {
	return &syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(binary.BigEndian.Uint64(key[:]) >> 2), Len: 1}
}

// TryLock takes the lock of key, as Lock does, if it is free.
func (s *Store) TryLock(key Digest) (unlock func(), free bool, err error) {
	path := filepath.Join(s.dir, "work", "locks")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o777); err == nil {
			f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		}
	}
	if err != nil {
		return nil, false, err
	}
	for {
		switch err = syscall.FcntlFlock(f.Fd(), setLock, byteOf(key)); {
		case err == nil:
			return func() { f.Close() }, true, nil
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES):
			f.Close()
			return nil, false, nil
		case !errors.Is(err, syscall.EINTR):
			f.Close()
			return nil, false, &os.PathError{Op: "lock", Path: path, Err: err}
		}
	}
}

// locked tells whether somebody holds the lock of key. It writes nothing.
func (s *Store) locked(key Digest) bool {
	f, err := os.Open(filepath.Join(s.dir, "work", "locks"))
	if err != nil {
		return false
	}
	defer f.Close()
	lock := byteOf(key)
	return syscall.FcntlFlock(f.Fd(), getLock, lock) == nil && lock.Type != syscall.F_UNLCK
}
