package sqlcatalog

import (
	"context"
	"fmt"
	"iter"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type chunks struct{ *Tx }

func (x parses) Chunks() store.Chunks { return chunks(x) }

// known fails for a parse that does not exist.
func (x chunks) known(ctx context.Context, id rasterbase.ParseID) error {
	found, err := x.exists(ctx, `SELECT 1 FROM @parses WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("looking for parse %d: %w", id, err)
	}
	if !found {
		return noParse(id)
	}
	return nil
}

func (x chunks) Put(ctx context.Context, id rasterbase.ParseID, c store.Chunk) (added bool, err error) {
	if err := x.known(ctx, id); err != nil {
		return false, err
	}
	data := c.Data
	if data == nil {
		data = []byte{}
	}
	n, err := x.exec(ctx, `INSERT INTO @parse_chunks (parse_id, stage, number, data) VALUES (?, ?, ?, ?)
		ON CONFLICT (parse_id, stage, number) DO NOTHING`, id, c.Stage, c.Number, data)
	if err != nil {
		return false, fmt.Errorf("recording a chunk of parse %d: %w", id, err)
	}
	return n > 0, nil
}

func (x chunks) Has(ctx context.Context, id rasterbase.ParseID, stage, number int) (bool, error) {
	if err := x.known(ctx, id); err != nil {
		return false, err
	}
	found, err := x.exists(ctx, `SELECT 1 FROM @parse_chunks WHERE parse_id = ? AND stage = ? AND number = ?`, id, stage, number)
	if err != nil {
		return false, fmt.Errorf("looking for a chunk of parse %d: %w", id, err)
	}
	return found, nil
}

func (x chunks) Count(ctx context.Context, id rasterbase.ParseID, stage int) (n int, err error) {
	if err := x.known(ctx, id); err != nil {
		return 0, err
	}
	if err := x.row(ctx, `SELECT count(*) FROM @parse_chunks WHERE parse_id = ? AND stage = ?`, id, stage).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting the chunks of parse %d: %w", id, err)
	}
	return n, nil
}

// chunksAtOnce is how many chunks are read at a time, so that a caller may use
// the transaction between two of them.
const chunksAtOnce = 64

func (x chunks) List(ctx context.Context, id rasterbase.ParseID, stage int) iter.Seq2[store.Chunk, error] {
	return func(yield func(store.Chunk, error) bool) {
		if err := x.known(ctx, id); err != nil {
			yield(store.Chunk{}, err)
			return
		}
		scan := func(row Row) (store.Chunk, error) {
			c := store.Chunk{Stage: stage}
			err := row.Scan(&c.Number, &c.Data)
			return c, err
		}
		last := -1
		for {
			some, err := collect(ctx, x.Tx, scan, `SELECT number, data FROM @parse_chunks
				WHERE parse_id = ? AND stage = ? AND number > ? ORDER BY number LIMIT ?`, id, stage, last, chunksAtOnce)
			if err != nil {
				yield(store.Chunk{}, fmt.Errorf("reading the chunks of parse %d: %w", id, err))
				return
			}
			for _, c := range some {
				if !yield(c, nil) {
					return
				}
				last = c.Number
			}
			if len(some) < chunksAtOnce {
				return
			}
		}
	}
}

func (x chunks) Parses(ctx context.Context) ([]rasterbase.ParseID, error) {
	scan := func(row Row) (id rasterbase.ParseID, err error) { return id, row.Scan(&id) }
	ids, err := collect(ctx, x.Tx, scan, `SELECT DISTINCT parse_id FROM @parse_chunks ORDER BY parse_id`)
	if err != nil {
		return nil, fmt.Errorf("listing the parses that have chunks: %w", err)
	}
	return ids, nil
}

func (x chunks) Drop(ctx context.Context, id rasterbase.ParseID) error {
	if _, err := x.exec(ctx, `DELETE FROM @parse_chunks WHERE parse_id = ?`, id); err != nil {
		return fmt.Errorf("forgetting the chunks of parse %d: %w", id, err)
	}
	return nil
}
