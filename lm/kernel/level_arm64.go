package kernel

// supported lists what this processor can use, best first: every 64-bit ARM has NEON.
func supported() []level { return []level{neon, generic} }
