package postgis_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/postgis"
)

// BenchmarkValueCount compares valuecount with ST_ValueCount(ST_Clip) on a generated land
// cover, in polygons of several sizes: one after the other, in turns.
func BenchmarkValueCount(b *testing.B) {
	const side = 4000
	url := pgtest.Database(b)
	pool := newPool(b, url)
	if err := postgis.Migrate(b.Context(), pool, postgis.Options{}); err != nil {
		b.Fatal(err)
	}
	db := openDatabase(b, url, postgis.Options{})
	path := filepath.Join(b.TempDir(), "cover.syn")
	if err := os.WriteFile(path, []byte("not looked at"), 0o600); err != nil {
		b.Fatal(err)
	}
	opener := &rastertest.Opener{Sources: map[string]rastertest.Source{"cover.syn": {Grid: exactGrid(side, side), SRID: 32632,
		Bands: []ingest.BandInfo{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(255)}},
		Value: func(_, col, row int) float64 {
			return math.Floor(8 + 4*math.Sin(float64(col)/37) + 4*math.Cos(float64(row)/53))
		},
	}}}
	l, err := ingest.Import(b.Context(), db, opener, ingest.Request{Source: path, Settings: rasterbase.Settings{Datatype: rasterbase.Categorical, NoPyramid: true}})
	if err != nil {
		b.Fatal(err)
	}
	table := collect[string](b, pool, `SELECT tableoid::regclass::text FROM rasterbase.tiles LIMIT 1`)[0]
	plain := fmt.Sprintf(`SELECT (v).value, sum((v).count) FROM (SELECT ST_ValueCount(ST_Clip(t.rast, z.g)) AS v
		FROM %s AS t, (SELECT ST_GeomFromText($1, 32632) AS g) AS z WHERE ST_Intersects(t.rast, z.g)) AS c GROUP BY 1`, table)
	ours := fmt.Sprintf(`SELECT value, count FROM rasterbase.valuecount(%d, ST_GeomFromText($1, 32632))`, l.ID)
	degrees := fmt.Sprintf(`SELECT value, count FROM rasterbase.valuecount(%d, ST_Transform(ST_GeomFromText($1, 32632), 4326))`, l.ID)
	for _, radius := range []float64{5, 50, 300, 1000, 1800} {
		b.Run(fmt.Sprintf("radius=%v", radius), func(b *testing.B) {
			var text strings.Builder
			for i := range 201 {
				sin, cos := math.Sincos(2 * math.Pi * float64(i%200) / 200)
				d := radius * (0.8 + 0.2*math.Sin(2*math.Pi*float64(i%200)/25))
				x, y := exactGrid(side, side).World(side/2+0.3+d*cos, side/2+0.3+d*sin)
				fmt.Fprintf(&text, "%s%v %v", []string{"", ","}[min(i, 1)], x, y)
			}
			polygon := "POLYGON((" + text.String() + "))"
			times := map[string][]time.Duration{}
			for b.Loop() {
				answers := map[string]map[float64]int64{}
				for name, query := range map[string]string{"plain": plain, "ours": ours, "degrees": degrees} {
					began := time.Now()
					rows, err := pool.Query(b.Context(), query, polygon)
					if err != nil {
						b.Fatal(err)
					}
					got := map[float64]int64{}
					for rows.Next() {
						var v float64
						var n int64
						if err := rows.Scan(&v, &n); err != nil {
							b.Fatal(err)
						}
						got[v] = n
					}
					if rows.Err() != nil {
						b.Fatal(rows.Err())
					}
					times[name], answers[name] = append(times[name], time.Since(began)), got
				}
				if !maps.Equal(answers["plain"], answers["ours"]) {
					b.Fatalf("%v and %v", answers["plain"], answers["ours"])
				}
			}
			for name, all := range times {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2].Seconds()*1000, name+"-ms")
			}
		})
	}
}
