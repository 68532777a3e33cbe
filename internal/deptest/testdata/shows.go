// Package shows has a third-party type in every place of an exported API where
// one can be, and in places where nobody sees it.
package shows

import (
	"example.org/foreign/v2"

	"context"
)

func Result() *foreign.T { return nil }

func Argument(ctx context.Context, x []foreign.T) {}

func hidden(x foreign.T) foreign.T { return x }

type Field struct {
	Shown  map[string]foreign.T
	unseen foreign.T
}

func (*Field) Method(x foreign.T) {}

func (*Field) unseenMethod(x foreign.T) {}

type quiet struct{ X foreign.T }

func (quiet) Method(x foreign.T) {}

type Interface interface{ Do(x foreign.T) }

var Variable foreign.T

var private foreign.T

type Type foreign.T

type Embedded struct{ foreign.T }
