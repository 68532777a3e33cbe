package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
)

// setting is one thing an operator can set: as a flag, as an environment
// variable and as a key of the configuration file.
type setting struct {
	key   string // tile_cache_timeout: --tile-cache-timeout, RASTER_TILE_CACHE_TIMEOUT
	hint  string // what stands for the value in help texts
	value string // default
	help  string
	apply func(c *config, s string) error // reads a value that is not empty
}

func (s setting) env() string  { return "RASTER_" + strings.ToUpper(s.key) }
func (s setting) flag() string { return strings.ReplaceAll(s.key, "_", "-") }

// shown is a value of the setting as it may be printed: without its secrets.
func (s setting) shown(value string) string {
	switch {
	case value == "":
		return ""
	case s.key == "webhook_secret":
		return "xxxxx"
	case s.key == "webhook_url":
		return ingest.OriginOf(value)
	}
	return masked(value)
}

// settings lists every setting that has an effect in this version.
var settings = []setting{
	{"addr", "HOST:PORT", "127.0.0.1:8080", "Address to serve on; :8080 is every interface.", setAddr},
	{"data", "DIR", "./rasterbase-data", "Folder that keeps everything, unless there is a database.", setString(func(c *config) *string { return &c.Data })},
	{"database_url", "URL", "", "PostgreSQL database with PostGIS that keeps everything, postgres://user:password@host:port/name; the data folder when empty.", setDatabaseURL},
	{"listen_url", "URL", "", "Database address for notifications of changes, past a connection pooler that swallows them; poll asks the database twice a second instead. The database address when empty.", setListenURL},
	{"schema", "NAME", "rasterbase", "Schema of the database that all tables are in, in lower case.", setString(func(c *config) *string { return &c.Schema })},
	{"tilesize", "PIXELS", "256", "Width of a tile, 64 to 1024 and even. Layers keep the size that they were parsed with.", setTileSize},
	{"workers", "N", "2", "Parses, or parts of large ones, at once in a server or worker.", setInt(func(c *config) *int { return &c.Workers }, 1, 256)},
	{"workdir", "DIR", "", "Folder for temporary files; the system's when empty.", setString(func(c *config) *string { return &c.WorkDir })},
	{"use_queue", "true|false", "true", "Parse in the background; otherwise the request or the command that asks for a parse waits for it.", setBool(func(c *config) *bool { return &c.UseQueue })},
	{"batch_step_size", "N", "100", "Tiles written to the store at once.", setInt(func(c *config) *int { return &c.BatchSize }, 1, 100_000)},
	{"parse_memory", "BYTES", "512MiB", "Memory that one parse may take, its GDAL process included; at least 256MiB.", setParseMemory},
	{"parse_single_task", "true|false", "false", "Keep each parse in one job, however large; otherwise workers share large ones.", setSingleTask},
	{"max_source_bytes", "BYTES", "100GiB", "Largest raster file that is accepted, unpacked.", setSourceBytes},
	{"min_free_disk", "BYTES", "256MiB", "Space that a source file leaves free on the disk of the data folder.", setBytes(func(c *config) *int64 { return &c.MinFreeDisk })},
	{"allowed_paths", "DIRS", "", "Folders of the servers and workers that files may be taken from over HTTP, separated by commas or as in PATH; none when empty.", setPaths},
	{"upload_expiry", "SECONDS", "604800", "How long an upload is kept that is not finished, or that no layer was made of.", setInt(func(c *config) *int { return &c.UploadExpiry }, 60, 366*86400)},
	{"compress_method", "METHOD", "LZW", "Compression of the GeoTIFF files that are written, temporary ones included: JPEG, LZW, PACKBITS, DEFLATE, CCITTRLE, CCITTFAX3, CCITTFAX4, LZMA, ZSTD or none.", setCompression},
	{"formula_max_nodes", "N", "2000", "Most numbers, names, operators and calls in a formula.", setInt(func(c *config) *int { return &c.FormulaNodes }, 1, 100_000)},
	{"formula_max_variables", "N", "64", "Most variables in a formula.", setInt(func(c *config) *int { return &c.FormulaVariables }, 1, 1000)},
	{"formula_max_layers", "N", "32", "Most bands of layers that a request may give names to.", setInt(func(c *config) *int { return &c.FormulaLayers }, 1, 1000)},
	{"max_points", "N", "100000", "Most places that one request may look up.", setInt(func(c *config) *int { return &c.MaxPoints }, 1, 10_000_000)},
	{"max_per_client", "N", "16", "Requests for formulas, many places, profiles, counts and exports that are worked on at once for one client; others wait, and then are refused.", setInt(func(c *config) *int { return &c.MaxPerClient }, 1, 10_000)},
	{"export_max_pixels", "N", "100000000", "Most pixels of an export.", setInt(func(c *config) *int { return &c.ExportMaxPixels }, 1, math.MaxInt)},
	{"export_max_tiles", "N", "100000", "Most tiles of an export as MBTiles or PMTiles.", setInt(func(c *config) *int { return &c.ExportMaxTiles }, 1, math.MaxInt)},
	{"export_request_pixels", "N", "25000000", "Most pixels of an export that is made while its client waits; larger ones are made by workers.", setInt(func(c *config) *int { return &c.ExportRequestPixels }, 1, math.MaxInt)},
	{"export_expiry", "SECONDS", "604800", "How long the file of an export that workers made is kept.", setInt(func(c *config) *int { return &c.ExportExpiry }, 60, 366*86400)},
	{"exports_per_owner", "N", "5", "Exports that may wait or run at once for one user.", setInt(func(c *config) *int { return &c.ExportsPerOwner }, 1, 10_000)},
	{"count_max_pixels", "N", "1000000000", "Most pixels that are read for counts or statistics while their client waits; a hundred times as many are by workers.", setInt(func(c *config) *int { return &c.CountMaxPixels }, 1, math.MaxInt/100)},
	{"count_max_vertices", "N", "1000000", "Most vertices of a geometry in which pixels are counted over HTTP.", setInt(func(c *config) *int { return &c.CountMaxVertices }, 4, 1<<31-1)},
	{"count_max_zones", "N", "1000", "Most zones that are counted while their client waits; more are counted by workers.", setInt(func(c *config) *int { return &c.CountMaxZones }, 1, 1_000_000)},
	{"webhook_url", "URL", "", "Address that is told when a parse has ended.", setString(func(c *config) *string { return &c.WebhookURL })},
	{"webhook_secret", "SECRET", "", "Secret that signs what is sent there, of 24 bytes at least.", setString(func(c *config) *string { return &c.WebhookSecret })},
	{"metrics_addr", "HOST:PORT", "", "Address for /metrics, /healthz and /readyz alone, open to whoever reaches it; with none, /metrics asks for an administrator's token.", setMetricsAddr},
	{"allowed_hosts", "HOSTS", "", "Hosts that files may be downloaded from although their addresses are private: names, *.example.org, addresses and networks, with a port or without, separated by commas.", setAllowedHosts},
	{"fetch_timeout", "SECONDS", "21600", "Longest time that the download of a source may take.", setInt(func(c *config) *int { return &c.FetchTimeout }, 1, 366*86400)},
	{"s3_endpoint_url", "URL", "", "Store that s3:// addresses are read from, such as https://s3.example.org; Amazon's when empty.", setEndpoint},
	{"s3_requester_pays", "true|false", "false", "Agree to pay for what is read from S3 buckets whose owners ask for that.", setBool(func(c *config) *bool { return &c.S3RequesterPays })},
	{"tile_cache_timeout", "SECONDS", "86400", "How long clients may keep a tile of a versioned address; 0: not at all.", setInt(func(c *config) *int { return &c.TileCacheTimeout }, 0, 10*366*86400)},
	{"tile_cache_revalidate", "true|false", "true", "Make clients ask each time whether a tile of an address without its version is still current; otherwise they keep it as long as a versioned one.", setBool(func(c *config) *bool { return &c.TileCacheRevalidate })},
	{"empty_tiles", "200|204", "200", "Status of tiles without anything on them: 200 with a transparent picture, or 204 with none.", setEmptyTiles},
	{"admin", "true|false", "true", "Serve the web admin at /admin/.", setBool(func(c *config) *bool { return &c.Admin })},
	{"basemap_url", "URL", "", "Tiles below the layers on maps, such as https://tile.example.org/{z}/{x}/{y}.png; browsers load them from that host. An outline of the world, from this server, when empty.", setBasemap},
	{"basemap_attribution", "TEXT", "", "What is shown on maps for those tiles.", setString(func(c *config) *string { return &c.Basemap.Attribution })},
	{"default_visibility", "public|private", "public", "Who may read new layers.", setVisibility},
	{"public_url", "URL", "", "Address that users see, with the path prefix, when a proxy stands in front.", setPublicURL},
	{"trusted_proxies", "ADDRESSES", "", "Addresses and networks of proxies, separated by commas, whose Forwarded and X-Forwarded headers are believed; none when empty.", setProxies},
	{"cors_origins", "ORIGINS", "*", "Web pages, as scheme://host separated by commas, whose scripts may read the data; * is all, none is nobody.", setOrigins},
	{"log_level", "LEVEL", "info", "Least level to log: debug, info, warn or error.", setLogLevel},
	{"log_format", "auto|text|json", "auto", "How to log; auto is text on a terminal and json otherwise.", setLogFormat},
}

