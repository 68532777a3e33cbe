package export

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Contents is what the texts in a zip tell of the file beside them.
type Contents struct {
	Name        string // of the file, without an extension; [FileName] makes it a safe one
	Description string
	Inputs      []Input
	Formula     string // empty: none
	Area        string // as it was asked for; empty: everything
	Date        time.Time
	URL         string // of the request; empty: none
	Legend      Legend // without lines there is no COLORMAP.txt
}

// Input is a layer that the export reads.
type Input struct {
	Variable string // of the formula; empty: none
	Layer    rasterbase.LayerID
	Name     string
	Band     int // from 0; below 0: all
	// License and Attribution are the layer's; empty: not known.
	License, Attribution string
}

// Zip makes a zip of the file of a plan, a README.txt that says what it is made of
// and, with a legend, a COLORMAP.txt. Errors are those of [Plan.Make].
func Zip(ctx context.Context, p *Plan, c Contents, o Options) (*File, error) {
	f, err := p.Make(ctx, o)
	if err != nil {
		return nil, err
	}
	z, err := zipped(f, p, c)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return z, nil
}

// WriteZip makes the zip and writes it. Nothing is written before it is complete.
func WriteZip(ctx context.Context, w io.Writer, p *Plan, c Contents, o Options) error {
	f, err := Zip(ctx, p, c, o)
	if err != nil {
		return err
	}
	_, err = f.WriteTo(w)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// zipped puts a file into a zip, not packed again, together with the texts. The
// bytes of the file stay where they are: the zip is what stands around them.
func zipped(f *File, p *Plan, c Contents) (*File, error) {
	sum := crc32.NewIEEE()
	if _, err := f.WriteTo(sum); err != nil {
		return nil, err
	}
	out := &File{spool: f.spool}
	around := &recorder{to: out}
	z := zip.NewWriter(around)
	name := FileName(c.Name, ".tif")
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, Modified: c.Date, CRC32: sum.Sum32(),
		UncompressedSize64: uint64(f.size), CompressedSize64: uint64(f.size),
	})
	if err != nil {
		return nil, fmt.Errorf("make a zip: %w", err)
	}
	if err := z.Flush(); err != nil {
		return nil, fmt.Errorf("make a zip: %w", err)
	}
	// The writer counts zeros; what stands in the zip is the file.
	around.passing = true
	if _, err := io.CopyN(w, zeros{}, f.size); err != nil {
		return nil, fmt.Errorf("make a zip: %w", err)
	}
	if err := z.Flush(); err != nil {
		return nil, fmt.Errorf("make a zip: %w", err)
	}
	around.passing = false
	out.addFile(f)
	texts := []struct{ name, text string }{{"README.txt", c.readme(p, name)}}
	if len(c.Legend.Lines) > 0 {
		texts = append(texts, struct{ name, text string }{"COLORMAP.txt", colormapText(c.Legend)})
	}
	for _, t := range texts {
		w, err := z.CreateHeader(&zip.FileHeader{Name: t.name, Method: zip.Deflate, Modified: c.Date})
		if err == nil {
			_, err = io.WriteString(w, t.text)
		}
		if err != nil {
			return nil, fmt.Errorf("make a zip: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("make a zip: %w", err)
	}
	return out, nil
}

// recorder keeps what is written, but for what passes.
type recorder struct {
	to      *File
	passing bool
}

func (r *recorder) Write(b []byte) (int, error) {
	if !r.passing {
		r.to.add(bytes.Clone(b))
	}
	return len(b), nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// maxName is the most bytes of a name without its extension.
const maxName = 100

// FileName makes a name of a file of what a user wrote: letters, digits, points,
// dashes and underscores of it, without folders, at most 100 bytes, and "export" when
// nothing is left. An extension that is there already is not written twice.
func FileName(name, ext string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if n := len(name) - len(ext); n > 0 && strings.EqualFold(name[n:], ext) {
		name = name[:n]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		case r == ' ':
			return '_'
		}
		return -1
	}, name)
	if len(name) > maxName {
		name = name[:maxName]
	}
	if name = strings.Trim(name, ".-_"); name == "" || reserved(name) {
		name = strings.TrimSuffix("export_"+name, "_")
	}
	return name + ext
}

// reserved tells whether a name, whatever its extension, is one of a device on
// Windows.
func reserved(name string) bool {
	name, _, _ = strings.Cut(strings.ToUpper(name), ".")
	switch name {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "COM") || strings.HasPrefix(name, "LPT")) && name[3] >= '1' && name[3] <= '9'
}
