package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// The kinds of jobs of this package.
const (
	kindParse        = "parse"
	kindChunk        = "parse chunk"
	kindDrop         = "drop"
	kindDeleteSource = "delete source"
)

type parseArgs struct {
	Layer rasterbase.LayerID `json:"layer"`
	Parse rasterbase.ParseID `json:"parse"`
	Stage int                `json:"stage,omitempty"` // to go on from
	Began time.Time          `json:"began,omitzero"`  // of the stage before
}

type dropArgs struct {
	Layer    rasterbase.LayerID    `json:"layer"`
	Revision rasterbase.RevisionID `json:"revision"`
}

type sourceArgs struct {
	Source string `json:"source"`
}

// dropGrace is how long the tiles of a replaced revision stay, for readers that
// are in the middle of something.
const dropGrace = 5 * time.Second

// Register makes a runner run this parser's jobs.
func (p *Parser) Register(r *jobs.Runner) {
	if p.c.Opener != nil {
		jobs.Handle(r, kindParse, p.runParse)
		jobs.Handle(r, kindChunk, p.runChunk)
	}
	jobs.Handle(r, kindDrop, func(ctx context.Context, a dropArgs, _ *store.Job) error { return p.drop(ctx, a) })
	jobs.Handle(r, kindDeleteSource, func(ctx context.Context, a sourceArgs, _ *store.Job) error {
		return p.c.Store.Sources().Delete(ctx, a.Source)
	})
}

// tidy works off what is due to be dropped or deleted, so that programs which
// only import leave nothing behind that a server would have to take away.
func (p *Parser) tidy(ctx context.Context) {
	runner := jobs.NewRunner(p.c.Store, p.c.Log)
	p.Register(runner)
	if err := runner.RunDue(ctx, kindDrop, kindDeleteSource); err != nil && ctx.Err() == nil {
		p.c.Log.Warn("dropping what was replaced", "error", err)
	}
}

// Plan inspects a source and says what a parse of it would make, without
// storing anything. What an address names is downloaded for that, and deleted.
func (p *Parser) Plan(ctx context.Context, r Request) (*Plan, error) {
	if err := p.checkOpener(); err != nil {
		return nil, err
	}
	if !isAddress(r.Source) {
		return p.planFile(ctx, r.Source, r.Settings)
	}
	src, err := p.fetchSource(ctx, r)
	if err != nil {
		return nil, err
	}
	defer p.deleteSource(ctx, src.ID)
	return p.planSource(ctx, src, r.Settings)
}

func (p *Parser) planFile(ctx context.Context, path string, s rasterbase.Settings) (*Plan, error) {
	if _, err := checkFile(path); err != nil {
		return nil, err
	}
	o := OpenOptions{Subdataset: s.Subdataset, SRID: s.SRID}
	file, err := p.unpack(ctx, path, o)
	if err != nil {
		return nil, err
	}
	defer file.remove()
	o.Subdataset = file.subdataset
	d, err := p.c.Opener.Open(ctx, file.path, o)
	if err != nil {
		return nil, file.clean(err)
	}
	pl, err := p.plan(ctx, d, s)
	return pl, file.clean(errors.Join(err, d.Close()))
}

// Add keeps a copy of the source, saves a new layer for it, and queues its
// parse, all or nothing. A source that cannot be parsed is refused before, or
// deleted again when it had to be downloaded.
func (p *Parser) Add(ctx context.Context, r Request) (Ticket, error) {
	ready, err := p.Prepare(ctx, r)
	if err != nil {
		return Ticket{}, err
	}
	t, err := ready.Save(ctx, p.c.Store.Catalog())
	if err != nil {
		ready.Discard(ctx)
	}
	return t, err
}

// Prepared is a source that was inspected and kept, and has no layer yet.
type Prepared struct {
	p       *Parser
	request Request
	source  rasterbase.Source
}

// Prepare does the part of [Parser.Add] that takes time, and holds no
// transaction: it inspects the source and keeps a copy. Whoever saves a layer in
// a transaction with rows of their own prepares it before, and calls Save or
// Discard then.
func (p *Parser) Prepare(ctx context.Context, r Request) (*Prepared, error) {
	src, err := p.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	src.Origin = cmp.Or(r.Origin, src.Origin)
	return &Prepared{p: p, request: r, source: src}, nil
}

// Discard deletes the copy of a source that no layer was saved for.
func (q *Prepared) Discard(ctx context.Context) { q.p.deleteSource(ctx, q.source.ID) }

