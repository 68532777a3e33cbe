package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase/sqlite"
)

type restoreCmd struct {
	Dir  string `arg:"" help:"The folder that \"rasterbase backup\" has made." placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "restore --help".
func (*restoreCmd) Help() string {
	return `Copies a backup into the data folder, which must not be there or be empty: stop the server and move its folder away before. The backup is checked first, and the checksum of each file while it is copied; the backup itself stays as it is. Parses that were under way when it was made go on when the store is served.

Examples:

  rasterbase restore /backup/rasterbase-2026-11-22
  rasterbase restore /backup/rasterbase-2026-11-22 --data /var/lib/rasterbase`
}

// Run restores.
func (c *restoreCmd) Run(ctx context.Context, a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	if err := noDatabase(conf, "restored", "pg_restore or psql"); err != nil {
		return err
	}
	p := newCopyProgress(a, "restore")
	report, err := sqlite.Restore(ctx, c.Dir, conf.Data, sqlite.BackupOptions{Progress: p.show})
	p.end()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; nothing was restored")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(newBackupDoc(c.Dir, conf.Data, report))
	}
	printCopied(a, report)
	fmt.Fprintf(a.stdout, "the store in %s is that of %s\n", visible(conf.Data), report.Created.Local().Format("2006-01-02 15:04:05"))
	return nil
}
