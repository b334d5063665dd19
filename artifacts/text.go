package artifacts

// Block is a piece of text: a row of a "text" artifact. Consecutive blocks of one document continue one another where
// the second starts at the byte at which the first ends.
type Block struct {
	Source   int64  `parquet:"source"`   // index in the dataset's list of sources
	Document int64  `parquet:"document"` // index in the source
	Offset   int64  `parquet:"offset"`   // of the block's first byte in the document
	Text     string `parquet:"text"`     // UTF-8; a block never ends inside a character
}

// WriteText writes a "text" artifact.
func WriteText(path string, blocks []Block) error { return WriteRows(path, blocks) }

// ReadText reads a "text" artifact.
func ReadText(path string) ([]Block, error) { return ReadRows[Block](path) }

// Join merges blocks that continue one another: the passages of text without a gap, in the order of blocks.
func Join(blocks []Block) []Block {
	var passages []Block
	for i := 0; i < len(blocks); {
		first, end, length := blocks[i], i+1, len(blocks[i].Text)
		for end < len(blocks) && continues(first, length, blocks[end]) {
			length += len(blocks[end].Text)
			end++
		}
		text := make([]byte, 0, length)
		for _, b := range blocks[i:end] {
			text = append(text, b.Text...)
		}
		first.Text = string(text)
		passages = append(passages, first)
		i = end
	}
	return passages
}

func continues(first Block, length int, next Block) bool {
	return next.Source == first.Source && next.Document == first.Document && next.Offset == first.Offset+int64(length)
}
