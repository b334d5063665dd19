package store

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file came to its name, or was linked, or had its time set: the one time that nobody can set.
func changed(info fs.FileInfo) time.Time {
	t := info.Sys().(*syscall.Stat_t).Ctimespec
	return time.Unix(t.Unix())
}
