package ingest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// Ended tells of a parse that has ended.
type Ended struct {
	Layer    rasterbase.LayerID    `json:"layer_id"`
	Slug     string                `json:"slug"` // of the layer
	Name     string                `json:"name"` // of the layer
	Parse    rasterbase.ParseID    `json:"parse_id"`
	Revision rasterbase.RevisionID `json:"revision_id,omitempty"` // that is served since; 0 unless finished
	Status   rasterbase.Status     `json:"status"`                // finished, failed or cancelled
	Error    string                `json:"error,omitempty"`       // why it failed
	Tiles    int64                 `json:"tiles"`                 // that are served since, base and pyramid
	Created  time.Time             `json:"created"`
	Started  time.Time             `json:"started,omitzero"` // zero when it was never begun
	Ended    time.Time             `json:"ended"`
}

// announce queues the telling of a parse's end, in the transaction that ends
// it. The revision is the one that was published; nil: none was.
func (p *Parser) announce(ctx context.Context, tx store.Tx, parse *rasterbase.Parse, rev *rasterbase.Revision) error {
	if p.c.Ended == nil {
		return nil
	}
	layer, err := tx.Layers().Get(ctx, parse.Layer)
	if err != nil {
		return err
	}
	e := Ended{
		Layer: layer.ID, Slug: layer.Slug, Name: layer.Name, Parse: parse.ID, Status: parse.Status, Error: parse.Error,
		Created: parse.Created.UTC(), Started: parse.Started.UTC(), Ended: parse.Ended.UTC(),
	}
	if rev != nil {
		e.Revision, e.Tiles = rev.ID, rev.BaseTiles+rev.PyramidTiles
	}
	job, err := jobs.New(kindEnded, e)
	if err != nil {
		return err
	}
	job.UniqueKey, job.MaxAttempts = fmt.Sprintf("ended:%d", parse.ID), 10
	return tx.Jobs().Enqueue(ctx, job)
}

// tellFor is how long a command waits for those that it tells of its parses.
const tellFor = 20 * time.Second

// tell tells of the parses that have ended and that nobody was told of yet, once:
// what fails is left to a server.
func (p *Parser) tell(ctx context.Context) {
	if p.c.Ended == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	ids, err := p.untold(ctx)
	if err != nil || len(ids) == 0 {
		return // a server will see to it
	}
	var mu sync.Mutex
	tried := map[store.JobID]bool{}
	runner := jobs.NewRunner(p.c.Store, p.c.Log)
	jobs.Handle(runner, kindEnded, func(ctx context.Context, e Ended, j *store.Job) error {
		mu.Lock()
		tried[j.ID] = true
		mu.Unlock()
		return p.c.Ended(ctx, e)
	})
	err = runner.RunOnly(ctx, ids, func(ctx context.Context) (bool, error) {
		left, err := p.untold(ctx)
		mu.Lock()
		defer mu.Unlock()
		left = slices.DeleteFunc(left, func(id store.JobID) bool { return tried[id] || !slices.Contains(ids, id) })
		return len(left) == 0, err
	})
	if err != nil {
		p.c.Log.Warn("telling that a parse has ended", "error", err)
	}
}

// untold are the jobs that tell of ended parses and were not tried yet.
func (p *Parser) untold(ctx context.Context) (ids []store.JobID, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		ids = nil
		list, err := tx.Jobs().List(ctx, []store.JobState{store.JobWaiting}, 0)
		for _, j := range list {
			if j.Kind == kindEnded && j.Attempt == 0 {
				ids = append(ids, j.ID)
			}
		}
		return err
	})
	return ids, err
}
