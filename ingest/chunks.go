package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// chunkLanes is how many jobs of a stage there are at a time. A chunk that is
// done is followed by the one so many numbers later: so a large parse does not
// fill the queue, and others take their turn between its chunks.
const chunkLanes = 32

// smallParse is the most tiles of a parse that is a single job.
const smallParse = 2 * store.PageSize * store.PageSize

type chunkArgs struct {
	Layer    rasterbase.LayerID    `json:"layer"`
	Parse    rasterbase.ParseID    `json:"parse"`
	Revision rasterbase.RevisionID `json:"revision"`
	Stage    int                   `json:"stage"`
	Chunk    int                   `json:"chunk"`
	Began    time.Time             `json:"began"` // of the stage
}

// errEnded is the error of working on a parse that was cancelled, or has
// failed, meanwhile.
var errEnded = errors.New("the parse has ended")

// runChunk is one attempt of the job of a chunk.
func (p *Parser) runChunk(ctx context.Context, a chunkArgs, j *store.Job) error {
	r, err := p.load(ctx, a.Layer, a.Parse)
	if r == nil || err != nil {
		return err
	}
	if r.rev == nil || r.rev.ID != a.Revision {
		return nil // that revision was given up
	}
	r.began = a.Began
	if err = r.oneChunk(ctx, a, j); err == nil {
		return nil
	}
	return r.failed(ctx, err, j, true)
}

func (r *run) oneChunk(ctx context.Context, a chunkArgs, j *store.Job) (err error) {
	done := false
	err = r.store().Catalog().View(ctx, func(tx store.Tx) (err error) {
		done, err = tx.Parses().Chunks().Has(ctx, r.parse.ID, a.Stage, a.Chunk)
		return err
	})
	if err != nil || done {
		return err
	}
	if err := r.goOn(ctx); err != nil {
		return err
	}
	defer func() { r.close(ctx, err != nil) }()
	if a.Stage >= len(r.src.stages) || a.Chunk >= r.src.stages[a.Stage].size() {
		return rasterbase.Errorf(rasterbase.Conflict, "chunk %d of stage %d does not exist in the plan", a.Chunk, a.Stage)
	}
	r.lanes = true
	if j.Attempt > 1 {
		if err := r.logf(ctx, "attempt %d of %s", j.Attempt, r.src.stages[a.Stage].name(a.Chunk)); err != nil {
			return err
		}
	}
	return r.do(ctx, r.src.stages[a.Stage], a.Chunk, j.Attempt)
}

// do makes a chunk and says so.
func (r *run) do(ctx context.Context, s *stage, n, attempt int) error {
	log := r.p.c.Log.With("parse", r.parse.ID, "stage", s.number, "chunk", n, "attempt", attempt)
	log.DebugContext(ctx, "chunk begun")
	start := time.Now()
	res, err := r.chunk(ctx, s, n)
	if err != nil {
		log.DebugContext(ctx, "chunk not done", "error", err)
		return err
	}
	log.DebugContext(ctx, "chunk done", "tiles", res.tiles, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// runStage makes the chunks of a stage that are not done, in this job.
func (r *run) runStage(ctx context.Context, s *stage, attempt int) error {
	done, err := r.chunksDone(ctx, s)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.p.overlap())
	for n := range s.size() {
		if !done[n] && ctx.Err() == nil {
			g.Go(func() error { return r.do(ctx, s, n, attempt) })
		}
	}
	return g.Wait()
}

func (r *run) chunksDone(ctx context.Context, s *stage) (done map[int]bool, err error) {
	err = r.store().Catalog().View(ctx, func(tx store.Tx) (err error) {
		done, err = chunksIn(ctx, tx, r.parse.ID, s)
		return err
	})
	return done, err
}

func chunksIn(ctx context.Context, tx store.Tx, id rasterbase.ParseID, s *stage) (map[int]bool, error) {
	done := map[int]bool{}
	for c, err := range tx.Parses().Chunks().List(ctx, id, s.number) {
		if err != nil {
			return nil, fmt.Errorf("read which chunks are done: %w", err)
		}
		done[c.Number] = true
	}
	return done, nil
}

// record notes in one transaction that a chunk is done, and what it found. Its
// tiles survive what the catalog survives, or it would have to be made again.
func (r *run) record(ctx context.Context, s *stage, n int, res chunkResult) error {
	if err := r.store().Tiles().Sync(ctx, r.revisionKey()); err != nil {
		return fmt.Errorf("make the tiles durable: %w", err)
	}
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		added, err := tx.Parses().Chunks().Put(ctx, parse.ID, store.Chunk{Stage: s.number, Number: n, Data: res.data})
		if err != nil || !added {
			return err
		}
		if err := putPages(ctx, tx, r.rev.ID, res.pages); err != nil {
			return err
		}
		parse.Done += res.tiles
		if err := tx.Parses().Update(ctx, parse); err != nil || !r.lanes {
			return err
		}
		return r.follow(ctx, tx, s, n)
	})
	if err != nil {
		return fmt.Errorf("record a chunk: %w", err)
	}
	return nil
}

