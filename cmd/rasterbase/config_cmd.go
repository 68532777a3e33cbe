package main

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase/server"
)

type configCmd struct {
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "config --help".
func (*configCmd) Help() string {
	return `Each setting can be given in three ways. A flag wins over the environment, and that over the configuration file:

  rasterbase serve --tilesize 512
  RASTER_TILESIZE=512 rasterbase serve
  echo '{"tilesize": 512}' > rasterbase.json; rasterbase serve

RASTER_TILESIZE_FILE=FILE reads the value from a file, for secrets.`
}

// settingDoc is a setting as --json prints it.
type settingDoc struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Flag    string `json:"flag"`
	Value   string `json:"value"`
	From    string `json:"from"`
	Default string `json:"default"`
	Help    string `json:"help"`
}

// inForce are the settings without their secrets.
func (c *config) inForce() []server.Setting {
	out := make([]server.Setting, len(settings))
	for i, s := range settings {
		o := c.Origin[s.key]
		out[i] = server.Setting{Key: s.key, Env: s.env(), Value: s.shown(o.Value), From: o.From, Default: s.value, Help: s.help}
	}
	return out
}

// Run prints the settings in force.
func (c *configCmd) Run(_ context.Context, a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	var docs []settingDoc
	for i, s := range conf.inForce() {
		docs = append(docs, settingDoc{s.Key, s.Env, "--" + settings[i].flag(), s.Value, s.From, s.Default, s.Help})
	}
	if c.JSON {
		return a.printJSON(map[string]any{"settings": docs})
	}
	t := newTable(a.stdout, "SETTING", "FILE KEY", "VALUE", "FROM")
	for _, d := range docs {
		t.row(d.Env, d.Key, d.Value, d.From)
	}
	t.flush()
	fmt.Fprintln(a.stderr, "\n`rasterbase config --help` says what they mean and how to set them")
	return nil
}
