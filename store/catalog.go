package store

import (
	"context"
	"iter"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Catalog keeps everything but pixels and files. Its transactions are
// functions: the reader sees one state of the catalog; an update is kept as a
// whole when the function returns nil, and not at all otherwise. A Tx must not
// be used after its function returned, nor by two goroutines at once; an update
// must not be begun inside another one.
//
// fn may be run more than once: a backend may have to run a transaction again
// when another one got in its way. What the run before did to the catalog is
// undone then, but not what it did to variables of the caller. So fn must set
// what it hands out, anew in each run, and not add to it.
//
// An update with the context of a job's handler, or one made from it, fails
// with [ErrLeaseLost] once the job belongs to another worker.
//
// What is moved from another store keeps its ids: Create of layers, revisions,
// parses, legends, semantics, users and tokens makes an ID only where that is 0.
// The error has code conflict when a given one is taken, and invalid when it is
// negative. Ids that are made later are greater. Together with an ID, and not otherwise, Create
// keeps the times that it would set, those that are not zero. What Create and
// Update set in the caller's values is taken back when the transaction is not
// kept.
//
// A store may be unable to hold texts that are not UTF-8 or have a NUL. It holds
// U+FFFD in place of what it cannot.
type Catalog interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	// Generation names the state of what tiles are drawn from: layers, which
	// revision of each is published, legends, semantics and colormaps. It is
	// another one, never used before in this process, after any change to them:
	// before the Update of this Catalog that made it returns, and within a
	// second for changes that others made by the store's means (a backend may not
	// notice what is changed by hand in its files). What was read after a call can be
	// remembered until a later call gives another one. It is false while the
	// catalog cannot tell; then nothing may be remembered. It reads memory only.
	Generation() (g uint64, ok bool)
}

// Tx is one transaction, by subject. Writing in a View fails.
type Tx interface {
	Layers() Layers
	Revisions() Revisions
	Parses() Parses
	Legends() Legends
	Semantics() Semantics
	Colormaps() Colormaps
	Jobs() Jobs
	Uploads() Uploads
	Exports() Exports
	Users() Users
	Tokens() Tokens
	Sessions() Sessions
}

// LayerFilter selects layers; zero fields select all.
type LayerFilter struct {
	Slug     string
	FileName string              // the source's name, with or without .zip
	Search   string              // part of the name or the file name, in any case
	Datatype rasterbase.Datatype // of the published revision, or of a formula's Settings
	Limit    int                 // 0: no limit
	Offset   int
}

// MaxFormulaDepth is how many formulas can stand on one another: a formula over
// stored layers has depth 1, one over that layer depth 2.
const MaxFormulaDepth = 8

// Layers keeps layers. Errors match ErrNotExist for an unknown id.
//
// A layer with a formula is kept as it is given: whoever stores it has checked its
// text and its bands. The catalog sees to it that its inputs exist (else code
// invalid, field formula), that no layer reads itself by any way, and that formulas
// do not stand deeper on one another than MaxFormulaDepth, those above the layer
// included (code invalid, field formula). Whether a layer has a formula cannot be
// changed by Update (code invalid, field formula).
type Layers interface {
	// Create stores a new layer and sets its ID, Created, Updated and, made
	// from Slug or else Name and unique by a number at its end, its Slug. An ID
	// that is given is kept, as [Catalog] says, and Created and Updated with it.
	Create(ctx context.Context, l *rasterbase.Layer) error
	Get(ctx context.Context, id rasterbase.LayerID) (*rasterbase.Layer, error)
	// Find returns the layers that match, ordered by id, and how many match
	// without Limit and Offset.
	Find(ctx context.Context, f LayerFilter) ([]*rasterbase.Layer, int, error)
	// Update stores all fields but ID, Created and Published, which are set in
	// l as they are, and sets Updated. The error has code conflict when another
	// layer has the slug; an empty one is made from the name.
	Update(ctx context.Context, l *rasterbase.Layer) error
	// ReadBy returns the layers whose formulas read a layer, directly or by way of
	// others, ordered by id.
	ReadBy(ctx context.Context, id rasterbase.LayerID) ([]*rasterbase.Layer, error)
	// Delete removes the layer with its revisions, summaries, parses and log.
	// Tiles and source are left to whoever calls it. The error has code conflict
	// when formulas read the layer: ReadBy tells which.
	Delete(ctx context.Context, id rasterbase.LayerID) error
}

