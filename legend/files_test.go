package legend_test

import (
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func describe(l *rasterbase.Legend) string {
	var parts []string
	for _, e := range l.Entries {
		parts = append(parts, e.Expression+"="+e.Color.String()+"/"+e.Semantics.Name)
	}
	return l.Title + ": " + strings.Join(parts, "; ")
}

const qmlHead = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis version=\"3.28\"><pipe>"

func TestReadFile(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, content, want string }{
		{"a/Land Cover.json", `[{"name":"Earth","expression":"1","color":"#FFF","code":"1"}]`, "Land Cover: 1=#FFFFFF/Earth"},
		{"o.json", `{"title":"Mine","entries":[{"name":"E","expression":2.5,"color":"red"}]}`, "o: 2.5=#FF0000/E"},
		{"nlcd.clr", "11 72 109 162\r\n12 231 239 252 255 Ice, snow\n", "nlcd: 11=#486DA2/11; 12=#E7EFFC/Ice, snow"},
		{"gdal.txt", "# elevation\nnv 0 0 0 0\n\n-3.5,255,0,0\n1:0:0:255:7\n2 white paper white\n3\t0 128 0 woods 2\n",
			"gdal: -3.5=#FF0000/-3.5; 1=#0000FF07/1; 2=#FFFFFF/paper white; 3=#008000/woods 2"},
		{"q.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:EXACT\n1,255,0,0,255,Water, deep\n", "q: 1=#FF0000/Water, deep"},
		{"c.csv", "\uFEFFvalue,Color,Label\n1,#00ff00,\"a, b\"\n2,blue,\n", "c: 1=#00FF00/a, b; 2=#0000FF/2"},
		{"c.csv", "expression;r;g;b;a;name\nx < 3;1;2;3;4;low\n", "c: x < 3=#01020304/low"},
		{"p.qml", qmlHead + `<rasterrenderer type="paletted"><colorPalette><paletteEntry value="4" color="#123456" label="Wet &amp; cold" alpha="255"/>` +
			`<paletteEntry value="5" color="#123456" label="" alpha="9"/></colorPalette></rasterrenderer></pipe></qgis>`,
			"p: 4=#123456/Wet & cold; 5=#12345609/5"},
		{"e.qml", qmlHead + `<rasterrenderer type="singlebandpseudocolor"><rastershader><colorrampshader colorRampType="EXACT">` +
			`<item value="4" color="#123456" label="four" alpha="255"/></colorrampshader></rastershader></rasterrenderer></pipe></qgis>`, "e: 4=#123456/four"},
		{"d.qml", qmlHead + `<rasterrenderer type="singlebandpseudocolor"><rastershader><colorrampshader colorRampType="DISCRETE">` +
			`<item value="4" color="#123456" label="a" alpha="255"/><item value="6.5" color="#123456" label="b" alpha="255"/>` +
			`<item value="inf" color="#123456" label="c" alpha="255"/></colorrampshader></rastershader></rasterrenderer></pipe></qgis>`,
			"d: x <= 4=#123456/a; (4 < x) & (x <= 6.5)=#123456/b; 6.5 < x=#123456/c"},
	}
	for _, tt := range tests {
		l, err := legend.ReadFile(tt.name, []byte(tt.content))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := describe(l); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestReadFileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, content, text string }{
		{"a.sld", "", ".qml"},
		{"a", "", ".json"},
		{"a.json", "{", "JSON"},
		{"a.json", "{}", "no entries"},
		{"a.json", "[]", "no entries"},
		{"a.json", `[{"expression":"1","color":"greenish"}]`, `"greenish" is not a colour`},
		{"a.json", `[{"expression":"x >","color":"red"}]`, "column 4"},
		{"a.json", `[{"expression":true,"color":"red"}]`, "JSON"},
		{"a.clr", "1 2 3", "line 1"},
		{"a.clr", "1 0 0 0\n2 0 0 256", "line 2"},
		{"a.clr", "50% 0 0 0", "50%"},
		{"a.txt", "default 0 0 0", "default"},
		{"a.txt", "INTERPOLATION:DISCRETE\n1,2,3,4", "exact"},
		{"a.txt", "some prose about a file", `"some" is not a number`},
		{"a.txt", "\xff\xfe", "UTF-8"},
		{"a.clr", "1e999 0 0 0", "not a number"},
		{"a.csv", "", "no entries"},
		{"a.csv", "a,b\n1,2", "header"},
		{"a.csv", "value,r,g\n1,2,3", "header"},
		{"a.csv", "value,color\n1,red\nz,red", "row 3"},
		{"a.csv", "value,color\n1", "wrong number of fields"},
		{"a.qml", "<qgis/>", "renderer"},
		{"a.qml", "<qgis>", "XML"},
		{"a.qml", `<qgis><rasterrenderer type="singlebandpseudocolor"><colorrampshader colorRampType="INTERPOLATED"/></rasterrenderer></qgis>`, "INTERPOLATED"},
		{"a.qml", `<qgis><rasterrenderer type="paletted"><paletteEntry value="q" color="red"/></rasterrenderer></qgis>`, "line 1"},
		{"a.json", strings.Repeat(" ", legend.MaxBytes+1), "bytes"},
	}
	for _, tt := range tests {
		_, err := legend.ReadFile(tt.name, []byte(tt.content))
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s %.40q: got %v; want %q in it", tt.name, tt.content, err, tt.text)
		}
		if c := rasterbase.CodeOf(err); c != rasterbase.Invalid && c != rasterbase.Unsupported && c != rasterbase.TooLarge {
			t.Errorf("%s %.40q: code %q", tt.name, tt.content, c)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	in := `[{"name":"A <b> & c","expression":"(x < 1) & (x > 0)","color":"#01020304","code":"1a"},{"name":"","expression":"5","color":"#FFFFFF","code":""}]`
	l, err := legend.ParseJSON("t", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	out, err := legend.MarshalJSON(l)
	if err != nil || string(out) != in {
		t.Errorf("got %s, %v", out, err)
	}
}

func FuzzReadFile(f *testing.F) {
	f.Add("a.json", []byte(`[{"name":"Earth","expression":"x<1","color":"#FFF","code":1}]`))
	f.Add("a.clr", []byte("1 2 3 4 5 six\nnv 0 0 0\n"))
	f.Add("a.csv", []byte("value;color\n1;red\n"))
	f.Add("a.qml", []byte(`<qgis><rasterrenderer type="paletted"><paletteEntry value="1" color="red"/></rasterrenderer></qgis>`))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		l, err := legend.ReadFile(name, b)
		if err != nil {
			return
		}
		if _, err := legend.Compile(l, rasterbase.Float32); err != nil {
			t.Fatalf("read but not compiled: %v", err)
		}
		out, err := legend.MarshalJSON(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := legend.ParseJSON(l.Title, out); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	})
}