// renamed are names that django-raster knows under another name here.
var renamed = map[string]string{
	"RASTER_USE_CELERY":        "it is RASTER_USE_QUEUE in rasterbase",
	"RASTER_ZOOM_NEXT_HIGHER":  "it is a choice of each layer in rasterbase: import with --next-lower to get the zoom below the source's resolution",
	"RASTER_CELERY_TASK_QUEUE": "rasterbase has a queue of its own; remove it",
}

// later are settings that belong to parts that this version does not have.
var later = map[string]string{
	"RASTER_TILES_URL":   "tiles are kept where everything is in this version: in RASTER_DATABASE_URL or RASTER_DATA",
	"RASTER_SOURCES_URL": "source files are kept where everything is in this version: in RASTER_DATABASE_URL or RASTER_DATA",
}

// newSettingFlags makes a pointer to a struct with a flag for each setting.
func newSettingFlags() reflect.Value {
	var fields []reflect.StructField
	for i, s := range settings {
		help := s.help
		if s.value != "" {
			help += " Default: " + s.value + "."
		}
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("Setting%d", i),
			Type: reflect.TypeFor[*string](),
			Tag: reflect.StructTag(fmt.Sprintf("name:%q help:%q placeholder:%q group:%q",
				s.flag(), help, s.hint, settingsGroup)),
		})
	}
	return reflect.New(reflect.StructOf(fields))
}

