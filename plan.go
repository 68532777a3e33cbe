package rasterbase

// Plan is what a parse will make of a source, known before the work.
type Plan struct {
	Driver         string     `json:"driver"` // GDAL's short name: GTiff
	CRS            CRS        `json:"crs"`
	Grid           Grid       `json:"grid"`
	Datatype       Datatype   `json:"datatype,omitempty"` // empty: the pixels decide
	DatatypeReason string     `json:"datatype_reason"`
	Resampling     Resampling `json:"resampling,omitempty"`
	Bands          []Band     `json:"bands"`
	TileSize       int        `json:"tile_size"`
	HasPyramid     bool       `json:"has_pyramid"`
	MaxZoom        int        `json:"max_zoom"`
	Bounds         Bounds     `json:"bounds"`
	BaseTiles      int64      `json:"base_tiles"`    // at most: empty ones are not kept
	PyramidTiles   int64      `json:"pyramid_tiles"` // at most
	Bytes          int64      `json:"bytes"`         // of these tiles, before compression
	Disk           int64      `json:"disk"`          // bytes of disk that are needed at most: for tiles, the source and temporary files
	Warnings       []string   `json:"warnings,omitempty"`
}

// SourceFrom says where the source of a layer comes from. One of its fields is
// set.
type SourceFrom struct {
	Upload  string // the id of an upload that is complete
	Address string // http://, https:// or s3://bucket/key
	Path    string // of a file under a folder that the operator allowed
}

// Ticket names a parse that was queued.
type Ticket struct {
	Layer LayerID
	Parse ParseID // 0: there was nothing to parse
}
