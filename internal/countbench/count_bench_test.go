package countbench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is one land cover in both stores and as a file.
type bench struct {
	side    int
	path    string
	stores  map[string]stored
	pool    *pgxpool.Pool
	options zonal.Placement
}

type stored struct {
	store.Store
	layer rasterbase.LayerID
}

func newBench(b *testing.B, side int) *bench {
	b.Helper()
	k := &bench{side: side, path: writeLandCover(b, side), stores: map[string]stored{}}
	k.options = zonal.Placement{CRS: rasterbase.CRS{SRID: srid}, Transformer: gdal.Transformer{}}
	lite, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	k.add(b, "sqlite", lite)
	if os.Getenv("RASTERBASE_BENCH_POSTGIS") == "false" {
		return k
	}
	url := pgtest.Database(b)
	if k.pool, err = pgxpool.New(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(k.pool.Close)
	if err := postgis.Migrate(b.Context(), k.pool, postgis.Options{}); err != nil {
		b.Fatal(err)
	}
	pg, err := postgis.New(b.Context(), k.pool, postgis.Options{})
	if err != nil {
		b.Fatal(err)
	}
	k.add(b, "postgis", pg)
	return k
}

func (k *bench) add(b *testing.B, name string, st store.Store) {
	b.Helper()
	b.Cleanup(func() { _ = st.Close() })
	l, err := ingest.Import(b.Context(), st, gdal.Opener{}, ingest.Request{
		Source: k.path, Settings: rasterbase.Settings{Datatype: rasterbase.Categorical, NoPyramid: true},
	})
	if err != nil {
		b.Fatal(err)
	}
	k.stores[name] = stored{st, l.ID}
}

// contender answers for all zones: pixels by value of each, or nil for statistics.
type contender struct {
	name string
	warm bool // by itself: what it tells is its second time
	run  func(ctx context.Context) (took time.Duration, answers []map[string]float64, err error)
}

// ours opens the coverage anew each time, so that nothing is left of an earlier answer.
func (k *bench) ours(name string, zones []orb.Geometry, q zonal.Query) contender {
	return contender{"rasterbase on " + name, false, func(ctx context.Context) (time.Duration, []map[string]float64, error) {
		began := time.Now()
		st := k.stores[name]
		cov, err := coverage.Open(ctx, st.Store, st.layer)
		if err != nil {
			return 0, nil, err
		}
		z, err := zonal.Place(ctx, cov.Describe(), k.options, zones)
		if err != nil {
			return 0, nil, err
		}
		all, err := zonal.Count(ctx, cov, z, q)
		if err != nil {
			return 0, nil, err
		}
		took := time.Since(began)
		out := make([]map[string]float64, len(all))
		for i, r := range all {
			out[i] = map[string]float64{}
			for _, row := range r.Bands[0].Counts {
				out[i][strconv.FormatFloat(row.Value, 'f', -1, 64)] = row.Count
			}
		}
		return took, out, nil
	}}
}

// sql counts with PostGIS's own functions, on the tiles of our table.
func (k *bench) sql(g orb.Geometry) contender {
	return contender{"ST_ValueCount(ST_Clip)", false, func(ctx context.Context) (time.Duration, []map[string]float64, error) {
		table := ""
		err := k.pool.QueryRow(ctx, `SELECT tableoid::regclass::text FROM rasterbase.tiles LIMIT 1`).Scan(&table)
		if err != nil {
			return 0, nil, err
		}
		began := time.Now()
		rows, err := k.pool.Query(ctx, fmt.Sprintf(`
			WITH zone AS (SELECT ST_GeomFromText($1, %d) AS geom)
			SELECT (c).value, sum((c).count) FROM (
				SELECT ST_ValueCount(ST_Clip(t.rast, z.geom)) AS c FROM %s t, zone z WHERE ST_Intersects(t.rast, z.geom)
			) counted GROUP BY 1`, srid, table), wkt.MarshalString(g))
		if err != nil {
			return 0, nil, err
		}
		defer rows.Close()
		out := map[string]float64{}
		for rows.Next() {
			var v float64
			var n int64
			if err := rows.Scan(&v, &n); err != nil {
				return 0, nil, err
			}
			out[strconv.FormatFloat(v, 'f', -1, 64)] = float64(n)
		}
		return time.Since(began), []map[string]float64{out}, rows.Err()
	}}
}

// python runs another program, which tells its own time.
func (k *bench) python(b *testing.B, program, zones, what string) (contender, bool) {
	b.Helper()
	python := os.Getenv("RASTERBASE_BENCH_PYTHON")
	if python == "" {
		b.Logf("%s: RASTERBASE_BENCH_PYTHON names no Python that has it", program)
		return contender{}, false
	}
	return contender{program, true, func(ctx context.Context) (time.Duration, []map[string]float64, error) {
		out, err := exec.CommandContext(ctx, python, "testdata/rivals.py", program, k.path, zones, "2", what).Output()
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", program, err)
		}
		var told struct {
			Seconds []float64
			Answers map[string]map[string]float64
		}
		if err := json.Unmarshal(out, &told); err != nil {
			return 0, nil, err
		}
		answers := make([]map[string]float64, len(told.Answers))
		for i := range answers {
			answers[i] = told.Answers[strconv.Itoa(i)]
		}
		return time.Duration(told.Seconds[1] * float64(time.Second)), answers, nil
	}}, true
}

