package rasterbase_test

import (
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestBasemapsAreOfOneHost(t *testing.T) {
	for address, want := range map[string]string{
		"https://tile.example.org/{z}/{x}/{y}.png":               "https://tile.example.org",
		"http://127.0.0.1:8081/a?z={z}&x={x}&y={y}":              "http://127.0.0.1:8081",
		"https://[::1]:8443/{z}/{x}/{y}":                         "https://[::1]:8443",
		"https://{x}.tile.example.org/{z}/{x}/{y}.png":           "",
		"https://tile.example.org/{z}/{x}.png":                   "",
		"https://anna:secret@tile.example.org/{z}/{x}/{y}.png":   "",
		"ftp://tile.example.org/{z}/{x}/{y}.png":                 "",
		"/tiles/{z}/{x}/{y}.png":                                 "",
		"https://tile.example.org;script-src *//{z}/{x}/{y}.png": "",
		"https://*/{z}/{x}/{y}.png":                              "",
		"javascript:alert(1)//{z}/{x}/{y}":                       "",
	} {
		b := rasterbase.Basemap{URL: address}
		err := b.Check()
		if want == "" {
			if rasterbase.CodeOf(err) != rasterbase.Invalid {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		if err != nil || b.Origin() != want {
			t.Errorf("%s: %s, %v", address, b.Origin(), err)
		}
	}
	if b := (rasterbase.Basemap{}); b.Check() != nil || b.Origin() != "" {
		t.Error("no base map is an error")
	}
}
