package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/internal/spelling"
	"github.com/rasterbase/rasterbase/webhook"
)

// config is what the program works with.
type config struct {
	Addr                string
	Data                string
	DatabaseURL         string // empty: everything is in Data
	ListenURL           string // for notifications: empty is DatabaseURL, "poll" none
	Schema              string
	TileSize            int
	Workers             int
	WorkDir             string
	BatchSize           int
	UseQueue            bool
	AllowedPaths        []string
	UploadExpiry        int // seconds
	Compression         gdal.Compression
	FormulaNodes        int
	FormulaVariables    int
	FormulaLayers       int
	MaxPoints           int
	MaxPerClient        int
	ExportMaxPixels     int
	ExportMaxTiles      int
	ExportRequestPixels int
	ExportExpiry        int // seconds
	ExportsPerOwner     int
	CountMaxPixels      int
	CountMaxVertices    int
	CountMaxZones       int
	WebhookURL          string
	WebhookSecret       string
	MetricsAddr         string
	ParseMemory         int64 // bytes
	SingleTask          bool
	MaxSourceBytes      int64
	MinFreeDisk         int64
	AllowedHosts        fetch.Hosts
	FetchTimeout        int    // seconds
	S3Endpoint          string // empty: Amazon's
	S3RequesterPays     bool
	TileCacheTimeout    int // seconds
	TileCacheRevalidate bool
	EmptyTile204        bool
	Admin               bool
	Basemap             rasterbase.Basemap
	TrustedProxies      []netip.Prefix
	Visibility          rasterbase.Visibility
	PublicURL           string // without a slash at its end
	CORSOrigins         []string
	LogLevel            slog.Level
	LogFormat           string
	// Origin says for each setting where its value came from.
	Origin map[string]origin
}

// place names the store for people.
func (c *config) place() string {
	if c.DatabaseURL != "" {
		return masked(c.DatabaseURL)
	}
	return c.Data
}

func (c *config) fetchTimeout() time.Duration { return time.Duration(c.FetchTimeout) * time.Second }

// check finds what is wrong with settings together.
func (c *config) check() error {
	if (c.WebhookURL == "") != (c.WebhookSecret == "") {
		return errors.New("RASTER_WEBHOOK_URL and RASTER_WEBHOOK_SECRET are given together or not at all: what is sent is always signed")
	}
	if err := (&webhook.Sender{URL: c.WebhookURL, Secret: c.WebhookSecret}).Check(); c.WebhookURL != "" && err != nil {
		return err
	}
	return nil
}

// origin is a value as it was given, and by what.
type origin struct {
	Value string
	From  string // "default", "flag --addr", "environment RASTER_ADDR", "file rasterbase.json"
}

const (
	defaultConfigFile = "rasterbase.json"
	fromDefault       = "default"
)

// configErrors are all the things that are wrong with the settings.
type configErrors []error

func (e configErrors) Error() string { return errors.Join(e...).Error() }