// race lets all take turns, each warmed by an answer that is not timed, and prints the
// median of each and how many times as long it is as that of the first. Answers must agree: those by the centres to the pixel,
// those of fractions within a share.
func race(b *testing.B, rounds int, all []contender, check bool) {
	b.Helper()
	times := make([][]time.Duration, len(all))
	var first []map[string]float64
	for range rounds {
		for i, c := range all {
			if !c.warm {
				if _, _, err := c.run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			took, answers, err := c.run(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], took)
			if i == 0 {
				first = answers
			} else if check {
				compare(b, c.name, first, answers)
			}
		}
	}
	median := make([]time.Duration, len(all))
	for i := range all {
		slices.Sort(times[i])
		median[i] = times[i][len(times[i])/2]
	}
	for i, c := range all {
		b.Logf("%-24s %12.3f ms  %8.1f times", c.name, median[i].Seconds()*1000, float64(median[i])/float64(median[0]))
	}
	b.ReportMetric(median[0].Seconds()*1000, "ms")
	b.ReportMetric(0, "ns/op")
}

func compare(b *testing.B, name string, want, got []map[string]float64) {
	b.Helper()
	if len(want) != len(got) {
		b.Fatalf("%s answers for %d zones, not %d", name, len(got), len(want))
	}
	allowed := 0.0
	if name == "exactextract" {
		allowed = 0.02 // it counts fractions
	}
	for i := range want {
		sum, diff := 0.0, 0.0
		for v, n := range want[i] {
			sum += n
			diff += math.Abs(n - got[i][v])
		}
		if diff > allowed*sum+allowed*100 {
			b.Fatalf("%s: zone %d: %v, and not %v", name, i, got[i], want[i])
		}
	}
}

// BenchmarkOnePolygon counts a polygon of 200 vertices and 25 million pixels, and one
// of a hundred pixels, with nothing left of an earlier answer.
func BenchmarkOnePolygon(b *testing.B) {
	side := sideOf(b, 8000)
	k := newBench(b, side)
	r := rand.New(rand.NewPCG(1, 2))
	middle := float64(side) / 2
	for _, size := range []struct {
		name     string
		vertices int
		pixels   float64
	}{{"large", 200, 25e6 * middle * middle / 16e6}, {"hundred pixels", 12, 100}} {
		g := blob(r, middle+3.3, middle-2.1, size.vertices, size.pixels)
		b.Run(size.name, func(b *testing.B) {
			all := []contender{k.ours("sqlite", []orb.Geometry{g}, zonal.Query{})}
			if k.pool != nil {
				all = append(all, k.ours("postgis", []orb.Geometry{g}, zonal.Query{}), k.sql(g))
			}
			zones := writeZones(b, []orb.Geometry{g})
			for _, program := range []string{"exactextract", "rasterstats"} {
				if c, ok := k.python(b, program, zones, "counts"); ok {
					all = append(all, c)
				}
			}
			for range b.N {
				race(b, 5, all, size.pixels > 1e4)
			}
		})
	}
}

// BenchmarkManyPolygons counts ten thousand polygons of some 8,500 pixels in one call.
func BenchmarkManyPolygons(b *testing.B) {
	side := sideOf(b, 8000)
	k := newBench(b, side)
	r := rand.New(rand.NewPCG(3, 4))
	zones := make([]orb.Geometry, 10_000)
	for i := range zones {
		zones[i] = blob(r, 80+r.Float64()*float64(side-160), 80+r.Float64()*float64(side-160), 50, 8500)
	}
	path := writeZones(b, zones)
	for _, what := range []string{"counts", "statistics"} {
		q := zonal.Query{}
		if what == "statistics" {
			q = zonal.Query{Group: zonal.NoGroup, Stats: zonal.Moments}
		}
		b.Run(what, func(b *testing.B) {
			all := []contender{k.ours("sqlite", zones, q)}
			if k.pool != nil {
				all = append(all, k.ours("postgis", zones, q))
			}
			for _, program := range []string{"exactextract", "rasterstats"} {
				if c, ok := k.python(b, program, path, what); ok {
					all = append(all, c)
				}
			}
			for range b.N {
				race(b, 3, all, false)
			}
		})
	}
}

// BenchmarkGrowth counts polygons whose sides double: the time doubles, and not more.
func BenchmarkGrowth(b *testing.B) {
	side := sideOf(b, 8000)
	b.Setenv("RASTERBASE_BENCH_POSTGIS", "false")
	k := newBench(b, side)
	cov, err := coverage.Open(b.Context(), k.stores["sqlite"].Store, k.stores["sqlite"].layer)
	if err != nil {
		b.Fatal(err)
	}
	for across := 500.0; across <= 0.71*float64(side); across *= 2 {
		g := blob(rand.New(rand.NewPCG(5, 6)), float64(side)/2, float64(side)/2, 200, across*across)
		for _, rule := range []footprint.Rule{footprint.Centre, footprint.Fraction} {
			b.Run(fmt.Sprintf("%s/%.0f px across", rule, across), func(b *testing.B) {
				o := zonal.Options{Placement: k.options}
				o.Rule = rule
				var made zonal.Made
				for b.Loop() {
					r, err := zonal.ValueCount(b.Context(), cov, g, o)
					if err != nil {
						b.Fatal(err)
					}
					made = r.Made
				}
				b.ReportMetric(float64(made.TilesRead), "tiles-read")
				b.ReportMetric(float64(made.SummaryTiles), "tiles-from-summaries")
			})
		}
	}
}
