package main

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
)

// wideRow is a zone of a wide table, whose columns are known when all zones were
// counted: numbers by the places of their columns.
type wideRow struct {
	Name  string
	Own   map[int]any // the zone's own fields, without those that are null
	WKB   []byte
	Cells map[int]any
}

// rowSpool keeps rows in a temporary file, so that memory does not grow with them.
type rowSpool struct {
	file *os.File
	w    *bufio.Writer
	enc  *gob.Encoder
}

func newRowSpool(dir string) (*rowSpool, error) {
	f, err := os.CreateTemp(dir, "rasterbase-rows-*")
	if err != nil {
		return nil, fmt.Errorf("keep the results: %w", err)
	}
	w := bufio.NewWriter(f)
	return &rowSpool{f, w, gob.NewEncoder(w)}, nil
}

func (s *rowSpool) add(r *wideRow) error {
	if err := s.enc.Encode(r); err != nil {
		return fmt.Errorf("keep the results: %w", err)
	}
	return nil
}

// each gives all rows again. None is added afterwards.
func (s *rowSpool) each(f func(*wideRow) error) error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("keep the results: %w", err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dec := gob.NewDecoder(bufio.NewReader(s.file))
	for {
		var r wideRow
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the results again: %w", err)
		}
		if err := f(&r); err != nil {
			return err
		}
	}
}

func (s *rowSpool) drop() {
	_ = s.file.Close() // it goes away with its name
	_ = os.Remove(s.file.Name())
}
