package deptest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// mayImport says for each package which others of the module it may import,
// besides what those may import in turn. Every package stands here but the
// programs and what is internal, which may import everything. The examples are a
// module of their own.
var mayImport = map[string][]string{
	"":                     {},
	"raster":               {""},
	"raster/pgxraster":     {"raster"},
	"xyz":                  {""},
	"crs":                  {""},
	"demo":                 {""},
	"algebra":              {"raster"},
	"legend":               {"algebra", "internal/spelling"},
	"legend/picture":       {"legend"},
	"render":               {"raster", "crs", "internal/tiff"},
	"resample":             {"raster"},
	"terrain":              {"raster"},
	"store":                {"raster", "xyz", "crs"},
	"store/storetest":      {"store"},
	"store/leasequeue":     {"store"},
	"store/sqlcatalog":     {"store/leasequeue"},
	"store/move":           {"store"},
	"auth":                 {"store"},
	"footprint":            {"raster", "crs", "xyz"},
	"coverage":             {"store", "algebra", "resample", "footprint"},
	"zonal":                {"coverage"},
	"zonal/report":         {"zonal", "legend"},
	"geometry":             {""},
	"sqlite":               {"store/sqlcatalog"},
	"postgis":              {"store/sqlcatalog", "internal/tempdir"},
	"postgis/djangoraster": {"postgis", "ingest"},
	"jobs":                 {"store"},
	"metrics":              {"store"},
	"ingest":               {"jobs", "legend", "resample", "internal/tempdir"},
	"vector":               {"", "internal/tempdir"},
	"gdal":                 {"ingest", "vector"},
	"gdal/gdalchild":       {"gdal"},
	"admin":                {"", "legend"},
	"server":               {"coverage", "legend", "legend/picture", "render", "terrain", "geometry", "zonal/report", "export", "export/mbtiles", "export/pmtiles"},
	"fetch":                {""},
	"s3":                   {"fetch"},
	"webhook":              {"fetch"},
	"export":               {"coverage", "internal/tiff", "internal/tempdir"},
	"export/tileset":       {"xyz"},
	"export/mbtiles":       {"export/tileset"},
	"export/pmtiles":       {"export/tileset"},
}

// never are imports that would break a promise, with the promise.
var never = []struct{ from, what, why string }{
	{"server", "sqlite", "the server works on any backend"},
	{"server", "gdal", "the server opens no raster file; a binary without GDAL serves"},
	{"server", "ingest", "parsing is asked for through a contract in the server's Config"},
	{"ingest", "gdal", "ingest opens files through its Opener, in this process or in a child"},
	{"vector", "gdal", "the contract does not know who reads the files"},
	{"ingest", "sqlite", "ingest works on any backend"},
	{"ingest", "coverage", "parsing writes; reading published layers is coverage's"},
	{"coverage", "sqlite", "coverage works on any backend"},
	{"coverage", "gdal", "the hot path is pure Go"},
	{"postgis", "gdal", "a backend stores, it does not read files"},
	{"postgis", "sqlite", "adapters do not know each other"},
	{"sqlite", "postgis", "adapters do not know each other"},
	{"server", "postgis", "the server works on any backend"},
	{"ingest", "postgis", "ingest works on any backend"},
	{"coverage", "postgis", "coverage works on any backend"},
	{"store/sqlcatalog", "sqlite", "what backends share knows none of them"},
	{"store/sqlcatalog", "postgis", "what backends share knows none of them"},
	{"jobs", "ingest", "the runner knows none of the kinds that it runs"},
	{"sqlite", "gdal", "a backend stores, it does not read files"},
	{"store", "sqlite", "a contract does not know its adapters"},
	{"ingest", "fetch", "ingest fetches through its Fetcher"},
	{"ingest", "s3", "ingest fetches through its Fetcher"},
}

