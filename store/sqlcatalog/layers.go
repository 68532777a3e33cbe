package sqlcatalog

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type layers struct{ *Tx }

const layerColumns = `l.id, l.slug, l.name, l.description, l.attribution, l.license, l.source_id, l.source_name,
	l.source_origin, l.source_size, l.source_checksum, l.settings, l.legend_id, l.visibility, l.published, l.created, l.updated,
	l.formula, l.formula_grid`

// scanLayer reads a layer; addInputs adds the inputs of its formula.
func scanLayer(row Row) (*rasterbase.Layer, error) {
	var l rasterbase.Layer
	var settings []byte
	var legend, published *int64
	var formula *string
	var grid string
	err := row.Scan(&l.ID, &l.Slug, &l.Name, &l.Description, &l.Attribution, &l.License, &l.Source.ID, &l.Source.Name,
		&l.Source.Origin, &l.Source.Size, &l.Source.Checksum, &settings, &legend, &l.Visibility, &published,
		(*Time)(&l.Created), (*Time)(&l.Updated), &formula, &grid)
	if err != nil {
		return nil, err
	}
	if legend != nil {
		l.Legend = rasterbase.LegendID(*legend)
	}
	if published != nil {
		l.Published = rasterbase.RevisionID(*published)
	}
	if formula != nil {
		l.Formula = &rasterbase.LayerFormula{Text: *formula, Grid: grid}
	}
	l.Settings, err = decodeSettings(settings)
	return &l, err
}

// layerNames are the columns that Create and Update share.
const layerNames = `slug, name, description, attribution, license, source_id, source_name, source_origin,
	source_size, source_checksum, settings, legend_id, visibility, updated, file_key, search_key,
	formula, formula_grid, formula_datatype`

// layerValues gives the values of these columns.
func (x layers) layerValues(l *rasterbase.Layer) ([]any, error) {
	settings, err := x.document(toDocument(l.Settings))
	if err != nil {
		return nil, fmt.Errorf("encoding settings: %w", err)
	}
	var legend any
	if l.Legend != 0 {
		legend = int64(l.Legend)
	}
	var formula any
	var grid, datatype string
	if f := l.Formula; f != nil {
		formula, grid, datatype = f.Text, f.Grid, string(l.Settings.Datatype)
	}
	return []any{l.Slug, l.Name, l.Description, l.Attribution, l.License, l.Source.ID, l.Source.Name,
		l.Source.Origin, l.Source.Size, l.Source.Checksum, settings, legend, string(l.Visibility),
		l.Updated, fileKey(l.Source.Name), caseless(l.Name + "\n" + l.Source.Name),
		formula, grid, datatype}, nil
}

// fileKey makes names with and without .zip equal.
func fileKey(name string) string {
	if n := len(name) - len(".zip"); n > 0 && strings.EqualFold(name[n:], ".zip") {
		return name[:n]
	}
	return name
}

// caseless makes texts that differ in case only equal. Upper case first,
// because some letters have several lower-case forms.
func caseless(s string) string { return strings.ToLower(strings.ToUpper(s)) }

func noLayer(id rasterbase.LayerID) error { return store.NotFound("there is no layer %d", id) }

func (x layers) Create(ctx context.Context, l *rasterbase.Layer) error {
	n, now := *l, x.now()
	if err := x.checkID(ctx, "layers", "layer", int64(n.ID)); err != nil {
		return err
	}
	slug, err := x.freeSlug(ctx, store.Slug(cmp.Or(l.Slug, l.Name)), 0)
	if err != nil {
		return err
	}
	n.Slug, n.Published = slug, 0
	n.Created, n.Updated = givenTime(n.ID != 0, n.Created, now), givenTime(n.ID != 0, n.Updated, now)
	if err := x.checkLegend(ctx, n.Legend); err != nil {
		return err
	}
	if err := x.checkFormula(ctx, 0, n.Formula); err != nil {
		return err
	}
	values, err := x.layerValues(&n)
	if err != nil {
		return err
	}
	id, err := x.insert(ctx, "layers", layerNames+`, created`, int64(n.ID), append(values, n.Created))
	if err != nil {
		return x.conflict(err, "storing a layer", "slug")
	}
	n.ID = rasterbase.LayerID(id)
	if err := x.putInputs(ctx, n.ID, n.Formula); err != nil {
		return err
	}
	set(x.Tx, l, n)
	return nil
}

// freeSlug puts a number at the end of a slug when another layer has it.
func (x layers) freeSlug(ctx context.Context, slug string, own rasterbase.LayerID) (string, error) {
	for n := 1; ; n++ {
		try := slug
		if n > 1 {
			try += "-" + strconv.Itoa(n)
		}
		taken, err := x.exists(ctx, `SELECT 1 FROM @layers WHERE slug = ? AND id <> ?`, try, own)
		if err != nil {
			return "", fmt.Errorf("looking for a free slug: %w", err)
		}
		if !taken {
			return try, nil
		}
	}
}

