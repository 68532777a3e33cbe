package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

func TestDownload(t *testing.T) {
	want := []byte(strings.Repeat("raster", 10_000))
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("asked for %v", r.Header)
		}
		if r.URL.RawQuery == "long" {
			w.Header().Set("Content-Length", strconv.Itoa(len(want)))
		}
		for b := range bytes.SplitAfterSeq(want, []byte("t")) { // slowly, in small pieces
			if _, err := w.Write(b); err != nil {
				return
			}
			if rand.IntN(100) == 0 {
				w.(http.Flusher).Flush()
			}
		}
	})
	c := newTestClient(t, Limits{Bytes: int64(len(want))}, nil, host)
	for query, announced := range map[string]int64{"long": int64(len(want)), "": -1} {
		name, size, body, err := c.Open(t.Context(), address+"/a/scene.tif?"+query)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || name != "scene.tif" || size != announced || !bytes.Equal(b, want) {
			t.Errorf("%s, %d of %d bytes, %v", name, len(b), size, err)
		}
	}
}

func TestAnswersThatAreNoFile(t *testing.T) {
	for status, code := range map[int]rasterbase.Code{
		http.StatusNotFound: rasterbase.NotFound, http.StatusGone: rasterbase.NotFound,
		http.StatusForbidden: rasterbase.Forbidden, http.StatusUnauthorized: rasterbase.Forbidden,
		http.StatusServiceUnavailable: rasterbase.Busy, http.StatusTooManyRequests: rasterbase.Busy,
		http.StatusNoContent: rasterbase.Invalid, http.StatusPartialContent: rasterbase.Invalid, http.StatusTeapot: rasterbase.Invalid,
		http.StatusNotModified: rasterbase.Invalid, http.StatusMultipleChoices: rasterbase.Invalid,
	} {
		address, host := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		c := newTestClient(t, Limits{}, nil, host)
		_, _, _, err := c.Open(t.Context(), address+"/x?secret")
		wantError(t, err, code, address+"/x", strconv.Itoa(status))
	}
}

