// Command rasterbase imports raster files, keeps their tiles and serves them
// as coloured map tiles. Run "rasterbase help" for its commands.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rasterbase/rasterbase/gdal/gdalchild"
)

func main() {
	// A process that was started to open raster files never returns from here.
	gdalchild.Main()
	os.Exit(run())
}

// run runs the command line of this process and gives its exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end; with the handler gone, the
	// second one kills.
	context.AfterFunc(ctx, stop)

	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	return a.main(ctx, os.Args[1:])
}

// app is what every command works with.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	flags          map[string]string // settings given as flags, by key
	configFile     string            // --config
	kong           *kong.Kong
}

// The exit codes.
const (
	exitDone  = 0
	exitFail  = 1
	exitUsage = 2
)

// main parses the arguments and runs the command.
func (a *app) main(ctx context.Context, args []string) int {
	var cli cli
	settings := newSettingFlags()
	k, err := kong.New(&cli,
		kong.Name("rasterbase"),
		kong.Description(about),
		kong.UsageOnError(),
		kong.Writers(a.stdout, a.stderr),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Embed(settings.Interface()),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
	)
	if err != nil {
		return a.report(err, false)
	}
	a.kong = k
	if len(args) == 0 {
		args = []string{"help"}
	}
	asJSON := wantsJSON(args)
	parsed, err := k.Parse(protectNegative(args))
	if err != nil {
		return a.report(usageError{err}, asJSON)
	}
	a.flags = givenSettings(settings)
	a.configFile = cli.Config
	if err := parsed.Run(); err != nil {
		return a.report(err, asJSON)
	}
	return exitDone
}
