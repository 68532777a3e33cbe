// Package move copies everything of one store into another, of whichever
// backends: users with their tokens, legends with their entries and semantics,
// the colormaps that people keep, layers with their settings, source files,
// parses and logs, and of each layer the published revision with its summaries
// and tiles. Ids stay what they are, since URLs and foreign keys hold them.
// Afterwards every tile is read back from both and compared.
//
// What is not moved: jobs, which are work under way or the history of what
// ended; uploads that are not yet the source of a layer, of which a warning
// tells; exports, which can be made again; revisions that are not published.
//
// The source may be served meanwhile and is not changed. A layer that is parsed
// anew while it is read is taken in its new revision. The destination must not
// be served by a server or a worker until the move has ended: to them a revision
// that is being filled is what a dead worker has left, and they take it away.
//
// A move that was interrupted goes on when it is run again: what is at the
// destination already is compared and kept, what is missing is copied. So the
// destination is to be empty, or to hold nothing but what a move from the same
// source has put there.
package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// ErrDiffers is matched by the error for a tile, a summary or a file that is
// not the same in both stores.
var ErrDiffers = errors.New("differs at the destination")

// Options adjusts a move. The zero value is right for most.
type Options struct {
	// Progress, when set, is told how far the move is: once a batch, by one
	// goroutine at a time.
	Progress func(Progress)
	// Batch is how many tiles are written at once, less when they are large;
	// 0: 100.
	Batch int
	// Workers is how many batches are written, or levels of tiles compared, at
	// once; 0: one for each core, at most 4.
	Workers int
}

// Stage says what is done with a layer.
type Stage string

// The stages, in their order.
const (
	Files     Stage = "copying files"
	Tiles     Stage = "copying tiles"
	Comparing Stage = "comparing tiles"
)

// Progress says how far a move is.
type Progress struct {
	Layer   rasterbase.Layer // that is being moved
	Number  int              // of the layer, from 1
	Of      int              // layers
	Stage   Stage
	Started time.Time // of the stage
	Done    int64     // of the stage: tiles, or bytes of files
	Planned int64     // at least what Done will be
}

// Report says what was moved, whether by this run or by an earlier one that
// this run went on with. All of it was compared.
type Report struct {
	Users        int
	Tokens       int
	Legends      int
	Semantics    int
	Colormaps    int // that people keep
	Layers       int
	Formulas     int // of Layers: those made of others, which have no tiles of their own
	Unpublished  int // of Layers: others without a published revision, and so without tiles
	AlreadyThere int // of Layers: those whose tiles an earlier run had moved
	Parses       int
	Files        int
	FileBytes    int64
	SummaryPages int64
	Tiles        int64
	TileBytes    int64 // of their pixels, uncompressed
	Took         time.Duration
	// Warnings are what the operator should know and need not act on.
	Warnings []string
}

// Run moves everything of one store into another. Two stores of the same
// backend are fine as well.
//
// The error has code conflict when a layer of the source is being parsed, when
// the destination holds what is not from this source, and when the source was
// changed meanwhile in a way that running the move again brings over. It
// matches [ErrDiffers] when what was written is not what is read back.
func Run(ctx context.Context, from, to store.Store, o Options) (*Report, error) {
	start := time.Now()
	m := &mover{from: from, to: to, o: o.withDefaults(), moved: map[rasterbase.LayerID]rasterbase.RevisionID{}}
	if err := m.run(ctx); err != nil {
		return nil, err
	}
	m.report.Took = time.Since(start)
	return &m.report, nil
}

func (o Options) withDefaults() Options {
	o.Batch = max(0, o.Batch)
	o.Batch = cmp.Or(o.Batch, 100)
	if o.Workers <= 0 {
		o.Workers = min(4, runtime.GOMAXPROCS(0))
	}
	return o
}

// mover is one run.
type mover struct {
	from, to store.Store
	o        Options

	last     lastIDs // reserved at the destination
	parseIDs map[rasterbase.LayerID][]rasterbase.ParseID
	moved    map[rasterbase.LayerID]rasterbase.RevisionID // the source's; 0: unpublished

	mu     sync.Mutex // of what follows
	report Report
	now    Progress
}

func (m *mover) run(ctx context.Context) error {
	src, err := readInventory(ctx, m.from)
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	if err := src.checkParsed(); err != nil {
		return err
	}
	dst, err := readInventory(ctx, m.to)
	if err != nil {
		return fmt.Errorf("reading the destination: %w", err)
	}
	if err := checkDestination(src, dst); err != nil {
		return err
	}
	if err := m.reserveIDs(ctx); err != nil {
		return err
	}
	if err := m.findParses(ctx); err != nil {
		return err
	}
	if err := m.accounts(ctx, src.accounts); err != nil {
		return err
	}
	if err := m.styles(ctx, src.styles); err != nil {
		return err
	}
	m.now.Of = len(src.layers)
	for i, l := range src.inputsFirst() {
		m.mu.Lock()
		m.now.Number, m.now.Layer = i+1, *l
		m.mu.Unlock()
		if err := m.layer(ctx, *l); err != nil {
			return fmt.Errorf("moving layer %d (%s): %w", l.ID, l.Name, err)
		}
	}
	return m.finish(ctx)
}

// finish tells whether the destination holds what the source holds now.
func (m *mover) finish(ctx context.Context) error {
	if err := m.reserveIDs(ctx); err != nil {
		return err
	}
	src, err := readInventory(ctx, m.from)
	if err != nil {
		return fmt.Errorf("reading the source again: %w", err)
	}
	dst, err := readInventory(ctx, m.to)
	if err != nil {
		return fmt.Errorf("reading the destination again: %w", err)
	}
	m.report.Users, m.report.Tokens = len(dst.accounts.users), len(dst.accounts.tokens)
	m.report.Legends, m.report.Layers = len(dst.styles.legends), len(dst.layers)
	m.report.Semantics, m.report.Colormaps = len(dst.styles.semantics), len(dst.styles.colormaps)
	m.warnOfUploads(src.uploads)
	for _, name := range src.styles.alone(dst.styles) {
		m.warn("%s was left at the destination: the source has it not", name)
	}
	return m.checkEqual(src, dst)
}

// stage begins to count anew.
func (m *mover) stage(s Stage, planned int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Stage, m.now.Started, m.now.Done, m.now.Planned = s, time.Now(), 0, planned
	m.tell()
}

// advance counts what was done of a stage.
func (m *mover) advance(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done += n
	m.now.Planned = max(m.now.Planned, m.now.Done)
	m.tell()
}

func (m *mover) tell() {
	if m.o.Progress != nil {
		m.o.Progress(m.now)
	}
}

// count adds to the report.
func (m *mover) count(add func(*Report)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add(&m.report)
}

func (m *mover) warn(format string, args ...any) {
	m.count(func(r *Report) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) })
}
