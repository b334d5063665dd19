package bpe

// heap is a binary heap: items[0] comes before all others by the order before. container/heap would allocate for each item.
type heap[T any] struct {
	items  []T
	before func(a, b T) bool
}

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	i := len(h.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(item, h.items[parent]) {
			break
		}
		h.items[i] = h.items[parent]
		i = parent
	}
	h.items[i] = item
}

// pop removes items[0].
func (h *heap[T]) pop() {
	last := len(h.items) - 1
	item := h.items[last]
	h.items = h.items[:last]
	if last > 0 {
		h.replace(item)
	}
}

// replace puts item in the place of items[0].
func (h *heap[T]) replace(item T) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if child+1 < len(h.items) && h.before(h.items[child+1], h.items[child]) {
			child++
		}
		if !h.before(h.items[child], item) {
			break
		}
		h.items[i] = h.items[child]
		i = child
	}
	h.items[i] = item
}
