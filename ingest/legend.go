package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// fileLegend is the legend that the file's own colour table or attribute table
// makes, of the values that occur; nil when there is none or the layer has a
// legend already.
func (r *run) fileLegend() *rasterbase.Legend {
	if r.layer.Legend != 0 || !r.rev.Datatype.Discrete() {
		return nil
	}
	l, ok := legend.FromClasses(r.layer.Name, r.rev.Bands[0].Classes)
	if !ok {
		return nil
	}
	l = legend.Present(l, r.rev.Bands[0].Histogram.Values)
	if len(l.Entries) == 0 {
		return nil
	}
	return l
}

// attachLegend stores a legend under a free title and gives it to the layer,
// unless the layer has got one meanwhile.
func (r *run) attachLegend(ctx context.Context, tx store.Tx, l *rasterbase.Legend) error {
	layer, err := tx.Layers().Get(ctx, r.layer.ID)
	if err != nil || layer.Legend != 0 {
		return err
	}
	if err := createLegend(ctx, tx, l); err != nil {
		return err
	}
	layer.Legend = l.ID
	return tx.Layers().Update(ctx, layer)
}

// createLegend stores a legend; a title that is taken gets a number.
func createLegend(ctx context.Context, tx store.Tx, l *rasterbase.Legend) error {
	title := l.Title
	for n := 2; ; n++ {
		_, err := tx.Legends().FindTitle(ctx, l.Title)
		if errors.Is(err, store.ErrNotExist) {
			return tx.Legends().Create(ctx, l)
		}
		if err != nil {
			return err
		}
		l.Title = fmt.Sprintf("%s (%d)", title, n)
	}
}
