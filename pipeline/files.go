package pipeline

import (
	"path/filepath"

	"anneal/artifacts/store"
)

// Files lists the local files that the whole pipeline reads, with the digests they had when it was loaded, by their
// paths from the folder of the pipeline's files, with slashes.
func (g *Graph) Files() map[string]store.Digest {
	all := map[string]store.Digest{}
	for _, n := range g.unselected().Nodes {
		for _, x := range n.files {
			if x.file.Source != "file" {
				continue
			}
			path := filepath.Clean(x.path)
			if rel, err := filepath.Rel(g.config.dir, path); err == nil {
				path = rel
			}
			if d, err := store.ParseDigest(x.value); err == nil {
				all[filepath.ToSlash(path)] = d
			}
		}
	}
	return all
}
