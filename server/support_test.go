package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

func newStore(t testing.TB) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func newServer(t testing.TB, c server.Config) *server.Server {
	t.Helper()
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks a handler; header is name and value pairs.
func get(t testing.TB, h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, h, http.MethodGet, target, header...)
}

func ask(t testing.TB, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantStatus(t testing.TB, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %.300s", w.Code, status, w.Body)
	}
}

func decode[T any](t testing.TB, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	wantStatus(t, w, http.StatusOK)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %.300s", err, w.Body)
	}
	return v
}

type problem struct {
	Type, Title, Detail, Parameter, Hint, ID string
	Status                                   int
}

func wantProblem(t testing.TB, w *httptest.ResponseRecorder, status int) problem {
	t.Helper()
	wantStatus(t, w, status)
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" || p.ID == "" {
		t.Errorf("incomplete problem document: %s", w.Body)
	}
	return p
}

func wantPNG(t testing.TB, w *httptest.ResponseRecorder) image.Image {
	t.Helper()
	wantStatus(t, w, http.StatusOK)
	if got := w.Header().Get("Content-Type"); got != "image/png" {
		t.Errorf("content type %q", got)
	}
	img, err := png.Decode(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func at(img image.Image, x, y int) color.NRGBA {
	return color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
}

func wantTransparent(t testing.TB, img image.Image) {
	t.Helper()
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if c := at(img, x, y); c.A != 0 {
				t.Fatalf("pixel %d,%d is %v, want transparent", x, y, c)
			}
		}
	}
}

var (
	forest = color.NRGBA{0x1b, 0x78, 0x37, 0xff}
	water  = color.NRGBA{0x21, 0x66, 0xac, 0xff}
	town   = color.NRGBA{0xd7, 0x30, 0x27, 0xff}
)

func addLegend(t testing.TB, st store.Store, title string, colors ...color.NRGBA) *rasterbase.Legend {
	t.Helper()
	names := []string{"Forest", "Water", "Town"}
	lg := &rasterbase.Legend{Title: title}
	for i, c := range colors {
		lg.Entries = append(lg.Entries, rasterbase.Entry{
			Semantics: rasterbase.Semantics{Name: names[i]}, Expression: string(rune('1' + i)), Color: rasterbase.Color(c),
		})
	}
	ctx := t.Context()
	if err := st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Create(ctx, lg) }); err != nil {
		t.Fatal(err)
	}
	return lg
}

// stripes is a categorical layer at zoom 6, tiles 33..34/22..23: a vertical
// stripe of each of the values 1, 2, 3, and nodata at the right.
func stripes(name string, lg *rasterbase.Legend) testlayer.Spec {
	s := testlayer.Spec{
		Layer:    rasterbase.Layer{Name: name, Source: rasterbase.Source{Name: "landcover.tif", Size: 10}, Visibility: rasterbase.Public},
		Datatype: rasterbase.Categorical,
		Bands:    []rasterbase.Band{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(255)}},
		MaxZoom:  6, X: 33 * 256, Y: 22 * 256, Width: 512, Height: 512,
		Value: func(_, x, _ int) (float64, bool) { return float64(x/128 + 1), x < 384 },
	}
	if lg != nil {
		s.Layer.Legend = lg.ID
	}
	return s
}

// ramp is a continuous layer beside stripes, tile 6/32/22: 0 at the left to
// 255 at the right, in steps of one a pixel.
func ramp(name string) testlayer.Spec {
	return testlayer.Spec{
		Layer:    rasterbase.Layer{Name: name, Source: rasterbase.Source{Name: "dem.tif"}, Visibility: rasterbase.Public, Attribution: "Survey <b>of</b> hills"},
		Datatype: rasterbase.Continuous,
		Bands:    []rasterbase.Band{{PixelType: rasterbase.Float32, Nodata: rasterbase.FloatPtr(-9999), Unit: "m"}},
		MaxZoom:  6, X: 32 * 256, Y: 22 * 256, Width: 256, Height: 256,
		Value: func(_, x, _ int) (float64, bool) { return float64(x), true },
	}
}

func add(t testing.TB, st store.Store, s testlayer.Spec) *rasterbase.Layer {
	t.Helper()
	l, err := testlayer.Add(t.Context(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// create stores a layer that was never parsed.
func create(t testing.TB, st store.Store, l rasterbase.Layer) *rasterbase.Layer {
	t.Helper()
	ctx := t.Context()
	if err := st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, &l) }); err != nil {
		t.Fatal(err)
	}
	return &l
}

func update(t testing.TB, st store.Store, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	ctx := t.Context()
	if err := st.Catalog().Update(ctx, func(tx store.Tx) error { return fn(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
}

// captured is a logger and what it wrote.
func captured() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}
