package sqlcatalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// printing shows statements instead of running them.
type printing struct {
	print func(query string, args []any)
}

var errNoRows = errors.New("no rows")

func (p printing) Exec(_ context.Context, query string, args ...any) (int64, error) {
	p.print(query, args)
	return 1, nil
}

func (p printing) Query(_ context.Context, query string, args ...any) (Rows, error) {
	p.print(query, args)
	return nil, errNoRows
}

func (p printing) QueryRow(_ context.Context, query string, args ...any) Row {
	p.print(query, args)
	return noRow{}
}

type noRow struct{}

func (noRow) Scan(...any) error { return errNoRows }

// postgres writes queries as PostgreSQL takes them.
func postgres() Dialect {
	in := func(column string) string { return column + ` IN (SELECT jsonb_array_elements_text(?::jsonb))` }
	return Dialect{
		Table:       func(name string) string { return `"rasters".` + name },
		Placeholder: func(n int) string { return fmt.Sprint("$", n) },
		Time: func(t time.Time) any {
			if t.IsZero() {
				return nil
			}
			return t
		},
		IsUnique: func(error) bool { return false },
		IsNoRows: func(err error) bool { return errors.Is(err, errNoRows) },
		InTexts:  in, InIDs: in, Position: "strpos", PlainText: true,
	}
}

// A transaction over a connection that shows what it is asked.
func Example() {
	catalog := New(postgres())
	tx := catalog.Tx(printing{func(query string, args []any) { fmt.Println(query, args) }})
	ctx := context.Background()
	_ = tx.Revisions().Delete(ctx, 7)
	_, err := tx.Parses().Latest(ctx, 5)
	fmt.Println(err)
	// Output:
	// DELETE FROM "rasters".revisions WHERE id = $1 [7]
	// SELECT id, layer_id, revision_id, status, error, planned, done, fetch_from, created, started, ended FROM "rasters".parses WHERE layer_id = $1 ORDER BY id DESC LIMIT 1 [5]
	// layer 5 was never parsed: does not exist
}

func TestRewrite(t *testing.T) {
	pg := postgres()
	plain := Dialect{}.withDefaults()
	for query, want := range map[string]string{
		``:                                 ``,
		`SELECT ? FROM @layers l, @a_b`:    `SELECT $1 FROM "rasters".layers l, "rasters".a_b`,
		`@jobs(?, ?)`:                      `"rasters".jobs($1, $2)`,
		`SELECT 'a ? @b', ?`:               `SELECT 'a ? @b', $1`,
		`SELECT 'it''s ?' || ? || '', '?'`: `SELECT 'it''s ?' || $1 || '', '?'`,
		`größe = ?`:                        `größe = $1`,
	} {
		if got := pg.rewrite(query); got != want {
			t.Errorf("%s becomes %s, not %s", query, got, want)
		}
	}
	if got := plain.rewrite(`SELECT ?, '@' FROM @layers`); got != `SELECT ?, '@' FROM layers` {
		t.Errorf("without names of its own: %s", got)
	}
}

// Every statement has as many placeholders as arguments, and arguments are of
// the kinds that every database takes.
func TestArguments(t *testing.T) {
	check := func(query string, args []any) {
		if n := len(args); n > 0 && !strings.Contains(query, fmt.Sprint("$", n)) || strings.Contains(query, fmt.Sprint("$", n+1)) {
			t.Errorf("%d arguments for %s", n, query)
		}
		for _, a := range args {
			switch a.(type) {
			case nil, int64, float64, bool, string, []byte, time.Time:
			default:
				t.Errorf("a %T for %s", a, query)
			}
		}
	}
	ctx, tx := t.Context(), New(postgres()).Tx(printing{check})
	_ = tx.Jobs().Enqueue(ctx, &store.Job{Kind: "k", UniqueKey: "u"})
	_, _ = tx.Jobs().List(ctx, []store.JobState{store.JobDone}, 0)
	_, _, _ = tx.Layers().Find(ctx, store.LayerFilter{Slug: "s", FileName: "f", Search: "x", Datatype: rasterbase.Mask})
	_ = tx.Parses().Update(ctx, &rasterbase.Parse{ID: 1, Status: rasterbase.Failed, Started: time.Now()})
	_ = tx.Users().Update(ctx, &rasterbase.User{ID: 1, Name: "u", Role: rasterbase.Editor})
	_ = tx.Tokens().Update(ctx, &rasterbase.Token{ID: 1, Expires: time.Now()})
	_ = tx.Uploads().Update(ctx, &rasterbase.Upload{ID: "u", Size: 1})
	_ = tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "o", Name: "n"})
	_ = putRows(ctx, tx, make([]content, 3000), content.values, `INSERT INTO @entries (semantics_id, expression, color) VALUES`, ``)
	got := tx.plain([]any{int8(1), uint16(2), rasterbase.LayerID(3), 4, rasterbase.Mask, "a\x00\xff", time.Time{}, nil, []byte{0}, true})
	want := []any{int64(1), int64(2), int64(3), int64(4), "mask", "a\uFFFD\uFFFD", nil, nil, []byte{0}, true}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("the arguments are %#v", got)
	}
}

