package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// run is what one job does for a parse: a chunk, or what lies between the
// stages. Read parse from top to bottom: it is the whole way.
type run struct {
	p     *Parser
	layer *rasterbase.Layer
	parse *rasterbase.Parse    // as it was when the job began
	rev   *rasterbase.Revision // nil: there is none yet
	src   *opened
	plan  *Plan
	// settings are those that the plan was made with, as the layer or the
	// revision has them.
	settings rasterbase.Settings
	lanes    bool      // chunks are jobs of their own
	began    time.Time // when the tiles of this kind were begun
}

func (r *run) store() store.Store { return r.p.c.Store }

func (r *run) revisionKey() store.RevisionKey {
	return store.RevisionKey{Layer: r.rev.Layer, Revision: r.rev.ID}
}

// load reads what a parse is about. It is nil when there is nothing to do.
func (p *Parser) load(ctx context.Context, layer rasterbase.LayerID, parse rasterbase.ParseID) (*run, error) {
	r := &run{p: p, began: time.Now()}
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		r.rev = nil
		if r.parse, err = tx.Parses().Get(ctx, parse); err != nil {
			return err
		}
		if r.layer, err = tx.Layers().Get(ctx, layer); err != nil || r.parse.Revision == 0 {
			return err
		}
		r.rev, err = tx.Revisions().Get(ctx, r.parse.Revision)
		if errors.Is(err, store.ErrNotExist) {
			r.rev, err = nil, nil
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotExist):
		return nil, &store.Permanent{Err: err} // deleted meanwhile
	case err != nil:
		return nil, err
	case r.parse.Status.Ended():
		return nil, nil
	}
	return r, nil
}

// work does the parse from a stage on. With lanes, it only goes from one stage
// to the next: chunks are jobs of their own, the last of which queues the job
// that goes on from there.
func (r *run) work(ctx context.Context, a parseArgs, j *store.Job) (err error) {
	if a.Stage == 0 {
		if err := r.ready(ctx); err != nil {
			return err
		}
	}
	if a.Stage > 0 {
		r.began = a.Began
		err = r.goOn(ctx)
	} else {
		err = r.open(ctx, r.layer.Settings)
	}
	if err != nil {
		return err
	}
	over := false
	defer func() { r.close(ctx, over || err != nil) }()
	if a.Stage == 0 {
		if err := r.begin(ctx, j); err != nil {
			return err
		}
	}
	if r.lanes, err = r.inLanes(ctx, a); err != nil {
		return err
	}
	for k := a.Stage; ; k++ {
		if k > 0 {
			if err := r.finishStage(ctx, r.src.stages[k-1]); err != nil {
				return err
			}
		}
		if k == len(r.src.stages) {
			over = true
			return r.end(ctx)
		}
		s := r.src.stages[k]
		if k < 2 { // all stages of the pyramid have one status
			r.began = time.Now()
			if err := r.change(ctx, func(p *rasterbase.Parse) { p.Status = s.status() }); err != nil {
				return err
			}
		}
		if r.lanes {
			return r.startStage(ctx, s)
		}
		if err := r.runStage(ctx, s, j.Attempt); err != nil {
			return err
		}
	}
}

// inLanes tells whether chunks are jobs of their own: not for small parses and
// where it is not wanted, unless it was begun that way.
func (r *run) inLanes(ctx context.Context, a parseArgs) (lanes bool, err error) {
	if a.Stage > 0 || r.parse.Planned > smallParse && !r.p.c.SingleTask {
		return true, nil
	}
	err = r.store().Catalog().View(ctx, func(tx store.Tx) error {
		list, err := tx.Jobs().ListGroup(ctx, groupOf(r.parse.ID), nil, 2)
		lanes = false
		for _, j := range list {
			lanes = lanes || j.Kind == kindChunk
		}
		return err
	})
	return lanes, err
}

// open makes the source readable. With settings that differ from those that the
// revision was begun with, another plan comes of it.
func (r *run) open(ctx context.Context, settings rasterbase.Settings) (err error) {
	r.settings = settings
	if r.rev != nil && sameSettings(settings, r.rev.Settings) {
		settings = r.rev.Settings
		settings.TileSize = r.rev.TileSize
	}
	if r.src, err = r.p.acquire(ctx, r.parse.ID, r.layer, settings); err != nil {
		return err
	}
	r.plan = r.src.plan
	return nil
}

// goOn opens the source for a revision that was begun: what it was begun with
// is in force until it ends, also when the layer's settings change meanwhile.
func (r *run) goOn(ctx context.Context) error {
	if r.rev == nil {
		return errEnded
	}
	if err := r.open(ctx, r.rev.Settings); err != nil {
		return err
	}
	if r.samePlan() {
		return nil
	}
	r.close(ctx, true)
	return rasterbase.Errorf(rasterbase.Conflict, "the source of layer %d has changed during the parse", r.layer.ID).
		WithHint("parse it again")
}

