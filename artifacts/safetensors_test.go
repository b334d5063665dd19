package artifacts

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every binary16 is read as it is defined, and comes back; what lies between two goes to the nearer, and from the middle to the
// even one.
func TestHalf(t *testing.T) {
	for h := range uint16(0x7c00) {
		want := math.Ldexp(float64(h&0x3ff), -24)
		if e := int(h >> 10); e > 0 {
			want = math.Ldexp(float64(h&0x3ff|0x400), e-25)
		}
		if got := fromHalf(h); float64(got) != want || fromHalf(h|0x8000) != -got {
			t.Fatalf("%#x is %g, want %g", h, got, want)
		}
		roundsBetween(t, h, fromHalf, toHalf)
	}
	if x := fromHalf(0x7c00); !math.IsInf(float64(x), 1) || toHalf(x) != 0x7c00 || toHalf(65520) != 0x7c00 || toHalf(math.MaxFloat32) != 0x7c00 {
		t.Error("there is no infinity")
	}
	if x := fromHalf(0x7e00); x == x || toHalf(x) != 0x7e00 {
		t.Error("there is no NaN")
	}
}

func TestBFloat16Rounds(t *testing.T) {
	from := func(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
	to := func(x float32) uint16 {
		data, _ := BF16.encode(nil, []float32{x})
		return binary.LittleEndian.Uint16(data)
	}
	for h := range uint16(0x7f80) {
		roundsBetween(t, h, from, to)
	}
}

// roundsBetween checks a number and what lies between it and the next.
func roundsBetween(t *testing.T, h uint16, from func(uint16) float32, to func(float32) uint16) {
	t.Helper()
	if to(from(h)) != h || to(-from(h)) != h|0x8000 {
		t.Fatalf("%#x comes back as %#x, its negative as %#x", h, to(from(h)), to(-from(h)))
	}
	if x := from(h + 1); math.IsInf(float64(x), 0) {
		return
	}
	middle := from(h) + (from(h+1)-from(h))/2
	if got := to(middle); got != h+h&1 {
		t.Fatalf("the middle above %#x goes to %#x", h, got)
	}
	below, above := math.Nextafter32(middle, 0), math.Nextafter32(middle, math.MaxFloat32)
	if to(below) != h || to(above) != h+1 {
		t.Fatalf("beside the middle above %#x: %#x and %#x", h, to(below), to(above))
	}
}

var someShapes = []TensorShape{{"b", []int{2, 3}}, {"scalar", []int{}}, {"a", []int{5}}, {"none", []int{0, 7}}}

// someValues fills the tensor i with numbers that all types hold.
func someValues(i int, to []float32) error {
	for j := range to {
		to[j] = float32(i) - float32(j)/2
	}
	return nil
}

func TestSafetensorsBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteSafetensors(path, F32, someShapes[:3], someValues); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[20,44]},` +
		`"scalar":{"dtype":"F32","shape":[],"data_offsets":[44,48]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	want, _ = binary.Append(want, binary.LittleEndian, []float32{2, 1.5, 1, 0.5, 0, 0, -0.5, -1, -1.5, -2, -2.5, 1})
	if !bytes.Equal(got, want) {
		t.Errorf("the file is\n%q, want\n%q", got, want)
	}
}

