package postgis

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// cleanUpTime bounds the work of removing what an error has left.
const cleanUpTime = 10 * time.Second

// sourceFile reads a file by its pieces. The last piece read is kept, for those
// who read little at a time.
type sourceFile struct {
	*io.SectionReader
	ctx  context.Context //nolint:containedctx // readers have no other way to end a read
	s    *sources
	id   int64
	name string
	size int64

	mu   sync.Mutex
	held int // the piece in data; -1: none
	data []byte
}

// Size is the length of the file in bytes.
func (f *sourceFile) Size() int64 { return f.size }

// Close frees what was kept.
func (f *sourceFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held, f.data = -1, nil
	return nil
}

// pieces is the file as a reader at any place.
func (f *sourceFile) pieces() io.ReaderAt { return pieceReader{f} }

type pieceReader struct{ f *sourceFile }

func (r pieceReader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= r.f.size {
			return n, io.EOF
		}
		part, err := r.f.read(p[n:], at)
		if err != nil {
			return n, err
		}
		n += part
	}
	return n, nil
}

// read copies what the piece at a place has.
func (f *sourceFile) read(p []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	piece := int(at / pieceSize)
	if f.held != piece {
		f.held = -1
		err := f.s.db.pool.QueryRow(f.ctx, `SELECT data FROM `+f.s.db.table("source_pieces")+` WHERE file_id = $1 AND piece = $2`,
			f.id, piece).Scan(&f.data)
		if isNoRows(err) {
			return 0, fmt.Errorf("reading %s: the file was deleted or replaced meanwhile", f.name)
		}
		if err != nil {
			return 0, f.s.db.storageError(err, "reading %s", f.name)
		}
		f.held = piece
	}
	n := copy(p, f.data[min(int(at%pieceSize), len(f.data)):])
	if n == 0 {
		return 0, fmt.Errorf("reading %s: a piece is shorter than it should be", f.name)
	}
	return n, nil
}