// Parts of a list are the list, and there are few lengths of them.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := make([]int, rapid.IntRange(0, 5*mostRows).Draw(t, "length"))
		for i := range list {
			list[i] = i
		}
		var got []int
		err := batches(list, func(part []int) error {
			if n := len(part); n&(n-1) != 0 || n == 0 || n > mostRows {
				t.Errorf("a part has length %d", n)
			}
			got = append(got, part...)
			return nil
		})
		if err != nil || !slices.Equal(got, list) {
			t.Errorf("%d of %d are in parts (%v)", len(got), len(list), err)
		}
	})
	if got := marks(2, 3); got != "(?, ?), (?, ?), (?, ?)" {
		t.Errorf("the placeholders are %s", got)
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(1899, 2, 28, 3, 4, 5, 678_901_000, time.FixedZone("", 3600))
	for _, v := range []any{at, at.UnixMicro()} {
		var got Time
		if err := got.Scan(v); err != nil || !time.Time(got).Equal(at) || time.Time(got).Location() != time.UTC {
			t.Errorf("%v is read as %v (%v)", v, time.Time(got), err)
		}
	}
	got := Time(at)
	if err := got.Scan(nil); err != nil || !time.Time(got).IsZero() {
		t.Errorf("NULL is read as %v (%v)", time.Time(got), err)
	}
	if err := got.Scan("2020-01-01"); err == nil {
		t.Error("a text was read as a time")
	}
}

// JSON without NUL is the JSON of the value without NUL.
func TestWithoutNUL(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\x00", `\`, `\u0000`, `u0000`, `"`, "0", "ü", "\n", "<"})
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(rapid.StringOf(rapid.Rune())).Draw(t, "texts")
		texts = append(texts, strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), ""))
		b, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(withoutNUL(b), &got); err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			if want := strings.ReplaceAll(text, "\x00", "\uFFFD"); got[i] != want {
				t.Errorf("%q becomes %q", text, got[i])
			}
		}
	})
}

// Revisions and settings come back from their documents as they were, numbers
// that JSON does not have among them.
func TestDocuments(t *testing.T) {
	number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1e300, -1.0 / 3}))
	rapid.Check(t, func(t *rapid.T) {
		nodata := number.Draw(t, "nodata")
		r := rasterbase.Revision{
			TileSize: rapid.IntRange(1, 4096).Draw(t, "size"), BaseTiles: rapid.Int64().Draw(t, "tiles"),
			Bounds:   rasterbase.Bounds{West: number.Draw(t, "west"), North: number.Draw(t, "north")},
			Settings: rasterbase.Settings{Nodata: &nodata, Subdataset: rapid.String().Draw(t, "text")},
			Bands:    []rasterbase.Band{{PixelType: rasterbase.Float32, Min: number.Draw(t, "min"), Std: number.Draw(t, "std"), Nodata: rasterbase.FloatPtr(nodata)}},
		}
		b, err := json.Marshal(documentOf(&r))
		if err != nil {
			t.Fatal(err)
		}
		var got rasterbase.Revision
		if err := decodeRevision(b, &got); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(documentOf(&got))
		if err != nil || string(again) != string(b) || got.TileSize != r.TileSize || got.BaseTiles != r.BaseTiles ||
			fmt.Sprint(*got.Settings.Nodata, got.Bounds, got.Bands[0].Min) != fmt.Sprint(nodata, r.Bounds, r.Bands[0].Min) {
			t.Errorf("%s becomes %s (%v)", b, again, err)
		}
	})
}

// A transaction that was not kept leaves the callers' values as they were,
// whatever was set in them how often.
func TestTakeBack(t *testing.T) {
	tx := New(postgres()).Tx(printing{func(string, []any) {}})
	a, b := 1, "x"
	set(tx, &a, 2)
	set(tx, &b, "y")
	set(tx, &a, 3)
	tx.TakeBack()
	if a != 1 || b != "x" {
		t.Errorf("they are %d and %q", a, b)
	}
	a = 5
	tx.TakeBack()
	if a != 5 {
		t.Error("what was taken back was taken back again")
	}
}
