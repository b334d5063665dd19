//go:build !unix

package artifacts

import "os"

// mapFile returns the bytes of a file. They must not be written to.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	data, err = os.ReadFile(path)
	return data, func() error { return nil }, err
}