func (r *run) close(ctx context.Context, failed bool) { r.p.giveBack(ctx, r.src, failed) }

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// samePlan reports whether the revision was begun with the same source and
// settings, and the same is to be made of them.
func (r *run) samePlan() bool {
	type made struct {
		Checksum         string
		Settings         string
		Grid             rasterbase.Grid
		TileSize         int
		HasPyramid       bool
		MaxZoom          int
		Bounds           rasterbase.Bounds
		Validity         [2]bool
		Types            []rasterbase.PixelType
		Nodata           []*rasterbase.Float
		Datatype, Driver string
	}
	of := func(v *rasterbase.Revision) string {
		m := made{Checksum: v.SourceChecksum, Settings: settingsKey(v.Settings), Grid: v.Grid, TileSize: v.TileSize, HasPyramid: v.HasPyramid,
			MaxZoom: v.MaxZoom, Bounds: v.Bounds, Validity: [2]bool{v.BaseValidity, v.PyramidValidity}, Driver: v.Driver}
		for _, b := range v.Bands {
			m.Types, m.Nodata = append(m.Types, b.PixelType), append(m.Nodata, b.Nodata)
		}
		if r.plan.Datatype != "" { // otherwise the pixels decide
			m.Datatype = string(v.Datatype)
		}
		return asJSON(m)
	}
	want := r.plan.revision(r.layer)
	want.Settings = r.settings
	return r.rev != nil && r.rev.State == rasterbase.Building && of(r.rev) == of(want)
}

// begin makes the revision that this parse writes, or goes on with the one of
// an earlier attempt.
func (r *run) begin(ctx context.Context, j *store.Job) error {
	if r.samePlan() {
		err := r.store().Tiles().Create(ctx, r.rev) // if it did not come to that
		if err == nil {
			return r.logResumed(ctx, j)
		}
		if !errors.Is(err, store.ErrRevisionGone) {
			return fmt.Errorf("make a place for the tiles: %w", err)
		}
	}
	if err := errors.Join(r.p.dropRetired(ctx, r.layer.ID), r.fitDisk()); err != nil {
		return err
	}
	pl, rev := r.plan, r.plan.revision(r.layer)
	planned := pl.BaseTiles + pl.PyramidTiles
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		if err := errors.Join(tx.Jobs().CancelGroup(ctx, groupOf(parse.ID), j.ID), giveUp(ctx, tx, parse)); err != nil {
			return err
		}
		if pl.CRS.SRID == 0 {
			if rev.CRS.SRID, err = tx.Revisions().CustomSRID(ctx, pl.CRS); err != nil {
				return err
			}
		}
		// A revision that no record names belongs to nobody, so that both are
		// made in one transaction.
		if err := tx.Revisions().Create(ctx, rev); err != nil {
			return err
		}
		parse.Revision, parse.Planned, parse.Done = rev.ID, planned, 0
		return tx.Parses().Update(ctx, parse)
	})
	if err != nil {
		return fmt.Errorf("begin a revision: %w", err)
	}
	r.rev, r.parse.Revision, r.parse.Planned = rev, rev.ID, planned
	if err := r.logPlan(ctx); err != nil {
		return err
	}
	if err := r.store().Tiles().Create(ctx, rev); err != nil {
		return fmt.Errorf("make a place for the tiles: %w", err)
	}
	return nil
}

// giveUp gives up the revision that a parse was writing, and what is known of
// it: nothing of it stays behind.
func giveUp(ctx context.Context, tx store.Tx, parse *rasterbase.Parse) error {
	if err := tx.Parses().Chunks().Drop(ctx, parse.ID); err != nil || parse.Revision == 0 {
		return err
	}
	rev, err := tx.Revisions().Get(ctx, parse.Revision)
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil || rev.State != rasterbase.Building {
		return err
	}
	if err := tx.Revisions().Retire(ctx, rev.ID); err != nil {
		return err
	}
	return enqueueDrop(ctx, tx, rev.Layer, rev.ID, 0)
}

func (r *run) logResumed(ctx context.Context, j *store.Job) error {
	chunks, done := 0, 0
	for _, s := range r.src.stages {
		of, err := r.chunksDone(ctx, s)
		if err != nil {
			return err
		}
		chunks, done = chunks+s.size(), done+len(of)
	}
	return r.logf(ctx, "attempt %d goes on: %d of %d parts are done", j.Attempt, done, chunks)
}

func (r *run) logPlan(ctx context.Context) error {
	pl := r.plan
	lines := []string{fmt.Sprintf("%s: %s, %d x %d pixels, %s, %s", r.layer.Source.Name, pl.Driver,
		pl.Grid.Width, pl.Grid.Height, bandsText(pl.Bands), crsText(r.rev.CRS))}
	if pl.Datatype != "" {
		lines = append(lines, fmt.Sprintf("datatype %s: %s", pl.Datatype, pl.DatatypeReason))
	}
	if pl.HasPyramid {
		lines = append(lines, fmt.Sprintf("plan: %d base tiles, %d pyramid tiles of zoom 0 to %d, %d pixels a side",
			pl.BaseTiles, pl.PyramidTiles, pl.MaxZoom, pl.TileSize))
	} else {
		lines = append(lines, fmt.Sprintf("plan: %d base tiles of %d pixels a side, no pyramid", pl.BaseTiles, pl.TileSize))
	}
	for _, w := range pl.Warnings {
		lines = append(lines, "warning: "+w)
	}
	for _, l := range lines {
		if err := r.logf(ctx, "%s", l); err != nil {
			return err
		}
	}
	return nil
}

