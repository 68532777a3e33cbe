package server

import "github.com/rasterbase/rasterbase"

// How many requests of the kinds that open raster files are worked on at the same
// time: each may download a large file, and starts a process.
const (
	maxPreviews = 2
	maxParsing  = 2 // with ParseInRequest
)

// atOnce holds one for each request of a kind that is being worked on. Others are
// refused and do not wait: one may take hours.
type atOnce chan struct{}

// begin takes a place until end is called. What names the requests in the error
// when there is none.
func (a atOnce) begin(what string) (end func(), err error) {
	select {
	case a <- struct{}{}:
		return func() { <-a }, nil
	default:
		return nil, rasterbase.Errorf(rasterbase.TooMany, "%d %s are being made already", cap(a), what).WithHint("try again when one has ended")
	}
}
