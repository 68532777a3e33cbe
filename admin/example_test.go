package admin_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/rasterbase/rasterbase/admin"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
)

// A program of one's own has the API and the admin below a path.
func Example() {
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	users := auth.New(st.Catalog(), auth.Options{})
	defer users.Close()
	api, err := server.New(server.Config{Store: st, Auth: users})
	if err != nil {
		log.Fatal(err)
	}
	defer api.Close()
	pages, err := admin.New(admin.Config{API: api, Auth: users, Accounts: users})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/raster/", http.StripPrefix("/raster", api))
	mux.Handle("/raster/admin/", http.StripPrefix("/raster/admin", pages))
	web := httptest.NewServer(mux)
	defer web.Close()

	resp, err := http.Get(web.URL + "/raster/admin/layers")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Request.URL.RequestURI(), strings.Contains(string(page), "<h1>Sign in</h1>"))
	// Output: /raster/admin/sign-in?next=layers true
}
