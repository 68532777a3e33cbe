package ingest_test

import (
	"errors"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// A job takes the parse that it belongs to with it, and no other one.
func TestCancelJob(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
		l := &rasterbase.Layer{Name: "Mine"}
		first, err := p.Create(t.Context(), l, rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := p.Change(t.Context(), l.ID, nil, func(l *rasterbase.Layer) error {
			l.Settings.NoPyramid = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		other := &store.Job{Kind: "other"}
		old := &store.Job{Kind: "parse", Args: jobOf(t, st, first).Args} // left by something that failed
		update(t, st, func(tx store.Tx) error {
			return errors.Join(tx.Jobs().Enqueue(t.Context(), other), tx.Jobs().Enqueue(t.Context(), old))
		})
		want := func(job store.JobID, state store.JobState, parse rasterbase.Status) {
			t.Helper()
			if err := p.CancelJob(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
				j, err := tx.Jobs().Get(t.Context(), job)
				if err != nil {
					return err
				}
				latest, err := tx.Parses().Latest(t.Context(), l.ID)
				if err == nil && (j.State != state || latest.ID != second.Parse || latest.Status != parse) {
					t.Errorf("job %d is %s, want %s; parse %d is %s, want %s", job, j.State, state, latest.ID, latest.Status, parse)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		want(jobOf(t, st, first).ID, store.JobCancelled, rasterbase.Queued) // it has ended
		want(old.ID, store.JobCancelled, rasterbase.Queued)
		want(other.ID, store.JobCancelled, rasterbase.Queued)
		want(jobOf(t, st, second).ID, store.JobCancelled, rasterbase.Cancelled)
		want(jobOf(t, st, second).ID, store.JobCancelled, rasterbase.Cancelled)
		if err := p.CancelJob(t.Context(), 999); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("a job that is not there: %v", err)
		}
	})
}
