package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

type layersSetCmd struct {
	Layer   string   `arg:"" help:"Id, slug or file name."`
	Changes []string `arg:"" name:"key=value" help:"What is to be changed, for instance name=\"Land cover\"."`
	NoWait  bool     `help:"Leave the parse that a change needs to a server or worker."`
	JSON    bool     `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "layers set --help".
func (*layersSetCmd) Help() string {
	var b strings.Builder
	b.WriteString("Keys are those of the flags of import. An empty value takes a setting back, so that the file or the server decides again:\n\n")
	for _, k := range layerKeys {
		fmt.Fprintf(&b, "  %-12s %s\n", k.name, k.help)
	}
	b.WriteString(`
Those from "type" on parse the layer again, and the command waits for it; it is served as it was until the new tiles are complete, and when the parse fails. A layer that is made of others takes of these the type alone.

Examples:

  rasterbase layers set landcover name="Land cover 2024" visibility=private
  rasterbase layers set landcover legend=NLCD
  rasterbase layers set dem nodata=-9999 resampling=cubic
  rasterbase layers set dem nodata=
  rasterbase layers set landcover source=landcover_2025.tif
  rasterbase layers set ndvi formula="(b-a)/(b+a)" layers=a=red,b=infrared`)
	return b.String()
}

// change is one key with its value.
type change struct {
	key   layerKey
	value string
}

// Run changes the layer, and parses it anew if that is needed.
func (c *layersSetCmd) Run(ctx context.Context, a *app) error {
	changes, err := readChanges(c.Changes)
	if err != nil {
		return err
	}
	return a.withParser(ctx, runtime.NumCPU(), func(p *parsing) error {
		if c.NoWait && !p.conf.UseQueue {
			return usageError{rasterbase.Errorf(rasterbase.Conflict, "nobody would work on the parse later: RASTER_USE_QUEUE is off").
				WithHint("leave --no-wait out").WithField("no-wait")}
		}
		l, err := findLayer(ctx, p.store, c.Layer)
		if err != nil {
			return err
		}
		l, t, err := p.change(ctx, l, changes)
		if err != nil {
			return err
		}
		if err := c.finish(ctx, p, l, t); err != nil {
			return err
		}
		if slices.ContainsFunc(changes, func(c change) bool { return c.key.name == "legend" }) {
			return a.warnUncoloured(ctx, p.store, l.ID)
		}
		return nil
	})
}

// finish says what was changed, after the parse that it needs.
func (c *layersSetCmd) finish(ctx context.Context, p *parsing, l *rasterbase.Layer, t rasterbase.Ticket) error {
	if t.Parse == 0 || c.NoWait || !gdal.Available {
		return c.changed(ctx, p, l, t)
	}
	doc, err := p.finish(ctx, l, t)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.app.printJSON(doc)
	}
	p.app.printParsed(doc)
	return nil
}

// changed says what was changed of a layer that is not parsed here.
func (c *layersSetCmd) changed(ctx context.Context, p *parsing, l *rasterbase.Layer, t rasterbase.Ticket) error {
	if c.JSON {
		doc, err := readLayer(ctx, p.store, l.ID)
		if err != nil {
			return err
		}
		return p.app.printJSON(doc)
	}
	fmt.Fprintf(p.app.stdout, "changed layer %d, %s\n", l.ID, l.Slug)
	if t.Parse != 0 {
		fmt.Fprintf(p.app.stderr, "its parse waits for a server or worker; `rasterbase layers log -f %d` follows it\n", l.ID)
	}
	return nil
}

// change makes the changes, in one transaction, and queues the parse that they
// need.
func (p *parsing) change(ctx context.Context, l *rasterbase.Layer, changes []change) (*rasterbase.Layer, rasterbase.Ticket, error) {
	legend, source, err := p.found(ctx, changes)
	if err != nil {
		return nil, rasterbase.Ticket{}, err
	}
	formula, err := p.changedFormula(ctx, l, changes)
	if err != nil {
		return nil, rasterbase.Ticket{}, err
	}
	apply := func(l *rasterbase.Layer) error {
		for _, c := range changes {
			switch {
			case c.key.name == "legend":
				l.Legend = legend
			case c.key.name == "visibility" && c.value == "":
				l.Visibility = p.conf.Visibility
			case c.key.set != nil:
				if err := c.key.set(l, c.value); err != nil {
					return err
				}
			}
		}
		if formula != nil {
			formula(l)
		}
		return nil
	}
	if source == "" {
		return p.parser.Change(ctx, l.ID, nil, apply)
	}
	return p.replace(ctx, l, source, apply)
}

// replace gives a layer another file: it is looked at, with the settings that the
// layer will have, and kept before anything is changed.
func (p *parsing) replace(ctx context.Context, l *rasterbase.Layer, source string, apply func(*rasterbase.Layer) error) (*rasterbase.Layer, rasterbase.Ticket, error) {
	none := rasterbase.Ticket{}
	if l.Formula != nil {
		return nil, none, rasterbase.Errorf(rasterbase.Invalid, "layer %d is a formula and has no source", l.ID).
			WithHint("change the formula, or import the file as another layer").WithField("source")
	}
	if err := checkSource(source); err != nil {
		return nil, none, err
	}
	wanted := *l
	if err := apply(&wanted); err != nil {
		return nil, none, err
	}
	bar := &progress{w: p.app.stderr, name: baseOf(source), bar: isTerminal(p.app.stderr)}
	r := ingest.Request{Source: source, Settings: wanted.Settings}
	if address.MatchString(source) {
		r.Origin, r.Downloading = shown(source), bar.downloading
	}
	ready, err := p.parser.Prepare(ctx, r)
	bar.end()
	if err != nil && ctx.Err() != nil {
		return nil, none, errors.New("interrupted; nothing was changed")
	}
	if err != nil {
		return nil, none, err
	}
	l, t, err := ready.Change(ctx, l.ID, apply)
	if err != nil {
		ready.Discard(ctx)
	}
	return l, t, err
}

// found looks up the legend that is named in the changes, and gives the source
// that is.
func (p *parsing) found(ctx context.Context, changes []change) (legend rasterbase.LegendID, source string, err error) {
	for _, c := range changes {
		switch {
		case c.key.name == "source":
			source = c.value
		case c.key.name == "legend" && c.value != "":
			err = p.store.Catalog().View(ctx, func(tx store.Tx) error {
				found, err := store.FindLegend(ctx, tx, c.value)
				if err == nil {
					legend = found.ID
				}
				return err
			})
			if rasterbase.CodeOf(err) == rasterbase.NotFound {
				err = rasterbase.Errorf(rasterbase.NotFound, "there is no legend %q", c.value).
					WithHint("`rasterbase legends` lists the legends; `rasterbase legends import FILE` makes one").WithField("legend")
			}
			if err != nil {
				return 0, "", err
			}
		}
	}
	return legend, source, nil
}

// readChanges reads key=value arguments. What is known to be wrong without the
// layer is an error here.
func readChanges(args []string) ([]change, error) {
	var changes []change
	tried := rasterbase.Layer{Name: "tried", Visibility: rasterbase.Public}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%q is not key=value", arg).
				WithHint("for instance name=\"Land cover\"; keys are %s", strings.Join(layerKeyNames(), ", "))}
		}
		key, err := findLayerKey(name)
		if err != nil {
			return nil, usageError{err}
		}
		for _, c := range changes {
			if c.key.name == key.name {
				return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%s is given twice", key.name).WithField(key.name)}
			}
		}
		if key.set != nil {
			if err := key.set(&tried, value); err != nil {
				return nil, usageError{named(err, key.name)}
			}
		}
		if key.needed && value == "" {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%s cannot be empty", key.name).WithField(key.name)}
		}
		changes = append(changes, change{key, value})
	}
	if err := errors.Join(tried.CheckTexts(nil), ingest.CheckSettings(tried.Settings)); err != nil {
		return nil, usageError{err}
	}
	return changes, nil
}

// named makes an error name the key that it is about.
func named(err error, key string) error {
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		return e.WithField(key)
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s: %v", key, err).WithField(key)
}

// findLayerKey finds a key; max_zoom is max-zoom, too.
func findLayerKey(name string) (layerKey, error) {
	wanted := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	for _, k := range layerKeys {
		if k.name == wanted {
			return k, nil
		}
	}
	names := layerKeyNames()
	message := fmt.Sprintf("there is no key %q", name)
	if near := closest(wanted, names); near != "" {
		message += fmt.Sprintf("; is %s meant?", near)
	}
	return layerKey{}, rasterbase.Errorf(rasterbase.Invalid, "%s", message).
		WithHint("keys are %s", strings.Join(names, ", "))
}
