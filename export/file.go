package export

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/rasterbase/rasterbase"
)

// File is a file that was made: it can be read any number of times, by several
// goroutines, until it is closed.
type File struct {
	spool *spool
	parts []part
	size  int64
}

// part is a piece of a file: bytes, or a range of the spool.
type part struct {
	at   int64 // in the file
	n    int64
	data []byte // nil: from the spool
	from int64  // in the spool
}

// add appends bytes.
func (f *File) add(b []byte) {
	if len(b) > 0 {
		f.parts = append(f.parts, part{at: f.size, n: int64(len(b)), data: b})
		f.size += int64(len(b))
	}
}

// addSpooled appends a range of the spool.
func (f *File) addSpooled(from, n int64) {
	if n == 0 {
		return
	}
	if k := len(f.parts) - 1; k >= 0 && f.parts[k].data == nil && f.parts[k].from+f.parts[k].n == from {
		f.parts[k].n += n
	} else {
		f.parts = append(f.parts, part{at: f.size, n: n, from: from})
	}
	f.size += n
}

// addFile appends another file with the same spool.
func (f *File) addFile(g *File) {
	for _, p := range g.parts {
		if p.data != nil {
			f.add(p.data)
		} else {
			f.addSpooled(p.from, p.n)
		}
	}
}

// Size is the bytes of the file.
func (f *File) Size() int64 { return f.size }

// ReadAt reads at an offset, as io.ReaderAt.
func (f *File) ReadAt(b []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "a file has no byte %d", at)
	}
	i := sort.Search(len(f.parts), func(i int) bool { return f.parts[i].at+f.parts[i].n > at })
	for ; n < len(b) && i < len(f.parts); i++ {
		p := f.parts[i]
		skip := at + int64(n) - p.at
		most := int(min(int64(len(b)-n), p.n-skip))
		if p.data != nil {
			copy(b[n:n+most], p.data[skip:])
		} else if _, err := f.spool.f.ReadAt(b[n:n+most], p.from+skip); err != nil {
			return n, fmt.Errorf("read a temporary file of an export: %w", unexpected(err))
		}
		n += most
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// unexpected is an error of reading what must be there.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Reader reads the file from its beginning. Several can be used at once.
func (f *File) Reader() io.ReadSeeker { return io.NewSectionReader(f, 0, f.size) }

// WriteTo writes the file, as io.WriterTo.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, onlyReader{f.Reader()}, make([]byte, 1<<20))
}

// onlyReader hides what a writer would rather use than the buffer given.
type onlyReader struct{ io.Reader }

// Close takes the temporary file away.
func (f *File) Close() error { return f.spool.close() }

// file puts the file together: the header, all that is said of the images, then the
// tiles, those of the smallest overview first and those of the full size last.
func (m *maker) file() (*File, error) {
	images := m.images()
	form := m.form(images)
	f := &File{spool: m.spool}
	head := form.HeaderSize() + len(m.ghost())
	at := int64(head)
	for _, i := range images {
		i.directory.SetBlocks(form, true, i.blocks) // for the size alone
		at += int64(i.directory.Size(form))
	}
	f.size = at // the head, which comes when all offsets are known
	for _, l := range slices.Backward(m.all) {
		m.layOut(f, l, images)
	}
	out := append(form.Header(int64(head)), m.ghost()...)
	for k, i := range images {
		i.directory.SetBlocks(form, true, i.blocks)
		out = i.directory.Append(form, out, k < len(images)-1)
	}
	if int64(len(out)) != at {
		return nil, fmt.Errorf("the head of an export has %d bytes, and was to have %d", len(out), at)
	}
	f.parts = slices.Insert(f.parts, 0, part{n: at, data: out})
	return f, nil
}
