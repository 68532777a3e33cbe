package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// foundLegend is the legend that comes with a source.
type foundLegend struct {
	legend *rasterbase.Legend // nil: there is none
	made   string             // for the log, once the layer has it: what it is made of
	lines  []string           // for the log: what is wrong with others
}

// legendFiles are the endings of the side-cars that are legends, the one that
// counts first. After them comes what the raster itself says: GDAL reads its
// colour table and attribute table, an .aux.xml and a .vat.dbf.
var legendFiles = []string{".qml", ".clr"}

// findLegend is the legend of the source: of a side-car, or else of what the
// raster says of the values that occur. A layer that has one keeps it.
func (r *run) findLegend() foundLegend {
	files := r.legendSidecars()
	if r.layer.Legend != 0 {
		if len(files) > 0 {
			return foundLegend{lines: []string{filepath.Base(files[0]) + " is not used: the layer has a legend"}}
		}
		return foundLegend{}
	}
	var f foundLegend
	for i, file := range files {
		l, err := readSidecar(file, r.rev.Datatype)
		if err != nil {
			f.lines = append(f.lines, "warning: "+filepath.Base(file)+" makes no legend: "+err.Error())
			continue
		}
		l.Title = r.layer.Name
		f.legend = l
		f.made = "legend made of " + filepath.Base(file) + notUsed(files[i+1:])
		return f
	}
	if f.legend = r.classLegend(); f.legend != nil {
		f.made = "legend made of the raster's own classes"
	}
	return f
}

func notUsed(files []string) string {
	if len(files) == 0 {
		return ""
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = filepath.Base(f)
	}
	return "; not used: " + strings.Join(names, ", ")
}

// legendSidecars lists the side-cars that are legends, beside the raster and,
// when it was unpacked, then beside the source, the one that counts first.
func (r *run) legendSidecars() []string {
	if r.src == nil {
		return nil // the tiles were made by somebody else
	}
	beside := []string{r.src.file.path}
	if source := filepath.Join(r.src.dir, r.layer.Source.Name); r.src.file.dir != "" {
		beside = append(beside, source)
	}
	var all, found []string
	for _, path := range beside {
		names, err := sidecars(path)
		if err != nil {
			r.p.c.Log.Warn("looking for a legend", "layer", r.layer.ID, "error", err)
		}
		all = append(all, names...)
	}
	for _, ending := range legendFiles {
		for _, file := range all {
			if strings.EqualFold(filepath.Ext(file), ending) {
				found = append(found, file)
			}
		}
	}
	return found
}

// readSidecar reads a legend. Colours that do not say how they are meant are of
// classes, but not on a layer that has none: there gdaldem's meaning counts.
func readSidecar(path string, d rasterbase.Datatype) (*rasterbase.Legend, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, legend.MaxBytes+1))
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	o := legend.ReadOptions{Interpolation: rasterbase.Linear}
	if d.Discrete() {
		o.Interpolation = rasterbase.Exact
	}
	return legend.ReadFileWith(filepath.Base(path), b, o)
}

// classLegend is the legend that the raster's own colour table or attribute table
// makes, of the values that occur; nil when there is none.
func (r *run) classLegend() *rasterbase.Legend {
	if !r.rev.Datatype.Discrete() {
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
func (r *run) attachLegend(ctx context.Context, tx store.Tx, parse rasterbase.ParseID, f foundLegend) error {
	layer, err := tx.Layers().Get(ctx, r.layer.ID)
	if err != nil || layer.Legend != 0 {
		return err
	}
	made := *f.legend
	if err := createLegend(ctx, tx, &made); err != nil {
		return err
	}
	layer.Legend = made.ID
	if err := tx.Layers().Update(ctx, layer); err != nil {
		return err
	}
	return tx.Parses().Log(ctx, parse, f.made)
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