func TestServersThatMisbehave(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	wait := func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) } // until the client goes
	for name, test := range map[string]struct {
		answer func(c net.Conn)
		limits Limits
		code   rasterbase.Code
		part   string
	}{
		"less than announced": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Length: 100\r\n\r\n0123456789") },
			Limits{}, rasterbase.Busy, "broke off after 10 of 100 bytes",
		},
		"cannot give parts": {
			func(c net.Conn) {
				fmt.Fprint(c, ok+"Accept-Ranges: none\r\nETag: \"a\"\r\nContent-Length: 100\r\n\r\n0123456789")
			},
			Limits{}, rasterbase.Busy, "broke off after 10 of 100 bytes",
		},
		"a broken chunk": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n01") },
			Limits{}, rasterbase.Busy, "broke off after 7 bytes",
		},
		"endless": {
			func(c net.Conn) {
				fmt.Fprint(c, ok+"\r\n")
				for b := make([]byte, 1000); ; {
					if _, err := c.Write(b); err != nil {
						return
					}
				}
			},
			Limits{Bytes: 100_000}, rasterbase.TooLarge, "more than the 100000 bytes allowed",
		},
		"announced too large": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Length: 9000000000000000000\r\n\r\n") },
			Limits{}, rasterbase.TooLarge, "bytes allowed",
		},
		"impossible length": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Length: -5\r\n\r\n") },
			Limits{}, rasterbase.Invalid, "cannot be downloaded",
		},
		"two lengths": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Length: 5\r\nContent-Length: 6\r\n\r\n012345") },
			Limits{}, rasterbase.Invalid, "cannot be downloaded",
		},
		"packed": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b") },
			Limits{}, rasterbase.Invalid, `packs the file as "gzip"`,
		},
		"no answer": {wait, Limits{Idle: 50 * time.Millisecond}, rasterbase.Busy, "does not answer"},
		"half a header": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Le"); wait(c) },
			Limits{Idle: 50 * time.Millisecond}, rasterbase.Busy, "does not answer",
		},
		"stalls": {
			func(c net.Conn) { fmt.Fprint(c, ok+"Content-Length: 100\r\n\r\n01234"); wait(c) },
			Limits{Idle: 50 * time.Millisecond}, rasterbase.Busy, "nothing came for 50ms, after 5 bytes",
		},
		"drips": {
			func(c net.Conn) {
				fmt.Fprint(c, ok+"\r\n")
				for {
					if _, err := c.Write([]byte{'x'}); err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			},
			Limits{Time: 100 * time.Millisecond}, rasterbase.TooLarge, "did not end within the 100ms allowed",
		},
		"a header without end": {
			func(c net.Conn) {
				fmt.Fprint(c, ok)
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("x", 1000)); err != nil {
						return
					}
				}
			},
			Limits{}, rasterbase.Invalid, "cannot be downloaded",
		},
		"not HTTP":       {func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n") }, Limits{}, rasterbase.Invalid, "cannot be downloaded"},
		"hangs up":       {func(net.Conn) {}, Limits{}, rasterbase.Busy, "the connection broke"},
		"a long status":  {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 "+strings.Repeat("\x1b[31m", 1000)+"\r\n\r\n") }, Limits{}, rasterbase.Invalid, `\x1b`},
		"empty redirect": {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") }, Limits{}, rasterbase.Invalid, "redirects to an address that cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, host := serveRaw(t, test.answer)
			c := newTestClient(t, test.limits, nil, host)
			_, _, err := download(t.Context(), c, strings.Replace(address, "://", "://u:secret@", 1)+"/scene.tif?secret")
			wantError(t, err, test.code, address+"/scene.tif", test.part)
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestWhatFollowsTheFileIsNotPartOfIt: HTTP ends a file at its announced length.
func TestWhatFollowsTheFileIsNotPartOfIt(t *testing.T) {
	address, host := serveRaw(t, func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n01234and more that was not announced")
	})
	c := newTestClient(t, Limits{}, nil, host)
	if _, b, err := download(t.Context(), c, address); err != nil || string(b) != "01234" {
		t.Errorf("%q %v", b, err)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := newTestClient(t, Limits{}, nil, u.Host)
	_, _, _, err = c.Open(t.Context(), s.URL+"/x?secret")
	wantError(t, err, rasterbase.Invalid, s.URL, "the connection is not secure")
	plain, host := serve(t, func(http.ResponseWriter, *http.Request) {})
	c = newTestClient(t, Limits{}, nil, host)
	_, _, _, err = c.Open(t.Context(), strings.Replace(plain, "http:", "https:", 1))
	wantError(t, err, rasterbase.Invalid, strings.Replace(plain, "http:", "https:", 1), "the connection is not secure")
}

func TestCancelledDownloads(t *testing.T) {
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("begin"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := newTestClient(t, Limits{}, nil, host)
	ctx, cancel := context.WithCancel(t.Context())
	_, _, body, err := c.Open(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := body.Read(make([]byte, 5)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, _, _, err := c.Open(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestClosedDownloads(t *testing.T) {
	address, host := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("begin")) })
	_, _, body, err := newTestClient(t, Limits{}, nil, host).Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(body.Close(), body.Close()); err != nil {
		t.Error(err)
	}
	if _, err := body.Read(make([]byte, 5)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// dropping serves a file and breaks the connection after so many bytes of each
// answer, until none are left in the list.
type dropping struct {
	file     []byte
	etag     string
	modified string
	after    []int
	requests atomic.Int32
	header   func(request int32, h http.Header) bool // false: without regard to ranges
}

func (d *dropping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := d.requests.Add(1)
	if d.etag != "" {
		w.Header().Set("ETag", d.etag)
	}
	var modified time.Time
	if d.modified != "" {
		modified, _ = http.ParseTime(d.modified)
	}
	if d.header != nil && !d.header(n, w.Header()) {
		r.Header.Del("Range")
	}
	if int(n) <= len(d.after) {
		w = &breaking{ResponseWriter: w, left: d.after[n-1]}
	}
	http.ServeContent(w, r, "scene.tif", modified, bytes.NewReader(d.file))
}

// breaking breaks a connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) < b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:b.left])
	b.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

const someDay = "Wed, 21 Oct 2020 07:28:00 GMT"

// TestDownloadsAreTakenUpAgain: however a connection breaks, the file is the
// same in the end.
func TestDownloadsAreTakenUpAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		file := make([]byte, rapid.IntRange(1, 100_000).Draw(rt, "size"))
		r := rand.NewChaCha8(sha256.Sum256(file))
		_, _ = r.Read(file)
		d := &dropping{file: file, after: rapid.SliceOfN(rapid.IntRange(0, len(file)), 0, 4).Draw(rt, "after")}
		if rapid.Bool().Draw(rt, "etag") {
			d.etag = `"v1"`
		} else {
			d.modified = someDay
		}
		s := httptest.NewServer(d)
		defer s.Close()
		u, _ := url.Parse(s.URL)
		c := newTestClient(t, Limits{}, nil, u.Host)
		name, b, err := download(t.Context(), c, s.URL+"/scene.tif")
		if err != nil && !(len(d.after) > 0 && d.after[0] == 0) { // broken before the header came
			rt.Fatalf("%v", err)
		}
		if err == nil && (!bytes.Equal(b, file) || name != "scene.tif") {
			rt.Fatalf("%d bytes of %d are not the file's", len(b), len(file))
		}
	})
}

func TestDownloadsThatCannotBeTakenUpAgain(t *testing.T) {
	file := []byte(strings.Repeat("0123456789", 1000))
	for name, test := range map[string]struct {
		d        *dropping
		code     rasterbase.Code
		part     string
		requests int32
	}{
		"never whole":       {&dropping{etag: `"a"`, after: []int{100, 0, 0, 0, 0, 0, 0}}, rasterbase.Busy, "broke off after 100 of 10000 bytes", 5},
		"nothing to ask by": {&dropping{after: []int{100}}, rasterbase.Busy, "broke off after 100 of 10000 bytes", 1},
		"weak tag":          {&dropping{etag: `W/"a"`, after: []int{100}}, rasterbase.Busy, "broke off after 100 of 10000 bytes", 1},
		"another tag": {&dropping{after: []int{100}, header: func(n int32, h http.Header) bool {
			h.Set("ETag", fmt.Sprintf(`"v%d"`, n))
			return true
		}}, rasterbase.Conflict, "changed", 2},
		"no ranges": {&dropping{etag: `"a"`, after: []int{100}, header: func(int32, http.Header) bool { return false }}, rasterbase.Invalid, "cannot go on from there", 2},
	} {
		t.Run(name, func(t *testing.T) {
			test.d.file = file
			address, host := serve(t, test.d.ServeHTTP)
			c := newTestClient(t, Limits{}, nil, host)
			_, _, err := download(t.Context(), c, address+"/scene.tif")
			wantError(t, err, test.code, address+"/scene.tif", test.part)
			if n := test.d.requests.Load(); n != test.requests {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestRangesThatAreNotTheOnesAskedFor: a server that answers with other bytes.
func TestRangesThatAreNotTheOnesAskedFor(t *testing.T) {
	for _, contentRange := range []string{"bytes 0-9/20", "bytes 11-19/20", "bytes 10-19/30", "bytes 10-29/30", "bytes 10-5/20", "bytes x", "", "bytes */20"} {
		first := true
		address, host := serveRaw(t, func(c net.Conn) {
			if first {
				first = false
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 20\r\n\r\n0123456789")
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Range: %s\r\nContent-Length: 10\r\n\r\nabcdefghij", contentRange)
		})
		c := newTestClient(t, Limits{}, nil, host)
		_, b, err := download(t.Context(), c, address)
		if rasterbase.CodeOf(err) != rasterbase.Conflict || string(b) != "0123456789" {
			t.Errorf("%q: %q %v", contentRange, b, err)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/20", "bytes 5-5/*", "bytes 9-/20", "bytes -1-2/3", "bytes */20", "items 0-1/2", "bytes 0-9223372036854775807/-9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if start, size, ok := contentRange(s); ok && (start < 0 || size != -1 && size <= start) {
			t.Fatalf("%q: %d of %d", s, start, size)
		}
	})
}
