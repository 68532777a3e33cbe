package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

type legendsMakeCmd struct {
	Layer    string `arg:"" help:"The layer, by id, slug or file name."`
	Method   string `help:"equal-interval, quantile, natural-breaks, standard-deviation or distinct; distinct for classes and natural-breaks otherwise." placeholder:"NAME"`
	Classes  whole  `help:"How many classes, at most; each value is one with distinct." default:"5" placeholder:"N"`
	Colormap string `help:"Colours, from the smallest to the largest value: viridis, ylorrd_r and others; viridis, or colours apart from each other for distinct." placeholder:"NAME"`
	Band     whole  `help:"Band whose values are divided." default:"1" placeholder:"N"`
	Title    string `help:"Title of the legend; made from the layer's name otherwise." placeholder:"TEXT"`
	Use      bool   `help:"Colour the layer by it."`
	JSON     bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "legends make --help".
func (*legendsMakeCmd) Help() string {
	return `It divides the values of a layer into classes, from the histogram that its parse made, and colours them.

Examples:

  rasterbase legends make elevation --method quantile --classes 7 --colormap terrain --use
  rasterbase legends make landcover --method distinct --title "Land cover"`
}

// layerBand is a layer with a band of what is published of it.
type layerBand struct {
	*rasterbase.Layer
	band     rasterbase.Band
	datatype rasterbase.Datatype
}

// findBand finds a layer and a band of it, counted from 1.
func findBand(ctx context.Context, tx store.Tx, ref string, number int) (b layerBand, err error) {
	if b.Layer, err = store.FindLayer(ctx, tx, ref); err != nil {
		return b, err
	}
	if b.Formula != nil {
		return b, rasterbase.Errorf(rasterbase.Unsupported, "layer %s is a formula: its values are not counted, and no classes can be made of them", b.Slug).
			WithHint("write the legend into a file and give it to `rasterbase legends import`").WithField("layer")
	}
	if b.Published == 0 {
		return b, coverage.Unpublished(ctx, tx, b.Layer)
	}
	rev, err := tx.Revisions().Get(ctx, b.Published)
	if err != nil {
		return b, err
	}
	if number < 1 || number > len(rev.Bands) {
		return b, usageError{rasterbase.Errorf(rasterbase.Invalid, "layer %s has no band %d", b.Slug, number).
			WithHint("its bands are 1 to %d", len(rev.Bands)).WithField("band")}
	}
	b.band, b.datatype = rev.Bands[number-1], rev.Datatype
	return b, nil
}

// Run makes a legend of a layer's values.
func (c *legendsMakeCmd) Run(ctx context.Context, a *app) error {
	if c.Title != "" {
		if err := checkTitle(c.Title); err != nil {
			return err
		}
	}
	if c.Classes < 1 || c.Classes > legend.MaxClasses {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%d is not a number of classes", c.Classes).
			WithHint("1 to %d", legend.MaxClasses).WithField("classes")}
	}
	var l *rasterbase.Legend
	var layer layerBand
	err := a.update(ctx, func(tx store.Tx) (err error) {
		if layer, err = findBand(ctx, tx, c.Layer, int(c.Band)); err != nil {
			return err
		}
		method := c.method(layer.datatype)
		if l, err = legend.Classes(layer.band.Histogram, method, int(c.Classes), c.Colormap); err != nil {
			return ofFlag(err)
		}
		if l.Title = c.Title; l.Title == "" {
			if l.Title, err = freeTitle(ctx, tx, layer.Name+" by "+string(method)); err != nil {
				return err
			}
		}
		if err := tx.Legends().Create(ctx, l); err != nil || !c.Use {
			return err
		}
		layer.Legend = l.ID
		return tx.Layers().Update(ctx, layer.Layer)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(newLegendDoc(l))
	}
	fmt.Fprintln(a.stdout, legendLine(l))
	if c.Use {
		fmt.Fprintf(a.stdout, "layer %d, %s, is coloured by it\n", layer.ID, layer.Slug)
	}
	return nil
}

func (c *legendsMakeCmd) method(d rasterbase.Datatype) legend.Method {
	switch {
	case c.Method != "":
		return legend.Method(strings.ToLower(strings.ReplaceAll(c.Method, "_", "-")))
	case d.Discrete():
		return legend.DistinctValues
	}
	return legend.NaturalBreaks
}

// ofFlag makes an error one of how the program was called, when it names what a
// flag says.
func ofFlag(err error) error {
	e, ok := errors.AsType[*rasterbase.Error](err)
	if !ok {
		return err
	}
	switch e.Field {
	case "colormap_name":
		return usageError{e.WithField("colormap")}
	case "method", "classes":
		return usageError{e}
	}
	return err
}

// freeTitle adds a number to a title that is taken.
func freeTitle(ctx context.Context, tx store.Tx, title string) (string, error) {
	free := title
	for n := 2; ; n++ {
		_, err := tx.Legends().FindTitle(ctx, free)
		if errors.Is(err, store.ErrNotExist) {
			return free, nil
		}
		if err != nil {
			return "", err
		}
		free = fmt.Sprintf("%s (%d)", title, n)
	}
}
