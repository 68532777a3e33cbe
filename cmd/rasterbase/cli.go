package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

const about = `Rasters in, coloured map tiles out.

rasterbase reads a raster file, cuts it into tiles, keeps them in one folder or in PostGIS, and serves them over HTTP.

To see it at work:

  rasterbase serve --demo

and open http://127.0.0.1:8080/ in a browser. To add a raster of your own, while it runs or before:

  rasterbase import landcover.tif`

// cli is the grammar of the command line, one field a command.
type cli struct {
	Config string `help:"Read settings from this file; rasterbase.json of the current folder, if there is one, otherwise." placeholder:"FILE" env:"RASTER_CONFIG"`

	Serve     serveCmd   `cmd:"" help:"Serve tiles over HTTP and parse what is imported."`
	Worker    workerCmd  `cmd:"" help:"Parse what is imported, without serving."`
	Import    importCmd  `cmd:"" help:"Add raster files as layers and wait until they are parsed."`
	Layers    layersCmd  `cmd:"" help:"List, show, change, delete and parse layers again."`
	Legends   legendsCmd `cmd:"" help:"List, show, import and export legends."`
	Tile      tileCmd    `cmd:"" help:"Write one map tile as an image."`
	Pixel     pixelCmd   `cmd:"" help:"Print a layer's value at a place."`
	Export    exportCmd  `cmd:"" help:"Write the pixels of a layer or a formula to a file."`
	Count     countCmd   `cmd:"" help:"Count the pixels of layers by value, whole or inside zones, and compute statistics."`
	Users     usersCmd   `cmd:"" help:"List, add, change and delete users."`
	Tokens    tokensCmd  `cmd:"" help:"List, make and delete the tokens that users' programs show."`
	Jobs      jobsCmd    `cmd:"" help:"List and cancel background jobs."`
	Migrate   migrateCmd `cmd:"" help:"Make the tables in a PostGIS database, or bring them up to date."`
	Backup    backupCmd  `cmd:"" help:"Copy the data folder into another one, while it is served."`
	Restore   restoreCmd `cmd:"" help:"Make a data folder of a backup."`
	Move      moveCmd    `cmd:"" help:"Take all layers and legends from one store to another."`
	ConfigCmd configCmd  `cmd:"" name:"config" help:"Print the settings in force and where each comes from."`
	Version   versionCmd `cmd:"" help:"Print the version of rasterbase and of what it uses."`
	Help      helpCmd    `cmd:"" help:"Print help for a command."`
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command, for instance: import, or layers delete."`
}

// Run prints what "rasterbase COMMAND --help" prints.
func (c *helpCmd) Run(_ context.Context, a *app) error {
	_, err := a.kong.Parse(append(slices.Clone(c.Command), "--help"))
	if err != nil {
		return usageError{fmt.Errorf("there is no command %q", strings.Join(c.Command, " "))}
	}
	return nil
}

// settingsGroup is the heading of the settings in help texts.
const settingsGroup = "Settings (each is an environment variable and a key of the configuration file too, see \"rasterbase config\")"

// printHelp prints help with the settings left out where they would bury the
// command's own flags.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	name := ""
	if n := ctx.Selected(); n != nil {
		name = n.Name
	}
	if name != "serve" && name != "worker" && name != "config" {
		for _, f := range ctx.Model.Flags {
			if f.Group != nil && f.Group.Key == settingsGroup && f.Name != "data" && f.Name != "database-url" && f.Name != "schema" {
				f.Hidden = true
			}
		}
	}
	return kong.DefaultHelpPrinter(o, ctx)
}

// protectNegative puts a space before arguments that are negative numbers, or
// lists that begin with one, so that "pixel dem -113.04 37.32" is not read as
// flags. What reads numbers
// takes the space away.
func protectNegative(args []string) []string {
	out := slices.Clone(args)
	for i, s := range out {
		if !strings.HasPrefix(s, "-") {
			continue
		}
		first, _, _ := strings.Cut(s, ",")
		if _, err := strconv.ParseFloat(first, 64); err == nil && s[1] >= '.' && s[1] <= '9' {
			out[i] = " " + s
		}
	}
	return out
}

// wantsJSON tells whether a program reads the output, before the arguments are
// known to be right.
func wantsJSON(args []string) bool { return slices.Contains(args, "--json") }

// whole is a whole number argument.
type whole int

// UnmarshalText reads a whole number.
func (n *whole) UnmarshalText(b []byte) error {
	v, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("%q is not a whole number", strings.TrimSpace(string(b)))
	}
	*n = whole(v)
	return nil
}

// number is a decimal number argument; "nan" is one too.
type number float64

// UnmarshalText reads a number.
func (n *number) UnmarshalText(b []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", strings.TrimSpace(string(b)))
	}
	*n = number(v)
	return nil
}
