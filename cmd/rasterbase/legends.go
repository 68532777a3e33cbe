package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

type legendsCmd struct {
	List   legendsListCmd   `cmd:"" default:"withargs" help:"List the legends."`
	Show   legendsShowCmd   `cmd:"" help:"Print the entries or the gradient of a legend."`
	Import legendsImportCmd `cmd:"" help:"Make a legend from a file."`
	Export legendsExportCmd `cmd:"" help:"Write a legend to a file."`
	Make   legendsMakeCmd   `cmd:"" help:"Make a legend from the values of a layer."`
	Check  legendsCheckCmd  `cmd:"" help:"Say which pixels of a layer match no entry of a legend, or several."`
	Delete legendsDeleteCmd `cmd:"" help:"Delete a legend; layers that use it have none then."`
}

// Help is the longer text of "legends --help".
func (*legendsCmd) Help() string {
	return `A legend gives values their colours and names. It is named by its id or its title.

Examples:

  rasterbase legends
  rasterbase legends import nlcd.json --title "Land cover"
  rasterbase import landcover.tif --legend "Land cover"
  rasterbase legends make elevation --method quantile --colormap terrain --use
  rasterbase legends export "Land cover" -o landcover.qml`
}

type legendsListCmd struct {
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run lists the legends.
func (c *legendsListCmd) Run(ctx context.Context, a *app) error {
	docs := []legendDoc{}
	err := a.view(ctx, func(tx store.Tx) error {
		all, err := tx.Legends().List(ctx)
		for _, l := range all {
			docs = append(docs, newLegendDoc(l))
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"legends": docs})
	}
	if len(docs) == 0 {
		fmt.Fprintln(a.stderr, "no legends yet; `rasterbase legends import FILE` makes one")
		return nil
	}
	t := newTable(a.stdout, "ID", "TITLE", "ENTRIES")
	for _, d := range docs {
		t.row(strconv.FormatInt(int64(d.ID), 10), d.Title, d.colors)
	}
	t.flush()
	return nil
}

type legendsImportCmd struct {
	File          string `arg:"" help:"A legend as .json or .csv, a style of QGIS (.qml), or a colour text of GDAL, ArcGIS or QGIS (.clr, .txt)."`
	Title         string `help:"Title of the legend; made from the file name otherwise." placeholder:"TEXT"`
	Replace       bool   `help:"Put it in the place of the legend with this title, if there is one; layers keep it."`
	Interpolation string `help:"How the values between those of a colour text are coloured, where it does not say so: linear, discrete or exact." placeholder:"NAME"`
	JSON          bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "legends import --help".
func (*legendsImportCmd) Help() string {
	return `As JSON a legend is a list of entries. An expression is a value, or a formula over x:

  [{"name": "Water", "expression": "11", "color": "#476BA0"},
   {"name": "High", "expression": "x > 2500", "color": "#FFFFFF"}]

or the stops of a gradient:

  {"stops": [[0, "white"], [50, "navy"]]}

The colours of gdaldem are read value by value; --interpolation linear reads them as gdaldem draws them.

A legend is changed by --replace: export it, change the file, and import it again.

Examples:

  rasterbase legends import nlcd.json --title "Land cover"
  rasterbase legends import landcover.qml
  rasterbase legends import relief.txt --interpolation linear
  rasterbase legends import landcover.csv --title "Land cover" --replace`
}

// Run makes a legend from a file.
func (c *legendsImportCmd) Run(ctx context.Context, a *app) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read the legend: %w", err)
	}
	mode := rasterbase.Interpolation(strings.ToLower(c.Interpolation))
	switch mode {
	case "", rasterbase.Linear, rasterbase.Discrete, rasterbase.Exact:
	default:
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "unknown interpolation %q", c.Interpolation).
			WithHint("one of linear, discrete, exact").WithField("interpolation")}
	}
	name := filepath.Base(c.File)
	l, err := legend.ReadFileWith(name, b, legend.ReadOptions{Interpolation: mode})
	if err != nil {
		return err // it names the file
	}
	if c.Title != "" {
		l.Title = c.Title
	}
	if err := checkTitle(l.Title); err != nil {
		return err
	}
	replaced := false
	err = a.update(ctx, func(tx store.Tx) (err error) {
		replaced, err = c.keep(ctx, tx, l)
		return err
	})
	if err != nil {
		return err
	}
	if mode == "" && linearColors(name, b) != nil {
		fmt.Fprintln(a.stderr, "each value alone is coloured; --interpolation linear blends")
	}
	if c.JSON {
		return a.printJSON(newLegendDoc(l))
	}
	if replaced {
		fmt.Fprintln(a.stdout, "replaced "+legendLine(l))
		return nil
	}
	fmt.Fprintln(a.stdout, legendLine(l))
	return nil
}

