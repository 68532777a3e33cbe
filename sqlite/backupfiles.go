package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/rasterbase/rasterbase/store"
)

// errGone says that something was deleted before it could be held.
var errGone = errors.New("it was deleted meanwhile")

// pin is something that is held open, and so can be copied also when it is
// deleted meanwhile: a file, or a database with a transaction that reads.
type pin struct {
	path string // below the folder of the store, with slashes
	file *os.File

	db   *sql.DB
	conn *sql.Conn

	after func() // what to note once it is copied
	fixes []string
}

type pins []*pin

func (p pins) close() {
	for _, one := range p {
		if one.file != nil {
			_ = one.file.Close() // it was only read
		}
		_ = closeDatabase(one.db, one.conn) // it was only read
	}
}

// pinAll holds what a moment refers to and is not copied yet. The error matches
// errGone when something was deleted before.
func (b *backup) pinAll(ctx context.Context, s *moment) (all pins, err error) {
	add := func(p pins, err error) error {
		all = append(all, p...)
		return err
	}
	for _, k := range s.building {
		err := add(b.pinRevision(ctx, k, true))
		if errors.Is(err, errGone) && !s.begun[k] && !exists(b.tombstone(k)) {
			err = nil // its file is not made yet
		}
		if err != nil {
			return all, err
		}
	}
	for _, k := range s.published {
		if b.copied[k] {
			continue
		}
		if err := add(b.pinRevision(ctx, k, false)); err != nil {
			return all, err
		}
	}
	for _, id := range s.uploads {
		// One that is being deleted may have lost its files.
		if err := add(b.pinSource(id)); err != nil && !errors.Is(err, errGone) {
			return all, err
		}
	}
	for _, id := range s.sources {
		if err := add(b.pinSource(id)); err != nil {
			return all, err
		}
	}
	return all, b.checkSources(ctx, s)
}

// checkSources makes sure that no source was half deleted when it was held: a
// source is deleted after the catalog has forgotten it.
func (b *backup) checkSources(ctx context.Context, s *moment) error {
	now, err := readMoment(ctx, b.dir)
	if err != nil {
		return err
	}
	if err := now.close(); err != nil {
		return err
	}
	still := now.refersTo()
	for _, id := range s.sources {
		if !still[id] {
			return fmt.Errorf("source %s: %w", id, errGone)
		}
	}
	return nil
}

func (b *backup) tombstone(k store.RevisionKey) string {
	return filepath.Join(b.dir, tilesFolder, goneFolder, fmt.Sprintf("%d-%d", k.Layer, k.Revision))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// pinRevision holds the file of a revision. A sealed one will not change any
// more and is copied as it is, unless it still has a log.
func (b *backup) pinRevision(ctx context.Context, k store.RevisionKey, building bool) (_ pins, err error) {
	p := &pin{path: path.Join(tilesFolder, tileFileName(k))}
	if !building {
		p.after = func() { b.copied[k] = true }
	}
	file := filepath.Join(b.dir, filepath.FromSlash(p.path))
	defer func() {
		if err == nil {
			return
		}
		pins{p}.close()
		if !exists(file) {
			err = errGone
		}
		err = fmt.Errorf("holding the tiles of revision %d: %w", k.Revision, err)
	}()
	if !exists(file) {
		return nil, errGone
	}
	if p.db, err = sql.Open("sqlite", dsn(file, "rw", "busy_timeout(15000)", "query_only(1)")); err != nil {
		return nil, err
	}
	if p.conn, err = p.db.Conn(ctx); err != nil {
		return nil, err
	}
	var journal string
	var version int
	if err = p.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return nil, err
	}
	if _, err = p.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	if err = p.conn.QueryRowContext(ctx, "SELECT user_version FROM pragma_user_version").Scan(&version); err != nil {
		return nil, err
	}
	switch {
	case !exists(file): // the log is deleted after the file, so that what was opened is whole otherwise
		return nil, errGone
	case version == 0 && building:
		return nil, errGone // its creation did not get far
	case version == fileSealed && journal != "wal" && !building:
		if err = closeDatabase(p.db, p.conn); err != nil {
			return nil, err
		}
		p.db, p.conn = nil, nil
		if p.file, err = os.Open(file); err != nil {
			return nil, err
		}
	case building:
		// It may be sealed by now. To the catalog of the moment it is not.
		p.fixes = []string{fmt.Sprintf("PRAGMA user_version = %d", fileBuilding)}
	}
	return pins{p}, nil
}

