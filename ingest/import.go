package ingest

import (
	"cmp"
	"context"
	"encoding/json"
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
	kindEnded        = "parse ended"
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
	if !p.c.InRequest {
		p.registerParses(r)
	}
	p.registerUpkeep(r)
	if p.c.Ended != nil {
		jobs.Handle(r, kindEnded, func(ctx context.Context, e Ended, _ *store.Job) error { return p.c.Ended(ctx, e) })
	}
}

// registerParses registers what makes tiles. A build that opens no files leaves
// that to others.
func (p *Parser) registerParses(r *jobs.Runner) {
	if p.c.Opener != nil {
		jobs.Handle(r, kindParse, p.runParse)
		jobs.Handle(r, kindChunk, p.runChunk)
	}
}

// registerUpkeep registers what takes away what is not needed any more.
func (p *Parser) registerUpkeep(r *jobs.Runner) {
	jobs.Handle(r, kindDrop, func(ctx context.Context, a dropArgs, _ *store.Job) error { return p.drop(ctx, a) })
	jobs.Handle(r, kindCollect, func(ctx context.Context, _ struct{}, _ *store.Job) error {
		_, err := p.Collect(ctx)
		return err
	})
	jobs.Handle(r, kindDeleteSource, func(ctx context.Context, a sourceArgs, _ *store.Job) error {
		return p.c.Store.Sources().Delete(ctx, a.Source)
	})
}

// tidy works off what is due to be dropped or deleted, so that programs which
// only import leave nothing behind that a server would have to take away.
func (p *Parser) tidy(ctx context.Context) {
	runner := jobs.NewRunner(p.c.Store, p.c.Log)
	p.registerUpkeep(runner)
	if err := runner.RunDue(ctx, kindDrop, kindDeleteSource); err != nil && ctx.Err() == nil {
		p.c.Log.Warn("dropping what was replaced", "error", err)
	}
}

// Plan inspects a source and says what a parse of it would make, without
// storing anything. What an address names is downloaded for that, and deleted.
func (p *Parser) Plan(ctx context.Context, r Request) (*Plan, error) {
	if err := errors.Join(p.checkOpener(), CheckSettings(r.Settings)); err != nil {
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
	return p.planAt(ctx, path, s, false)
}

// planAt plans a file, which is a source that is kept already or one that is to
// be copied.
func (p *Parser) planAt(ctx context.Context, path string, s rasterbase.Settings, kept bool) (*Plan, error) {
	if _, err := checkFile(path); err != nil {
		return nil, err
	}
	o := OpenOptions{Subdataset: s.Subdataset, SRID: s.SRID, Oversized: true}
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
	if err == nil {
		err = p.fitDisk(pl, p.needDisk(pl, d.Info(), bytesOf(path, file)), kept)
	}
	return pl, file.clean(errors.Join(err, d.Close()))
}

// Add keeps a copy of the source, saves a new layer for it, and queues its
// parse, all or nothing. A source that cannot be parsed is refused before, or
// deleted again when it had to be downloaded.
func (p *Parser) Add(ctx context.Context, r Request) (rasterbase.Ticket, error) {
	ready, err := p.Prepare(ctx, r)
	if err != nil {
		return rasterbase.Ticket{}, err
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
// Discard then, within [Config.SourceGrace]: a copy without a layer is deleted
// after that.
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
func (q *Prepared) Save(ctx context.Context, c store.Catalog) (rasterbase.Ticket, error) {
	r := q.request
	layer := rasterbase.Layer{
		Name: cmp.Or(r.Name, rasterbase.Stem(q.source.Name)), Description: r.Description, Attribution: r.Attribution, License: r.License,
		Source: q.source, Settings: r.Settings, Visibility: q.p.c.Visibility,
	}
	var t rasterbase.Ticket
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
		t, err = enqueueParse(ctx, tx, l.ID, "")
		return err
	})
	if err != nil {
		return rasterbase.Ticket{}, fmt.Errorf("save the layer: %w", err)
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

// Cancel stops a layer's queued or running parse. It is not an error when
// there is none.
func (p *Parser) Cancel(ctx context.Context, id rasterbase.LayerID) error {
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Layers().Get(ctx, id); err != nil {
			return err
		}
		return p.cancelParse(ctx, tx, id)
	})
	if err != nil {
		return err
	}
	return p.reconcile(ctx, id) // what an attempt before this one was writing
}

// CancelJob cancels a job. One that belongs to a parse under way would neither
// let it go on nor end it: that parse is cancelled as a whole, in the same
// transaction, so that no parse which begins meanwhile is hit. Nothing happens to
// a job that has ended.
func (p *Parser) CancelJob(ctx context.Context, id store.JobID) error {
	var layer rasterbase.LayerID // whose parse was cancelled
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		layer = 0
		j, err := tx.Jobs().Get(ctx, id)
		if err != nil || j.State.Ended() {
			return err
		}
		parse, err := parseOf(ctx, tx, j)
		if err != nil {
			return err
		}
		if parse == nil {
			return tx.Jobs().Cancel(ctx, id)
		}
		layer = parse.Layer
		return p.endParse(ctx, tx, parse, rasterbase.Cancelled, "", 0)
	})
	if err != nil || layer == 0 {
		return err
	}
	return p.reconcile(ctx, layer)
}

