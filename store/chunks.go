package store

import (
	"context"
	"iter"

	"github.com/rasterbase/rasterbase"
)

// Chunk is a part of a parse that is done: its tiles are durable, and this
// record was kept together with their summaries. What the number and the data
// mean is the affair of whoever parses.
type Chunk struct {
	Stage  int
	Number int    // within the stage
	Data   []byte // what the end of the stage needs to know of it
}

// Chunks keeps which parts of a parse are done, for as long as the parse
// lasts. Errors match ErrNotExist for an unknown parse.
type Chunks interface {
	// Put records that a chunk is done. It is false, and changes nothing, when
	// the chunk was done already.
	Put(ctx context.Context, id rasterbase.ParseID, c Chunk) (added bool, err error)
	// Has reports whether a chunk is done.
	Has(ctx context.Context, id rasterbase.ParseID, stage, number int) (bool, error)
	// Count is how many chunks of a stage are done.
	Count(ctx context.Context, id rasterbase.ParseID, stage int) (int, error)
	// List yields the chunks of a stage that are done, ordered by number. The
	// transaction can be used meanwhile.
	List(ctx context.Context, id rasterbase.ParseID, stage int) iter.Seq2[Chunk, error]
	// Parses gives the parses that have chunks, ordered by id, for the collection
	// of garbage.
	Parses(ctx context.Context) ([]rasterbase.ParseID, error)
	// Drop forgets all chunks of a parse; dropping them again is not an error.
	Drop(ctx context.Context, id rasterbase.ParseID) error
}