// pinSource holds the files of a source, unless they are copied already.
func (b *backup) pinSource(id string) (all pins, err error) {
	defer func() {
		if err != nil {
			all.close()
			all = nil
			if errors.Is(err, fs.ErrNotExist) {
				err = errGone
			}
			err = fmt.Errorf("holding the files of source %s: %w", id, err)
		}
	}()
	if !validSourceID(id) {
		return nil, fmt.Errorf("%q is not the id of a source", id)
	}
	dir := filepath.Join(b.dir, sourcesFolder, id)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	look := ""
	for _, e := range entries {
		if e.IsDir() || store.CheckFileName(e.Name()) != nil {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return all, err
		}
		all = append(all, &pin{path: path.Join(sourcesFolder, id, e.Name()), file: f})
		info, err := f.Stat()
		if err != nil {
			return all, err
		}
		look += fmt.Sprintf("%q %d %d\n", e.Name(), info.Size(), info.ModTime().UnixNano())
	}
	if had, ok := b.sources[id]; ok && had == look {
		all.close()
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Join(b.partial, sourcesFolder, id), 0o755); err != nil {
		return all, err
	}
	if len(all) == 0 {
		b.sources[id] = look
	} else {
		all[len(all)-1].after = func() { b.sources[id] = look }
	}
	return all, nil
}

// copyPin copies what is held into the partial folder, durably, and notes its
// checksum.
func (b *backup) copyPin(ctx context.Context, p *pin) (err error) {
	b.at(CopyingFiles)
	to := filepath.Join(b.partial, filepath.FromSlash(p.path))
	var f manifestFile
	if p.file != nil {
		if _, err := p.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		f, err = writeFile(ctx, p.file, to, b.advance)
	} else {
		f, err = b.copyHeld(ctx, p.conn, to, p.fixes...)
	}
	if err != nil {
		return fmt.Errorf("copying %s: %w", p.path, err)
	}
	f.Path = p.path
	b.listed[p.path] = f
	if p.after != nil {
		p.after()
	}
	return nil
}

// copyHeld copies what a connection reads.
func (b *backup) copyHeld(ctx context.Context, conn *sql.Conn, to string, fixes ...string) (f manifestFile, err error) {
	var page int64
	if err := conn.QueryRowContext(ctx, "SELECT page_size FROM pragma_page_size").Scan(&page); err != nil {
		return f, err
	}
	if err := copyDatabase(ctx, conn, to, func(n int) { b.advance(int64(n) * page) }); err != nil {
		return f, err
	}
	if err := settleDatabase(ctx, to, fixes...); err != nil {
		return f, err
	}
	if err := syncFile(to); err != nil {
		return f, err
	}
	return readSum(ctx, to)
}

// copyCatalog copies the catalog of a moment. Jobs that ran are as if their
// worker had handed them back.
func (b *backup) copyCatalog(ctx context.Context, s *moment) error {
	b.at(CopyingCatalog)
	fixes := []string{`UPDATE jobs SET state = 'waiting', attempt = max(0, attempt - 1), lease = '', lease_until = 0
		WHERE state = 'running' AND NOT cancel`}
	if s.schema >= exportsSchema {
		fixes = append(fixes, `DELETE FROM exports WHERE source_id <> ''`) // their files are not copied
	}
	f, err := b.copyHeld(ctx, s.conn, filepath.Join(b.partial, catalogName), fixes...)
	if err != nil {
		return fmt.Errorf("copying the catalog: %w", err)
	}
	f.Path = catalogName
	b.listed[catalogName] = f
	return nil
}

// writeFile copies r to a new file, durably.
func writeFile(ctx context.Context, r io.Reader, to string, advance func(int64)) (f manifestFile, err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum, buf := sha256.New(), make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return f, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return f, err
			}
			sum.Write(buf[:n])
			f.Size += int64(n)
			advance(int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return f, err
		}
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, out.Sync()
}

// readSum reads a file for its size and checksum.
func readSum(ctx context.Context, name string) (f manifestFile, err error) {
	in, err := os.Open(name)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	sum := sha256.New()
	if f.Size, err = io.Copy(sum, contextReader{ctx, in}); err != nil {
		return f, err
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, nil
}