// Revisions keeps revisions and the summaries of their tiles. The error for an
// unknown id matches both ErrNotExist and ErrRevisionGone.
type Revisions interface {
	// Create stores a new revision in state building and sets its ID, State,
	// Created and PublishedAt, which is zero. An ID that is given is kept, as
	// [Catalog] says, and Created and PublishedAt with it.
	Create(ctx context.Context, r *rasterbase.Revision) error
	Get(ctx context.Context, id rasterbase.RevisionID) (*rasterbase.Revision, error)
	// List returns a layer's revisions ordered by id; layer 0: of all layers.
	List(ctx context.Context, layer rasterbase.LayerID) ([]*rasterbase.Revision, error)
	// Update stores a revision that is still being built, but not its layer,
	// state and times. The error has code conflict when it is not being built
	// any more.
	Update(ctx context.Context, r *rasterbase.Revision) error
	// Publish makes a building revision the one that readers of its layer see
	// and retires the one before, which it returns (0: none). It sets
	// PublishedAt unless the revision was made with one. The error has code
	// conflict when the revision is not being built any more.
	Publish(ctx context.Context, id rasterbase.RevisionID) (before rasterbase.RevisionID, err error)
	// Retire marks a revision as one whose tiles are to be dropped; its layer
	// has none published then, if it was that one.
	Retire(ctx context.Context, id rasterbase.RevisionID) error
	// Delete removes a revision and its summaries; deleting it again is not an
	// error.
	Delete(ctx context.Context, id rasterbase.RevisionID) error
	// PutSummaries stores pages of summaries of a revision that is still being
	// built, replacing those that are there.
	PutSummaries(ctx context.Context, id rasterbase.RevisionID, pages []SummaryPage) error
	// Summaries yields the stored pages that match, ordered by Depth, Y and X.
	// The transaction can be used meanwhile. Of a revision that was deleted it
	// yields an error, since no pages would mean an empty raster.
	Summaries(ctx context.Context, q SummaryQuery) iter.Seq2[SummaryPage, error]
	// CustomSRID gives the srid, from rasterbase.FirstCustomSRID on, of a CRS
	// without an EPSG code: the same for the same WKT, a new one otherwise. For
	// a WKT that is new here that is the CRS's own SRID, if it is from
	// FirstCustomSRID on and free: a revision that is moved keeps it then.
	CustomSRID(ctx context.Context, crs rasterbase.CRS) (int, error)
}

// Parses keeps the attempts to parse a layer, and their logs.
type Parses interface {
	// Create stores a new parse and sets its ID and Created. An ID that is given
	// is kept, as [Catalog] says, and Created with it.
	Create(ctx context.Context, p *rasterbase.Parse) error
	Get(ctx context.Context, id rasterbase.ParseID) (*rasterbase.Parse, error)
	// Latest returns a layer's newest parse; the error matches ErrNotExist
	// when there is none.
	Latest(ctx context.Context, layer rasterbase.LayerID) (*rasterbase.Parse, error)
	Update(ctx context.Context, p *rasterbase.Parse) error
	// Log appends a line with the current time.
	Log(ctx context.Context, id rasterbase.ParseID, text string) error
	// AddLines appends lines with their times, and the current time where that
	// is zero. Seq goes on from the last line that is there.
	AddLines(ctx context.Context, id rasterbase.ParseID, lines []rasterbase.LogLine) error
	// Lines returns the log after a sequence number; 0: from the start.
	Lines(ctx context.Context, id rasterbase.ParseID, after int64) ([]rasterbase.LogLine, error)
	// Chunks keeps which parts of a parse are done.
	Chunks() Chunks
}

