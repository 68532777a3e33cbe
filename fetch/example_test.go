package fetch_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rasterbase/rasterbase/fetch"
)

// A server on this machine is reached only when it is allowed.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "pixels of "+r.URL.Path)
	}))
	defer server.Close()
	ctx := context.Background()

	_, _, _, err := fetch.New(fetch.Options{}).Open(ctx, server.URL+"/dem.tif?token=secret")
	fmt.Println(strings.ReplaceAll(err.Error(), server.URL, "http://127.0.0.1:8080"))

	allow, err := fetch.ParseHosts("127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	name, size, body, err := fetch.New(fetch.Options{Allow: allow}).Open(ctx, server.URL+"/dem.tif")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	fmt.Println(name, size, string(b), err)
	// Output:
	// http://127.0.0.1:8080/dem.tif: the address 127.0.0.1 is loopback, which is not fetched from (the operator can allow the host in RASTER_ALLOWED_HOSTS)
	// dem.tif 18 pixels of /dem.tif <nil>
}
