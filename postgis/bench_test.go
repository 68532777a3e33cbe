package postgis_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// benchLayers is how many layers the benchmark of reading has at most:
// RASTERBASE_BENCH_LAYERS, or 100. Making 1,000 takes some minutes.
func benchLayers(b *testing.B) int {
	b.Helper()
	text := os.Getenv("RASTERBASE_BENCH_LAYERS")
	if text == "" {
		return 100
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchZooms is the number of tables of each layer of the benchmark.
const benchZooms = 12

// landCover is a tile of 256x256 pixels in patches, as classes of land are.
func landCover(k store.TileKey) store.Tile {
	g := rasterbase.Grid{OriginX: float64(2560 * k.X), OriginY: float64(-2560 * k.Y), ScaleX: 10, ScaleY: -10, Width: 256, Height: 256}
	band := raster.Band{Type: rasterbase.Uint8, HasNodata: true, Pixels: raster.NewPixels(rasterbase.Uint8, 256*256)}
	for i := range 256 * 256 {
		col, row := uint32(i%256+256*k.X), uint32(i/256+256*k.Y)
		h := (col/7*2654435761 ^ row/5*2246822519) * 3266489917
		band.Pixels.Set(i, float64(1+h>>29))
	}
	return store.Tile{TileKey: k, Raster: &raster.Raster{Grid: g, SRID: 3857, Bands: []raster.Band{band}}}
}

// fillLayers makes sealed revisions with a tile at each of the zooms.
func fillLayers(b *testing.B, db database, from, to int) {
	b.Helper()
	var g errgroup.Group
	g.SetLimit(2)
	for id := from; id <= to; id++ {
		g.Go(func() error {
			k := store.RevisionKey{Layer: rasterbase.LayerID(id), Revision: rasterbase.RevisionID(id)}
			if err := db.Tiles().Create(b.Context(), &rasterbase.Revision{ID: k.Revision, Layer: k.Layer, TileSize: 256}); err != nil {
				return err
			}
			var batch []store.Tile
			for z := range benchZooms {
				batch = append(batch, landCover(store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: z}))
			}
			if err := db.Tiles().Put(b.Context(), batch); err != nil {
				return err
			}
			return db.Tiles().Seal(b.Context(), k)
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead reads one tile at a time, of a single table and of all tables
// in turn, while the number of tables grows.
func BenchmarkRead(b *testing.B) {
	db := newDatabase(b, postgis.Options{})
	last := 0
	for layers := 1; layers <= benchLayers(b); layers *= 10 {
		fillLayers(b, db, last+1, layers)
		last = layers
		for _, spread := range []struct {
			name   string
			layers int
		}{{"one layer", 1}, {"40 layers", 40}, {"all layers", layers}} {
			if spread.layers > layers {
				continue
			}
			for _, readers := range []int{1, 4} {
				b.Run(fmt.Sprintf("tables=%d/of %s/readers=%d", layers*benchZooms, spread.name, readers), func(b *testing.B) {
					read(b, db, spread.layers, readers)
				})
			}
		}
	}
}

// read reads tiles of some layers at random.
func read(b *testing.B, db database, layers, readers int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var g errgroup.Group
	b.ResetTimer()
	for range readers {
		g.Go(func() error {
			for left.Add(-1) >= 0 {
				id := 1 + rand.IntN(layers)
				_, err := db.Tiles().Get(b.Context(), store.TileKey{Kind: rasterbase.Pyramid, Z: rand.IntN(benchZooms),
					RevisionKey: store.RevisionKey{Layer: rasterbase.LayerID(id), Revision: rasterbase.RevisionID(id)}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tiles/s")
}

// BenchmarkWrite writes land cover in batches of several sizes, by one to four
// connections, compressed by lz4 and by PostgreSQL's own way.
func BenchmarkWrite(b *testing.B) {
	for _, compression := range []string{"lz4", "pglz"} {
		for _, writers := range []int{1, 2, 4} {
			for _, size := range []int{20, 50, 100, 500} {
				if compression == "pglz" && (size != 100 || writers == 4) {
					continue
				}
				b.Run(fmt.Sprintf("%s/writers=%d/batch=%d", compression, writers, size), func(b *testing.B) {
					write(b, compression, writers, size)
				})
			}
		}
	}
}

func write(b *testing.B, compression string, writers, size int) {
	db := newDatabase(b, postgis.Options{Writers: writers})
	k := store.RevisionKey{Layer: 1, Revision: 1}
	if err := db.Tiles().Create(b.Context(), &rasterbase.Revision{ID: 1, Layer: 1, TileSize: 256}); err != nil {
		b.Fatal(err)
	}
	first := landCover(store.TileKey{RevisionKey: k, Kind: rasterbase.Base})
	if err := db.Tiles().Put(b.Context(), []store.Tile{first}); err != nil {
		b.Fatal(err)
	}
	execute(b, newPool(b, db.url), "ALTER TABLE rasterbase.tiles_1_1_base ALTER COLUMN rast SET COMPRESSION "+compression)
	var made [500]store.Tile
	for i := range made {
		made[i] = landCover(store.TileKey{RevisionKey: k, Kind: rasterbase.Base, X: i % 25, Y: i / 25})
	}
	number := 0
	b.ResetTimer()
	for number < b.N {
		batch := make([]store.Tile, 0, size)
		for len(batch) < size && number < b.N {
			t := made[number%len(made)]
			t.X, t.Y = number%1000, number/1000
			batch = append(batch, t)
			number++
		}
		if err := db.Tiles().Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tiles/s")
	b.SetBytes(256 * 256)
}
