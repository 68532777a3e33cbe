package legend_test

import (
	"fmt"
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
	if g := l.Gradient; g != nil {
		head := string(g.Interpolation) + g.Colormap
		if g.Relative {
			head += " relative"
		}
		if g.Min != nil {
			head += fmt.Sprint(" from ", *g.Min)
		}
		if g.Max != nil {
			head += fmt.Sprint(" to ", *g.Max)
		}
		parts = append(parts, head)
		for _, s := range g.Stops {
			parts = append(parts, strings.TrimSuffix(fmt.Sprint(s.At, "=", s.Color, "/", s.Name), "/"))
		}
	}
	return l.Title + ": " + strings.Join(parts, "; ")
}

const qmlHead = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis version=\"3.28\"><pipe>"

func TestReadFile(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, content, want string }{
		{"a/Land Cover.json", `[{"name":"Earth","expression":"1","color":"#FFF","code":"1"}]`, "Land Cover: 1=#FFFFFF/Earth"},
		{"o.json", `{"title":"Mine","entries":[{"name":"E","expression":2.5,"color":"red"}]}`, "Mine: 2.5=#FF0000/E"},
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
		{"b.qml", qmlHead + `<rasterrenderer type="singlebandpseudocolor"><rastershader><colorrampshader colorRampType="DISCRETE">` +
			`<item value="0" color="#000000" label="" alpha="0"/><item value="3.9999" below="4" color="#123456" label="a" alpha="255"/>` +
			`<item value="4" color="#654321" label="b" alpha="255"/></colorrampshader></rastershader></rasterrenderer></pipe></qgis>`,
			"b: (0 < x) & (x < 4)=#123456/a; 4=#654321/b"},
		{"i.qml", qmlHead + `<rasterrenderer type="singlebandpseudocolor" opacity="0.5"><rastershader><colorrampshader colorRampType="INTERPOLATED" clip="0">` +
			`<colorramp name="[source]"><Option type="Map"/></colorramp><item value="10" color="#0000ff" label="10" alpha="255"/><item value="0" color="red" label="low" alpha="255"/>` +
			`</colorrampshader></rastershader></rasterrenderer></pipe></qgis>`,
			"i: linear; 0=#FF000080/low; 10=#0000FF80"},
		{"k.qml", qmlHead + `<rasterrenderer type="singlebandpseudocolor"><colorrampshader colorRampType="INTERPOLATED" clip="1">` +
			`<item value="0" color="red" label="0" alpha="255"/><item value="1" color="blue" label="1" alpha="255"/></colorrampshader></rasterrenderer></pipe></qgis>`,
			"k: linear; 0=#FF000000; 0=#FF0000; 1=#0000FF; 1.0000001192092896=#0000FF; 1.0000001192092896=#0000FF00"},
		{"g.qml", qmlHead + `<rasterrenderer type="singlebandgray" gradient="WhiteToBlack" grayBand="1"><contrastEnhancement><minValue>2.5</minValue>` +
			"\n<maxValue> 7 </maxValue><algorithm>StretchToMinimumMaximum</algorithm></contrastEnhancement></rasterrenderer></pipe></qgis>",
			"g: linear; 2.5=#FFFFFF; 7=#000000"},
		{"t.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:INTERPOLATED\n10,0,0,255,255,10\n0,255,0,0,128,low\n", "t: linear; 0=#FF000080/low; 10=#0000FF"},
		{"t.txt", "INTERPOLATION:DISCRETE\n1,255,0,0,255,a\ninf,0,0,255,255,b\n", "t: x <= 1=#FF0000/a; 1 < x=#0000FF/b"},
		{"t.clr", "# interpolation: interpolated\n0 0 0 0\n1 255 255 255\n", "t: linear; 0=#000000; 1=#FFFFFF"},
		{"p.clr", "nv 0 0 0\n0% 0 0 0\n12.5% 0 0 255\n100% 255 255 255\n", "p: linear relative; 0=#000000; 0.125=#0000FF; 1=#FFFFFF"},
		{"s.csv", "stop,color,name,interpolation,min,max\n0%,red,dry,,,\n7%,blue,wet,discrete,-5,\n", "s: discrete relative from -5; 0=#FF0000/dry; 0.07=#0000FF/wet"},
		{"s.csv", "Stop;r;g;b;a\n0;1;2;3;\n2.5;4;5;6;7\n", "s: linear; 0=#010203; 2.5=#04050607"},
		{"m.csv", "colormap,min,max\nviridis_r,0,100\n", "m: linearviridis_r from 0 to 100"},
		{"j.json", `{"stops":[[0,"white"],[50,"navy"]],"interpolation":"linear"}`, "j: linear; 0=#FFFFFF; 50=#000080"},
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
		{"a.clr", "50% 0 0 0\n7 0 0 0", "percent"},
		{"a.clr", "120% 0 0 0", "stop 1 is at 1.2"},
		{"a.clr", "x% 0 0 0", "percent"},
		{"a.clr", "inf 0 0 0", "value 1 is +Inf"},
		{"a.txt", "default 0 0 0", "default"},
		{"a.txt", "INTERPOLATION:SOFT\n1,2,3,4", "EXACT"},
		{"a.txt", "some prose about a file", `"some" is not a number`},
		{"a.txt", "\xff\xfe", "UTF-8"},
		{"a.clr", "1e999 0 0 0", "not a number"},
		{"a.csv", "", "no entries"},
		{"a.csv", "value,color,name\n1,red,\xe9t\xe9", "UTF-8"},
		{"a.csv", "a,b\n1,2", "header"},
		{"a.csv", "value,r,g\n1,2,3", "header"},
		{"a.csv", "value,color\n1,red\nz,red", "row 3"},
		{"a.csv", "value,color\n1", "wrong number of fields"},
		{"a.qml", "<qgis/>", "renderer"},
		{"a.qml", "<qgis>", "XML"},
		{"a.qml", `<qgis><rasterrenderer type="singlebandpseudocolor"><colorrampshader colorRampType="SOFT"/></rasterrenderer></qgis>`, "SOFT"},
		{"a.qml", `<qgis><rasterrenderer type="hillshade" band="1"/></qgis>`, "hillshade"},
		{"a.qml", `<qgis><rasterrenderer type="multibandcolor" redBand="1"/></qgis>`, "multibandcolor"},
		{"a.qml", `<qgis><rasterrenderer type="singlebandgray"><contrastEnhancement><algorithm>NoEnhancement</algorithm></contrastEnhancement></rasterrenderer></qgis>`, "NoEnhancement"},
		{"a.csv", "stop,color,min\n1,red,5", "percent"},
		{"a.csv", "stop,color,interpolation\n1,red,linear\n2,red,exact", "row 3"},
		{"a.csv", "stop,color,interpolation\n1,red,soft", "soft"},
		{"a.csv", "stop,color\n1%,red\n2,red", "percent"},
		{"a.csv", "colormap,min\nviridissimo,1", "viridissimo"},
		{"a.csv", "colormap,min\nviridis,low", "low"},
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
	f.Add("a.csv", []byte("stop,color,interpolation,min\n1%,red,discrete,5\n"))
	f.Add("a.txt", []byte("INTERPOLATION:DISCRETE\n1,2,3,4,5,six\ninf,1,1,1\n"))
	f.Add("a.qml", []byte(`<qgis><rasterrenderer type="singlebandpseudocolor"><colorrampshader colorRampType="INTERPOLATED" clip="1"><item value="1" color="red"/></colorrampshader></rasterrenderer></qgis>`))
	f.Add("a.qml", []byte(`<qgis><rasterrenderer type="paletted"><paletteEntry value="1" color="red"/></rasterrenderer></qgis>`))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		l, err := legend.ReadFile(name, b)
		if err != nil {
			return
		}
		if _, err := legend.Compile(legend.Fit(l, 0, 1), rasterbase.Float32); err != nil {
			t.Fatalf("read but not compiled: %v", err)
		}
		for _, form := range []string{".json", ".csv", ".clr", ".txt", ".qml"} {
			b, err := legend.WriteFile(form, l)
			if err != nil {
				continue
			}
			if _, err := legend.ReadFile(form, b); err != nil {
				t.Fatalf("%s is written and not read: %v\n%s", form, err, b)
			}
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
