package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

const (
	kindCollect = "collect"
	// collectEvery is how often the garbage of a store is collected, by whichever
	// of its servers and workers takes the job, and that of a machine by each.
	collectEvery = time.Hour
	// tempGrace is how long a temporary folder that no process has locked must
	// have lain still: on some disks locks are seen by one machine only.
	tempGrace = time.Hour
)

// tempPrefixes begin the names of all temporary folders and files of rasterbase.
var tempPrefixes = []string{
	"rasterbase-source-", // unpacked sources, and copies of those in a database
	"rasterbase-gdal-",   // of GDAL children, tiled copies included
	"rasterbase-tiled-",  // tiled copies that are made without a child
	"rasterbase-piece-",  // pieces of uploads whose checksum is still to be compared
	"rasterbase-table-",  // tables on their way to become a source
	"rasterbase-export-", // files that are made of layers
	"rasterbase-demo-",
}

// Collected says what [Parser.Collect] removed.
type Collected struct {
	Uploads int   // past their time
	Exports int   // past their time
	Sources int   // that nothing refers to, those of uploads and exports included
	Parses  int   // that have ended, with notes of their chunks
	Folders int   // temporary ones of processes that are gone, on this machine
	Bytes   int64 // of sources and folders
}

// Collect deletes what nothing refers to any more, and logs what that was:
//
//   - uploads past their time, with what was sent;
//   - exports past their time, with their files;
//   - sources that no layer, no upload and no export refers to, when they have not changed
//     for [Config.SourceGrace];
//   - notes of chunks of parses that have ended;
//   - temporary folders of processes that are gone, in [Config.WorkDir];
//   - revisions, tiles and records of parses, as [Parser.Reconcile] does.
//
// It can be called at any time, by several processes at once. What could not be
// deleted is an error, and does not keep it from the rest.
func (p *Parser) Collect(ctx context.Context) (Collected, error) {
	var c Collected
	err := errors.Join(p.Reconcile(ctx), p.collectUploads(ctx, &c), p.collectExports(ctx, &c), p.collectSources(ctx, &c), p.collectChunks(ctx, &c), p.collectFolders(&c))
	if c != (Collected{}) {
		p.c.Log.InfoContext(ctx, "deleted what nothing refers to", "uploads", c.Uploads, "exports", c.Exports, "sources", c.Sources,
			"parses", c.Parses, "folders", c.Folders, "bytes", c.Bytes)
	}
	return c, err
}

// collectUploads deletes expired uploads. The transaction that finds one expired
// deletes its record, so that a layer that is made of it at that moment is either
// first, and keeps the file, or finds no upload.
func (p *Parser) collectUploads(ctx context.Context, c *Collected) error {
	var expired []*rasterbase.Upload
	now := time.Now()
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		expired = nil
		all, err := tx.Uploads().List(ctx)
		for _, u := range all {
			if now.After(u.Expires) {
				expired = append(expired, u)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for expired uploads: %w", err)
	}
	var failed []error
	for _, u := range expired {
		source := ""
		err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
			source = ""
			again, err := tx.Uploads().Get(ctx, u.ID)
			if errors.Is(err, store.ErrNotExist) || err == nil && !now.After(again.Expires) {
				return nil
			}
			if err != nil {
				return err
			}
			source = again.Source
			return tx.Uploads().Delete(ctx, u.ID)
		})
		if err == nil && source != "" {
			c.Uploads++
			err = p.collectSource(ctx, source, c)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("delete an expired upload of %s: %w", u.Name, err))
		}
	}
	return errors.Join(failed...)
}

// collectExports deletes exports past their time. One that is not to be deleted
// yet has no time, or a later one.
func (p *Parser) collectExports(ctx context.Context, c *Collected) error {
	now := time.Now()
	over := func(e *rasterbase.Export) bool { return !e.Expires.IsZero() && now.After(e.Expires) }
	var expired []*rasterbase.Export
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		expired = nil
		all, err := tx.Exports().List(ctx, "")
		for _, e := range all {
			if over(e) {
				expired = append(expired, e)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for expired exports: %w", err)
	}
	var failed []error
	for _, e := range expired {
		gone, source := false, ""
		err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
			gone, source = false, ""
			again, err := tx.Exports().Get(ctx, e.ID)
			if errors.Is(err, store.ErrNotExist) || err == nil && !over(again) {
				return nil
			}
			if err != nil {
				return err
			}
			gone, source = true, again.Source
			return tx.Exports().Delete(ctx, e.ID)
		})
		if err == nil && gone {
			c.Exports++
		}
		if err == nil && source != "" {
			err = p.collectSource(ctx, source, c)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("delete the expired export %d: %w", e.ID, err))
		}
	}
	return errors.Join(failed...)
}

