package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// OpenSafetensorsFolder maps the tensors of the folder dir into memory: those of model.safetensors or, where that is not there, of
// the files that model.safetensors.index.json lists. A file has the tensors that the index says, and no others.
func OpenSafetensorsFolder(dir string) (*Safetensors, error) {
	path := filepath.Join(dir, safetensorsFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return OpenSafetensors(path)
	}
	path = filepath.Join(dir, safetensorsIndex)
	fileOf, err := readIndex(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no %s, and no %s", dir, safetensorsFile, safetensorsIndex)
	}
	if err != nil {
		return nil, at(path, err)
	}
	all := &Safetensors{}
	for _, name := range slices.Compact(slices.Sorted(maps.Values(fileOf))) {
		s, err := OpenSafetensors(filepath.Join(dir, name))
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all.Tensors, all.files = append(all.Tensors, s.Tensors...), append(all.files, s.files...)
		for _, t := range s.Tensors {
			if fileOf[t.Name] != name {
				return nil, errors.Join(fmt.Errorf("%s: tensor %s is in %s, which the index does not say", path, t.Name, name), all.Close())
			}
		}
	}
	slices.SortFunc(all.Tensors, byName)
	for _, name := range slices.Sorted(maps.Keys(fileOf)) {
		if _, ok := all.Tensor(name); !ok {
			return nil, errors.Join(fmt.Errorf("%s: tensor %s is not in %s", path, name, fileOf[name]), all.Close())
		}
	}
	return all, nil
}

// readIndex returns the file of each tensor.
func readIndex(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > mostHeader {
		return nil, fmt.Errorf("it has %d bytes, and at most %d are read", info.Size(), mostHeader)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fileOf := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(text))
	err = eachMember(d, func(name string) error {
		if name != "weight_map" {
			var other json.RawMessage
			return d.Decode(&other)
		}
		return eachMember(d, func(name string) error {
			var file string
			if err := d.Decode(&file); err != nil {
				return err
			}
			if file != filepath.Base(file) || !filepath.IsLocal(file) {
				return fmt.Errorf("tensor %q: file %q is not one of this folder", name, file)
			}
			fileOf[name] = file
			return nil
		})
	})
	if err == nil && len(fileOf) == 0 {
		err = errors.New("its weight_map names no tensor")
	}
	return fileOf, err
}