func TestSafetensorsRoundTrip(t *testing.T) {
	for _, dtype := range []DType{F32, F16, BF16} {
		for _, c := range []struct {
			shard int64
			files []string
		}{
			{1 << 20, []string{"model.safetensors"}},
			{24, []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}},
			{1, []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}},
		} {
			if dtype != F32 && c.shard == 24 {
				continue
			}
			dir := t.TempDir()
			if err := WriteSafetensorsFolder(dir, dtype, c.shard, someShapes, someValues); err != nil {
				t.Fatal(err)
			}
			entries, _ := os.ReadDir(dir)
			var files []string
			for _, e := range entries {
				files = append(files, e.Name())
			}
			if c.shard > 1 && !slices.Equal(files, c.files) {
				t.Errorf("%s, shards of %d: files %v, want %v", dtype, c.shard, files, c.files)
			}
			s, err := OpenSafetensorsFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			for i, shape := range someShapes {
				tensor, ok := s.Tensor(shape.Name)
				got, want := make([]float32, shape.Size()), make([]float32, shape.Size())
				if err := tensor.Read(got, 0); err != nil {
					t.Fatal(err)
				}
				someValues(i, want)
				if !ok || !slices.Equal(got, want) || !slices.Equal(tensor.Shape, shape.Shape) || tensor.DType != dtype || !tensor.Equal(tensor) {
					t.Errorf("%s: %+v holds %v, want %v", dtype, tensor.TensorShape, got, want)
				}
			}
			if _, ok := s.Tensor("other"); ok || len(s.Tensors) != len(someShapes) {
				t.Errorf("%d tensors", len(s.Tensors))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// file is a safetensors file of a header and zeros.
func file(header string, zeros int) []byte {
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	return append(data, make([]byte, zeros)...)
}

func TestSafetensorsRefuses(t *testing.T) {
	one := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"a":{"dtype":"%s","shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	two := func(a, b string) string {
		return fmt.Sprintf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":%s},"b":{"dtype":"F32","shape":[1],"data_offsets":%s}}`, a, b)
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "it has 0 bytes"},
		{binary.LittleEndian.AppendUint64(nil, 1<<60), "its header would be of 1152921504606846976 bytes, and at most 100000000 are allowed"},
		{binary.LittleEndian.AppendUint64(nil, 50), "its header is of 50 bytes, of which 0 are there: is it cut short?"},
		{file("", 0), "no JSON object in UTF-8"},
		{file(" {}", 0), "no JSON object in UTF-8"},
		{file("{\"\xff\":1}", 0), "no JSON object in UTF-8"},
		{file("[]", 0), "no JSON object"},
		{file("{", 0), "unexpected EOF"},
		{file("{}{}", 0), "something stands behind it, at byte 2"},
		{file(`{"__metadata__":{"a":1}}`, 0), "cannot unmarshal number"},
		{file(`{"a":7}`, 0), `tensor "a": 7 stands where an object should`},
		{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), `"x" is not known`},
		{file(`{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}`, 4), `"dtype" is there twice`},
		{file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "it has no shape"},
		{file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "its data_offsets are []"},
		{file(one("F32", "[1]", "[0,4]")[:40], 4), "unexpected"},
		{file(one("F31", "[1]", "[0,4]"), 4), `its dtype "F31" is not known`},
		{file(one("F32", "[-1]", "[0,4]"), 4), "-1 is no size"},
		{file(one("F32", "[1.5]", "[0,4]"), 4), "1.5 is no size"},
		{file(one("F32", "[null]", "[0,4]"), 4), "is no size"},
		{file(one("F32", "[9223372036854775808]", "[0,4]"), 4), "9223372036854775808 is no size"},
		{file(one("F32", "1", "[0,4]"), 4), "1 stands where an array should"},
		{file(one("F32", "[4611686018427387904,4]", "[0,0]"), 0), "more bytes than there can be"},
		{file(one("F32", "[1]", "[4,0]"), 4), "where its bytes begin and where they end"},
		{file(one("F32", "[2]", "[0,4]"), 4), "F32 of shape [2] take 8 bytes, its data_offsets have 4"},
		{file(one("F32", "[2]", "[0,8]"), 4), "its tensors take 8 bytes, of which 4 are there: is it cut short?"},
		{file(one("F32", "[1]", "[0,4]"), 5), "bytes 4 to 5 of the numbers belong to no tensor"},
		{file(one("F32", "[1]", "[4,8]"), 8), "bytes 0 to 4 of the numbers belong to no tensor"},
		{file(two("[0,4]", "[2,6]"), 8), `tensors "a" and "b" overlap, at byte 2 of the numbers`},
		{file(two("[0,4]", "[0,4]"), 4), "overlap"},
		{file(two("[8,12]", "[0,4]"), 12), "bytes 4 to 8 of the numbers belong to no tensor"},
		{file(strings.Replace(two("[0,4]", "[4,8]"), `"b"`, `"a"`, 1), 8), `"a" is there twice`},
	} {
		if _, err := readSafetensors(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.90q: got %v, want %q", c.data, err, c.want)
		}
	}
	if tensors, err := readSafetensors(file(two("[4,8]", "[0,4]")+"  ", 8)); err != nil || len(tensors) != 2 {
		t.Errorf("tensors in another order than their names: %v", err)
	}
}