// Legends keeps legends, and the entries and semantics that they share.
type Legends interface {
	// Create stores a legend and sets its ID, Updated, and its entries with their
	// semantics.
	//
	// An entry with an ID is stored as given, for all legends that it stands in,
	// and made with this ID when there is none; one without is a new one. Entries
	// that stand in no legend any more are gone. The error has code invalid when
	// an entry is there twice, and when there are entries and a gradient.
	//
	// A semantics with an ID is stored as given, for all legends
	// that share it, and made with this ID when there is none. One without is
	// found by its name, or made; what it leaves empty stays as it is. The error
	// has code conflict when the title, or the new name of a semantics, is
	// taken. An ID of the legend that is given is kept, as [Catalog] says, and
	// Updated with it. What changes an entry or a semantics sets Updated of all
	// other legends that show it.
	Create(ctx context.Context, l *rasterbase.Legend) error
	Get(ctx context.Context, id rasterbase.LegendID) (*rasterbase.Legend, error)
	// FindTitle finds a legend by its title, in any case.
	FindTitle(ctx context.Context, title string) (*rasterbase.Legend, error)
	// List returns all legends ordered by title without case.
	List(ctx context.Context) ([]*rasterbase.Legend, error)
	// Update replaces title, entries and gradient, as Create stores them, but for
	// an entry or a semantics whose ID is unknown: its error matches ErrNotExist.
	Update(ctx context.Context, l *rasterbase.Legend) error
	// Delete removes a legend; layers that used it have none then.
	Delete(ctx context.Context, id rasterbase.LegendID) error
}

// SemanticsUse is a semantics with the legends in which entries have it, ordered
// by title without case. Of these legends ID and Title alone are set.
type SemanticsUse struct {
	rasterbase.Semantics
	Legends []rasterbase.Legend
}

// Semantics keeps the meanings that entries share. Errors match ErrNotExist for
// an unknown id, and have code conflict when the name is taken.
type Semantics interface {
	// Create stores a new semantics and sets its ID. One that is given is kept, as
	// [Catalog] says. The error has code invalid when the name is blank.
	Create(ctx context.Context, s *rasterbase.Semantics) error
	Get(ctx context.Context, id rasterbase.SemanticsID) (*SemanticsUse, error)
	// List returns all semantics ordered by name without case.
	List(ctx context.Context) ([]*SemanticsUse, error)
	// Update stores Name, Description and Keyword, which shows in every legend, and
	// sets Updated of those that have it, unless nothing is another than before. The
	// error has code invalid when the name is blank.
	Update(ctx context.Context, s *rasterbase.Semantics) error
	// Delete removes a semantics. The error has code conflict, and names some of
	// the legends, when entries have it.
	Delete(ctx context.Context, id rasterbase.SemanticsID) error
}

// Colormaps keeps the colormaps that people keep for themselves. Errors match
// ErrNotExist for what is unknown. An owner is the name of a principal and is
// compared as it is written; names are compared in any case.
type Colormaps interface {
	// Get finds a colormap by its owner and its name.
	Get(ctx context.Context, owner, name string) (*rasterbase.UserColormap, error)
	// List returns an owner's colormaps ordered by name without case; owner
	// empty: everybody's, ordered by owner first.
	List(ctx context.Context, owner string) ([]*rasterbase.UserColormap, error)
	// Put stores a colormap in place of the one of the same owner and name, if
	// there is one, and sets Updated unless that is given. The error has code
	// invalid when the owner is empty or the name is blank.
	Put(ctx context.Context, m *rasterbase.UserColormap) error
	Delete(ctx context.Context, owner, name string) error
}

// Uploads keeps the files that are being sent. Errors match ErrNotExist for an
// unknown id.
type Uploads interface {
	// Create stores a new upload, whose ID is given, and sets Created unless
	// that is given. The error has code conflict when the ID is taken.
	Create(ctx context.Context, u *rasterbase.Upload) error
	Get(ctx context.Context, id string) (*rasterbase.Upload, error)
	// List returns all uploads, the oldest first.
	List(ctx context.Context) ([]*rasterbase.Upload, error)
	// Update stores Name, Size, Metadata and Expires.
	Update(ctx context.Context, u *rasterbase.Upload) error
	// Delete removes the record, not the file; deleting it again is not an
	// error.
	Delete(ctx context.Context, id string) error
}