// Save saves the layer and queues its parse, in a catalog of the store that the
// parser was made with: the store's own, or that of a host's transaction.
func (q *Prepared) Save(ctx context.Context, c store.Catalog) (Ticket, error) {
	r := q.request
	layer := rasterbase.Layer{
		Name: cmp.Or(r.Name, stem(q.source.Name)), Description: r.Description, Attribution: r.Attribution, License: r.License,
		Source: q.source, Settings: r.Settings, Visibility: q.p.c.Visibility,
	}
	var t Ticket
	err := c.Update(ctx, func(tx store.Tx) (err error) {
		l := layer
		if r.Legend != nil {
			lg := *r.Legend
			if lg.ID == 0 {
				if err := createLegend(ctx, tx, &lg); err != nil {
					return err
				}
			}
			l.Legend = lg.ID
		}
		if err := tx.Layers().Create(ctx, &l); err != nil {
			return err
		}
		t, err = enqueueParse(ctx, tx, l.ID)
		return err
	})
	if err != nil {
		return Ticket{}, fmt.Errorf("save the layer: %w", err)
	}
	return t, nil
}

// Import adds a layer and works on its parse until that has ended; a worker
// that takes it first is waited for. A failed parse is an error, and leaves
// the layer, its source and its log.
func (p *Parser) Import(ctx context.Context, r Request, progress Progress) (*rasterbase.Layer, error) {
	if progress != nil && r.Downloading == nil {
		begun := time.Now()
		r.Downloading = func(int64, int64) {
			progress(rasterbase.Parse{Status: rasterbase.Downloading, Started: begun})
		}
	}
	t, err := p.Add(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx, t, progress)
}

// Run works on a queued parse until it has ended, and returns the layer. When
// ctx ends first, the parse stays in the queue for another worker.
func (p *Parser) Run(ctx context.Context, t Ticket, progress Progress) (*rasterbase.Layer, error) {
	runner := jobs.NewRunner(p.c.Store, p.c.Log)
	p.Register(runner)
	watched := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		p.watch(watching, t.Parse, progress)
	}()
	err := runner.RunGroup(ctx, groupOf(t.Parse), p.overlap(), p.untilOver(t.Parse))
	stop()
	<-watched
	p.closeParse(t.Parse)
	if err == nil {
		err = p.reconcile(ctx, t.Layer)
	}
	if err != nil {
		return nil, err
	}
	p.tidy(ctx)
	var layer *rasterbase.Layer
	var parse *rasterbase.Parse
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		if parse, err = tx.Parses().Get(ctx, t.Parse); err != nil {
			return err
		}
		layer, err = tx.Layers().Get(ctx, t.Layer)
		return err
	})
	if err != nil {
		return nil, err
	}
	if progress != nil {
		progress(*parse)
	}
	switch parse.Status {
	case rasterbase.Finished:
		return layer, nil
	case rasterbase.Cancelled:
		return layer, rasterbase.Errorf(rasterbase.Conflict, "the parse of layer %d was cancelled", t.Layer)
	}
	return layer, rasterbase.Errorf(rasterbase.Invalid, "the parse of layer %d failed: %s", t.Layer, parse.Error)
}

// lookingFor is how long Run goes on when it cannot read how far a parse is.
const lookingFor = 5 * time.Second

// untilOver asks whether a parse is over. It bears with a store that cannot
// tell for a while: its workers do too.
func (p *Parser) untilOver(id rasterbase.ParseID) func(context.Context) (bool, error) {
	var failing time.Time
	return func(ctx context.Context) (bool, error) {
		over, err := p.over(ctx, id)
		switch {
		case err == nil:
			failing = time.Time{}
			return over, nil
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > lookingFor:
			return false, err
		}
		return false, nil
	}
}

// over reports whether a parse has ended, or no job will end it any more.
func (p *Parser) over(ctx context.Context, id rasterbase.ParseID) (over bool, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		parse, err := tx.Parses().Get(ctx, id)
		if errors.Is(err, store.ErrNotExist) || err == nil && parse.Status.Ended() {
			over = true
			return nil
		}
		if err != nil {
			return err
		}
		s, err := jobsOf(ctx, tx, id)
		over = s.active == nil || s.failed
		return err
	})
	return over, err
}

// watch reports a parse five times a second until ctx is done.
func (p *Parser) watch(ctx context.Context, id rasterbase.ParseID, progress Progress) {
	if progress == nil {
		return
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	shown := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var parse *rasterbase.Parse
		err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
			parse, err = tx.Parses().Get(ctx, id)
			return err
		})
		if err == nil {
			// What is made of a chunk that is made again was shown before.
			shown = max(shown, min(parse.Planned, parse.Done+p.unrecorded(id)))
			parse.Done = shown
			progress(*parse)
		}
	}
}

// Reparse queues a new parse of a layer; one that is queued or running already
// is returned instead.
func (p *Parser) Reparse(ctx context.Context, id rasterbase.LayerID) (t Ticket, err error) {
	err = p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		if layer.Source.ID == "" {
			return rasterbase.Errorf(rasterbase.Conflict, "layer %d (%s) has no source file to be parsed from", id, layer.Name).
				WithHint("it was imported without one; import the raster as a new layer")
		}
		if latest, err := tx.Parses().Latest(ctx, id); err == nil && !latest.Status.Ended() {
			s, err := jobsOf(ctx, tx, latest.ID)
			if err != nil {
				return err
			}
			if s.active != nil {
				t = Ticket{Layer: id, Parse: latest.ID, Job: s.active.ID}
				return nil
			}
		}
		t, err = enqueueParse(ctx, tx, id)
		return err
	})
	return t, err
}

