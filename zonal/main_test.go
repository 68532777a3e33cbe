package zonal

import (
	"testing"

	"github.com/rasterbase/rasterbase/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
