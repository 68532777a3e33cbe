package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// A store is backed up while it is open, and the backup becomes a store again.
func ExampleBackup() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rasterbase-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	data, copied, restored := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	st, err := sqlite.Open(ctx, data, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	err = st.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "Land cover"})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := sqlite.Backup(ctx, data, copied, sqlite.BackupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("layers:", report.Layers, "files:", report.Files)
	if _, err := sqlite.Restore(ctx, copied, restored, sqlite.BackupOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = sqlite.Restore(ctx, copied, data, sqlite.BackupOptions{})
	fmt.Println("into a store that is used:", rasterbase.CodeOf(err))
	// Output:
	// layers: 1 files: 1
	// into a store that is used: conflict
}