func bandsText(bands []rasterbase.Band) string {
	if len(bands) == 1 {
		return "1 band of " + bands[0].PixelType.String()
	}
	return fmt.Sprintf("%d bands of %s", len(bands), bands[0].PixelType)
}

func crsText(c rasterbase.CRS) string {
	if c.SRID < rasterbase.FirstCustomSRID {
		return fmt.Sprintf("EPSG:%d (%s)", c.SRID, c.Name)
	}
	return fmt.Sprintf("%s (no EPSG code, kept as srid %d)", c.Name, c.SRID)
}

// finishStage does what has to be done when all chunks of a stage are there.
// It can be repeated.
func (r *run) finishStage(ctx context.Context, s *stage) error {
	if s.kind == rasterbase.Base {
		if err := r.finishBase(ctx); err != nil {
			return err
		}
		if r.plan.Datatype == "" {
			if err := r.logf(ctx, "datatype %s: %s", r.rev.Datatype, r.rev.DatatypeReason); err != nil {
				return err
			}
		}
		return r.logTiles(ctx, s, r.plan.BaseTiles)
	}
	if s.top > 0 {
		return nil // there are more stages of the pyramid
	}
	r.rev.PyramidTiles = 0
	for z := range r.rev.MaxZoom + 1 {
		_, n, err := r.level(ctx, rasterbase.Pyramid, z)
		if err != nil {
			return err
		}
		r.rev.PyramidTiles += n
	}
	return r.logTiles(ctx, s, r.plan.PyramidTiles)
}

func (r *run) logTiles(ctx context.Context, s *stage, tiles int64) error {
	return r.logf(ctx, "%s: %d tiles in %s", s.status(), tiles, time.Since(r.began).Round(time.Millisecond))
}

// end makes the tiles durable and publishes.
func (r *run) end(ctx context.Context) error {
	if err := r.change(ctx, func(p *rasterbase.Parse) { p.Status = rasterbase.Publishing }); err != nil {
		return err
	}
	if err := r.store().Tiles().Seal(ctx, r.revisionKey()); err != nil {
		return fmt.Errorf("make the tiles durable: %w", err)
	}
	return r.publish(ctx)
}

// publish makes the revision the one that readers see, in one transaction with
// all that follows from it.
func (r *run) publish(ctx context.Context) error {
	found := r.findLegend()
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.Revisions().Update(ctx, r.rev); err != nil {
			return err
		}
		before, err := tx.Revisions().Publish(ctx, r.rev.ID)
		if err != nil {
			return err
		}
		if before != 0 {
			if err := enqueueDrop(ctx, tx, r.layer.ID, before, dropGrace); err != nil {
				return err
			}
		}
		if found.legend != nil {
			if err := r.attachLegend(ctx, tx, parse.ID, found); err != nil {
				return err
			}
		}
		for _, line := range found.lines {
			if err := tx.Parses().Log(ctx, parse.ID, line); err != nil {
				return err
			}
		}
		// The record and the log end here too, so that nothing is left which
		// could fail after the publishing.
		parse.Status, parse.Error, parse.Done, parse.Ended = rasterbase.Finished, "", parse.Planned, time.Now()
		parse.Fetch = ""
		if err := errors.Join(tx.Parses().Update(ctx, parse), tx.Parses().Chunks().Drop(ctx, parse.ID)); err != nil {
			return err
		}
		err = tx.Parses().Log(ctx, parse.ID, fmt.Sprintf("finished: %d base tiles, %d pyramid tiles are served",
			r.rev.BaseTiles, r.rev.PyramidTiles))
		if err != nil {
			return err
		}
		return r.p.announce(ctx, tx, parse, r.rev)
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// current reads the parse's record in a transaction, and fails when the parse
// has ended or goes on with another revision.
func (r *run) current(ctx context.Context, tx store.Tx) (*rasterbase.Parse, error) {
	parse, err := tx.Parses().Get(ctx, r.parse.ID)
	if err != nil {
		return nil, err
	}
	if parse.Status.Ended() || parse.Revision != r.parse.Revision {
		return nil, errEnded
	}
	return parse, nil
}

// change changes the parse's record. fn sets and does not add, since a
// transaction may be run again.
func (r *run) change(ctx context.Context, fn func(*rasterbase.Parse)) error {
	return r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		fn(parse)
		return tx.Parses().Update(ctx, parse)
	})
}

// logf appends a line to the parse's log.
func (r *run) logf(ctx context.Context, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return r.store().Catalog().Update(ctx, func(tx store.Tx) error { return tx.Parses().Log(ctx, r.parse.ID, text) })
}

// message is an error's text for the person who started the parse.
func message(err error) string { return strings.TrimSpace(err.Error()) }
