package ingest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// idleFor is how long the source of a parse stays open without a chunk that is
// worked on: what took longer to be made readable is kept for longer, since
// parses may take turns.
const idleFor = 5 * time.Second

// opened is the source of a parse, open in this process for as long as there
// are chunks of it: the file is opened once, by one child, however many there
// are.
type opened struct {
	parse    rasterbase.ParseID
	settings rasterbase.Settings
	slots    chan *slot   // of the cores that the parse may use here
	making   atomic.Int64 // tiles made of chunks that are not recorded yet
	took     atomic.Int64 // to make the source readable, in nanoseconds

	mu      sync.Mutex // while it is being opened
	file    rasterFile
	dir     string // with the copy of the source and its side-cars
	source  Dataset
	release func() // of the copy of the source
	plan    *Plan
	stages  []*stage
	tiles   *tileReader

	tiling       sync.Mutex // while a tiled copy is made
	tiled        bool
	tilingFailed error

	// Guarded by the parser's mutex.
	refs  int
	stale bool // nobody takes it any more
	idle  *time.Timer
}

// slot is a core of a parse, with the buffers that belong to it.
type slot struct{ warp *warpBuffers }

// acquire gives the open source of a parse, to be given back.
func (p *Parser) acquire(ctx context.Context, parse rasterbase.ParseID, layer *rasterbase.Layer, s rasterbase.Settings) (*opened, error) {
	if s.TileSize == 0 {
		s.TileSize = p.c.TileSize
	}
	p.mu.Lock()
	o := p.open[parse]
	if o != nil && !sameSettings(o.settings, s) {
		o.stale = true // whoever has it closes it
		delete(p.open, parse)
		if o.refs == 0 {
			o.idle.Stop()
			defer p.shut(o)
		}
		o = nil
	}
	if o == nil {
		o = &opened{parse: parse, settings: s, slots: make(chan *slot, p.c.Workers)}
		for range p.c.Workers {
			o.slots <- &slot{}
		}
		p.open[parse] = o
	}
	o.refs++
	if o.idle != nil {
		o.idle.Stop()
	}
	p.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.source == nil {
		start := time.Now()
		if err := p.openSource(ctx, o, layer); err != nil {
			p.giveBack(ctx, o, true)
			return nil, err
		}
		o.took.Store(int64(time.Since(start)))
	}
	return o, nil
}

// giveBack ends a use of an open source. It is closed when it was idle for a
// while, and at once when it is of no use any more or the worker stops.
func (p *Parser) giveBack(ctx context.Context, o *opened, useless bool) {
	p.mu.Lock()
	o.refs--
	if useless || ctx.Err() != nil {
		o.stale = true
		if p.open[o.parse] == o {
			delete(p.open, o.parse)
		}
	}
	shut := o.refs == 0 && o.stale
	if o.refs == 0 && !shut {
		o.idle = time.AfterFunc(max(idleFor, 2*time.Duration(o.took.Load())), func() { p.closeIdle(o) })
	}
	p.mu.Unlock()
	if shut {
		p.shut(o)
	}
}

// closeIdle closes a source that nobody uses.
func (p *Parser) closeIdle(o *opened) {
	p.mu.Lock()
	idle := o.refs == 0 && !o.stale
	if idle {
		o.stale = true
		delete(p.open, o.parse)
	}
	p.mu.Unlock()
	if idle {
		p.shut(o)
	}
}

// Close closes the sources that are open but not in use, without waiting for
// the time after which that happens by itself. A parser can be used again
// afterwards.
func (p *Parser) Close() {
	p.mu.Lock()
	all := make([]*opened, 0, len(p.open))
	for _, o := range p.open {
		all = append(all, o)
	}
	p.mu.Unlock()
	for _, o := range all {
		p.closeIdle(o)
	}
}

// closeParse closes the source of a parse unless it is in use.
func (p *Parser) closeParse(id rasterbase.ParseID) {
	p.mu.Lock()
	o := p.open[id]
	p.mu.Unlock()
	if o != nil {
		p.closeIdle(o)
	}
}

// shut closes a source for good.
func (p *Parser) shut(o *opened) {
	if o.source == nil {
		return // it could not be opened
	}
	if err := o.source.Close(); err != nil {
		p.c.Log.Warn("closing the source", "parse", o.parse, "error", err)
	}
	o.file.remove()
	o.release()
}

// openSource makes the source readable, opens and inspects it, and plans.
func (p *Parser) openSource(ctx context.Context, o *opened, layer *rasterbase.Layer) error {
	dir, release, err := p.c.Store.Sources().Local(ctx, layer.Source.ID)
	if err != nil {
		return fmt.Errorf("read the source of layer %d: %w", layer.ID, err)
	}
	options := OpenOptions{Subdataset: o.settings.Subdataset, SRID: o.settings.SRID, Parallel: p.c.Workers, Oversized: true}
	file, err := p.unpack(ctx, filepath.Join(dir, layer.Source.Name), options)
	if err != nil {
		release()
		return err
	}
	options.Subdataset = file.subdataset
	source, err := p.c.Opener.Open(ctx, file.path, options)
	if err == nil {
		if o.plan, err = p.plan(ctx, source, o.settings); err == nil {
			o.stages = o.plan.stages(source.Info())
			o.file, o.dir, o.source, o.release = file, dir, source, release
			return nil
		}
		if e := source.Close(); e != nil {
			p.c.Log.Warn("closing the source", "layer", layer.ID, "error", e)
		}
	}
	file.remove()
	release()
	return file.clean(err)
}

// tilesOf gives the reader of a revision's tiles, which is kept between chunks.
func (o *opened) tilesOf(st store.Store, rev *rasterbase.Revision) *tileReader {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tiles == nil || o.tiles.rev.ID != rev.ID {
		o.tiles = newTileReader(st, rev)
	}
	return o.tiles
}

// unrecorded is how many tiles of a parse were made in this process by chunks
// that are not done yet.
func (p *Parser) unrecorded(id rasterbase.ParseID) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.open[id]; o != nil {
		return o.making.Load()
	}
	return 0
}