// Exports keeps the exports that people asked for. Errors match ErrNotExist for an
// unknown id.
type Exports interface {
	// Create stores a new export and sets its ID and Created. An ID that is given
	// is kept, as [Catalog] says, and Created with it.
	Create(ctx context.Context, e *rasterbase.Export) error
	Get(ctx context.Context, id rasterbase.ExportID) (*rasterbase.Export, error)
	// List returns an owner's exports, the newest first; owner empty: everybody's.
	List(ctx context.Context, owner string) ([]*rasterbase.Export, error)
	// Update stores all fields but ID, Owner, Request, Layers and Created.
	Update(ctx context.Context, e *rasterbase.Export) error
	// Delete removes the record, not the file; deleting it again is not an error.
	Delete(ctx context.Context, id rasterbase.ExportID) error
}

// Users keeps who may do more than read public layers. Errors match ErrNotExist
// for an unknown id or name, and have code conflict when the name is taken, in
// any case.
type Users interface {
	// Create stores a new user, without a password, and sets its ID and Created. An
	// ID that is given is kept, as [Catalog] says, and Created and Password with it.
	Create(ctx context.Context, u *rasterbase.User) error
	Get(ctx context.Context, id rasterbase.UserID) (*rasterbase.User, error)
	// FindName finds a user by name, in any case.
	FindName(ctx context.Context, name string) (*rasterbase.User, error)
	// List returns all users ordered by name without case.
	List(ctx context.Context) ([]*rasterbase.User, error)
	// Update stores Name and Role. The colormaps that are kept under the name go
	// with it.
	Update(ctx context.Context, u *rasterbase.User) error
	// SetPassword stores the hash of a user's password; empty: the user has none.
	SetPassword(ctx context.Context, id rasterbase.UserID, hash string) error
	// Delete removes a user with all of their tokens, and the colormaps that are
	// kept under the name.
	Delete(ctx context.Context, id rasterbase.UserID) error
}

// Tokens keeps the tokens of users. Errors match ErrNotExist for what is
// unknown.
type Tokens interface {
	// Create stores a new token and sets its ID and Created. The error has code
	// conflict when the hash is there already, and matches ErrNotExist for an
	// unknown user. An ID that is given is kept, as [Catalog] says, and Created
	// and Used with it.
	Create(ctx context.Context, t *rasterbase.Token) error
	Get(ctx context.Context, id rasterbase.TokenID) (*rasterbase.Token, error)
	// FindHash finds the token whose secret has this hash.
	FindHash(ctx context.Context, hash string) (*rasterbase.Token, error)
	// List returns a user's tokens ordered by id; user 0: of all users.
	List(ctx context.Context, user rasterbase.UserID) ([]*rasterbase.Token, error)
	// Update stores Name, Expires and Used.
	Update(ctx context.Context, t *rasterbase.Token) error
	Delete(ctx context.Context, id rasterbase.TokenID) error
}

// Session is what is kept of a browser that is signed in.
type Session struct {
	Hash    string // of the secret that the browser shows
	Data    []byte
	Expires time.Time
}

// Sessions keeps the sessions of browsers. They are not moved to other stores.
type Sessions interface {
	// Put stores a session, in place of the one with the same hash.
	Put(ctx context.Context, s *Session) error
	// Get returns a session, also one that has expired. The error matches ErrNotExist
	// for an unknown hash.
	Get(ctx context.Context, hash string) (*Session, error)
	// Delete removes a session; deleting it again is not an error.
	Delete(ctx context.Context, hash string) error
	// DeleteExpired removes those that expired before a time, and tells how many.
	DeleteExpired(ctx context.Context, before time.Time) (int, error)
}