func (x layers) checkLegend(ctx context.Context, id rasterbase.LegendID) error {
	if id == 0 {
		return nil
	}
	exists, err := x.exists(ctx, `SELECT 1 FROM @legends WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("looking for legend %d: %w", id, err)
	}
	if !exists {
		return noLegend(id)
	}
	return nil
}

func (x layers) Get(ctx context.Context, id rasterbase.LayerID) (*rasterbase.Layer, error) {
	l, err := scanLayer(x.row(ctx, `SELECT `+layerColumns+` FROM @layers l WHERE l.id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noLayer(id)
	}
	if err == nil {
		err = x.addInputs(ctx, l)
	}
	if err != nil {
		return nil, fmt.Errorf("reading layer %d: %w", id, err)
	}
	return l, nil
}

func (x layers) Find(ctx context.Context, f store.LayerFilter) ([]*rasterbase.Layer, int, error) {
	from, args := x.filtered(f)
	var total int
	if err := x.row(ctx, `SELECT count(*)`+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("counting layers: %w", err)
	}
	out, err := collect(ctx, x.Tx, scanLayer, `SELECT `+layerColumns+from+` ORDER BY l.id LIMIT ? OFFSET ?`,
		append(args, limited(f.Limit), max(0, f.Offset))...)
	if err == nil {
		err = x.addInputs(ctx, out...)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("listing layers: %w", err)
	}
	return out, total, nil
}

// filtered gives FROM and WHERE of a query for layers, and its arguments.
func (x layers) filtered(f store.LayerFilter) (from string, args []any) {
	from = ` FROM @layers l`
	if f.Datatype != "" {
		from += ` LEFT JOIN @revisions r ON r.id = l.published`
	}
	word := ` WHERE `
	and := func(condition string, values ...any) {
		from += word + condition
		word = ` AND `
		args = append(args, values...)
	}
	if f.Slug != "" {
		and(`l.slug = ?`, f.Slug)
	}
	if f.FileName != "" {
		and(`l.file_key = ?`, fileKey(f.FileName))
	}
	if f.Search != "" {
		and(x.c.d.Position+`(l.search_key, ?) > 0`, caseless(f.Search))
	}
	if f.Datatype != "" {
		and(`(r.datatype = ? OR l.formula_datatype = ?)`, string(f.Datatype), string(f.Datatype))
	}
	return from, args
}

func (x layers) Update(ctx context.Context, l *rasterbase.Layer) error {
	n := *l
	old, err := x.Get(ctx, l.ID)
	if err != nil {
		return err
	}
	if (old.Formula == nil) != (n.Formula == nil) {
		return otherKind(old)
	}
	n.Created, n.Published = old.Created, old.Published
	n.Updated = x.now()
	n.Slug = store.Slug(cmp.Or(l.Slug, l.Name))
	if free, err := x.freeSlug(ctx, n.Slug, n.ID); err != nil {
		return err
	} else if free != n.Slug && l.Slug != "" {
		return rasterbase.Errorf(rasterbase.Conflict, "another layer has the slug %q", n.Slug).WithField("slug")
	} else {
		n.Slug = free
	}
	if err := x.checkLegend(ctx, n.Legend); err != nil {
		return err
	}
	another := !reflect.DeepEqual(n.Formula, old.Formula)
	if another {
		if err := x.checkFormula(ctx, n.ID, n.Formula); err != nil {
			return err
		}
	}
	values, err := x.layerValues(&n)
	if err != nil {
		return err
	}
	if _, err := x.exec(ctx, `UPDATE @layers SET `+strings.ReplaceAll(layerNames, ",", " = ?,")+` = ? WHERE id = ?`,
		append(values, n.ID)...); err != nil {
		return x.conflict(err, fmt.Sprintf("storing layer %d", l.ID), "slug")
	}
	if another {
		if err := x.putInputs(ctx, n.ID, n.Formula); err != nil {
			return err
		}
	}
	set(x.Tx, l, n)
	return nil
}

// otherKind is the error of giving a formula to a layer with a source, or the
// reverse.
func otherKind(l *rasterbase.Layer) error {
	text := "layer %d is parsed from its source and cannot become a formula"
	if l.Formula != nil {
		text = "layer %d is a formula and cannot be without one"
	}
	return rasterbase.Errorf(rasterbase.Invalid, text, l.ID).WithHint("make another layer").WithField("formula")
}

func (x layers) Delete(ctx context.Context, id rasterbase.LayerID) error {
	if err := x.checkUnread(ctx, id); err != nil {
		return err
	}
	n, err := x.exec(ctx, `DELETE FROM @layers WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting layer %d: %w", id, err)
	}
	if n == 0 {
		return noLayer(id)
	}
	return nil
}
