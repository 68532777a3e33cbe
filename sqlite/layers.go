package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type layers struct{ *tx }

const layerColumns = `layers.id, slug, name, description, attribution, license, source_id, source_name,
	source_origin, source_size, source_checksum, settings, legend_id, visibility, published, layers.created, updated`

func scanLayer(row scanner) (*rasterbase.Layer, error) {
	var l rasterbase.Layer
	var settings []byte
	var legend, published, created, updated sql.NullInt64
	err := row.Scan(&l.ID, &l.Slug, &l.Name, &l.Description, &l.Attribution, &l.License, &l.Source.ID, &l.Source.Name,
		&l.Source.Origin, &l.Source.Size, &l.Source.Checksum, &settings, &legend, &l.Visibility, &published, &created, &updated)
	if err != nil {
		return nil, err
	}
	l.Legend, l.Published = rasterbase.LegendID(legend.Int64), rasterbase.RevisionID(published.Int64)
	l.Created, l.Updated = timeOf(created), timeOf(updated)
	l.Settings, err = decodeSettings(settings)
	return &l, err
}

// layerValues gives the columns that Create and Update share.
func layerValues(l *rasterbase.Layer) ([]any, error) {
	settings, err := encodeSettings(l.Settings)
	if err != nil {
		return nil, err
	}
	var legend any
	if l.Legend != 0 {
		legend = int64(l.Legend)
	}
	return []any{l.Slug, l.Name, l.Description, l.Attribution, l.License, l.Source.ID, l.Source.Name,
		l.Source.Origin, l.Source.Size, l.Source.Checksum, settings, legend, string(l.Visibility),
		l.Updated.UnixMicro(), fileKey(l.Source.Name), caseless(l.Name + "\n" + l.Source.Name)}, nil
}

const layerNames = `slug, name, description, attribution, license, source_id, source_name, source_origin,
	source_size, source_checksum, settings, legend_id, visibility, updated, file_key, search_key`

// fileKey makes names with and without .zip equal.
func fileKey(name string) string {
	if n := len(name) - len(".zip"); n > 0 && strings.EqualFold(name[n:], ".zip") {
		return name[:n]
	}
	return name
}

func noLayer(id rasterbase.LayerID) error { return store.NotFound("there is no layer %d", id) }

func (x layers) Create(ctx context.Context, l *rasterbase.Layer) error {
	n := *l
	slug, err := x.freeSlug(ctx, store.Slug(firstOf(l.Slug, l.Name)), 0)
	if err != nil {
		return err
	}
	n.Slug, n.Published = slug, 0
	n.Created = x.db.now()
	n.Updated = n.Created
	if err := x.checkLegend(ctx, n.Legend); err != nil {
		return err
	}
	values, err := layerValues(&n)
	if err != nil {
		return err
	}
	id, err := x.insert(ctx, `INSERT INTO layers (`+layerNames+`, created) VALUES (?`+strings.Repeat(", ?", len(values))+`)`,
		append(values, n.Created.UnixMicro())...)
	if err != nil {
		return fmt.Errorf("storing a layer: %w", err)
	}
	n.ID = rasterbase.LayerID(id)
	*l = n
	return nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// freeSlug puts a number at the end of a slug when another layer has it.
func (x layers) freeSlug(ctx context.Context, slug string, own rasterbase.LayerID) (string, error) {
	for n := 1; ; n++ {
		try := slug
		if n > 1 {
			try += "-" + strconv.Itoa(n)
		}
		var taken bool
		err := x.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM layers WHERE slug = ? AND id <> ?)`, try, own).Scan(&taken)
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
	var exists bool
	if err := x.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM legends WHERE id = ?)`, id).Scan(&exists); err != nil {
		return fmt.Errorf("looking for legend %d: %w", id, err)
	}
	if !exists {
		return noLegend(id)
	}
	return nil
}

func (x layers) Get(ctx context.Context, id rasterbase.LayerID) (*rasterbase.Layer, error) {
	l, err := scanLayer(x.QueryRowContext(ctx, `SELECT `+layerColumns+` FROM layers WHERE layers.id = ?`, id))
	if isNoRows(err) {
		return nil, noLayer(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading layer %d: %w", id, err)
	}
	return l, nil
}

func (x layers) Find(ctx context.Context, f store.LayerFilter) ([]*rasterbase.Layer, int, error) {
	from := ` FROM layers LEFT JOIN revisions ON revisions.id = layers.published WHERE 1`
	var args []any
	and := func(cond string, arg any) {
		from += ` AND ` + cond
		args = append(args, arg)
	}
	if f.Slug != "" {
		and(`slug = ?`, f.Slug)
	}
	if f.FileName != "" {
		and(`file_key = ?`, fileKey(f.FileName))
	}
	if f.Search != "" {
		and(`instr(search_key, ?) > 0`, caseless(f.Search))
	}
	if f.Datatype != "" {
		and(`revisions.datatype = ?`, string(f.Datatype))
	}
	var total int
	if err := x.QueryRowContext(ctx, `SELECT count(*)`+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("counting layers: %w", err)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = -1
	}
	out, err := collect(ctx, x.tx, scanLayer, `SELECT `+layerColumns+from+` ORDER BY layers.id LIMIT ? OFFSET ?`,
		append(args, limit, max(0, f.Offset))...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing layers: %w", err)
	}
	return out, total, nil
}

func (x layers) Update(ctx context.Context, l *rasterbase.Layer) error {
	n := *l
	old, err := x.Get(ctx, l.ID)
	if err != nil {
		return err
	}
	n.Created, n.Published = old.Created, old.Published
	n.Updated = x.db.now()
	n.Slug = store.Slug(firstOf(l.Slug, l.Name))
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
	values, err := layerValues(&n)
	if err != nil {
		return err
	}
	if _, err := x.change(ctx, `UPDATE layers SET (`+layerNames+`) = (?`+strings.Repeat(", ?", len(values)-1)+`) WHERE id = ?`,
		append(values, n.ID)...); err != nil {
		return fmt.Errorf("storing layer %d: %w", l.ID, err)
	}
	*l = n
	return nil
}

func (x layers) Delete(ctx context.Context, id rasterbase.LayerID) error {
	n, err := x.change(ctx, `DELETE FROM layers WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting layer %d: %w", id, err)
	}
	if n == 0 {
		return noLayer(id)
	}
	return nil
}

// settingsDocument is the stored form of settings: JSON has no NaN, and nodata
// can be one.
type settingsDocument struct {
	rasterbase.Settings
	Nodata *rasterbase.Float `json:"nodata,omitempty"`
}

func toDocument(s rasterbase.Settings) settingsDocument {
	return settingsDocument{s, (*rasterbase.Float)(s.Nodata)}
}

func (d settingsDocument) settings() rasterbase.Settings {
	d.Settings.Nodata = (*float64)(d.Nodata)
	return d.Settings
}

func encodeSettings(s rasterbase.Settings) ([]byte, error) {
	b, err := json.Marshal(toDocument(s))
	if err != nil {
		return nil, fmt.Errorf("encoding settings: %w", err)
	}
	return b, nil
}

func decodeSettings(b []byte) (rasterbase.Settings, error) {
	var d settingsDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return rasterbase.Settings{}, fmt.Errorf("decoding settings: %w", err)
	}
	return d.settings(), nil
}
