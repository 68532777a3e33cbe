package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store/move"
)

type moveCmd struct {
	From string `required:"" help:"The store to read: a folder, or postgres://…" placeholder:"URL"`
	To   string `required:"" help:"The store to fill: a folder, or postgres://…" placeholder:"URL"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "move --help".
func (*moveCmd) Help() string {
	return `Copies all layers with their tiles, source files and logs, and all legends, from one store to another, and compares every tile afterwards. Ids stay as they are. The store that is read is not changed and may be served meanwhile; no server may run on the one that is filled. A move that was interrupted goes on when the same command is run again.

A store is a folder, as --data names it (DIR or sqlite:DIR), or a PostgreSQL database (postgres://user@host/database, with ?schema=NAME when it is not the default one) in which "rasterbase migrate" has made the tables.

Examples:

  rasterbase move --from ./rasterbase-data --to postgres://me@localhost/gis
  rasterbase move --from postgres://me@localhost/gis?schema=rasters --to sqlite:/srv/rasters`
}

// movedDoc is what --json prints.
type movedDoc struct {
	From         string   `json:"from"`
	To           string   `json:"to"`
	Layers       int      `json:"layers"`
	Formulas     int      `json:"formulas"`      // of the layers: those made of others
	Unpublished  int      `json:"unpublished"`   // of the layers: others without tiles
	AlreadyThere int      `json:"already_there"` // of the layers: moved by an earlier run
	Legends      int      `json:"legends"`
	Semantics    int      `json:"semantics"`
	Colormaps    int      `json:"colormaps"`
	Users        int      `json:"users"`
	Tokens       int      `json:"tokens"`
	Parses       int      `json:"parses"`
	Files        int      `json:"files"`
	FileBytes    int64    `json:"file_bytes"`
	SummaryPages int64    `json:"summary_pages"`
	Tiles        int64    `json:"tiles"`
	TileBytes    int64    `json:"tile_bytes"` // of the pixels, uncompressed
	Seconds      float64  `json:"seconds"`
	Warnings     []string `json:"warnings"`
}

// Run moves one store into another.
func (c *moveCmd) Run(ctx context.Context, a *app) (err error) {
	conf, err := a.config()
	if err != nil {
		return err
	}
	if err := c.check(conf.Schema); err != nil {
		return err
	}
	from, err := openURL(ctx, a, c.From)
	if err != nil {
		return err
	}
	defer closeInto(&err, from)
	to, err := openURL(ctx, a, c.To)
	if err != nil {
		return err
	}
	defer closeInto(&err, to)
	p := &moveProgress{progress: progress{w: a.stderr, bar: isTerminal(a.stderr)}}
	report, err := move.Run(ctx, from, to, move.Options{Progress: p.show})
	p.end()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the same command goes on where it stopped")
	}
	if err != nil {
		return err
	}
	return c.print(a, report)
}

// check refuses addresses that cannot be meant.
func (c *moveCmd) check(schema string) error {
	for _, name := range []string{c.From, c.To} {
		if err := checkStoreURL(name); err != nil {
			return err
		}
	}
	if sameStore(c.From, c.To, schema) {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "--from and --to are the same store, %s", masked(c.To)).WithField("to")}
	}
	// A store that is made would be an empty one, and the name a mistake.
	dir, isFolder := storeFolder(c.From)
	if isFolder && !hasStore(dir) {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no store in %s", dir).
			WithHint("--from names the folder that RASTER_DATA or --data named when the layers were imported").WithField("from")
	}
	return nil
}

// redrawPause is how long a bar stays as it is.
const redrawPause = 100 * time.Millisecond

// moveProgress shows how far a move is: a bar on a terminal; otherwise a line
// for each layer, and every ten seconds.
type moveProgress struct {
	progress
	last move.Progress
}

func (p *moveProgress) show(m move.Progress) {
	now := time.Now()
	if p.now != nil {
		now = p.now()
	}
	next := m.Number != p.last.Number
	name := fmt.Sprintf("layer %d of %d, %s", m.Number, m.Of, m.Layer.Name)
	switch since := now.Sub(p.told); {
	case p.bar && !next && m.Stage == p.last.Stage && since < redrawPause, !p.bar && !next && since < progressPause:
		return
	case p.bar:
		s := rasterbase.Parse{Status: rasterbase.Status(m.Stage), Started: m.Started, Planned: m.Planned, Done: m.Done}
		if m.Stage == move.Files {
			s.Planned, s.Done = 0, 0 // they are bytes, and shown as tiles
		}
		p.name = name
		p.progress.show(s)
	case next:
		fmt.Fprintln(p.w, visible(name))
	case m.Stage == move.Files:
		fmt.Fprintf(p.w, "%s: %s (%s of %s)\n", visible(name), m.Stage, humanBytes(m.Done), humanBytes(m.Planned))
	default:
		fmt.Fprintf(p.w, "%s: %s (%d of %d)\n", visible(name), m.Stage, m.Done, m.Planned)
	}
	p.last, p.told = m, now
}

func (c *moveCmd) print(a *app, r *move.Report) error {
	for _, w := range r.Warnings {
		fmt.Fprintf(a.stderr, "rasterbase: warning: %s\n", harmless(w))
	}
	if c.JSON {
		return a.printJSON(movedDoc{
			From: masked(c.From), To: masked(c.To), Layers: r.Layers, Formulas: r.Formulas, Unpublished: r.Unpublished, AlreadyThere: r.AlreadyThere,
			Legends: r.Legends, Semantics: r.Semantics, Colormaps: r.Colormaps, Users: r.Users, Tokens: r.Tokens, Parses: r.Parses, Files: r.Files, FileBytes: r.FileBytes, SummaryPages: r.SummaryPages,
			Tiles: r.Tiles, TileBytes: r.TileBytes, Seconds: r.Took.Seconds(), Warnings: append([]string{}, r.Warnings...),
		})
	}
	fmt.Fprintf(a.stdout, "%d %s", r.Layers, plural(r.Layers, "layer"))
	if r.Formulas > 0 {
		fmt.Fprintf(a.stdout, " (%d made of others)", r.Formulas)
	}
	if r.Unpublished > 0 {
		fmt.Fprintf(a.stdout, " (%d without tiles)", r.Unpublished)
	}
	fmt.Fprintf(a.stdout, ", %d %s, %d source %s (%s), %d %s (%s of pixels) in %s\n",
		r.Legends, plural(r.Legends, "legend"), r.Files, plural(r.Files, "file"), humanBytes(r.FileBytes),
		r.Tiles, plural(int(r.Tiles), "tile"), humanBytes(r.TileBytes), r.Took.Round(10*time.Millisecond))
	if r.Users > 0 {
		fmt.Fprintf(a.stdout, "%d %s with %d %s\n", r.Users, plural(r.Users, "user"), r.Tokens, plural(r.Tokens, "token"))
	}
	if r.AlreadyThere > 0 {
		fmt.Fprintf(a.stdout, "%d of the layers had been moved before\n", r.AlreadyThere)
	}
	fmt.Fprintln(a.stdout, "every tile was read back from both stores and is the same")
	return nil
}

// hasStore tells whether a folder holds a store.
func hasStore(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "rasterbase.db"))
	return !errors.Is(err, fs.ErrNotExist)
}
