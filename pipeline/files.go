package pipeline

import (
	"path"
	"path/filepath"

	"anneal/artifacts/store"
)

// Files lists the local files that the whole pipeline reads, those in folders too, with the digests they had when it was loaded, by their
// paths from the folder of the pipeline's files, with slashes.
func (g *Graph) Files() map[string]store.Digest {
	all := map[string]store.Digest{}
	for _, n := range g.unselected().Nodes {
		for _, x := range n.files {
			if x.file.Source != "file" {
				continue
			}
			at := filepath.Clean(x.path)
			if rel, err := filepath.Rel(g.config.dir, at); err == nil {
				at = rel
			}
			at = filepath.ToSlash(at)
			for _, f := range x.files {
				all[path.Join(at, f.Name)] = f.Digest
			}
			if d, err := store.ParseDigest(x.value); err == nil && x.files == nil {
				all[at] = d
			}
		}
	}
	return all
}
