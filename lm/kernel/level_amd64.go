package kernel

import "golang.org/x/sys/cpu"

// supported lists what this processor and its operating system can use, best first.
func supported() []level {
	x := cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return []level{generic}
	}
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasBMI2 {
		return []level{avx512, avx2, generic}
	}
	return []level{avx2, generic}
}
