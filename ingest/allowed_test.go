package ingest_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// allowedTree is a folder that is allowed, with what is outside of it beside.
func allowedTree(t *testing.T) (allowed, outside string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	allowed, outside = filepath.Join(top, "in"), filepath.Join(top, "out")
	for _, dir := range []string{allowed + "/sub/deep", allowed + "/folder.tif", outside + "/sub", top + "/in-law"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"in/a.tif", "in/a.prj", "in/sub/deep/b.tif", "in/.hidden.tif", "out/secret.tif", "out/sub/secret.tif", "in-law/secret.tif"} {
		if err := os.WriteFile(filepath.Join(top, f), []byte("contents of "+f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(allowed+"/empty.tif", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"in/inside.tif": "sub/deep/b.tif", "in/absolute.tif": allowed + "/a.tif", "in/around": "sub/deep", "in/upwards.tif": "sub/../a.tif",
		"in/out.tif": "../out/secret.tif", "in/out-absolute.tif": outside + "/secret.tif", "in/out-folder": "../out", "in/twice": "out-folder/sub",
		"in/dangling.tif": "../out/nothing.tif", "in/loop.tif": "loop.tif", "in/etc": "/etc", "entrance": "in",
	} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	return allowed, outside
}

func TestAllowedPaths(t *testing.T) {
	in, out := allowedTree(t)
	entrance := filepath.Join(filepath.Dir(in), "entrance")
	socket, err := net.Listen("unix", in+"/socket.tif")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	pipe(t, in+"/pipe.tif")
	files := map[string][]string{
		in + "/a.tif": {"a.prj", "a.tif"}, in + "//sub/../a.tif": {"a.prj", "a.tif"}, in + "/sub/deep/b.tif": {"b.tif"}, in + "/inside.tif": {"b.tif"},
		in + "/absolute.tif": {"a.prj", "a.tif"}, in + "/around/b.tif": {"b.tif"}, in + "/upwards.tif": {"a.prj", "a.tif"}, entrance + "/a.tif": {"a.prj", "a.tif"},
	}
	const elsewhere = "is not under a folder that files may be taken from (the operator names these folders in RASTER_ALLOWED_PATHS)"
	refused := map[string]struct {
		code rasterbase.Code
		part string
	}{
		out + "/secret.tif":             {rasterbase.Forbidden, elsewhere},
		out + "/nothing.tif":            {rasterbase.Forbidden, elsewhere},
		in + "/../out/secret.tif":       {rasterbase.Forbidden, elsewhere},
		in + "/sub/../../out/sub":       {rasterbase.Forbidden, elsewhere},
		in + "-law/secret.tif":          {rasterbase.Forbidden, elsewhere},
		"/etc/passwd":                   {rasterbase.Forbidden, elsewhere},
		"/":                             {rasterbase.Forbidden, elsewhere},
		in:                              {rasterbase.Forbidden, elsewhere},
		in + "/out.tif":                 {rasterbase.Forbidden, elsewhere},
		in + "/out-absolute.tif":        {rasterbase.Forbidden, elsewhere},
		in + "/out-folder/secret.tif":   {rasterbase.Forbidden, elsewhere},
		in + "/out-folder/nothing.tif":  {rasterbase.Forbidden, elsewhere},
		in + "/twice/secret.tif":        {rasterbase.Forbidden, elsewhere},
		in + "/dangling.tif":            {rasterbase.Forbidden, elsewhere},
		in + "/loop.tif":                {rasterbase.Forbidden, elsewhere},
		in + "/etc/passwd":              {rasterbase.Forbidden, elsewhere},
		"/vsizip/" + in + "/a.zip":      {rasterbase.Forbidden, elsewhere},
		"a.tif":                         {rasterbase.Invalid, "is not an absolute path"},
		"../in/a.tif":                   {rasterbase.Invalid, "is not an absolute path"},
		in + "/a\x00.tif":               {rasterbase.Invalid, "is not an absolute path"},
		in + "/nothing.tif":             {rasterbase.NotFound, "there is no such file"},
		in + "/a.tif/x":                 {rasterbase.NotFound, "there is no such file"},
		in + "/folder.tif":              {rasterbase.Invalid, "is a folder"},
		in + "/sub":                     {rasterbase.Invalid, "is a folder"},
		in + "/empty.tif":               {rasterbase.Invalid, "is empty"},
		in + "/pipe.tif":                {rasterbase.Invalid, "is not a regular file"},
		in + "/socket.tif":              {rasterbase.Invalid, "is not a regular file"},
		in + "/.hidden.tif":             {rasterbase.Invalid, "dot"},
		in + "/sub/deep/" + longName(1): {rasterbase.NotFound, "there is no such file"},
		in + "/" + longName(300):        {rasterbase.Invalid, "cannot be read"},
	}
	for name, allowed := range map[string][]string{"by name": {filepath.Dir(in) + "/missing", in + "/"}, "by link": {entrance, in + "/sub"}} {
		t.Run(name, func(t *testing.T) {
			st := swift(t)
			p := ingest.New(ingest.Config{Store: st, AllowedPaths: allowed})
			for path, want := range files {
				if allowed[0] != entrance && strings.HasPrefix(path, entrance) {
					continue // it is allowed by the name that the operator gave
				}
				if _, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Path: path}); err != nil {
					t.Errorf("%s: %v", path, err)
					continue
				}
				kept, err := ingest.KeepAllowed(t.Context(), p, path, nil)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					continue
				}
				if got, err := st.Sources().Files(t.Context(), kept.ID); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: kept are %q, %v", path, got, err)
				}
			}
			for path, want := range refused {
				_, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Path: path})
				if rasterbase.CodeOf(err) != want.code || !strings.Contains(fmt.Sprint(err), want.part) {
					t.Errorf("%s: %v, want %s", path, err, want.part)
				}
			}
		})
	}
	p := ingest.New(ingest.Config{Store: swift(t)})
	if _, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Path: in + "/a.tif"}); rasterbase.CodeOf(err) != rasterbase.Forbidden {
		t.Errorf("without allowed folders: %v", err)
	}
}

