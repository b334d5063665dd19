package artifacts

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// TensorShape names a tensor and its dimensions.
type TensorShape struct {
	Name  string
	Shape []int
}

// Size returns the number of elements.
func (s TensorShape) Size() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Tensor is one of a safetensors file, row-major. Its numbers lie in a map of the file.
type Tensor struct {
	TensorShape
	DType DType

	data []byte
}

// Read writes numbers of t to to, as many as it has room for, those from the element first on. Numbers that are not finite, and
// types other than F32, F16 and BF16, are refused.
func (t Tensor) Read(to []float32, first int) error {
	bad, err := t.DType.decode(to, t.data[first*dtypeBytes[t.DType]:])
	switch {
	case err != nil:
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	case bad >= 0:
		return fmt.Errorf("tensor %s: element %d is %g", t.Name, first+bad, to[bad])
	}
	return nil
}

// Equal tells whether two tensors hold the same bytes in the same shape.
func (t Tensor) Equal(other Tensor) bool {
	return t.DType == other.DType && slices.Equal(t.Shape, other.Shape) && bytes.Equal(t.data, other.data)
}

// Safetensors is a safetensors file, or several that an index lists, that is read. The format is that of
// https://github.com/huggingface/safetensors: the length of a header in 8 bytes, the header as JSON, and the numbers.
type Safetensors struct {
	Tensors []Tensor // sorted by name

	files []func() error
}

// OpenSafetensors maps a safetensors file into memory. The header is checked: types are known, the bytes of each tensor
// are as many as its shape asks for, and together they are all that the file holds, each byte once.
func OpenSafetensors(path string) (*Safetensors, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, at(path, err)
	}
	tensors, err := readSafetensors(data)
	if err != nil {
		return nil, errors.Join(at(path, err), unmap())
	}
	return &Safetensors{tensors, []func() error{unmap}}, nil
}

// Tensor returns a tensor by name.
func (s *Safetensors) Tensor(name string) (t Tensor, ok bool) {
	i, ok := slices.BinarySearchFunc(s.Tensors, name, func(t Tensor, name string) int { return strings.Compare(t.Name, name) })
	if ok {
		t = s.Tensors[i]
	}
	return t, ok
}

func byName(a, b Tensor) int { return strings.Compare(a.Name, b.Name) }

// Close gives the memory back. The tensors must not be read after it.
func (s *Safetensors) Close() error {
	s.Tensors = nil
	var err error
	for _, unmap := range s.files {
		err = errors.Join(err, unmap())
	}
	return err
}

// mostHeader is the length in bytes up to which the format allows headers.
const mostHeader = 100_000_000

// metadataKey is the member of a header that is no tensor: words to words.
const metadataKey = "__metadata__"

// readSafetensors returns the tensors of a file that lies in data, sorted by name.
func readSafetensors(data []byte) ([]Tensor, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("not a safetensors file: it has %d bytes, and the length of its header alone takes 8", len(data))
	}
	length, data := binary.LittleEndian.Uint64(data), data[8:]
	switch {
	case length > mostHeader:
		return nil, fmt.Errorf("not a safetensors file: its header would be of %d bytes, and at most %d are allowed", length, mostHeader)
	case length > uint64(len(data)):
		return nil, fmt.Errorf("its header is of %d bytes, of which %d are there: is it cut short?", length, len(data))
	}
	tensors, err := readHeader(data[:length], data[length:])
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	return tensors, nil
}

