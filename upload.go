package rasterbase

import "time"

// Upload is a file that is being sent in pieces, or was sent and is not yet the
// source of a layer. How much of it is there, its source file tells.
type Upload struct {
	ID       string // unguessable: it is part of the address that pieces are sent to
	Owner    string // name of the principal who began it
	Source   string // where in the store's Sources the bytes go
	Name     string // of the file
	Size     int64  // of the whole file
	Metadata string // as the client sent it, for the client
	Created  time.Time
	Expires  time.Time // it may be deleted then
}