// config puts the settings together: flags before the environment before the
// configuration file before the defaults. Everything that is wrong is in the
// error, so that it can be mended at once.
func (a *app) config() (*config, error) {
	env := map[string]string{}
	for _, kv := range a.environ {
		if k, v, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "RASTER_") && v != "" {
			env[k] = v
		}
	}
	var problems configErrors
	file, fileName, err := readConfigFile(a.configFile)
	if err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, unknownKeys(file, fileName)...)
	problems = append(problems, unknownVariables(env)...)

	c := &config{Origin: map[string]origin{}}
	for _, s := range settings {
		o, err := s.lookUp(a.flags, env, file, fileName)
		if err == nil && o.Value != "" {
			if err = s.apply(c, o.Value); err != nil && s.hint == "SECONDS" {
				err = fmt.Errorf("%w: the time in seconds", err)
			}
		}
		if err != nil {
			from := strings.TrimSuffix(o.From, " "+s.env()) // it is named once
			problems = append(problems, fmt.Errorf("%s (%s): %w", s.env(), from, err))
		}
		c.Origin[s.key] = o
	}
	if len(problems) == 0 {
		if err := c.check(); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// lookUp finds the value of a setting in order of precedence. The environment
// may name a file that holds the value.
func (s setting) lookUp(flags, env, file map[string]string, fileName string) (origin, error) {
	if v, ok := flags[s.key]; ok {
		return origin{v, "flag --" + s.flag()}, nil
	}
	if v, ok := env[s.env()]; ok {
		return origin{v, "environment " + s.env()}, nil
	}
	if path, ok := env[s.env()+"_FILE"]; ok {
		o := origin{From: "environment " + s.env() + "_FILE"}
		b, err := os.ReadFile(path)
		o.Value = strings.TrimSpace(string(b))
		return o, err
	}
	if v, ok := file[s.key]; ok {
		return origin{v, "file " + fileName}, nil
	}
	return origin{s.value, fromDefault}, nil
}

// readConfigFile reads a JSON object of settings. Without a path the default
// one is read, if it is there.
func readConfigFile(path string) (map[string]string, string, error) {
	named := path != ""
	if !named {
		path = defaultConfigFile
	}
	b, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, path, nil
	}
	if err != nil {
		return nil, path, fmt.Errorf("read the configuration file: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, path, fmt.Errorf(`%s: %w; it is a JSON object such as {"addr": ":8080", "tilesize": 512}`, path, err)
	}
	values := make(map[string]string, len(raw))
	for k, v := range raw {
		key := settingKey(k)
		if _, twice := values[key]; twice {
			return nil, path, fmt.Errorf("%s: %s is given twice, as %s too", path, key, "RASTER_"+strings.ToUpper(key))
		}
		if values[key], err = configValue(v); err != nil {
			return nil, path, fmt.Errorf("%s: %q %w", path, k, err)
		}
	}
	return values, path, nil
}

// settingKey is the key of a setting that a configuration file names by its
// key or as the environment does: RASTER_TILESIZE is tilesize.
func settingKey(name string) string {
	if rest, ok := strings.CutPrefix(name, "RASTER_"); ok {
		return strings.ToLower(rest)
	}
	return name
}

// configValue reads a string, a number, or a list of strings.
func configValue(raw json.RawMessage) (string, error) {
	var s string
	var n json.Number
	var list []string
	switch {
	case json.Unmarshal(raw, &s) == nil:
		return s, nil
	case json.Unmarshal(raw, &n) == nil:
		return n.String(), nil
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, ","), nil
	}
	return "", errors.New("is neither a string nor a number")
}

func unknownKeys(file map[string]string, fileName string) []error {
	known := make([]string, len(settings))
	for i, s := range settings {
		known[i] = s.key
	}
	var errs []error
	for _, k := range sortedKeys(file) {
		if slices.Contains(known, k) {
			continue
		}
		env := "RASTER_" + strings.ToUpper(k)
		errs = append(errs, fmt.Errorf("%s: there is no setting %q%s", fileName, k, wayOut(env, k, known)))
	}
	return errs
}

func unknownVariables(env map[string]string) []error {
	known := []string{"RASTER_CONFIG"}
	for _, s := range settings {
		known = append(known, s.env(), s.env()+"_FILE")
	}
	var errs []error
	for _, k := range sortedKeys(env) {
		if !slices.Contains(known, k) {
			errs = append(errs, fmt.Errorf("environment: there is no setting %s%s", k, wayOut(strings.TrimSuffix(k, "_FILE"), k, known)))
		}
	}
	return errs
}

// wayOut says what to do about a name that is no setting: env is its name in
// the environment, name the one it was given by.
func wayOut(env, name string, known []string) string {
	if s, ok := renamed[env]; ok {
		return ": " + s
	}
	if s, ok := later[env]; ok {
		return " in this version: " + s
	}
	if s := closest(name, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return "; `rasterbase config` lists them all"
}

// masked hides the passwords of an address: of the user, and those among the
// parameters that PostgreSQL knows. What cannot be read as an address, and may
// hold one, is not shown at all.
func masked(s string) string {
	if strings.Contains(s, "password") && !strings.Contains(s, "://") {
		return "…"
	}
	if !strings.Contains(s, "://") {
		return s
	}
	u, err := url.Parse(s)
	if before, _, _ := strings.Cut(s, "?"); err != nil || strings.Count(before, "@") > 1 {
		return "…"
	}
	hidden := false
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "xxxxx")
		hidden = true
	}
	q := u.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if q.Has(key) {
			q.Set(key, "xxxxx")
			u.RawQuery = q.Encode()
			hidden = true
		}
	}
	if !hidden {
		return s
	}
	return u.String()
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// closest is the known name that a mistyped one was probably meant to be, or
// "" when none is close.
func closest(name string, known []string) string {
	best, least := "", len(name)/3+1
	for _, k := range known {
		if d := spelling.Distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}
