// Command embed is a small web program with rasterbase inside it: it opens a
// store, imports a raster file and serves the tiles under /raster/, beside
// pages of its own.
//
//	cd examples
//	go run ./embed ../demo/storm_lake_vegetation.tif
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: embed FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, "127.0.0.1:8090", "embed-data", os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// run imports a raster file into the store in a folder and serves it until ctx
// is done.
func run(ctx context.Context, out io.Writer, addr, folder, file string) error {
	st, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	defer st.Close()

	// gdal.Opener reads files in this process: right for files that are
	// trusted. gdalchild.Opener reads them in a process of their own.
	layer, err := ingest.Import(ctx, st, gdal.Opener{}, ingest.Request{
		Source:   file,
		Settings: rasterbase.Settings{Datatype: rasterbase.Categorical},
	})
	if err != nil {
		return err
	}

	rasters, err := server.New(server.Config{Store: st, Transformer: gdal.Transformer{}})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/raster/", http.StripPrefix("/raster", rasters))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "A page of the host program. The map is at /raster/, the tiles at /raster/tiles/%s/{z}/{x}/{y}.png\n", layer.Slug)
	})

	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s/\n", l.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
