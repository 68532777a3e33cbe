package s3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase/s3"
)

// A store of one's own is named by its endpoint.
func Example() {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader("pixels of "+r.URL.Path))
	}))
	defer store.Close()

	client, err := s3.New(s3.Options{Endpoint: store.URL, Region: "us-east-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	name, size, body, err := client.Open(context.Background(), "s3://scenes/2020/dem.tif")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	fmt.Println(name, size, string(b), err)
	// Output: dem.tif 30 pixels of /scenes/2020/dem.tif <nil>
}
