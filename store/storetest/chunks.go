package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// listed gives the numbers of a stage's chunks that are done.
func listed(t *testing.T, s store.Store, id rasterbase.ParseID, stage int) (numbers []int, data [][]byte) {
	t.Helper()
	view(t, s, func(tx store.Tx) error {
		numbers, data = nil, nil
		for c, err := range tx.Parses().Chunks().List(t.Context(), id, stage) {
			if err != nil {
				return err
			}
			wantEqual(t, "the stage of a chunk", c.Stage, stage)
			numbers, data = append(numbers, c.Number), append(data, c.Data)
		}
		n, err := tx.Parses().Chunks().Count(t.Context(), id, stage)
		wantEqual(t, "the number of chunks", n, len(numbers))
		return err
	})
	return numbers, data
}

func parseChunks(t *testing.T, s store.Store) {
	ctx, l := t.Context(), addLayer(t, s, "x")
	p, other := &rasterbase.Parse{Layer: l.ID}, &rasterbase.Parse{Layer: l.ID}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Parses().Create(ctx, p), tx.Parses().Create(ctx, other))
	})
	put := func(id rasterbase.ParseID, c store.Chunk) (added bool) {
		update(t, s, func(tx store.Tx) (err error) { added, err = tx.Parses().Chunks().Put(ctx, id, c); return err })
		return added
	}
	var want []int
	for n := range 150 { // more than are read at a time
		if number := n * 37 % 150; !put(p.ID, store.Chunk{Number: number, Data: []byte{byte(number), 0, 255}}) {
			t.Errorf("chunk %d was there before it was put", number)
		}
		want = append(want, n)
	}
	put(p.ID, store.Chunk{Stage: 3, Number: 7})
	put(other.ID, store.Chunk{Number: 1, Data: []byte("of another parse")})
	if put(p.ID, store.Chunk{Number: 5, Data: []byte("again")}) {
		t.Error("a chunk is done for a second time")
	}
	numbers, data := listed(t, s, p.ID, 0)
	if !slices.Equal(numbers, want) || !bytes.Equal(data[5], []byte{5, 0, 255}) {
		t.Errorf("the chunks are %v, the fifth has %v", numbers, data[5])
	}
	if numbers, data = listed(t, s, p.ID, 3); !slices.Equal(numbers, []int{7}) || len(data[0]) != 0 {
		t.Errorf("the chunks of another stage are %v with %v", numbers, data)
	}
	view(t, s, func(tx store.Tx) error {
		for n, want := range map[int]bool{7: true, 8: false} {
			if has, err := tx.Parses().Chunks().Has(ctx, p.ID, 3, n); has != want || err != nil {
				t.Errorf("chunk %d: %v, %v", n, has, err)
			}
		}
		return nil
	})
	noted := func(want ...rasterbase.ParseID) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			got, err := tx.Parses().Chunks().Parses(ctx)
			if !slices.Equal(got, want) {
				t.Errorf("parses %v have chunks, want %v", got, want)
			}
			return err
		})
	}
	noted(p.ID, other.ID)
	for range 2 {
		update(t, s, func(tx store.Tx) error { return tx.Parses().Chunks().Drop(ctx, p.ID) })
	}
	noted(other.ID)
	if numbers, _ = listed(t, s, p.ID, 0); len(numbers) > 0 {
		t.Errorf("chunks %v were not forgotten", numbers)
	}
	if numbers, _ = listed(t, s, other.ID, 0); !slices.Equal(numbers, []int{1}) {
		t.Errorf("the chunks of the other parse are %v", numbers)
	}
	update(t, s, func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) })
	for _, fn := range []func(store.Chunks) error{
		func(c store.Chunks) error { _, err := c.Has(ctx, other.ID, 0, 1); return err },
		func(c store.Chunks) error { _, err := c.Count(ctx, other.ID, 0); return err },
		func(c store.Chunks) error { _, err := c.Put(ctx, other.ID, store.Chunk{}); return err },
		func(c store.Chunks) error {
			for _, err := range c.List(ctx, other.ID, 0) {
				return err
			}
			return nil
		},
	} {
		wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return fn(tx.Parses().Chunks()) }))
	}
}

// queueGroup: a worker of a group leaves other jobs alone, also those that are
// added to the group meanwhile are its own.
func queueGroup(t *testing.T, s store.Store) {
	alone := enqueue(t, s, store.Job{Kind: "k"})
	other := enqueue(t, s, store.Job{Kind: "k", Group: "b"})
	first := enqueue(t, s, store.Job{Kind: "k", Group: "a"})
	wantEqual(t, "the group", getJob(t, s, first).Group, "a")
	ran := make(chan store.JobID, 10)
	o := handle(func(_ context.Context, j *store.Job) error { ran <- j.ID; return nil })
	o.Group = "a"
	work(t, s, o)
	wantEqual(t, "the job that ran", receive(t, "a job", ran), first)
	second := enqueue(t, s, store.Job{Kind: "k", Group: "a"})
	wantEqual(t, "the job that ran", receive(t, "a job", ran), second)
	waitState(t, s, second, store.JobDone)
	for _, id := range []store.JobID{alone, other} {
		wantEqual(t, "the state of a job of no or another group", getJob(t, s, id).State, store.JobWaiting)
	}
	view(t, s, func(tx store.Tx) error {
		all, err := tx.Jobs().ListGroup(t.Context(), "a", nil, 0)
		if len(all) != 2 || all[0].ID != second || all[1].ID != first {
			t.Errorf("the jobs of the group are %+v", all)
		}
		waiting, err2 := tx.Jobs().ListGroup(t.Context(), "b", []store.JobState{store.JobWaiting}, 1)
		none, err3 := tx.Jobs().ListGroup(t.Context(), "", nil, 0)
		if len(waiting) != 1 || waiting[0].ID != other || len(none) > 0 {
			t.Errorf("of the other group %+v, of none %+v", waiting, none)
		}
		return errors.Join(err, err2, err3)
	})
}

func queueCancelGroup(t *testing.T, s store.Store) {
	running, mine := enqueue(t, s, store.Job{Kind: "k", Group: "a"}), enqueue(t, s, store.Job{Kind: "k", Group: "a"})
	started, end := make(chan store.JobID, 2), make(chan struct{})
	o := store.WorkOptions{Concurrency: 2, Group: "a", Handlers: map[string]store.Handler{"k": func(ctx context.Context, j *store.Job) error {
		started <- j.ID
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		}
	}}}
	work(t, s, o)
	receive(t, "the start", started)
	receive(t, "the start", started)
	waiting, other := enqueue(t, s, store.Job{Kind: "k", Group: "a"}), enqueue(t, s, store.Job{Kind: "k", Group: "b"})
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Jobs().CancelGroup(t.Context(), "a", mine), tx.Jobs().CancelGroup(t.Context(), "", 0))
	})
	if j := getJob(t, s, waiting); j.State != store.JobCancelled || j.Ended.IsZero() {
		t.Errorf("the job that waited is %+v", j)
	}
	waitState(t, s, running, store.JobCancelled)
	wantEqual(t, "the exception", getJob(t, s, mine).State, store.JobRunning)
	close(end)
	waitState(t, s, mine, store.JobDone)
	wantEqual(t, "the job of another group", getJob(t, s, other).State, store.JobWaiting)
}
