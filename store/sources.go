package store

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Sources keeps the files that layers are parsed from. A source is a folder of
// files under an id: the raster and its side-cars. Any server and any worker
// can read every source. The error for an unknown id matches ErrNotExist.
type Sources interface {
	// Create opens a new source to be written and gives its id.
	Create(ctx context.Context) (id string, err error)
	// Put writes a file of a source, whole or, when the error is not nil, not
	// at all; it replaces a file of that name. The error has code invalid for a
	// name with a folder, one that begins with a dot, and an empty one.
	Put(ctx context.Context, id, name string, r io.Reader) (size int64, err error)
	// Append adds bytes to the end of a file, which it makes when there is none
	// and offset is 0. What was read stays, also when the error is not nil, and
	// is durable when Append returns; size is how long the file is then. The
	// error has code conflict, and nothing is added, when the file is not offset
	// bytes long or somebody else is adding to it.
	Append(ctx context.Context, id, name string, offset int64, r io.Reader) (size int64, err error)
	// Open reads a file of a source. The error matches ErrNotExist.
	Open(ctx context.Context, id, name string) (SourceFile, error)
	// Local makes the source readable as a folder on this machine, until
	// release is called. Its files must not be changed.
	Local(ctx context.Context, id string) (dir string, release func(), err error)
	// Files lists the names of a source's files, sorted.
	Files(ctx context.Context, id string) ([]string, error)
	// Delete removes a source; deleting it again is not an error.
	Delete(ctx context.Context, id string) error
	// List gives all sources ordered by id, for the collection of garbage.
	List(ctx context.Context) ([]StoredSource, error)
}

// StoredSource is a source as it is listed.
type StoredSource struct {
	ID      string
	Changed time.Time // when it was made, or a file of it was last written to, also one that is not whole yet
}

// SourceFile is an open file of a source.
type SourceFile interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
}

// CheckFileName refuses what [Sources.Put] refuses: names that are not those of
// a plain file in its folder. The error has code invalid.
func CheckFileName(name string) error {
	switch {
	case name == "", len(name) > 255, strings.HasPrefix(name, "."), strings.ContainsAny(name, "/\\\x00"):
		return rasterbase.Errorf(rasterbase.Invalid, "%q cannot be the name of a file of a source", name).
			WithHint("names have no folders and do not begin with a dot")
	}
	return nil
}
