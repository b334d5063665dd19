package artifacts

import (
	"encoding/binary"
	"fmt"
	"math"
)

// DType is how a file holds a number, by its name in safetensors.
type DType string

// Types that are read and written. In memory numbers are float32.
const (
	F32  DType = "F32"
	F16  DType = "F16"  // IEEE 754 binary16: 5 bits of exponent, 10 of fraction
	BF16 DType = "BF16" // the upper half of a float32: 8 bits of exponent, 7 of fraction
)

// dtypeBytes are the bytes of a number of each type whose numbers have whole ones.
var dtypeBytes = map[DType]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
	"U16": 2, "I16": 2, F16: 2, BF16: 2,
	"U32": 4, "I32": 4, F32: 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

// decode reads numbers from data, as many as to has. bad is the first that is not finite; -1: none is.
func (t DType) decode(to []float32, data []byte) (bad int, err error) {
	var number func(i int) float32
	switch t {
	case F32:
		number = func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])) }
	case F16:
		number = func(i int) float32 { return fromHalf(binary.LittleEndian.Uint16(data[2*i:])) }
	case BF16:
		number = func(i int) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16) }
	default:
		return -1, fmt.Errorf("its numbers are of type %s; %s, %s and %s can be read", t, F32, F16, BF16)
	}
	for i := range to {
		to[i] = number(i)
		if !finite(float64(to[i])) {
			return i, nil
		}
	}
	return -1, nil
}

// encode appends numbers to data, each rounded to the nearest that the type has, of two the even one. bad is the first that is not
// finite, or not after rounding; -1: none is.
func (t DType) encode(data []byte, numbers []float32) (encoded []byte, bad int) {
	for i, x := range numbers {
		ok := finite(float64(x))
		switch t {
		case F32:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		case F16:
			h := toHalf(x)
			ok = ok && h&0x7c00 != 0x7c00
			data = binary.LittleEndian.AppendUint16(data, h)
		case BF16:
			b := math.Float32bits(x)
			b += 0x7fff + b>>16&1
			ok = ok && b&0x7f800000 != 0x7f800000
			data = binary.LittleEndian.AppendUint16(data, uint16(b>>16))
		default:
			panic("artifacts: numbers of type " + t + " are not written")
		}
		if !ok {
			return data, i
		}
	}
	return data, -1
}

// fromHalf returns the number that a binary16 is.
func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // fraction · 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// toHalf returns the binary16 nearest to x, of two the even one; infinity from 65520 on.
func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, b := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b < 113<<23: // below 2⁻¹⁴: the sum with ½ has the spacing of subnormals, and rounds
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	}
	b += 0xfff + b>>13&1
	return sign | uint16(min(b-112<<23, 0x7c00<<13)>>13)
}
