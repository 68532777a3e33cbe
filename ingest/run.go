package ingest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// run is one attempt of one parse, from the source to the published revision.
// Read parse from top to bottom: it is the whole way.
type run struct {
	p        *Parser
	layer    *rasterbase.Layer
	progress *tracker
	file     rasterFile
	source   Dataset
	plan     *Plan
	rev      *rasterbase.Revision

	baseSets []*tileSet // the base tiles that are stored, by band set
}

func (r *run) store() store.Store { return r.p.c.Store }

func (r *run) parse(ctx context.Context) (err error) {
	if err := r.progress.change(ctx, func(p *rasterbase.Parse) {
		p.Status, p.Started, p.Error = rasterbase.Inspecting, time.Now(), ""
	}); err != nil {
		return err
	}
	r.abandon(ctx) // what an earlier attempt was writing, also if this one gets no further
	closeSource, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer closeSource()
	defer func() {
		if err != nil {
			r.abandon(ctx)
		}
	}()
	if err := r.begin(ctx); err != nil {
		return err
	}
	stop := r.progress.watch(ctx)
	defer stop()

	if err := r.stage(ctx, rasterbase.Tiling, r.base); err != nil {
		return err
	}
	if r.plan.HasPyramid {
		if err := r.stage(ctx, rasterbase.Pyramiding, r.pyramid); err != nil {
			return err
		}
	}
	stop()
	if err := r.progress.enter(ctx, rasterbase.Publishing); err != nil {
		return err
	}
	if err := r.store().Tiles().Seal(ctx, r.revisionKey()); err != nil {
		return fmt.Errorf("make the tiles durable: %w", err)
	}
	return r.publish(ctx)
}

// open makes the source readable and inspects it.
func (r *run) open(ctx context.Context) (closeSource func(), err error) {
	dir, release, err := r.store().Sources().Local(ctx, r.layer.Source.ID)
	if err != nil {
		return nil, fmt.Errorf("read the source of layer %d: %w", r.layer.ID, err)
	}
	o := OpenOptions{Subdataset: r.layer.Settings.Subdataset, SRID: r.layer.Settings.SRID, Parallel: r.p.c.Workers}
	file, err := r.p.unpack(ctx, filepath.Join(dir, r.layer.Source.Name), o)
	if err != nil {
		release()
		return nil, err
	}
	o.Subdataset = file.subdataset
	r.file = file
	r.source, err = r.p.c.Opener.Open(ctx, file.path, o)
	if err != nil {
		file.remove()
		release()
		return nil, err
	}
	closeSource = func() {
		if err := r.source.Close(); err != nil {
			r.p.c.Log.Warn("closing the source", "layer", r.layer.ID, "error", err)
		}
		file.remove()
		release()
	}
	if r.plan, err = r.p.plan(ctx, r.source, r.layer.Settings); err != nil {
		closeSource()
		return nil, err
	}
	return closeSource, nil
}

// begin makes the revision that this parse writes, in one transaction with the
// record that names it: a revision that no record names belongs to nobody.
func (r *run) begin(ctx context.Context) error {
	pl := r.plan
	rev := pl.revision(r.layer)
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) (err error) {
		if pl.CRS.SRID == 0 {
			if rev.CRS.SRID, err = tx.Revisions().CustomSRID(ctx, pl.CRS); err != nil {
				return err
			}
		}
		if err := tx.Revisions().Create(ctx, rev); err != nil {
			return err
		}
		r.rev = rev
		planned := pl.BaseTiles + int64(len(r.setGroups(nodeBytes)))*pl.PyramidTiles
		return r.progress.changeIn(ctx, tx, func(p *rasterbase.Parse) { p.Revision, p.Planned = rev.ID, planned })
	})
	if err != nil {
		return fmt.Errorf("begin a revision: %w", err)
	}
	if err := r.logPlan(ctx); err != nil {
		return err
	}
	if err := r.store().Tiles().Create(ctx, rev); err != nil {
		return fmt.Errorf("make a place for the tiles: %w", err)
	}
	return nil
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
		if err := r.progress.logf(ctx, "%s", l); err != nil {
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

// stage runs a part of the parse under its status and logs how long it took.
func (r *run) stage(ctx context.Context, s rasterbase.Status, fn func(context.Context) error) error {
	if err := r.progress.enter(ctx, s); err != nil {
		return err
	}
	start, before, known := time.Now(), r.progress.done.Load(), r.plan.Datatype != ""
	if err := fn(ctx); err != nil {
		return err
	}
	if !known {
		if err := r.progress.logf(ctx, "datatype %s: %s", r.rev.Datatype, r.rev.DatatypeReason); err != nil {
			return err
		}
	}
	return r.progress.logf(ctx, "%s: %d tiles in %s", s, r.progress.done.Load()-before, time.Since(start).Round(time.Millisecond))
}

func (r *run) revisionKey() store.RevisionKey {
	return store.RevisionKey{Layer: r.rev.Layer, Revision: r.rev.ID}
}

// publish makes the revision the one that readers see, in one transaction with
// all that follows from it.
func (r *run) publish(ctx context.Context) error {
	legend := r.fileLegend()
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
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
		if legend != nil {
			if err := r.attachLegend(ctx, tx, legend); err != nil {
				return err
			}
		}
		// The record and the log end here too, so that nothing is left which
		// could fail after the publishing.
		if err := r.progress.changeIn(ctx, tx, func(p *rasterbase.Parse) {
			p.Status, p.Ended = rasterbase.Finished, time.Now()
		}); err != nil {
			return err
		}
		return tx.Parses().Log(ctx, r.progress.parse.ID, fmt.Sprintf("finished: %d base tiles, %d pyramid tiles are served",
			r.rev.BaseTiles, r.rev.PyramidTiles))
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// abandon gives up the revision that this parse, or an earlier attempt of it,
// was writing: nothing of it stays behind. It works also when ctx is done.
func (r *run) abandon(ctx context.Context) {
	id := r.progress.parse.Revision
	if id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	given, err := r.retire(ctx, id)
	if err != nil && r.rev != nil && r.rev.ID == id {
		// The disk may be full. Nobody but this run could publish its revision,
		// so that its tiles can make room before the catalog knows.
		if r.store().Tiles().Drop(ctx, r.revisionKey()) == nil {
			given, err = r.retire(ctx, id)
		}
	}
	if err == nil && given {
		err = r.p.drop(ctx, dropArgs{Layer: r.layer.ID, Revision: id})
	}
	if err != nil {
		r.p.c.Log.Warn("giving up an unfinished revision", "layer", r.layer.ID, "revision", id, "error", err)
	}
}

// retire takes a revision out of the hands of whoever builds it, and queues
// the dropping of its tiles. It is false when the revision is not being built.
func (r *run) retire(ctx context.Context, id rasterbase.RevisionID) (given bool, err error) {
	err = r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		given = false
		rev, err := tx.Revisions().Get(ctx, id)
		if errors.Is(err, store.ErrNotExist) {
			return nil
		}
		if err != nil || rev.State != rasterbase.Building {
			return err
		}
		given = true
		if err := tx.Revisions().Retire(ctx, id); err != nil {
			return err
		}
		return enqueueDrop(ctx, tx, r.layer.ID, id, 0)
	})
	return given, err
}

// message is an error's text for the person who started the parse.
func message(err error) string { return strings.TrimSpace(err.Error()) }
