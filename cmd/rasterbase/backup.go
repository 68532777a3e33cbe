package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/sqlite"
)

type backupCmd struct {
	Dir  string `arg:"" help:"The folder to make; it must not be there, or be empty." placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "backup --help".
func (*backupCmd) Help() string {
	return `Copies the data folder with all layers, tiles, source files, uploads, users and jobs into another folder, as they are at one moment. A server and workers can go on meanwhile. DIR appears when it is complete and checked; until then it is DIR.partial. "rasterbase restore" makes a data folder of it.

A store in PostgreSQL is backed up with PostgreSQL's own programs, such as pg_dump.

Examples:

  rasterbase backup /backup/rasterbase-2026-11-22
  rasterbase backup --data /var/lib/rasterbase "/backup/rasterbase-$(date +%F)"`
}

// backupDoc is what --json prints.
type backupDoc struct {
	From      string    `json:"from"`
	To        string    `json:"to"`
	Created   time.Time `json:"created"` // the moment that the backup shows
	Layers    int       `json:"layers"`
	Revisions int       `json:"revisions"`
	Sources   int       `json:"sources"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`
	Seconds   float64   `json:"seconds"`
}

// Run makes the backup.
func (c *backupCmd) Run(ctx context.Context, a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	if err := noDatabase(conf, "backed up", "pg_dump"); err != nil {
		return err
	}
	if !hasStore(conf.Data) {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no store in the data folder %s", conf.Data).
			WithHint("--data or RASTER_DATA names another one").WithField("data")
	}
	p := newCopyProgress(a, "backup")
	report, err := sqlite.Backup(ctx, conf.Data, c.Dir, sqlite.BackupOptions{Progress: p.show})
	p.end()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; there is no backup")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(newBackupDoc(conf.Data, c.Dir, report))
	}
	printCopied(a, report)
	fmt.Fprintf(a.stdout, "the backup is in %s and complete\n", visible(c.Dir))
	return nil
}

// noDatabase refuses what is for a data folder only.
func noDatabase(conf *config, done, program string) error {
	if conf.DatabaseURL == "" {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Unsupported, "the store is in a PostgreSQL database, and is %s with PostgreSQL's own programs", done).
		WithHint("use %s on the schema %s, as docs/guides/operations.md shows; without RASTER_DATABASE_URL this command takes the data folder", program, conf.Schema).
		WithField("database-url")
}

func newBackupDoc(from, to string, r *sqlite.BackupReport) backupDoc {
	return backupDoc{From: from, To: to, Created: r.Created.UTC(), Layers: r.Layers, Revisions: r.Revisions, Sources: r.Sources,
		Files: r.Files, Bytes: r.Bytes, Seconds: r.Took.Seconds()}
}

func printCopied(a *app, r *sqlite.BackupReport) {
	fmt.Fprintf(a.stdout, "%d %s, tiles of %d %s, %d %s: %d %s (%s) in %s\n",
		r.Layers, plural(r.Layers, "layer"), r.Revisions, plural(r.Revisions, "revision"), r.Sources, plural(r.Sources, "source"),
		r.Files, plural(r.Files, "file"), humanBytes(r.Bytes), r.Took.Round(10*time.Millisecond))
}

// copyProgress shows how far a backup or a restore is: a bar on a terminal;
// otherwise a line every ten seconds.
type copyProgress struct {
	progress
}

func newCopyProgress(a *app, name string) *copyProgress {
	return &copyProgress{progress{w: a.stderr, name: name, bar: isTerminal(a.stderr), told: time.Now()}}
}

func (p *copyProgress) show(s sqlite.BackupProgress) {
	now := time.Now()
	if p.now != nil {
		now = p.now()
	}
	pause := progressPause
	if p.bar {
		pause = redrawPause
	}
	if now.Sub(p.told) < pause {
		return
	}
	p.told = now
	text := fmt.Sprintf("%s (%s of %s)", s.Stage, humanBytes(s.Done), humanBytes(s.Planned))
	if !p.bar {
		fmt.Fprintf(p.w, "%s: %s\n", p.name, text)
		return
	}
	percent := 100 * float64(s.Done) / float64(max(1, s.Planned))
	p.draw(fmt.Sprintf("%s [%s] %3.0f%%  %s", p.name, bar(percent), percent, text))
}
