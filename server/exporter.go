package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// ExportKind is the kind of jobs that make exports. [Exporter.Handle] runs them.
const ExportKind = "export"

const (
	// progressEvery is how often a running export tells how far it is, and asks
	// whether it is still wanted.
	progressEvery = time.Second
	// finalTime is how long the last note of an export may take that was stopped.
	finalTime = 10 * time.Second
)

// exportArgs are the arguments of a job of kind [ExportKind].
type exportArgs struct {
	Export rasterbase.ExportID `json:"export"`
	URL    string              `json:"url,omitempty"` // for README.txt
}

// exportGroup names the jobs of an export.
func exportGroup(id rasterbase.ExportID) string { return fmt.Sprintf("export:%d", id) }

// errExportGone stops an export that nobody wants any more.
var errExportGone = errors.New("the export was deleted")

// ExportHandler runs jobs of kind [ExportKind] with this server's store and limits.
func (s *Server) ExportHandler() store.Handler {
	return func(ctx context.Context, j *store.Job) error {
		x, err := s.exports()
		if err != nil {
			return err
		}
		return x.Handle(ctx, j)
	}
}

// Handle runs one attempt of a job of kind [ExportKind], as a [store.Handler]. It
// begins anew whatever an attempt before did, writes how far it is once a second, and
// keeps the file in the store's Sources.
func (x *Exporter) Handle(ctx context.Context, j *store.Job) error {
	var args exportArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return &store.Permanent{Err: fmt.Errorf("read the arguments of job %d: %w", j.ID, err)}
	}
	e, err := x.begin(ctx, args.Export)
	if err != nil || e == nil {
		return err
	}
	if err := x.work(ctx, e, args.URL); err != nil {
		return x.stopped(ctx, j, e.ID, err)
	}
	return nil
}

// begin notes that an attempt runs; nil when there is nothing to make.
func (x *Exporter) begin(ctx context.Context, id rasterbase.ExportID) (e *rasterbase.Export, err error) {
	err = x.update(ctx, id, func(tx store.Tx, now *rasterbase.Export) error {
		e = nil
		if exportEnded(now) {
			return nil
		}
		now.Status, now.Error, now.Done, now.Started = rasterbase.Running, "", 0, time.Now()
		e = now
		return tx.Exports().Update(ctx, now)
	})
	if errors.Is(err, errExportGone) {
		return nil, nil
	}
	return e, err
}

// exportEnded tells whether nothing more happens to an export.
func exportEnded(e *rasterbase.Export) bool {
	return e.Status == rasterbase.Finished || e.Status == rasterbase.Failed || e.Status == rasterbase.Cancelled
}

// update changes an export, or fails with errExportGone when there is none.
func (x *Exporter) update(ctx context.Context, id rasterbase.ExportID, change func(store.Tx, *rasterbase.Export) error) error {
	return x.s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		e, err := tx.Exports().Get(ctx, id)
		if errors.Is(err, store.ErrNotExist) {
			return errExportGone
		}
		if err != nil {
			return err
		}
		return change(tx, e)
	})
}

// work makes the file and keeps it.
func (x *Exporter) work(ctx context.Context, e *rasterbase.Export, address string) error {
	q, err := x.requestOf(ctx, e)
	if err != nil {
		return err
	}
	p, err := x.plan(ctx, exportOrder{exportRequest: q, owner: e.Owner, layers: e.Layers, url: address})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	end := x.follow(ctx, e.ID, p.planned, &done, cancel)
	source, size, err := x.makeAndKeep(ctx, p, e.Source, done.Store)
	end() // nobody else writes to the record now
	if err == nil {
		return x.finish(ctx, e.ID, p, size, source)
	}
	if errors.Is(context.Cause(ctx), errExportGone) {
		return errExportGone
	}
	return err
}

// makeAndKeep makes the file and puts it into a source: the one that has the zones of
// counts, or a new one.
func (x *Exporter) makeAndKeep(ctx context.Context, p *exportPlan, into string, progress func(int64)) (source string, size int64, err error) {
	f, err := x.make(ctx, p, 0, progress)
	if err != nil {
		return "", 0, err
	}
	source, err = x.keep(ctx, p.name, f, into)
	if e := f.close(); e != nil {
		x.s.c.Log.WarnContext(ctx, "a temporary folder of an export stays", "error", e)
	}
	return source, f.size, err
}

// follow writes how much is done, once a second if it has changed, until end is
// called. It cancels the work when the export is gone.
func (x *Exporter) follow(ctx context.Context, id rasterbase.ExportID, planned int64, done *atomic.Int64, cancel context.CancelCauseFunc) (end func()) {
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			n := done.Load()
			err := x.update(ctx, id, func(tx store.Tx, e *rasterbase.Export) error {
				if e.Status != rasterbase.Running {
					return errExportGone
				}
				if e.Done == n && e.Planned == planned {
					return nil
				}
				e.Done, e.Planned = n, planned
				return tx.Exports().Update(ctx, e)
			})
			switch {
			case errors.Is(err, errExportGone):
				cancel(errExportGone)
				return
			case err != nil && ctx.Err() == nil: // the next one may go through
				x.s.c.Log.WarnContext(ctx, "the progress of an export could not be written", "export", id, "error", err)
			}
		}
	})
	return sync.OnceFunc(func() { close(stop); running.Wait() })
}