// givenSettings reads which of the flags were given, by key.
func givenSettings(flags reflect.Value) map[string]string {
	given := map[string]string{}
	for i, s := range settings {
		if p, ok := flags.Elem().Field(i).Interface().(*string); ok && p != nil {
			given[s.key] = strings.TrimSpace(*p)
		}
	}
	return given
}

func setString(field func(*config) *string) func(*config, string) error {
	return func(c *config, s string) error { *field(c) = s; return nil }
}

func setInt(field func(*config) *int, least, most int) func(*config, string) error {
	return func(c *config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is not a whole number from %d to %d", s, least, most)
		}
		*field(c) = n
		return nil
	}
}

func setAddr(c *config, s string) error {
	c.Addr = s
	return checkAddr(s)
}

func setMetricsAddr(c *config, s string) error {
	c.MetricsAddr = s
	return checkAddr(s)
}

func checkAddr(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT, for instance 127.0.0.1:8080", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return fmt.Errorf("%q is not a port from 0 to 65535", port)
	}
	return nil
}

// setPaths reads folders. They are checked when something is taken from them,
// since a disk may be mounted later.
func setPaths(c *config, s string) error {
	for some := range strings.SplitSeq(s, ",") {
		for _, dir := range filepath.SplitList(some) {
			if dir = strings.TrimSpace(dir); dir == "" {
				continue
			}
			if !filepath.IsAbs(dir) {
				return fmt.Errorf("%q is not an absolute path", dir)
			}
			c.AllowedPaths = append(c.AllowedPaths, filepath.Clean(dir))
		}
	}
	return nil
}

func setBasemap(c *config, s string) error {
	c.Basemap.URL = s
	return c.Basemap.Check()
}

func setCompression(c *config, s string) (err error) {
	if strings.EqualFold(s, "none") {
		s = ""
	}
	c.Compression, err = gdal.ParseCompression(s)
	return err
}

