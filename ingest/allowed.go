package ingest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// folder is where a source file and its side-cars are read from.
type folder interface {
	open(name string) (*os.File, error)
	list() ([]fs.DirEntry, error)
}

// plainFolder is a folder named by its path, of a person who may read what the
// program may.
type plainFolder string

func (d plainFolder) open(name string) (*os.File, error) {
	return os.Open(filepath.Join(string(d), name))
}

func (d plainFolder) list() ([]fs.DirEntry, error) { return os.ReadDir(string(d)) }

// allowedFile is a file under a folder that the operator allowed. It is reached
// through the open folder that it lies in, so that a link which is put there
// later leads nowhere else.
type allowedFile struct {
	path string // as it was asked for, cleaned
	root *os.Root
	name string // in root
}

func (a *allowedFile) close() { _ = a.root.Close() } // only read from

// open opens a file of the folder. It does not wait for the other end of a pipe.
func (a *allowedFile) open(name string) (*os.File, error) {
	info, err := a.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := a.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		_ = f.Close() // it is of no use
		return nil, err
	}
	return f, nil
}

var errNotRegular = errors.New("it is not a regular file")

func (a *allowedFile) list() ([]fs.DirEntry, error) {
	d, err := a.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

// check tells what is wrong with the file before it is read.
func (a *allowedFile) check(p *Parser) error {
	info, err := a.root.Stat(a.name)
	if err := checkInfo(a.path, info, err); err != nil {
		return err
	}
	if info.Size() > p.c.Limits.SourceBytes {
		return p.tooLarge(a.path, info.Size())
	}
	if err := store.CheckFileName(a.name); err != nil {
		return err
	}
	f, err := a.open(a.name)
	if err != nil {
		return unreadable(a.path, err)
	}
	return f.Close()
}

// allowedFile finds a file under the allowed folders, links followed. Of what
// lies elsewhere it tells nothing, not even whether it is there.
func (p *Parser) allowedFile(path string) (*allowedFile, error) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%q is not an absolute path", path).
			WithHint("write it from the root, such as /data/scene.tif").WithField("source")
	}
	path = filepath.Clean(path)
	roots := p.allowedRoots()
	for _, r := range roots {
		rel, ok := below(r.named, path)
		if !ok {
			rel, ok = below(r.real, path)
		}
		if !ok || rel == "." {
			continue
		}
		real, err := roots.resolve(path, r.real, rel)
		if err != nil {
			return nil, err
		}
		return roots.enter(path, real)
	}
	return nil, notAllowed(path)
}

func notAllowed(path string) error {
	return rasterbase.Errorf(rasterbase.Forbidden, "%s is not under a folder that files may be taken from", path).
		WithHint("the operator names these folders in RASTER_ALLOWED_PATHS").WithField("source")
}

// allowedRoots are folders as they were named, and where they are.
type allowedRoots []struct{ named, real string }

func (p *Parser) allowedRoots() (roots allowedRoots) {
	for _, dir := range p.c.AllowedPaths {
		// One that is not there, such as a disk that is not mounted, has no files.
		if real, err := filepath.EvalSymlinks(dir); err == nil && filepath.IsAbs(dir) {
			roots = append(roots, struct{ named, real string }{filepath.Clean(dir), real})
		}
	}
	return roots
}

// holding finds the root that a place without links lies in.
func (rs allowedRoots) holding(real string) (root, rel string, ok bool) {
	for _, r := range rs {
		if rel, ok := below(r.real, real); ok {
			return r.real, rel, true
		}
	}
	return "", "", false
}

// resolve follows the links of a path below a root. A link that leads out, or
// nowhere, is not looked behind.
func (rs allowedRoots) resolve(path, root, rel string) (string, error) {
	at := root
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return "", noSuchFile(path)
		case err != nil:
			return "", unreadable(path, err)
		case info.Mode()&fs.ModeSymlink == 0:
			continue
		}
		if at, err = filepath.EvalSymlinks(at); err != nil {
			return "", notAllowed(path)
		}
		if _, _, ok := rs.holding(at); !ok {
			return "", notAllowed(path)
		}
	}
	return at, nil
}

// enter opens the folder that a file lies in.
func (rs allowedRoots) enter(path, real string) (*allowedFile, error) {
	root, rel, ok := rs.holding(real)
	if !ok || rel == "." {
		return nil, notAllowed(path)
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if d := filepath.Dir(rel); d != "." {
		inner, err := dir.OpenRoot(d)
		_ = dir.Close() // only read from
		if err != nil {
			return nil, unreadable(path, err)
		}
		dir = inner
	}
	return &allowedFile{path: path, root: dir, name: filepath.Base(rel)}, nil
}

// below gives the way from a folder to a place in it.
func below(dir, path string) (rel string, ok bool) {
	rel, err := filepath.Rel(dir, path)
	return rel, err == nil && filepath.IsLocal(rel)
}

func noSuchFile(path string) error {
	return rasterbase.Errorf(rasterbase.NotFound, "%s: there is no such file", path).WithField("source")
}

// unreadable is the error of a file that is there. The cause without its path:
// it may name another one than was asked for.
func unreadable(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read: %w", path, err).WithField("source")
}
