package rasterbase

import (
	"fmt"
	"time"
)

// LayerID identifies a layer for good: it is never given to another one.
type LayerID int64

// RevisionID identifies a revision for good.
type RevisionID int64

// ParseID identifies one attempt to parse a layer.
type ParseID int64

// LegendID identifies a legend; 0 is no legend.
type LegendID int64

// EntryID identifies an entry of legends for good.
type EntryID int64

// SemanticsID identifies a semantics.
type SemanticsID int64

// Datatype says what a layer's numbers mean, and so how they are resampled,
// reduced, counted and coloured.
type Datatype string

// The datatypes. All but Continuous are discrete: their values are never
// blended.
const (
	Continuous  Datatype = "continuous"
	Categorical Datatype = "categorical"
	Mask        Datatype = "mask"
	RankOrdered Datatype = "rank ordered"
)

// Datatypes lists the datatypes.
var Datatypes = []Datatype{Continuous, Categorical, Mask, RankOrdered}

// Discrete reports whether values are classes that must not be blended.
func (d Datatype) Discrete() bool { return d != Continuous }

// ParseDatatype reads a datatype's name; "rank-ordered" and "rank_ordered" are
// read too.
func ParseDatatype(s string) (Datatype, error) {
	switch s {
	case "rank-ordered", "rank_ordered":
		return RankOrdered, nil
	}
	for _, d := range Datatypes {
		if s == string(d) {
			return d, nil
		}
	}
	return "", Errorf(Invalid, "unknown datatype %q", s).
		WithHint("one of continuous, categorical, mask, rank ordered").WithField("type")
}

// Visibility says who may read a layer.
type Visibility string

// The visibilities.
const (
	Public  Visibility = "public"
	Private Visibility = "private"
)

// Layer is one raster data set and the settings asked for. What a parse made
// of it stands in its revisions.
type Layer struct {
	ID          LayerID
	Slug        string // unique, made from the name; lower case, digits and dashes
	Name        string
	Description string
	Attribution string
	License     string
	Source      Source
	Settings    Settings
	Legend      LegendID
	Visibility  Visibility
	Published   RevisionID // the revision that readers see; 0 before the first
	// Formula makes the layer of other layers; nil: it is parsed from its source.
	// Of a layer's Settings it uses Datatype alone.
	Formula *LayerFormula
	Created time.Time
	Updated time.Time
}

// Source is the file, with its side-cars, that a layer is parsed from.
type Source struct {
	ID       string // its place in the store's Sources; empty when none is kept
	Name     string // the main file's name, without folders: landcover.tif
	Origin   string // where it came from, as the user gave it: a path or a URL
	Size     int64  // bytes of the main file
	Checksum string // of the main file: "sha256:" and 64 hexadecimal digits
}

// Settings are the wishes for a parse. The zero value leaves everything to the
// file; what was in force is kept with the revision.
type Settings struct {
	Datatype   Datatype   `json:"datatype,omitempty"`   // empty: detected, with a reason
	SRID       int        `json:"srid,omitempty"`       // replaces the file's CRS; 0: the file's
	Nodata     *float64   `json:"nodata,omitempty"`     // replaces the file's nodata in every band
	MaxZoom    *int       `json:"max_zoom,omitempty"`   // wins over the rule for the max zoom
	NextLower  bool       `json:"next_lower,omitempty"` // the zoom below the source's resolution instead of the one above it
	NoPyramid  bool       `json:"no_pyramid,omitempty"` // base tiles only
	Resampling Resampling `json:"resampling,omitempty"` // of the warp; empty: by datatype
	TileSize   int        `json:"tile_size,omitempty"`  // 0: the server's setting
	Subdataset string     `json:"subdataset,omitempty"` // which raster of a file or zip that holds several
}

// Resampling names how the warp takes a pixel's value from the source.
type Resampling string

// The resamplings.
const (
	Nearest  Resampling = "nearest"
	Bilinear Resampling = "bilinear"
	Cubic    Resampling = "cubic"
)

// Blends reports whether new values arise that are not in the source.
func (r Resampling) Blends() bool { return r == Bilinear || r == Cubic }

// ParseResampling reads a resampling's name.
func ParseResampling(s string) (Resampling, error) {
	switch r := Resampling(s); r {
	case Nearest, Bilinear, Cubic:
		return r, nil
	}
	return "", Errorf(Invalid, "unknown resampling %q", s).
		WithHint("one of nearest, bilinear, cubic").WithField("resampling")
}

// Status says how far a parse is.
type Status string

// The statuses, in the order in which a parse passes them.
const (
	Unparsed    Status = "unparsed"
	Queued      Status = "queued"
	Downloading Status = "downloading"
	Inspecting  Status = "inspecting"
	Tiling      Status = "creating tiles"
	Pyramiding  Status = "building pyramid"
	Publishing  Status = "publishing"
	Running     Status = "running" // of exports, which know no stages
	Finished    Status = "finished"
	Failed      Status = "failed"
	Cancelled   Status = "cancelled"
)

// Ended reports whether nothing more will happen.
func (s Status) Ended() bool { return s == Finished || s == Failed || s == Cancelled }

// Parse is one attempt to make a revision. Its status belongs to it and not to
// the layer: a failed re-parse leaves the published revision served.
type Parse struct {
	ID       ParseID
	Layer    LayerID
	Revision RevisionID // the revision it writes; 0 until it is planned
	Status   Status
	Error    string // why it failed, for the person who started it
	Planned  int64  // tiles to make, base and pyramid; 0 until planned
	Done     int64  // tiles made
	// Fetch is the address or path that the source is still to be fetched from,
	// with its secrets; empty once it is kept. It is not for anybody to see.
	Fetch   string
	Created time.Time
	Started time.Time // zero while queued
	Ended   time.Time // zero until ended
}

// Percent is the share of the planned tiles that is made, 0 to 100.
func (p Parse) Percent() float64 {
	switch {
	case p.Status == Finished:
		return 100
	case p.Planned <= 0:
		return 0
	}
	return min(100, 100*float64(p.Done)/float64(p.Planned))
}

// Left estimates the time until all tiles are made, from the pace so far; it is
// false while nothing can be said.
func (p Parse) Left(now time.Time) (time.Duration, bool) {
	taken := now.Sub(p.Started)
	if p.Planned == 0 || p.Done <= 0 || p.Status.Ended() || p.Started.IsZero() || taken < time.Second {
		return 0, false
	}
	return time.Duration(float64(taken) * float64(p.Planned-p.Done) / float64(p.Done)), true
}

// LogLine is one line of a parse's log.
type LogLine struct {
	Seq  int64 // rises by one within a parse, from 1
	Time time.Time
	Text string
}

// String is the line as it is shown: time in UTC, then the text.
func (l LogLine) String() string {
	return fmt.Sprintf("%s  %s", l.Time.UTC().Format("2006-01-02 15:04:05"), l.Text)
}