// keep stores the legend, with --replace in the place of the one of its title.
func (c *legendsImportCmd) keep(ctx context.Context, tx store.Tx, l *rasterbase.Legend) (replaced bool, err error) {
	old, err := tx.Legends().FindTitle(ctx, l.Title)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return false, tx.Legends().Create(ctx, l)
	case err != nil:
		return false, err
	case !c.Replace:
		return false, rasterbase.Errorf(rasterbase.Conflict, "there is a legend %s already", visible(old.Title)).
			WithHint("--replace puts the file in its place, --title gives another title").WithField("title")
	}
	l.ID, l.Title = old.ID, old.Title
	return true, tx.Legends().Update(ctx, l)
}

// linearColors is the gradient that a colour text makes which does not say how it
// is meant, and which is else read as colours of single values; nil: it is none.
func linearColors(name string, b []byte) *rasterbase.Legend {
	if ext := strings.ToLower(filepath.Ext(name)); ext != ".clr" && ext != ".txt" {
		return nil
	}
	exact, err := legend.ReadFile(name, b)
	if err != nil || exact.Gradient != nil {
		return nil
	}
	l, err := legend.ReadFileWith(name, b, legend.ReadOptions{Interpolation: rasterbase.Linear})
	if err != nil || l.Gradient == nil {
		return nil
	}
	return l
}

// legendLine says what legend was made.
func legendLine(l *rasterbase.Legend) string {
	what := fmt.Sprintf("entries: %d", len(l.Entries))
	if l.Gradient != nil {
		what = "gradient: " + gradientText(l.Gradient)
	}
	return fmt.Sprintf("legend %d, %s, %s", l.ID, visible(l.Title), what)
}

type legendsDeleteCmd struct {
	Legend string `arg:"" help:"Title or id."`
	Yes    bool   `short:"y" help:"Do not ask."`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// Run deletes a legend.
func (c *legendsDeleteCmd) Run(ctx context.Context, a *app) error {
	l, err := a.legend(ctx, c.Legend)
	if err != nil {
		return err
	}
	if !c.Yes {
		ok, err := a.confirm("delete legend " + visible(l.Title) + "?")
		if err != nil {
			return err
		}
		if !ok {
			fmt.Fprintf(a.stderr, "kept legend %s\n", visible(l.Title))
			return nil
		}
	}
	err = a.update(ctx, func(tx store.Tx) error { return tx.Legends().Delete(ctx, l.ID) })
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"deleted": l.Title})
	}
	fmt.Fprintf(a.stdout, "deleted legend %d, %s\n", l.ID, visible(l.Title))
	return nil
}

// legend reads a legend by title or id.
func (a *app) legend(ctx context.Context, ref string) (l *rasterbase.Legend, err error) {
	err = a.view(ctx, func(tx store.Tx) error {
		l, err = store.FindLegend(ctx, tx, ref)
		return err
	})
	return l, orListLegends(err)
}

// orListLegends adds to the error for a legend that is not there where the titles
// are found.
func orListLegends(err error) error {
	if e, ok := errors.AsType[*rasterbase.Error](err); ok && e.Code == rasterbase.NotFound && e.Field == "legend" {
		return e.WithHint("`rasterbase legends` lists the legends")
	}
	return err
}

// writeOutput writes to a file, or to standard output for "" and "-".
func (a *app) writeOutput(path string, b []byte) error {
	if path == "" || path == "-" {
		_, err := a.stdout.Write(b)
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
