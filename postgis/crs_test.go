package postgis_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// A role that may not write spatial_ref_sys keeps its layers all the same. The
// CRSs are added there when it may.
func TestCRSsAreAddedWhenTheRoleMay(t *testing.T) {
	admin := pgtest.Database(t)
	pool := newPool(t, admin)
	run := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	role := fmt.Sprintf("maps_%d", pool.Config().ConnConfig.Port) // roles belong to the cluster
	run(`CREATE ROLE ` + role + ` LOGIN; CREATE SCHEMA rasterbase AUTHORIZATION ` + role)
	t.Cleanup(func() {
		if _, err := pool.Exec(context.WithoutCancel(t.Context()), `DROP OWNED BY `+role+`; DROP ROLE `+role); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	if err := postgis.Migrate(t.Context(), newPool(t, u.String()), postgis.Options{}); err != nil {
		t.Fatal(err)
	}
	db := openDatabase(t, u.String(), postgis.Options{})
	var srid int
	err = db.Catalog().Update(t.Context(), func(tx store.Tx) (err error) {
		srid, err = tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{Name: "local", WKT: `LOCAL_CS["local"]`})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	known := func() bool {
		return collect[bool](t, pool, fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM spatial_ref_sys WHERE srid = %d)`, srid))[0]
	}
	openDatabase(t, u.String(), postgis.Options{})
	if known() {
		t.Fatal("the role could write spatial_ref_sys")
	}
	run(`GRANT INSERT ON spatial_ref_sys TO ` + role)
	openDatabase(t, u.String(), postgis.Options{})
	if !known() {
		t.Error("the CRS is still missing")
	}
}