// keep puts the file into a source, or into one of its own where none is given.
func (x *Exporter) keep(ctx context.Context, name string, f *exportFile, into string) (source string, err error) {
	if err := x.s.room(f.size); err != nil {
		return "", err
	}
	sources := x.s.c.Store.Sources()
	if source = into; source == "" {
		if source, err = sources.Create(ctx); err != nil {
			return "", fmt.Errorf("keep an export: %w", err)
		}
	}
	size, err := sources.Put(ctx, source, name, f.read())
	if err == nil && size != f.size {
		err = fmt.Errorf("%d of %d bytes were kept", size, f.size)
	}
	if err != nil {
		if into == "" { // the zones are needed by the next attempt
			x.discard(ctx, source)
		}
		return "", fmt.Errorf("keep an export: %w", err)
	}
	return source, nil
}

// discard deletes a source, whatever has become of the context.
func (x *Exporter) discard(ctx context.Context, source string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer cancel()
	if err := x.s.c.Store.Sources().Delete(ctx, source); err != nil {
		// The collector of garbage takes what nothing refers to.
		x.s.c.Log.WarnContext(ctx, "the file of an export could not be deleted", "source", source, "error", err)
	}
}

// finish notes where the file is. Without a record it is deleted.
func (x *Exporter) finish(ctx context.Context, id rasterbase.ExportID, p *exportPlan, size int64, source string) error {
	err := x.update(ctx, id, func(tx store.Tx, e *rasterbase.Export) error {
		if e.Status != rasterbase.Running {
			return errExportGone
		}
		e.Status, e.Error = rasterbase.Finished, ""
		e.Planned, e.Done = p.planned, p.planned
		e.FileName, e.Size, e.Source = p.name, size, source
		e.Ended = time.Now()
		e.Expires = x.s.exportExpires(e.Ended)
		return tx.Exports().Update(ctx, e)
	})
	if err == nil {
		return nil
	}
	// It may have been written all the same.
	kept := false
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer cancel()
	looked := x.s.view(again, func(tx store.Tx) error {
		e, err := tx.Exports().Get(again, id)
		kept = err == nil && e.Source == source
		return err
	})
	switch {
	case kept:
		return nil
	case looked == nil || errors.Is(looked, store.ErrNotExist):
		x.discard(ctx, source)
	}
	return err
}

func (s *Server) exportExpires(ended time.Time) time.Time {
	return ended.Add(cmp.Or(s.c.ExportExpiry, DefaultExportExpiry))
}

// stopped notes why an attempt ended without a file, and tells the queue.
func (x *Exporter) stopped(ctx context.Context, j *store.Job, id rasterbase.ExportID, err error) error {
	cause := context.Cause(ctx)
	again := errors.Is(err, store.ErrRevisionGone)
	switch code := rasterbase.CodeOf(err); {
	case errors.Is(err, errExportGone):
		return nil
	case errors.Is(cause, store.ErrLeaseLost): // the record is another worker's
		return err
	case errors.Is(cause, store.ErrCancelled):
		return errors.Join(err, x.end(ctx, id, rasterbase.Cancelled, ""))
	case ctx.Err() != nil: // the worker ends, and another one begins anew
		return errors.Join(err, x.end(ctx, id, rasterbase.Queued, ""))
	case !again && code != rasterbase.Internal && code != rasterbase.Busy:
		p := problemOf(err)
		text := p.Detail
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		return &store.Permanent{Err: errors.Join(err, x.end(ctx, id, rasterbase.Failed, text))}
	case j.Attempt < cmp.Or(j.MaxAttempts, 3):
		return errors.Join(err, x.end(ctx, id, rasterbase.Queued, ""))
	}
	p := problemOf(err)
	x.s.c.Log.ErrorContext(ctx, "export failed", "id", p.ID, "export", id, "error", err)
	text := fmt.Sprintf("The file could not be made. The server's log tells why under the id %s.", p.ID)
	if e, ok := asError(err); ok && e.Code == rasterbase.Busy {
		text = p.Detail
	}
	return errors.Join(err, x.end(ctx, id, rasterbase.Failed, text))
}

// end writes the status of an export that makes no file now, whatever has become of
// the context.
func (x *Exporter) end(ctx context.Context, id rasterbase.ExportID, status rasterbase.Status, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer cancel()
	err := x.update(ctx, id, func(tx store.Tx, e *rasterbase.Export) error {
		if exportEnded(e) {
			return nil
		}
		x.s.endExport(e, status, why)
		return tx.Exports().Update(ctx, e)
	})
	if errors.Is(err, errExportGone) {
		return nil
	}
	return err
}

// endExport sets what is told of an export without a file.
func (s *Server) endExport(e *rasterbase.Export, status rasterbase.Status, why string) {
	e.Status, e.Error, e.Done = status, why, 0
	if status == rasterbase.Queued {
		e.Started = time.Time{}
		return
	}
	e.Ended = time.Now()
	e.Expires = s.exportExpires(e.Ended)
}
