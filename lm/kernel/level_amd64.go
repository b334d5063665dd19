package kernel

import "golang.org/x/sys/cpu"

// supported lists what this processor and its operating system can use, best first.
func supported() []level {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return []level{avx2, generic}
	}
	return []level{generic}
}
