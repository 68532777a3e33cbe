package server_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
)

// A host program mounts the server below a path of its own.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rasterbase")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	_, err = testlayer.Add(ctx, st, testlayer.Spec{
		Layer:    rasterbase.Layer{Name: "Elevation"},
		Datatype: rasterbase.Continuous,
		Bands:    []rasterbase.Band{{PixelType: rasterbase.Float32, Nodata: rasterbase.FloatPtr(-9999)}},
		MaxZoom:  1, Width: 256, Height: 256,
		Value: func(_, x, _ int) (float64, bool) { return float64(x), true },
	})
	if err != nil {
		log.Fatal(err)
	}

	s, err := server.New(server.Config{Store: st})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/raster/", http.StripPrefix("/raster", s))
	web := httptest.NewServer(mux)
	defer web.Close()

	for _, path := range []string{"/raster/tiles/elevation/1/0/0.png", "/raster/tiles/elevation/1/2/0.png"} {
		answer, err := http.Get(web.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.StatusCode, answer.Header.Get("Content-Type"), len(body) > 100)
	}
	// Output:
	// 200 image/png true
	// 404 application/problem+json true
}