// Cancel stops a layer's queued or running parse. It is not an error when
// there is none.
func (p *Parser) Cancel(ctx context.Context, id rasterbase.LayerID) error {
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Layers().Get(ctx, id); err != nil {
			return err
		}
		return cancelParse(ctx, tx, id)
	})
	if err != nil {
		return err
	}
	return p.reconcile(ctx, id) // what an attempt before this one was writing
}

// Delete removes a layer: its parse is cancelled, and its tiles and its source
// are deleted at once, or by a job where that fails. The legend stays.
func (p *Parser) Delete(ctx context.Context, id rasterbase.LayerID) error {
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		if err := cancelParse(ctx, tx, id); err != nil {
			return err
		}
		revisions, err := tx.Revisions().List(ctx, id)
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if err := enqueueDrop(ctx, tx, id, r.ID, 0); err != nil {
				return err
			}
		}
		if err := enqueueSourceDeletion(ctx, tx, layer.Source.ID); err != nil {
			return err
		}
		return tx.Layers().Delete(ctx, id)
	})
	if err != nil {
		return fmt.Errorf("delete layer %d: %w", id, err)
	}
	p.tidy(ctx)
	return nil
}

func enqueueSourceDeletion(ctx context.Context, tx store.Tx, source string) error {
	if source == "" {
		return nil
	}
	job, err := jobs.New(kindDeleteSource, sourceArgs{Source: source})
	if err != nil {
		return err
	}
	job.UniqueKey, job.MaxAttempts = "delete source:"+source, 20
	return tx.Jobs().Enqueue(ctx, job)
}

func (p *Parser) deleteSource(ctx context.Context, id string) {
	if id == "" {
		return
	}
	if err := p.c.Store.Sources().Delete(context.WithoutCancel(ctx), id); err != nil {
		p.c.Log.Warn("deleting a source", "source", id, "error", err)
	}
}

func enqueueParse(ctx context.Context, tx store.Tx, id rasterbase.LayerID) (Ticket, error) {
	parse := &rasterbase.Parse{Layer: id, Status: rasterbase.Queued}
	if err := tx.Parses().Create(ctx, parse); err != nil {
		return Ticket{}, err
	}
	job, err := jobs.New(kindParse, parseArgs{Layer: id, Parse: parse.ID})
	if err != nil {
		return Ticket{}, err
	}
	job.UniqueKey, job.Group, job.MaxAttempts = groupOf(parse.ID), groupOf(parse.ID), jobAttempts
	if err := tx.Jobs().Enqueue(ctx, job); err != nil {
		return Ticket{}, err
	}
	return Ticket{Layer: id, Parse: parse.ID, Job: job.ID}, nil
}

// parseJobs is what is known of the jobs of a parse.
type parseJobs struct {
	active            *store.Job // one that waits or runs
	failed, cancelled bool       // one has
}

func jobsOf(ctx context.Context, tx store.Tx, id rasterbase.ParseID) (s parseJobs, err error) {
	some := func(states ...store.JobState) *store.Job {
		list, e := tx.Jobs().ListGroup(ctx, groupOf(id), states, 1)
		if err == nil {
			err = e
		}
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	s.active = some(store.JobWaiting, store.JobRunning)
	s.failed, s.cancelled = some(store.JobFailed) != nil, some(store.JobCancelled) != nil
	return s, err
}

// cancelParse ends a layer's parse, and stops whoever works on it.
func cancelParse(ctx context.Context, tx store.Tx, id rasterbase.LayerID) error {
	latest, err := tx.Parses().Latest(ctx, id)
	if errors.Is(err, store.ErrNotExist) || err == nil && latest.Status.Ended() {
		return nil
	}
	if err != nil {
		return err
	}
	return endParse(ctx, tx, latest, rasterbase.Cancelled, "", 0)
}

func enqueueDrop(ctx context.Context, tx store.Tx, layer rasterbase.LayerID, rev rasterbase.RevisionID, after time.Duration) error {
	job, err := jobs.New(kindDrop, dropArgs{Layer: layer, Revision: rev})
	if err != nil {
		return err
	}
	job.UniqueKey = fmt.Sprintf("drop:%d", rev)
	job.MaxAttempts = 20
	if after > 0 {
		job.NotBefore = time.Now().Add(after)
	}
	return tx.Jobs().Enqueue(ctx, job)
}

// drop deletes a retired revision's tiles, then its record. It can be repeated.
func (p *Parser) drop(ctx context.Context, a dropArgs) error {
	if err := p.c.Store.Tiles().Drop(ctx, store.RevisionKey{Layer: a.Layer, Revision: a.Revision}); err != nil {
		return fmt.Errorf("drop the tiles of revision %d: %w", a.Revision, err)
	}
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Delete(ctx, a.Revision) })
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("delete revision %d: %w", a.Revision, err)
	}
	return nil
}
