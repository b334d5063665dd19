//go:build unix

package store

import (
	"os"
	"syscall"
)

// rawFile is an open file without what os.File does for files that can be waited for.
type rawFile int

func openRaw(path string) (rawFile, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err == nil {
			return rawFile(fd), nil
		}
		if err != syscall.EINTR {
			return 0, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// read fills b as far as there is something to read.
func (f rawFile) read(b []byte) (n int, err error) {
	for n < len(b) {
		more, err := syscall.Read(int(f), b[n:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || more == 0 {
			return n, err
		}
		n += more
	}
	return n, nil
}

func (f rawFile) close() { syscall.Close(int(f)) }
