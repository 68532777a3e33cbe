package postgis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// appendTime bounds the writing of one piece. It goes on when the caller's
// context ends, which it does together with the connection that the bytes came
// from: what was read is kept.
const appendTime = time.Minute

// Append fills the last piece of a file up and adds others. Each is written
// with a look at the file's length, in a transaction of its own: of two who add
// to one file the first to write a piece goes on, and the other one fails.
func (s *sources) Append(ctx context.Context, id, name string, offset int64, r io.Reader) (size int64, err error) {
	if err := s.exists(ctx, id); err != nil {
		return 0, err
	}
	if err := store.CheckFileName(name); err != nil {
		return 0, err
	}
	file, size, err := s.growing(ctx, id, plain(name), offset == 0)
	if err != nil {
		return 0, s.appendError(ctx, err, id, name)
	}
	if size != offset {
		return size, rasterbase.Errorf(rasterbase.Conflict, "%s has %d bytes, not %d", name, size, offset)
	}
	buf := make([]byte, pieceSize)
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		part := buf[:pieceSize-size%pieceSize]
		n, readErr := fill(r, part)
		if n > 0 {
			if err := s.addPiece(ctx, file, size, part[:n]); err != nil {
				return s.sizeNow(ctx, file, size), s.appendError(ctx, err, id, name)
			}
			size += int64(n)
		}
		if given, ok := errors.AsType[readError](readErr); ok {
			return size, fmt.Errorf("writing %s: %w", name, given.error)
		}
		if n < len(part) {
			return size, nil
		}
	}
}

// errMoved says that a file is not as long as it was, or not there any more.
var errMoved = errors.New("somebody else is adding to it, or has replaced it")

// growing finds the file of a name, which it makes if asked to. The length is
// 0, and so is the file, when there is none.
func (s *sources) growing(ctx context.Context, id, name string, create bool) (file, size int64, err error) {
	for range 2 {
		err = s.db.pool.QueryRow(ctx, `SELECT id, size FROM `+s.db.table("source_files")+`
			WHERE source_id = $1 AND name = $2 AND complete`, id, name).Scan(&file, &size)
		if !isNoRows(err) {
			return file, size, err
		}
		if !create {
			return 0, 0, nil
		}
		err = s.db.pool.QueryRow(ctx, `INSERT INTO `+s.db.table("source_files")+` (source_id, name, size, complete)
			VALUES ($1, $2, 0, true) ON CONFLICT (source_id, name) WHERE complete DO NOTHING RETURNING id`, id, name).Scan(&file)
		if !isNoRows(err) {
			return file, 0, err
		}
	}
	return 0, 0, errMoved
}

// addPiece adds bytes that are of one piece to a file that is size bytes long.
// The error is errMoved when it is not.
func (s *sources) addPiece(ctx context.Context, file, size int64, data []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTime)
	defer cancel()
	done, err := s.db.pool.Exec(ctx, `WITH f AS (
			UPDATE `+s.db.table("source_files")+` SET size = size + $3::bigint, touched = now()
			WHERE id = $1 AND size = $2 AND complete RETURNING id)
		INSERT INTO `+s.db.table("source_pieces")+` AS p (file_id, piece, data) SELECT f.id, $4::integer, $5::bytea FROM f
		ON CONFLICT (file_id, piece) DO UPDATE SET data = p.data || excluded.data`,
		file, size, len(data), size/pieceSize, data)
	if err == nil && done.RowsAffected() == 0 {
		return errMoved
	}
	return err
}

// sizeNow is a file's length after an error that leaves it open whether the
// last piece was written; before is what it was, for when it cannot be read.
func (s *sources) sizeNow(ctx context.Context, file, before int64) (size int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, `SELECT size FROM `+s.db.table("source_files")+` WHERE id = $1`, file).Scan(&size)
	if err != nil {
		return before
	}
	return size
}

// appendError says why bytes could not be added to a file.
func (s *sources) appendError(ctx context.Context, err error, id, name string) error {
	if errors.Is(err, errMoved) || sqlState(err) == codeForeignKey {
		if gone := s.exists(ctx, id); gone != nil {
			return gone
		}
	}
	if errors.Is(err, errMoved) {
		return rasterbase.Errorf(rasterbase.Conflict, "adding to %s: %w", name, err)
	}
	return s.db.storageError(err, "writing %s", name)
}
