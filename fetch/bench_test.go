package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// BenchmarkDownload compares a download with one by the standard client, over
// loopback.
func BenchmarkDownload(b *testing.B) {
	const size = 256 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for left, p := size, make([]byte, 1<<20); left > 0; left -= len(p) {
			if _, err := w.Write(p); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	allow, err := ParseHosts(u.Host)
	if err != nil {
		b.Fatal(err)
	}
	client := New(Options{Allow: allow})
	for name, open := range map[string]func() (io.ReadCloser, error){
		"guarded": func() (io.ReadCloser, error) {
			_, _, body, err := client.Open(b.Context(), server.URL)
			return body, err
		},
		"standard": func() (io.ReadCloser, error) {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				return nil, err
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				body, err := open()
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, body); err != nil || n != size {
					b.Fatal(n, err)
				}
				if err := body.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
