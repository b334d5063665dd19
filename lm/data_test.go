package lm

// text is a stream of ids that repeats and varies enough to be learnt.
func text(vocab, length int) Stream[uint16] {
	ids := make(Stream[uint16], length)
	d := newDraws(1, "text")
	for i := range ids {
		if i > 0 && d.bits(uint64(i))%4 != 0 {
			ids[i] = uint16((int(ids[i-1])*7 + 3) % vocab)
		} else {
			ids[i] = uint16(d.bits(uint64(i)) >> 32 % uint64(vocab))
		}
	}
	return ids
}