// readHeader returns the tensors that a header names, whose numbers lie in body, sorted by name.
func readHeader(header, body []byte) ([]Tensor, error) {
	if !bytes.HasPrefix(header, []byte("{")) || !utf8.Valid(header) {
		return nil, errors.New("it is no JSON object in UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(header))
	d.UseNumber()
	var entries []entry
	err := eachMember(d, func(name string) error {
		if name == metadataKey {
			var words map[string]string
			return d.Decode(&words)
		}
		e, err := readEntry(d, name)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(header[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("something stands behind it, at byte %d", len(header)-len(rest))
	}
	if err := checkRanges(entries, len(body)); err != nil {
		return nil, err
	}
	tensors := make([]Tensor, len(entries))
	for i, e := range entries {
		e.data = body[e.from:e.to:e.to]
		tensors[i] = e.Tensor
	}
	slices.SortFunc(tensors, byName)
	return tensors, nil
}

// entry is a tensor of a header with the bytes that it says are its own.
type entry struct {
	Tensor
	from, to int
}

func readEntry(d *json.Decoder, name string) (entry, error) {
	e := entry{Tensor: Tensor{TensorShape: TensorShape{Name: name}}}
	var offsets []int
	err := eachMember(d, func(member string) (err error) {
		switch member {
		case "dtype":
			err = d.Decode(&e.DType)
		case "shape":
			e.Shape, err = readNumbers(d)
		case "data_offsets":
			offsets, err = readNumbers(d)
		default:
			err = fmt.Errorf("%q is not known", member)
		}
		return err
	})
	if err == nil {
		err = e.place(offsets)
	}
	if err != nil {
		return e, fmt.Errorf("tensor %q: %w", name, err)
	}
	return e, nil
}

// place takes the range of bytes, which must be as long as type and shape ask for.
func (e *entry) place(offsets []int) error {
	width, ok := dtypeBytes[e.DType]
	switch {
	case !ok:
		return fmt.Errorf("its dtype %q is not known", e.DType)
	case e.Shape == nil:
		return errors.New("it has no shape")
	case len(offsets) != 2 || offsets[0] > offsets[1]:
		return fmt.Errorf("its data_offsets are %v, want where its bytes begin and where they end", offsets)
	}
	e.from, e.to = offsets[0], offsets[1]
	size := uint64(width)
	if slices.Contains(e.Shape, 0) {
		size = 0
	}
	for _, d := range e.Shape {
		over, low := bits.Mul64(size, uint64(d))
		if over != 0 {
			return fmt.Errorf("its shape %v is of more bytes than there can be", e.Shape)
		}
		size = low
	}
	if size != uint64(e.to-e.from) {
		return fmt.Errorf("%s of shape %v take %d bytes, its data_offsets have %d", e.DType, e.Shape, size, e.to-e.from)
	}
	return nil
}

// checkRanges sorts entries by their bytes, which must be all of size, each once.
func checkRanges(entries []entry, size int) error {
	slices.SortFunc(entries, func(a, b entry) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
	end, last := 0, ""
	for _, e := range entries {
		switch {
		case e.from < end:
			return fmt.Errorf("tensors %q and %q overlap, at byte %d of the numbers", last, e.Name, e.from)
		case e.from > end:
			return fmt.Errorf("bytes %d to %d of the numbers belong to no tensor", end, e.from)
		}
		end, last = e.to, e.Name
	}
	switch {
	case end > size:
		return fmt.Errorf("its tensors take %d bytes, of which %d are there: is it cut short?", end, size)
	case end < size:
		return fmt.Errorf("bytes %d to %d of the numbers belong to no tensor", end, size)
	}
	return nil
}

// eachMember calls member for each name of a JSON object, which reads the value from d. A name that comes twice is an error.
func eachMember(d *json.Decoder, member func(name string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(fmt.Errorf("%v stands where an object should", t), err)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name := t.(string)
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return unexpectedEnd(err)
}

// readNumbers reads an array of whole numbers that are not negative. It is not nil.
func readNumbers(d *json.Decoder) ([]int, error) {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.Join(fmt.Errorf("%v stands where an array should", t), err)
	}
	numbers := []int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		n, err := number.Int64()
		if err != nil || n < 0 || n > math.MaxInt {
			return nil, fmt.Errorf("%v is no size", t)
		}
		numbers = append(numbers, int(n))
	}
	_, err := d.Token()
	return numbers, unexpectedEnd(err)
}

// unexpectedEnd says of a JSON text that ends too early that it does.
func unexpectedEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
