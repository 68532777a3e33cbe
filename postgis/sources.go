package postgis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/store"
)

// sources keeps files in pieces, so that every server and every worker can read
// them without a shared disk.
type sources struct{ db *DB }

// pieceSize is the length of all pieces of a file but the last.
const pieceSize = 1 << 20

// Create makes an empty source, and takes the opportunity to remove files that
// nobody has been writing to for a day.
func (s *sources) Create(ctx context.Context) (string, error) {
	id := strings.ToLower(rand.Text())
	_, err := s.db.pool.Exec(ctx, `INSERT INTO `+s.db.table("sources")+` (id) VALUES ($1)`, id)
	if err != nil {
		return "", s.db.storageError(err, "making a source")
	}
	_, err = s.db.pool.Exec(ctx, `DELETE FROM `+s.db.table("source_files")+`
		WHERE NOT complete AND touched < now() - interval '1 day'`)
	return id, s.db.storageError(err, "removing files that were never finished")
}

// exists fails with ErrNotExist for an unknown source.
func (s *sources) exists(ctx context.Context, id string) error {
	var exists bool
	err := s.db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+s.db.table("sources")+` WHERE id = $1)`, plain(id)).Scan(&exists)
	if err == nil && !exists {
		return store.NotFound("there is no source %q", id)
	}
	return s.db.storageError(err, "finding source %s", id)
}

// plain makes a text one that the database takes: without NUL, valid UTF-8.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// Put writes the pieces of a file that nobody sees, then gives it its name.
func (s *sources) Put(ctx context.Context, id, name string, r io.Reader) (size int64, err error) {
	if err := s.exists(ctx, id); err != nil {
		return 0, err
	}
	if err := store.CheckFileName(name); err != nil {
		return 0, err
	}
	var file int64
	err = s.db.pool.QueryRow(ctx, `INSERT INTO `+s.db.table("source_files")+` (source_id, name, size, complete)
		VALUES ($1, $2, 0, false) RETURNING id`, id, plain(name)).Scan(&file)
	if err != nil {
		return 0, s.db.storageError(err, "writing %s", name)
	}
	size, err = s.putPieces(ctx, file, r)
	if err == nil {
		err = s.finish(ctx, file, id, plain(name), size)
	}
	if err != nil {
		// What cannot be removed now is removed a day later.
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		_, _ = s.db.pool.Exec(after, `DELETE FROM `+s.db.table("source_files")+` WHERE id = $1`, file)
		if given, ok := errors.AsType[readError](err); ok {
			return 0, fmt.Errorf("writing %s: %w", name, given.error)
		}
		return 0, s.db.storageError(err, "writing %s", name)
	}
	return size, nil
}

// readError is an error of the caller's reader, not of the database.
type readError struct{ error }

// fill reads until buf is full or the file ends. [io.ReadFull] would not tell
// the end of the file from an upload that breaks off, which readers of HTTP
// bodies call [io.ErrUnexpectedEOF].
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, readError{err}
}

func (s *sources) putPieces(ctx context.Context, file int64, r io.Reader) (size int64, err error) {
	buf := make([]byte, pieceSize)
	for piece := 0; ; piece++ {
		n, err := fill(r, buf)
		if err != nil {
			return size, err
		}
		if n == 0 {
			return size, ctx.Err()
		}
		var b pgx.Batch
		b.Queue(`INSERT INTO `+s.db.table("source_pieces")+` (file_id, piece, data) VALUES ($1, $2, $3)`, file, piece, buf[:n])
		b.Queue(`UPDATE `+s.db.table("source_files")+` SET touched = now() WHERE id = $1`, file)
		if err := s.db.pool.SendBatch(ctx, &b).Close(); err != nil {
			return size, err
		}
		size += int64(n)
		if n < pieceSize {
			return size, nil
		}
	}
}

