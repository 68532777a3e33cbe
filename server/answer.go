package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
)

// answer is a document made in memory.
type answer struct {
	contentType string
	body        []byte
	private     bool   // must not be kept by any cache
	cache       string // Cache-Control; empty: caches ask each time
	status      int    // 0: 200
	version     string // goes before the hash in the ETag, with a dot; empty: nothing does
}

// gzipFrom is the size from which compressing an answer is worth it.
const gzipFrom = 1024

// writeJSON answers with a value's JSON.
func writeJSON(w http.ResponseWriter, r *http.Request, v any, isPrivate bool) error {
	body, err := marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer as JSON: %w", err)
	}
	return answer{contentType: "application/json", body: append(body, '\n'), private: isPrivate}.write(w, r)
}

// marshal writes JSON that is no part of a page: formulas and addresses keep their
// <, > and &.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// write sends the document with an ETag of its bytes, compressed where the
// client takes that.
func (a answer) write(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	sum := fnv.New128a()
	sum.Write(a.body)
	etag := fmt.Sprintf(`W/"%x"`, sum.Sum(nil)) // weak: the compressed form has it too
	if a.version != "" {
		etag = fmt.Sprintf(`W/"%s.%x"`, a.version, sum.Sum(nil))
	}
	h.Set("ETag", etag)
	h.Set("Cache-Control", "no-cache")
	if a.cache != "" {
		h.Set("Cache-Control", a.cache)
	}
	if a.private {
		private(h)
	}
	h.Add("Vary", "Accept-Encoding")
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reading && matches(r.Header.Get("If-None-Match"), strings.TrimPrefix(etag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := a.body
	if len(body) >= gzipFrom && takesGzip(r) {
		var err error
		if body, err = compress(body); err != nil {
			return err
		}
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	if r.Method != http.MethodHead {
		send(w, body)
	}
	return nil
}

// send writes the body. An error means that the client is gone, and then nobody
// is left to be told.
func send(w http.ResponseWriter, body []byte) { _, _ = w.Write(body) }

// takesGzip reports whether the client names gzip and does not refuse it.
func takesGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(q), "q="), 64)
		return err != nil || weight > 0
	}
	return false
}

func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		return nil, fmt.Errorf("compress the answer: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress the answer: %w", err)
	}
	return out.Bytes(), nil
}
