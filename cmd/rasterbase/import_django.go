package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis/djangoraster"
)

// djangoRaster takes over a database of django-raster.
func (c *importCmd) djangoRaster(ctx context.Context, a *app) (err error) {
	address, schema, err := c.djangoDatabase()
	if err != nil {
		return err
	}
	pool, err := connect(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	conf, st, err := a.makeStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	parser, err := newParser(conf, st, a.commandLogger(conf), runtime.NumCPU())
	if err != nil {
		return err
	}
	defer parser.Close() // another worker may have ended the parse
	o := djangoraster.Options{Parser: parser, Schema: schema, Media: c.Media, Visibility: conf.Visibility, DryRun: c.DryRun}
	if !c.DryRun {
		o.Progress = func(done, of int, layer string) {
			fmt.Fprintf(a.stderr, "layer %d of %d, %s\n", done+1, of, visible(layer))
		}
	}
	report, err := djangoraster.Import(ctx, pool, st, o)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the same command goes on where it stopped")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = a.printJSON(report)
	} else {
		c.printDjangoRaster(a, report)
	}
	for _, l := range report.Layers {
		if err == nil && l.Problem != "" && !c.DryRun {
			return errReported
		}
	}
	return err
}

// djangoDatabase reads the address of the database, and the schema in it.
func (c *importCmd) djangoDatabase() (address, schema string, err error) {
	switch {
	case !c.DjangoRaster:
		return "", "", usageError{rasterbase.Errorf(rasterbase.Invalid, "--media is for --django-raster").WithField("media")}
	case len(c.Files) != 1 || !isDatabase(c.Files[0]):
		return "", "", usageError{rasterbase.Errorf(rasterbase.Invalid, "--django-raster takes the address of one database").
			WithHint("write postgres://user@host/database --django-raster")}
	case c.Name+c.Description+c.Attribution+c.License+c.Type+c.Legend+c.Resampling+c.Subdataset != "" ||
		c.SRID != nil || c.Nodata != nil || c.MaxZoom != nil || c.NextLower || c.NoPyramid:
		return "", "", usageError{rasterbase.Errorf(rasterbase.Invalid, "--django-raster takes the layers as they are").
			WithHint("leave the other flags out, and change the layers afterwards")}
	}
	if c.Media != "" {
		if info, err := os.Stat(c.Media); err != nil || !info.IsDir() {
			return "", "", rasterbase.Errorf(rasterbase.NotFound, "there is no folder %s", c.Media).WithField("media")
		}
	}
	u, err := url.Parse(c.Files[0])
	if err != nil {
		return "", "", rasterbase.Errorf(rasterbase.Invalid, "the address of the database cannot be read").
			WithHint("write postgres://user:password@host:port/database; special characters in the password as %%XX")
	}
	q := u.Query()
	schema = q.Get("schema")
	q.Del("schema")
	u.Scheme, u.RawQuery = "postgres", q.Encode()
	return u.String(), schema, nil
}

func (c *importCmd) printDjangoRaster(a *app, r *djangoraster.Report) {
	for _, w := range r.Warnings {
		fmt.Fprintf(a.stderr, "rasterbase: warning: %s\n", harmless(w))
	}
	var tiles int64
	without, noBase := 0, 0
	for _, l := range r.Layers {
		tiles += l.Tiles
		if !l.Source {
			without++
		}
		if l.NoBase {
			noBase++
		}
		if l.Problem != "" {
			fmt.Fprintf(a.stderr, "rasterbase: layer %d, %s: no tiles were taken over: %s\n", l.ID, visible(l.Name), harmless(l.Problem))
		}
	}
	verb := "imported"
	if c.DryRun {
		verb = "to be imported"
	}
	fmt.Fprintf(a.stdout, "%d %s, %d %s, %d %s %s\n", len(r.Layers), plural(len(r.Layers), "layer"),
		r.Legends, plural(r.Legends, "legend"), tiles, plural(int(tiles), "tile"), verb)
	if noBase > 0 {
		fmt.Fprintf(a.stdout, "%d without base tiles: they are counted at their max zoom until they are parsed again\n", noBase)
	}
	if without > 0 {
		fmt.Fprintf(a.stdout, "%d without a source file, which --media keeps: they cannot be parsed again\n", without)
	}
}