// parseOf is the parse under way that a job belongs to; nil: none.
func parseOf(ctx context.Context, tx store.Tx, j *store.Job) (*rasterbase.Parse, error) {
	if j.Kind != kindParse && j.Kind != kindChunk {
		return nil, nil
	}
	var a struct { // what the arguments of both kinds have
		Parse rasterbase.ParseID `json:"parse"`
	}
	if err := json.Unmarshal(j.Args, &a); err != nil {
		return nil, fmt.Errorf("read the arguments of job %d: %w", j.ID, err)
	}
	parse, err := tx.Parses().Get(ctx, a.Parse)
	if errors.Is(err, store.ErrNotExist) || err == nil && parse.Status.Ended() {
		return nil, nil
	}
	return parse, err
}

// Delete removes a layer: its parse is cancelled, and its tiles and its source
// are deleted at once, or by a job where that fails. The legend stays. The error
// has code conflict, and names some of the layers, when formulas read the layer.
func (p *Parser) Delete(ctx context.Context, id rasterbase.LayerID) error {
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		if err := p.cancelParse(ctx, tx, id); err != nil {
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

// enqueueParse queues a parse of a layer, whose source is fetched first unless
// fetch is empty.
func enqueueParse(ctx context.Context, tx store.Tx, id rasterbase.LayerID, fetch string) (rasterbase.Ticket, error) {
	parse := &rasterbase.Parse{Layer: id, Status: rasterbase.Queued, Fetch: fetch}
	if err := tx.Parses().Create(ctx, parse); err != nil {
		return rasterbase.Ticket{}, err
	}
	job, err := jobs.New(kindParse, parseArgs{Layer: id, Parse: parse.ID})
	if err != nil {
		return rasterbase.Ticket{}, err
	}
	job.UniqueKey, job.Group, job.MaxAttempts = groupOf(parse.ID), groupOf(parse.ID), jobAttempts
	if err := tx.Jobs().Enqueue(ctx, job); err != nil {
		return rasterbase.Ticket{}, err
	}
	return rasterbase.Ticket{Layer: id, Parse: parse.ID}, nil
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
func (p *Parser) cancelParse(ctx context.Context, tx store.Tx, id rasterbase.LayerID) error {
	latest, err := tx.Parses().Latest(ctx, id)
	if errors.Is(err, store.ErrNotExist) || err == nil && latest.Status.Ended() {
		return nil
	}
	if err != nil {
		return err
	}
	return p.endParse(ctx, tx, latest, rasterbase.Cancelled, "", 0)
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
