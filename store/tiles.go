package store

import (
	"context"
	"iter"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// RevisionKey names a revision of a layer in the tile store.
type RevisionKey struct {
	Layer    rasterbase.LayerID
	Revision rasterbase.RevisionID
}

// TileKey names a tile. Base tiles have Z 0, and X and Y count blocks of the
// tile size from pixel (0,0) of the source.
type TileKey struct {
	RevisionKey
	Kind    rasterbase.Kind
	Z, X, Y int
	BandSet int
}

// Tile is a key and the raster stored under it.
type Tile struct {
	TileKey
	Raster *raster.Raster
}

// ListParams selects tiles for [Tiles.List].
type ListParams struct {
	RevisionKey
	Kind rasterbase.Kind
	Z    int
}

// Level is the tiles of a kind and zoom.
type Level struct {
	Kind  rasterbase.Kind
	Z     int // 0 for base tiles
	Tiles int64
	Bytes int64 // what they take with their indices; 0: the store does not know
}

// Tiles keeps immutable tiles, in revisions that are created, filled, sealed
// and dropped as a whole. Any number of goroutines may use it.
type Tiles interface {
	// Create makes the place for a revision's tiles. Creating it again is not
	// an error and keeps the tiles that are there. The error matches
	// ErrRevisionGone when the revision was dropped.
	Create(ctx context.Context, rev *rasterbase.Revision) error
	// Put stores tiles of one revision. Storing an equal tile again succeeds,
	// so that a batch can be repeated; a failed batch may be stored in part.
	// The rasters are not kept. The error has code invalid for a raster that
	// cannot be a tile, and conflict when the revision was sealed. The error matches ErrRevisionGone when the
	// revision was not created or was dropped.
	Put(ctx context.Context, tiles []Tile) error
	// Sync makes the tiles that were put before it as durable as a transaction
	// of the catalog is: what the catalog says of them stays true after a loss
	// of power. Errors are those of Get.
	Sync(ctx context.Context, rev RevisionKey) error
	// Seal makes all tiles durable. A revision is sealed before it is
	// published; nothing is put afterwards. Sealing it again is not an error.
	Seal(ctx context.Context, rev RevisionKey) error
	// Get returns one tile's raster, shared and read-only. The error matches
	// ErrNotExist for a tile that was not stored, ErrRevisionGone when the
	// revision was not created or was dropped.
	Get(ctx context.Context, key TileKey) (*raster.Raster, error)
	// GetMany returns the rasters of tiles of one revision in the order of the
	// keys, nil for a tile that was not stored. Errors are those of Get.
	GetMany(ctx context.Context, keys []TileKey) ([]*raster.Raster, error)
	// List yields the tiles of a kind and zoom, ordered by Y, X and band set.
	// The store can be used meanwhile.
	List(ctx context.Context, p ListParams) iter.Seq2[Tile, error]
	// Drop deletes a revision's tiles; dropping it again is not an error.
	// After it the revision is gone for good.
	Drop(ctx context.Context, rev RevisionKey) error
	// Bytes is the storage that a revision takes. The error matches
	// ErrRevisionGone as that of Get does.
	Bytes(ctx context.Context, rev RevisionKey) (int64, error)
	// Levels counts a revision's tiles: the base tiles first, then the zooms from the
	// smallest on. A level without tiles is left out; each band set's count. Errors
	// are those of Bytes.
	Levels(ctx context.Context, rev RevisionKey) ([]Level, error)
	// Revisions lists what is stored, published or not, for the collection
	// of garbage.
	Revisions(ctx context.Context) ([]RevisionKey, error)
}