// collectSources deletes sources without a layer, an upload or an export. They are listed
// before those in use are: what is listed and not in use was given up, or belongs
// to somebody who is about to save a layer for it and has the grace to do so.
func (p *Parser) collectSources(ctx context.Context, c *Collected) error {
	stored, err := p.c.Store.Sources().List(ctx)
	if err != nil {
		return fmt.Errorf("list the sources: %w", err)
	}
	used, err := p.usedSources(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range stored {
		if used[s.ID] || time.Since(s.Changed) <= p.c.SourceGrace {
			continue
		}
		if err := p.collectSource(ctx, s.ID, c); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (p *Parser) usedSources(ctx context.Context) (used map[string]bool, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		used = map[string]bool{}
		layers, _, err := tx.Layers().Find(ctx, store.LayerFilter{})
		if err != nil {
			return err
		}
		for _, l := range layers {
			used[l.Source.ID] = true
		}
		uploads, err := tx.Uploads().List(ctx)
		if err != nil {
			return err
		}
		for _, u := range uploads {
			used[u.Source] = true
		}
		exports, err := tx.Exports().List(ctx, "")
		for _, e := range exports {
			used[e.Source] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the sources in use: %w", err)
	}
	return used, nil
}

// collectSource deletes a source and counts its bytes.
func (p *Parser) collectSource(ctx context.Context, id string, c *Collected) error {
	sources := p.c.Store.Sources()
	size := int64(0)
	names, err := sources.Files(ctx, id)
	for _, name := range names {
		if f, err := sources.Open(ctx, id, name); err == nil {
			size += f.Size()
			_ = f.Close() // nothing was written
		}
	}
	if errors.Is(err, store.ErrNotExist) {
		return nil // somebody else was first
	}
	if err := sources.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete source %s: %w", id, err)
	}
	c.Sources++
	c.Bytes += size
	return nil
}

// collectChunks forgets the notes of parses that have ended. Those that go on
// are looked at without getting in the way of who writes them.
func (p *Parser) collectChunks(ctx context.Context, c *Collected) error {
	var over []rasterbase.ParseID
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		over = nil
		noted, err := tx.Parses().Chunks().Parses(ctx)
		for _, id := range noted {
			is, e := isOver(ctx, tx, id)
			if err = errors.Join(err, e); is {
				over = append(over, id)
			}
		}
		return err
	})
	for _, id := range over {
		e := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Parses().Chunks().Drop(ctx, id) })
		if err = errors.Join(err, e); e == nil {
			c.Parses++
		}
	}
	if err != nil {
		return fmt.Errorf("forget the chunks of parses that have ended: %w", err)
	}
	return nil
}

// isOver tells whether a parse has ended, or another one of its layer was begun
// after it.
func isOver(ctx context.Context, tx store.Tx, id rasterbase.ParseID) (bool, error) {
	parse, err := tx.Parses().Get(ctx, id)
	if err != nil || parse.Status.Ended() {
		return err == nil, err
	}
	latest, err := tx.Parses().Latest(ctx, parse.Layer)
	return err == nil && latest.ID != id, err
}

// collectFolders removes temporary folders on this machine.
func (p *Parser) collectFolders(c *Collected) error {
	got, err := tempdir.Collect(p.c.WorkDir, tempPrefixes, time.Now().Add(-tempGrace))
	c.Folders += got.Entries
	c.Bytes += got.Bytes
	return err
}

// upkeep is what a server or worker does about garbage.
type upkeep struct{ folders time.Time } // when those of this machine were looked at

// collect queues the collection of the store's garbage once an hour, and collects
// this machine's.
func (p *Parser) collect(ctx context.Context, u *upkeep) error {
	err := p.queueCollection(ctx)
	if time.Since(u.folders) < collectEvery {
		return err
	}
	u.folders = time.Now()
	var c Collected
	err = errors.Join(err, p.collectFolders(&c))
	if c.Folders > 0 {
		p.c.Log.InfoContext(ctx, "deleted temporary folders of processes that are gone", "folders", c.Folders, "bytes", c.Bytes)
	}
	return err
}

// queueCollection queues the job unless one was queued within the hour. It is in
// one transaction, so that several servers make one job together.
func (p *Parser) queueCollection(ctx context.Context) error {
	due := func(tx store.Tx) (bool, error) {
		last, err := tx.Jobs().ListGroup(ctx, kindCollect, nil, 1)
		return err == nil && (len(last) == 0 || time.Since(last[0].Created) >= collectEvery), err
	}
	want := false
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		want, err = due(tx)
		return err
	})
	if err != nil || !want {
		return err
	}
	return p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		if still, err := due(tx); err != nil || !still {
			return err
		}
		job, err := jobs.New(kindCollect, struct{}{})
		if err != nil {
			return err
		}
		job.UniqueKey, job.Group = kindCollect, kindCollect
		return tx.Jobs().Enqueue(ctx, job)
	})
}

// dropRetired drops the revisions of a layer that were replaced and wait for
// their grace to end, before another one is written: however fast a layer is
// parsed again and again, there are two revisions of it at most.
func (p *Parser) dropRetired(ctx context.Context, layer rasterbase.LayerID) error {
	var list []*rasterbase.Revision
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		list, err = tx.Revisions().List(ctx, layer)
		return err
	})
	if err != nil {
		return fmt.Errorf("list the revisions of layer %d: %w", layer, err)
	}
	for _, rev := range list {
		if rev.State != rasterbase.Retired {
			continue
		}
		if err := p.drop(ctx, dropArgs{Layer: layer, Revision: rev.ID}); err != nil {
			return err
		}
	}
	return nil
}
