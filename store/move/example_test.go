package move_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "move")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	from, err := sqlite.Open(ctx, filepath.Join(dir, "from"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer from.Close()
	to, err := sqlite.Open(ctx, filepath.Join(dir, "to"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer to.Close()
	err = from.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "Land cover"})
	})
	if err != nil {
		log.Fatal(err)
	}

	report, err := move.Run(ctx, from, to, move.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d legend, %d layers, %d tiles\n", report.Legends, report.Layers, report.Tiles)
	// Output: 1 legend, 0 layers, 0 tiles
}
