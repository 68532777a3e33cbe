package legend_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func ExampleNamed() {
	stops, err := legend.Named("terrain_r")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(stops), stops[0].Color, stops[255].Color)
	_, err = legend.Named("viridsi")
	fmt.Println(err)
	// Output:
	// 256 #FFFFFF #333399
	// there is no colormap "viridsi" (did you mean viridis?)
}

func TestNamedColors(t *testing.T) {
	t.Parallel()
	// As matplotlib draws them: colormaps[name](i, bytes=True).
	tests := []struct {
		name  string
		place int
		want  string
	}{
		{"viridis", 0, "#440154"}, {"VIRIDIS", 128, "#20908C"}, {"Viridis", 255, "#FDE724"},
		{"viridis_r", 0, "#FDE724"}, {"viridis_R", 255, "#440154"}, {" viridis ", 0, "#440154"},
		{"terrain", 0, "#333399"}, {"terrain", 128, "#FEFD98"}, {"terrain", 255, "#FFFFFF"},
		{"spectral", 0, "#9E0142"}, {"Spectral", 128, "#FEFEBE"}, {"spectral", 255, "#5E4FA2"},
		{"gray", 0, "#000000"}, {"gray", 128, "#808080"}, {"gray", 255, "#FFFFFF"},
		{"set1", 0, "#E41A1C"}, {"set1", 8, "#999999"}, {"tab10", 0, "#1F77B4"},
		{"cfastie", 0, "#FFFFFF"}, {"rplumbo", 255, "#004308"}, {"schwarzwald", 128, "#C04A02"},
	}
	for _, tt := range tests {
		colors, err := legend.Colors(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := colors[tt.place].String(); got != tt.want {
			t.Errorf("%s at %d is %s, want %s", tt.name, tt.place, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := legend.Names()
	if len(names) != 108 {
		t.Errorf("%d colormaps", len(names))
	}
	seen := map[string]bool{}
	for _, c := range names {
		if seen[c.Name] || c.Name != strings.ToLower(c.Name) || strings.HasSuffix(c.Name, "_r") {
			t.Errorf("%q stands twice or is misspelt", c.Name)
		}
		seen[c.Name] = true
		if (c.Colors < 256) != (c.Group == "qualitative") || c.Colors < 8 {
			t.Errorf("%+v", c)
		}
		stops, err := legend.Named(c.Name)
		if err != nil || len(stops) != c.Colors || stops[len(stops)-1].At != 1 {
			t.Errorf("%s: %d stops, %v", c.Name, len(stops), err)
			continue
		}
		colors, err := legend.Colors(c.Name + "_r")
		if err != nil {
			t.Error(err)
			continue
		}
		slices.Reverse(colors)
		for i, s := range stops {
			if s.Color != colors[i] || s.Color.A != 255 || i > 0 && s.At <= stops[i-1].At {
				t.Errorf("%s: stop %d is %v, turned around %v", c.Name, i, s, colors[i])
				break
			}
		}
	}
	expected := strings.Fields(`viridis plasma inferno magma cividis turbo gray greys binary bone pink hot afmhot cool copper
		spring summer autumn winter wistia gist_gray gist_yarg gist_heat cubehelix blues greens oranges purples reds ylorbr
		ylorrd orrd purd rdpu bupu gnbu pubu ylgnbu pubugn bugn ylgn piyg prgn brbg puor rdgy rdbu rdylbu rdylgn spectral
		coolwarm bwr seismic twilight twilight_shifted hsv accent dark2 paired pastel1 pastel2 set1 set2 set3 tab10 tab20
		tab20b tab20c flag prism ocean gist_earth terrain gist_stern gist_rainbow gist_ncar gnuplot gnuplot2 cmrmap brg
		rainbow nipy_spectral algae amp balance curl deep delta dense diff haline ice matter oxy phase rain solar speed tarn
		tempo thermal topo turbid cfastie rplumbo schwarzwald jet`)
	for _, name := range expected {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

func TestUnknownColormaps(t *testing.T) {
	t.Parallel()
	for name, near := range map[string]string{
		"viridiss": "viridis", "Spektral": "spectral", "terain_r": "terrain", "gist_eart": "gist_earth", "": "such as viridis",
		"_r": "such as viridis", "qqqqqqqqq": "such as viridis", strings.Repeat("x", 1<<20): "such as viridis",
		"viridis_r_r": "viridis", "twilight_": "twilight",
	} {
		_, err := legend.Named(name)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != rasterbase.Invalid || e.Field != "colormap_name" || !strings.Contains(e.Hint, near) || len(err.Error()) > 200 {
			t.Errorf("%.40q: %.300v", name, err)
		}
	}
}

func TestColormapNotices(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Matplotlib Development Team", "Cynthia Brewer", "Regents of the University of California",
		"Kristen M. Thyng", "cogeotiff", "Google", "Apache License"} {
		if !strings.Contains(legend.ColormapNotices(), text) {
			t.Errorf("the notices do not name %s", text)
		}
	}
}
