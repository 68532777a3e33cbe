package server_test

import (
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
)

// Whoever parses for a server is usually this.
var _ server.Parser = (*ingest.Parser)(nil)
