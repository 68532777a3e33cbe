package postgis

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// View is a database view of a layer's tiles, and the table behind it.
type View struct {
	Name string // without the schema: layer_landcover
	Kind rasterbase.Kind
	Zoom int // of pyramid tiles: the max zoom
	// Table holds the tiles of the revision that is published now. It has the
	// constraints by which PostGIS, QGIS and GDAL know what is in it, but is
	// replaced when the layer is parsed again, while the view stays.
	Table string
}

// CreateView makes the views of a layer: of its base tiles, and of the tiles of
// its pyramid's max zoom; one for each band set when there are several. They
// follow the layer when it is parsed again, and are dropped with it. Making
// them again is not an error, and makes those of band sets that a new parse has
// brought. The layer must be published.
func (db *DB) CreateView(ctx context.Context, id rasterbase.LayerID) ([]View, error) {
	var layer *rasterbase.Layer
	var rev *rasterbase.Revision
	err := db.Catalog().View(ctx, func(tx store.Tx) (err error) {
		if layer, err = tx.Layers().Get(ctx, id); err != nil {
			return err
		}
		if layer.Formula != nil {
			return rasterbase.Errorf(rasterbase.Unsupported, "layer %d (%s) is a formula and has no tiles in the database", id, layer.Name).
				WithHint("make views of the layers that it reads")
		}
		if layer.Published == 0 {
			return rasterbase.Errorf(rasterbase.Conflict, "layer %d (%s) has no tiles yet", id, layer.Name).
				WithHint("make the view when its parse has finished")
		}
		rev, err = tx.Revisions().Get(ctx, layer.Published)
		return err
	})
	if err != nil {
		return nil, err
	}
	var views []View
	for _, l := range viewedLevels(layer, rev) {
		v := View{Name: viewName(layer.Slug, l, rev.BandSets()), Kind: l.Kind, Zoom: l.Z, Table: tableName(l)}
		if err := db.createView(ctx, v, l); err != nil {
			return nil, db.storageError(err, "making the view %s", v.Name)
		}
		views = append(views, v)
	}
	return views, nil
}

// viewedLevels are the levels of a layer that get a view.
func viewedLevels(layer *rasterbase.Layer, rev *rasterbase.Revision) []store.TileKey {
	var levels []store.TileKey
	k := store.TileKey{RevisionKey: store.RevisionKey{Layer: layer.ID, Revision: rev.ID}}
	for set := range rev.BandSets() {
		k.BandSet = set
		if rev.BaseTiles > 0 {
			k.Kind, k.Z = rasterbase.Base, 0
			levels = append(levels, k)
		}
		if rev.HasPyramid {
			k.Kind, k.Z = rasterbase.Pyramid, rev.MaxZoom
			levels = append(levels, k)
		}
	}
	return levels
}

// viewName makes a name that needs no quotes where the slug allows it. 63 bytes
// is the longest that PostgreSQL keeps.
func viewName(slug string, l store.TileKey, sets int) string {
	suffix := ""
	if l.Kind == rasterbase.Pyramid {
		suffix = "_web"
	}
	if sets > 1 {
		suffix += fmt.Sprintf("_b%d", l.BandSet+1)
	}
	name := "layer_" + strings.ReplaceAll(slug, "-", "_")
	for len(name)+len(suffix) > 63 {
		r := []rune(name)
		name = string(r[:len(r)-1])
	}
	return name + suffix
}

// createView makes or replaces a view, unless its name belongs to something
// else.
func (db *DB) createView(ctx context.Context, v View, l store.TileKey) error {
	return db.tiles.inTx(ctx, func(tx pgx.Tx) error {
		var owner *int64
		var exists bool
		err := tx.QueryRow(ctx, `SELECT (SELECT layer FROM `+db.table("views_of_layers")+` WHERE name = $1), to_regclass($2) IS NOT NULL`,
			v.Name, db.table(v.Name)).Scan(&owner, &exists)
		switch {
		case err != nil:
			return err
		case exists && (owner == nil || *owner != int64(l.Layer)):
			return rasterbase.Errorf(rasterbase.Conflict, "the schema %s has something else called %s", db.o.Schema, v.Name).
				WithHint("give the layer another slug, or take the other one away")
		}
		zoom := ""
		if l.Kind == rasterbase.Pyramid {
			zoom = " AND tilez = " + fmt.Sprintf(`(SELECT (r.document->>'max_zoom')::int FROM %s p JOIN %s r ON r.id = p.published WHERE p.id = %d)`,
				db.table("layers"), db.table("revisions"), l.Layer)
		}
		_, err = tx.Exec(ctx, fmt.Sprintf(`CREATE OR REPLACE VIEW %s AS SELECT rid, tilez, tilex, tiley, has_validity, rast FROM %s
			WHERE layer = %d AND revision = (SELECT published FROM %s WHERE id = %[3]d) AND is_base = %[5]t AND band_set = %[6]d%[7]s`,
			db.table(v.Name), db.table("tiles"), l.Layer, db.table("layers"), l.Kind == rasterbase.Base, l.BandSet, zoom))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO `+db.table("views_of_layers")+` (name, layer) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			v.Name, int64(l.Layer))
		return err
	})
}

// dropViews drops the views of a layer that was deleted.
func (t *tiles) dropViews(ctx context.Context, layer rasterbase.LayerID) error {
	var names []string
	err := t.db.collect(ctx, &names, `SELECT v.name FROM `+t.db.table("views_of_layers")+` v
		WHERE v.layer = $1 AND NOT EXISTS (SELECT 1 FROM `+t.db.table("layers")+` l WHERE l.id = v.layer)`, int64(layer))
	for _, name := range names {
		if err == nil {
			err = t.inTx(ctx, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+lockWait+`'; DROP VIEW IF EXISTS `+t.db.table(name)); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `DELETE FROM `+t.db.table("views_of_layers")+` WHERE name = $1`, name)
				return err
			})
		}
	}
	return err
}
