package artifacts

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files of a folder of safetensors.
const (
	safetensorsFile  = "model.safetensors"
	safetensorsIndex = "model.safetensors.index.json" // beside several files
	safetensorsShard = "model-%05d-of-%05d.safetensors"
)

// index is what safetensorsIndex holds.
type index struct {
	Metadata struct {
		TotalSize int64 `json:"total_size"` // bytes of all numbers
	} `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"` // the file of each tensor
}

// WriteSafetensors writes tensors to a safetensors file, replacing what is at path, as numbers of type t (F32, F16 or BF16), sorted by
// name. values writes the numbers of the tensor shapes[i] to to; it is called for one after the other. Numbers that t cannot
// hold, such as 1e5 as F16, are an error.
func WriteSafetensors(path string, t DType, shapes []TensorShape, values func(i int, to []float32) error) error {
	return writeSafetensors(path, t, shapes, roomFor(shapes), values)
}

// roomFor returns room for the numbers of any one of the tensors.
func roomFor(shapes []TensorShape) []float32 {
	most := 0
	for _, s := range shapes {
		most = max(most, s.Size())
	}
	return make([]float32, most)
}

// writeSafetensors is WriteSafetensors with room for the numbers of one tensor.
func writeSafetensors(path string, t DType, shapes []TensorShape, room []float32, values func(i int, to []float32) error) error {
	order := make([]int, len(shapes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(shapes[a].Name, shapes[b].Name) })
	header, err := safetensorsHeader(t, shapes, order)
	if err != nil {
		return at(path, err)
	}
	return create(path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, i := range order {
			s := shapes[i]
			numbers := room[:s.Size()]
			if err := values(i, numbers); err != nil {
				return err
			}
			if err := writeNumbers(w, t, numbers); err != nil {
				return fmt.Errorf("tensor %s: %w", s.Name, err)
			}
		}
		return nil
	})
}

// safetensorsHeader returns what a file begins with, its length and itself. Its own length is a multiple of 8, so that the
// numbers are aligned.
func safetensorsHeader(t DType, shapes []TensorShape, order []int) ([]byte, error) {
	type tensor struct {
		DType   DType  `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	members := map[string]any{metadataKey: map[string]string{"format": "pt"}} // without the word transformers reads nothing
	end := 0
	for _, i := range order {
		s := shapes[i]
		if _, twice := members[s.Name]; twice {
			return nil, fmt.Errorf("two tensors are named %q", s.Name)
		}
		from := end
		end += s.Size() * dtypeBytes[t]
		members[s.Name] = tensor{t, append([]int{}, s.Shape...), [2]int{from, end}}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

// writeNumbers encodes some numbers at a time.
func writeNumbers(w io.Writer, t DType, numbers []float32) error {
	const most = 1 << 16
	var data []byte
	for first := 0; first < len(numbers); first += most {
		encoded, bad := t.encode(data[:0], numbers[first:min(len(numbers), first+most)])
		if bad >= 0 {
			return fmt.Errorf("element %d is %g, which %s cannot hold", first+bad, numbers[first+bad], t)
		}
		if _, err := w.Write(encoded); err != nil {
			return err
		}
		data = encoded
	}
	return nil
}

// WriteSafetensorsFolder writes tensors to the folder dir: one file, or several of at most shard bytes of numbers and an index
// where one would be larger; a larger tensor has a file to itself. One tensor is in memory at a time. See WriteSafetensors.
func WriteSafetensorsFolder(dir string, t DType, shard int64, shapes []TensorShape, values func(i int, to []float32) error) error {
	room := roomFor(shapes)
	var firsts []int // tensors with which shards begin
	var all, size int64
	for i, s := range shapes {
		n := int64(s.Size() * dtypeBytes[t])
		if i == 0 || size+n > shard {
			firsts, size = append(firsts, i), 0
		}
		size, all = size+n, all+n
	}
	if len(firsts) <= 1 {
		return writeSafetensors(filepath.Join(dir, safetensorsFile), t, shapes, room, values)
	}
	x := index{WeightMap: map[string]string{}}
	x.Metadata.TotalSize = all
	for k, first := range firsts {
		last := len(shapes)
		if k+1 < len(firsts) {
			last = firsts[k+1]
		}
		name := fmt.Sprintf(safetensorsShard, k+1, len(firsts))
		for _, s := range shapes[first:last] {
			x.WeightMap[s.Name] = name
		}
		err := writeSafetensors(filepath.Join(dir, name), t, shapes[first:last], room, func(i int, to []float32) error { return values(first+i, to) })
		if err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, safetensorsIndex), append(text, '\n'), 0o666)
}
