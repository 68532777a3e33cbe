package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Print one JSON document."`
}

// versionDoc is what --json prints.
type versionDoc struct {
	Version  string   `json:"version"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	GDAL     string   `json:"gdal"`    // empty: built without
	Sandbox  []string `json:"sandbox"` // what confines the processes that open raster files
}

// Run prints the versions.
func (c *versionCmd) Run(_ context.Context, a *app) error {
	doc := versionDoc{
		Version:  version(),
		Go:       strings.TrimPrefix(runtime.Version(), "go"),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		GDAL:     gdal.Version(),
		Sandbox:  append([]string{}, gdalchild.Sandbox()...),
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	t := newTable(a.stdout, "", "")
	t.row("rasterbase", doc.Version)
	t.row("Go", doc.Go+" "+doc.Platform)
	if doc.GDAL == "" {
		doc.GDAL = "none: this program can serve tiles but not import files; build it with cgo and libgdal-dev"
	}
	t.row("GDAL", doc.GDAL)
	if gdal.Version() != "" && len(doc.Sandbox) > 0 {
		t.row("sandbox", strings.Join(doc.Sandbox, ", "))
	}
	t.flush()
	return nil
}

// version is the program's version, or its commit when it was built from a
// checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "development, commit " + s.Value[:12]
		}
	}
	return "development"
}
