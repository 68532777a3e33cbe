package store

import "github.com/rasterbase/rasterbase"

// PageSize is the number of cells along a side of a summary page.
const PageSize = 16

// SummaryPage holds the summaries of up to 16x16 cells. At depth 0 a cell is a
// tile; at depth d it is a page of depth d-1. Page X, Y covers the cells from
// X*16, Y*16 on.
type SummaryPage struct {
	Kind  rasterbase.Kind
	Z     int // zoom of pyramid tiles; 0 for base tiles
	Depth int
	X, Y  int
	Cells []SummaryCell // ordered by Y, X; cells without a valid pixel are left out
}

// SummaryCell is the summary of the cell at X, Y (of the whole level, not of
// the page).
type SummaryCell struct {
	X, Y int
	rasterbase.Summary
}

// PageBox is a box of pages, its edges among them. A box whose maximum is
// below its minimum has none.
type PageBox struct{ MinX, MinY, MaxX, MaxY int }

// SummaryQuery selects pages of a revision.
type SummaryQuery struct {
	Revision rasterbase.RevisionID
	Kind     rasterbase.Kind
	Z        int
	Depth    int
	Pages    *PageBox // nil: all pages
}