func setDatabaseURL(c *config, s string) error {
	if !isPostgres(s) {
		return fmt.Errorf("%q is not an address such as postgres://user@host:5432/database", masked(s))
	}
	c.DatabaseURL = s
	return nil
}

func setListenURL(c *config, s string) error {
	if s != "poll" && !isPostgres(s) {
		return fmt.Errorf("%q is not an address such as postgres://user@host:5432/database, nor poll", masked(s))
	}
	c.ListenURL = s
	return nil
}

// setProxies reads addresses and networks; an address is a network of one.
func setProxies(c *config, s string) error {
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		network, err := netip.ParsePrefix(one)
		if err != nil {
			addr, bad := netip.ParseAddr(one)
			if bad != nil {
				return fmt.Errorf("%q is not an address such as 10.0.0.5 or a network such as 10.0.0.0/8", one)
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.TrustedProxies = append(c.TrustedProxies, network.Masked())
	}
	return nil
}

func setEmptyTiles(c *config, s string) error {
	if s != "200" && s != "204" {
		return fmt.Errorf("%q is not 200 or 204", s)
	}
	c.EmptyTile204 = s == "204"
	return nil
}

func setTileSize(c *config, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 64 || n > 1024 || n%2 != 0 {
		return fmt.Errorf("%q is not an even number from 64 to 1024", s)
	}
	c.TileSize = n
	return nil
}

func setParseMemory(c *config, s string) error {
	n, err := parseBytes(s)
	if err != nil {
		return err
	}
	if n < 256<<20 {
		return fmt.Errorf("%s is too little to parse with, give 256MiB or more", s)
	}
	c.ParseMemory = n
	return nil
}

func setSingleTask(c *config, s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is not true or false", s)
	}
	c.SingleTask = v
	return nil
}

func setSourceBytes(c *config, s string) error {
	n, err := parseBytes(s)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("with 0 no file at all could be imported")
	}
	c.MaxSourceBytes = n
	return nil
}

func setBytes(field func(*config) *int64) func(*config, string) error {
	return func(c *config, s string) (err error) {
		*field(c), err = parseBytes(s)
		return err
	}
}

func setBool(field func(*config) *bool) func(*config, string) error {
	return func(c *config, s string) (err error) {
		if *field(c), err = strconv.ParseBool(s); err != nil {
			return fmt.Errorf("%q is not true or false", s)
		}
		return nil
	}
}

func setVisibility(c *config, s string) error {
	switch v := rasterbase.Visibility(s); v {
	case rasterbase.Public, rasterbase.Private:
		c.Visibility = v
		return nil
	}
	return fmt.Errorf("%q is not public or private", s)
}

func setPublicURL(c *config, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address such as https://example.org/raster", s)
	}
	c.PublicURL = strings.TrimSuffix(s, "/")
	return nil
}

func setOrigins(c *config, s string) error {
	c.CORSOrigins = nil
	if s == "none" {
		return nil
	}
	for o := range strings.SplitSeq(s, ",") {
		o = strings.TrimSpace(o)
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Host == "" || u.Scheme == "" || u.Path != "") {
			return fmt.Errorf("%q is not an origin such as https://example.org, nor * nor none", o)
		}
		c.CORSOrigins = append(c.CORSOrigins, o)
	}
	return nil
}

func setLogLevel(c *config, s string) error {
	if err := c.LogLevel.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("%q is not debug, info, warn or error", s)
	}
	return nil
}

func setLogFormat(c *config, s string) error {
	switch s {
	case "auto", "text", "json":
		c.LogFormat = s
		return nil
	}
	return fmt.Errorf("%q is not auto, text or json", s)
}

// byteUnits are the suffixes of sizes, longest first.
var byteUnits = []struct {
	suffix string
	factor float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1},
}

// parseBytes reads a size in bytes: 1048576, 512MiB, 1.5GB.
func parseBytes(s string) (int64, error) {
	num, factor := strings.ToLower(strings.TrimSpace(s)), 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(num, u.suffix); ok {
			num, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !(v >= 0) || v*factor >= 1<<63 {
		return 0, fmt.Errorf("%q is not a size such as 1048576, 512MiB or 2GB", s)
	}
	return int64(v * factor), nil
}