// follow queues what comes after a chunk: the next one of its lane or, after
// the last one of the stage, the next stage.
func (r *run) follow(ctx context.Context, tx store.Tx, s *stage, n int) error {
	for next := n + chunkLanes; next < s.size(); next += chunkLanes {
		done, err := tx.Parses().Chunks().Has(ctx, r.parse.ID, s.number, next)
		if err != nil {
			return err
		}
		if !done {
			return r.enqueueChunk(ctx, tx, s, next)
		}
	}
	count, err := tx.Parses().Chunks().Count(ctx, r.parse.ID, s.number)
	if err != nil || count < s.size() {
		return err
	}
	return r.enqueueStage(ctx, tx, s.number+1)
}

// startStage queues the chunks of a stage, or the next stage when all of them
// are done.
func (r *run) startStage(ctx context.Context, s *stage) error {
	return r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := r.current(ctx, tx); err != nil {
			return err
		}
		done, err := chunksIn(ctx, tx, r.parse.ID, s)
		if err != nil {
			return err
		}
		if len(done) == s.size() {
			return r.enqueueStage(ctx, tx, s.number+1)
		}
		for lane := range min(chunkLanes, s.size()) {
			for n := lane; n < s.size(); n += chunkLanes {
				if !done[n] {
					if err := r.enqueueChunk(ctx, tx, s, n); err != nil {
						return err
					}
					break
				}
			}
		}
		return nil
	})
}

// jobAttempts is how often a job of a parse is tried when its workers die.
// What fails is tried less often.
const (
	jobAttempts  = 10
	failAttempts = 3
)

func (r *run) enqueueChunk(ctx context.Context, tx store.Tx, s *stage, n int) error {
	job, err := jobs.New(kindChunk, chunkArgs{Layer: r.layer.ID, Parse: r.parse.ID, Revision: r.rev.ID,
		Stage: s.number, Chunk: n, Began: r.began})
	if err != nil {
		return err
	}
	job.Group, job.MaxAttempts = groupOf(r.parse.ID), jobAttempts
	job.UniqueKey = fmt.Sprintf("chunk:%d:%d:%d", r.rev.ID, s.number, n)
	return tx.Jobs().Enqueue(ctx, job)
}

func (r *run) enqueueStage(ctx context.Context, tx store.Tx, number int) error {
	job, err := jobs.New(kindParse, parseArgs{Layer: r.layer.ID, Parse: r.parse.ID, Stage: number, Began: r.began})
	if err != nil {
		return err
	}
	job.Group, job.MaxAttempts = groupOf(r.parse.ID), jobAttempts
	job.UniqueKey = fmt.Sprintf("stage:%d:%d", r.rev.ID, number)
	return tx.Jobs().Enqueue(ctx, job)
}

// groupOf names the jobs of a parse.
func groupOf(id rasterbase.ParseID) string { return fmt.Sprintf("parse:%d", id) }
