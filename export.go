package rasterbase

import (
	"encoding/json"
	"time"
)

// ExportID identifies an export for good.
type ExportID int64

// Export is a file that is made of layers in the background, for whoever asked for
// it.
type Export struct {
	ID    ExportID
	Owner string // name of the principal that asked for it, who alone may read it
	// Request is what was asked for: a JSON object of the parameters of the export
	// route, each a list of texts.
	Request json.RawMessage
	// Layers are all layers that are read, those that formulas read included. The
	// owner needs the right to read each of them as long as the export is there.
	Layers  []LayerID
	Status  Status // Queued, Running, Finished, Failed or Cancelled
	Error   string // why it failed, for the owner
	Planned int64  // pixels or tiles to write; 0 until planned
	Done    int64  // of Planned
	// FileName, Size and Source are of the file that was made: Source is its place
	// in the store's Sources. All are empty until Status is Finished, but for the
	// Source of counts of many zones: it has these from the beginning, and gets the
	// file beside them.
	FileName string
	Size     int64 // bytes
	Source   string
	Created  time.Time
	Started  time.Time // when the attempt that runs, or ended, began; zero until then
	Ended    time.Time // zero until ended
	Expires  time.Time // when the record and the file are deleted; zero: not yet said
}