// finish makes a file the one of its name.
func (s *sources) finish(ctx context.Context, file int64, id, name string, size int64) error {
	tx, err := s.db.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	one, err := tx.Exec(ctx, `SELECT 1 FROM `+s.db.table("sources")+` WHERE id = $1 FOR UPDATE`, id) // one at a time
	if err != nil {
		return err
	}
	if one.RowsAffected() == 0 { // deleted meanwhile, and the file with it
		return store.NotFound("there is no source %q", id)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM `+s.db.table("source_files")+` WHERE source_id = $1 AND name = $2 AND complete`, id, name); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE `+s.db.table("source_files")+` SET complete = true, size = $2, touched = now() WHERE id = $1`, file, size); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// Open reads pieces as they are asked for.
func (s *sources) Open(ctx context.Context, id, name string) (store.SourceFile, error) {
	if err := s.exists(ctx, id); err != nil {
		return nil, err
	}
	if err := store.CheckFileName(name); err != nil {
		return nil, err
	}
	f := &sourceFile{ctx: ctx, s: s, name: name, held: -1}
	err := s.db.pool.QueryRow(ctx, `SELECT id, size FROM `+s.db.table("source_files")+`
		WHERE source_id = $1 AND name = $2 AND complete`, id, plain(name)).Scan(&f.id, &f.size)
	if isNoRows(err) {
		return nil, store.NotFound("source %s has no file %q", id, name)
	}
	if err != nil {
		return nil, s.db.storageError(err, "opening %s", name)
	}
	f.SectionReader = io.NewSectionReader(f.pieces(), 0, f.size)
	return f, nil
}

// Local copies the files to a temporary folder.
func (s *sources) Local(ctx context.Context, id string) (dir string, release func(), err error) {
	names, err := s.Files(ctx, id)
	if err != nil {
		return "", nil, err
	}
	temp, err := tempdir.Make(s.db.o.WorkDir, "rasterbase-source-")
	if err != nil {
		return "", nil, fmt.Errorf("copying source %s: %w", id, err)
	}
	dir = temp.Path
	release = func() { _ = temp.Remove() } // a rest in a temporary folder is collected
	for _, name := range names {
		if err := s.copyTo(ctx, filepath.Join(dir, name), id, name); err != nil {
			release()
			return "", nil, err
		}
	}
	return dir, release, nil
}

func (s *sources) copyTo(ctx context.Context, path, id, name string) (err error) {
	in, err := s.Open(ctx, id, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, in, make([]byte, pieceSize))
	if err = errors.Join(err, out.Close()); err != nil {
		return s.db.storageError(err, "copying %s", name)
	}
	return nil
}

// Files lists what is written whole.
func (s *sources) Files(ctx context.Context, id string) ([]string, error) {
	if err := s.exists(ctx, id); err != nil {
		return nil, err
	}
	var names []string
	err := s.db.collect(ctx, &names, `SELECT name FROM `+s.db.table("source_files")+` WHERE source_id = $1 AND complete ORDER BY name`, id)
	return names, s.db.storageError(err, "listing source %s", id)
}

// Delete removes the source with its files and their pieces.
func (s *sources) Delete(ctx context.Context, id string) error {
	_, err := s.db.pool.Exec(ctx, `DELETE FROM `+s.db.table("sources")+` WHERE id = $1`, plain(id))
	return s.db.storageError(err, "deleting source %s", id)
}

// List lists all sources.
func (s *sources) List(ctx context.Context) ([]store.StoredSource, error) {
	rows, err := s.db.pool.Query(ctx, `SELECT s.id, greatest(s.created, max(f.touched))
		FROM `+s.db.table("sources")+` s LEFT JOIN `+s.db.table("source_files")+` f ON f.source_id = s.id
		GROUP BY s.id ORDER BY s.id`)
	if err != nil {
		return nil, s.db.storageError(err, "listing the sources")
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.StoredSource])
	return list, s.db.storageError(err, "listing the sources")
}