// only says which packages alone may import a third-party or standard package,
// or what lies below it.
var only = []struct {
	what string
	by   []string
	why  string
}{
	{"C", []string{"gdal"}, "everything else builds without a C compiler"},
	{"modernc.org", []string{"sqlite", "export/mbtiles"}, "the database is one adapter's affair; MBTiles files are SQLite databases"},
	{"github.com/jackc", []string{"postgis", "raster/pgxraster", "cmd/rasterbase"}, "PostgreSQL is one adapter's affair, and a field's"},
	{"github.com/minio", []string{"s3"}, "the S3 client is one adapter's affair"},
	{"github.com/prometheus", []string{"metrics"}, "how numbers are exposed is one package's affair"},
	{"github.com/riverqueue", nil, "hosts may have it; the queue is a contract"},
	{"github.com/pressly/goose", []string{"sqlite", "postgis"}, "migrations belong to a backend"},
	{"database/sql", []string{"sqlite", "postgis", "raster", "export/mbtiles"}, "SQL belongs to a backend; raster has only its Scanner and Valuer; MBTiles files are SQLite databases"},
	{"github.com/alecthomas/kong", []string{"cmd/rasterbase"}, "the command line is the program's"},
	{"github.com/klauspost/compress", []string{"sqlite", "render"}, "how tiles are packed is known where they are stored and encoded"},
	{"golang.org/x/image", []string{"legend/picture"}, "text in pictures is one package's affair"},
	{"net/http", []string{"", "auth", "server", "admin", "fetch", "s3", "webhook", "metrics", "cmd/rasterbase"}, "HTTP stays out of the packages below the server; the root has it in the Auth contract, fetch guards requests of our own"},
	{"github.com/alexedwards", []string{"auth"}, "sessions and passwords are one package's affair"},
	{"os/exec", []string{"gdal/gdalchild"}, "one package starts processes"},
	{"github.com/chromedp", nil, "browsers are for tests"},
	{"pgregory.net/rapid", nil, "property tests are tests"},
	{"github.com/rogpeppe/go-internal", nil, "scripts are tests"},
}

func TestImportsGoDownOnly(t *testing.T) {
	packages := readModule(t)
	for folder, p := range packages {
		if free(folder) {
			continue
		}
		if _, ok := mayImport[folder]; !ok {
			t.Errorf("package %q is not in the table: say what it may import", folder)
			continue
		}
		allowed := closure(folder)
		for path := range p.imports {
			if to, ok := ours(path); ok && !allowed[to] {
				t.Errorf("%q imports %q, but may import only %q", folder, to, slices.Sorted(maps.Keys(allowed)))
			}
		}
	}
	for folder := range mayImport {
		if packages[folder] == nil {
			t.Errorf("the table names package %q, which is gone", folder)
		}
	}
}

func TestRootIsStandardLibraryOnly(t *testing.T) {
	for path := range readModule(t)[""].imports {
		if _, ok := ours(path); ok || thirdParty(path) {
			t.Errorf("the root package imports %s", path)
		}
	}
}

func TestPromisesOfWhatIsNeverImported(t *testing.T) {
	packages := readModule(t)
	for _, rule := range never {
		if packages[rule.from] == nil || packages[rule.what] == nil {
			t.Errorf("the rule that %q never imports %q names a package that is gone", rule.from, rule.what)
			continue
		}
		for to := range reached(packages, rule.from) {
			if to == rule.what || strings.HasPrefix(to, rule.what+"/") {
				t.Errorf("%q reaches %q: %s", rule.from, to, rule.why)
			}
		}
	}
}

func TestImportsThatBelongToOnePackage(t *testing.T) {
	packages := readModule(t)
	for _, rule := range only {
		for folder, p := range packages {
			if strings.HasPrefix(folder, "internal/") || slices.ContainsFunc(rule.by, func(by string) bool { return folder == by || by != "" && strings.HasPrefix(folder, by+"/") }) {
				continue
			}
			for path := range p.imports {
				if path == rule.what || strings.HasPrefix(path, rule.what+"/") {
					t.Errorf("%q imports %s, which only %q may: %s", folder, path, rule.by, rule.why)
				}
			}
		}
		for _, by := range rule.by {
			if packages[by] == nil {
				t.Errorf("the rule for %s names package %q, which is gone", rule.what, by)
			}
		}
	}
}

// free tells whether a package may import everything.
func free(folder string) bool {
	top, _, _ := strings.Cut(folder, "/")
	return top == "cmd" || top == "internal"
}

// closure is what a package may import, directly or because those may.
func closure(folder string) map[string]bool {
	all := map[string]bool{}
	var add func(string)
	add = func(f string) {
		for _, to := range mayImport[f] {
			if !all[to] {
				all[to] = true
				add(to)
			}
		}
	}
	add(folder)
	return all
}

// reached is every package of the module that a package imports, directly or
// through others.
func reached(packages map[string]*source, from string) map[string]bool {
	all := map[string]bool{}
	var add func(string)
	add = func(f string) {
		if packages[f] == nil {
			return
		}
		for path := range packages[f].imports {
			if to, ok := ours(path); ok && !all[to] {
				all[to] = true
				add(to)
			}
		}
	}
	add(from)
	return all
}