func TestSafetensorsIndexRefuses(t *testing.T) {
	for _, c := range []struct{ index, want string }{
		{`{"weight_map":{"a":"1","b":"2","none":"1","scalar":"1"}}`, "tensor b is in 1, which the index does not say"},
		{`{"weight_map":{"a":"1","b":"1","none":"1","scalar":"1","c":"1"}}`, "index.json: tensor c is not in 1"},
		{`{"weight_map":{"a":"1","b":"1","none":"1"}}`, "tensor scalar is in 1, which the index does not say"},
		{`{"weight_map":{"a":"../1"}}`, `tensor "a": file "../1" is not one of this folder`},
		{`{"weight_map":{"a":""}}`, `file "" is not one of this folder`},
		{`{"weight_map":{"a":"3"}}`, "3: no such file"},
		{`{"weight_map":{"a":"1","a":"2"}}`, `"a" is there twice`},
		{`{"metadata":{"total_size":8}}`, "names no tensor"},
		{`{"weight_map":[]}`, "[ stands where an object should"},
	} {
		dir := t.TempDir()
		for _, name := range []string{"1", "2"} {
			if err := WriteSafetensors(filepath.Join(dir, name), F32, someShapes, someValues); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, safetensorsIndex), []byte(c.index), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSafetensorsFolder(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.index, err, c.want)
		}
	}
	if _, err := OpenSafetensorsFolder(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no model.safetensors, and no model.safetensors.index.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestNumbersThatAreRefused(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		dtype DType
		x     float32
		want  string
	}{
		{F32, inf, "tensor x: element 1 is +Inf, which F32 cannot hold"},
		{F32, -inf, "element 1 is -Inf"},
		{F32, float32(math.NaN()), "element 1 is NaN"},
		{F16, 65520, "element 1 is 65520, which F16 cannot hold"},
		{BF16, math.MaxFloat32, "element 1 is 3.4028235e+38, which BF16 cannot hold"},
	} {
		path := filepath.Join(t.TempDir(), "x")
		err := WriteSafetensors(path, c.dtype, []TensorShape{{"x", []int{2}}}, func(_ int, to []float32) error {
			to[0], to[1] = 1, c.x
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("half a file is left")
		}
	}
	for _, c := range []struct {
		dtype DType
		bits  []byte
		want  string
	}{
		{F32, []byte{0, 0, 0x80, 0x7f}, "tensor x: element 0 is +Inf"},
		{F16, []byte{1, 0xfe}, "element 0 is NaN"},
		{BF16, []byte{0x80, 0xff}, "element 0 is -Inf"},
		{"F64", make([]byte, 8), "its numbers are of type F64; F32, F16 and BF16 can be read"},
	} {
		tensor := Tensor{TensorShape{"x", []int{1}}, c.dtype, c.bits}
		if err := tensor.Read(make([]float32, 1), 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestTwoTensorsOfOneName(t *testing.T) {
	for _, name := range []string{"x", "__metadata__"} {
		err := WriteSafetensors(filepath.Join(t.TempDir(), "x"), F32, []TensorShape{{name, []int{1}}, {name, []int{1}}}, someValues)
		if err == nil || !strings.Contains(err.Error(), "two tensors are named") {
			t.Errorf("got %v", err)
		}
	}
}

// Whatever a file holds, reading it does not crash, and what it says of its tensors can be read.
func FuzzSafetensors(f *testing.F) {
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}`, 10))
	f.Add(file(`{"a":{"dtype":"F16","shape":[0,9223372036854775807,3],"data_offsets":[0,0]}} `, 0))
	f.Add(binary.LittleEndian.AppendUint64(nil, 1<<60))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := readSafetensors(data)
		if err != nil {
			return
		}
		total := 0
		for _, x := range tensors {
			if x.Size()*dtypeBytes[x.DType] != len(x.data) {
				t.Fatalf("%+v has %d bytes", x.TensorShape, len(x.data))
			}
			total += len(x.data)
			x.Read(make([]float32, x.Size()), 0)
		}
		if header := binary.LittleEndian.Uint64(data); 8+int(header)+total != len(data) || !json.Valid(data[8:8+header]) {
			t.Fatal("not all bytes are of the header and the tensors")
		}
	})
}