func longName(n int) string { return strings.Repeat("x", n) + ".tif" }

// What is put in the place of a file or of its folder after it was looked at is
// not read.
func TestLinksThatComeLater(t *testing.T) {
	for name, swap := range map[string]func(in, out string) error{
		"the file": func(in, out string) error {
			return replaceByLink(in+"/sub/deep/b.tif", out+"/secret.tif")
		},
		"the file, by a way up": func(in, _ string) error {
			return replaceByLink(in+"/sub/deep/b.tif", "../../../out/secret.tif")
		},
		"its folder": func(in, out string) error {
			if err := os.WriteFile(out+"/b.tif", []byte("secret"), 0o600); err != nil {
				return err
			}
			return replaceByLink(in+"/sub/deep", out)
		},
		"a side-car": func(in, out string) error {
			return os.Symlink(out+"/secret.tif", in+"/sub/deep/b.prj")
		},
		"a pipe": func(in, _ string) error {
			if err := os.Remove(in + "/sub/deep/b.tif"); err != nil {
				return err
			}
			pipe(t, in+"/sub/deep/b.tif")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := allowedTree(t)
			st := swift(t)
			p := ingest.New(ingest.Config{Store: st, AllowedPaths: []string{in}})
			src, err := ingest.KeepAllowed(t.Context(), p, in+"/sub/deep/b.tif", func() {
				if err := swap(in, out); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				if strings.Contains(err.Error(), "out") {
					t.Errorf("the error tells where it leads: %v", err)
				}
				noSources(t, st)
				return
			}
			files, err := st.Sources().Files(t.Context(), src.ID)
			if err != nil || !slices.Equal(files, []string{"b.tif"}) {
				t.Errorf("kept are %q, %v", files, err)
			}
			f, err := st.Sources().Open(t.Context(), src.ID, "b.tif")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if b, err := io.ReadAll(f); err != nil || string(b) != "contents of in/sub/deep/b.tif" {
				t.Errorf("%q was read, %v", b, err)
			}
		})
	}
}

func replaceByLink(path, to string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Symlink(to, path)
}
