// Package auth is the [rasterbase.Auth] of the program: users and their tokens,
// kept in the catalog. A program shows a token as
//
//	Authorization: Bearer rb_…
//
// or as the password of HTTP Basic with its user's name, for what knows no more
// than that, such as QGIS and GDAL. People sign in with a password in a browser, which
// gets a session. A host program with users of its own passes
// another rasterbase.Auth and does without this package.
//
//	a := auth.New(st.Catalog(), auth.Options{})
//	defer a.Close()
//	s, err := server.New(server.Config{Store: st, Auth: a})
package auth

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Options are the choices of an [Auth]. Zero fields take the defaults.
type Options struct {
	Log *slog.Logger     // nil: none
	Now func() time.Time // nil: the clock
	// Address tells where a request comes from, for the limit on wrong
	// credentials. Nil: the other end of the connection, which is a proxy's
	// address for all who come through it. A program that knows its proxies can
	// read it from what they add to a request.
	Address func(*http.Request) string
	// Secure tells whether a request came over TLS, so that a browser sends its
	// cookie over nothing else. Nil: whether the connection is.
	Secure func(*http.Request) bool
	// Origin is the address under which browsers see the program where that is not
	// the host that its requests name: scheme://host. Empty: it is.
	Origin string
}

// Auth knows users by their tokens. Any number of goroutines may use it.
type Auth struct {
	catalog store.Catalog
	o       Options
	limit   *limiter
	uses    *uses

	sessions *scs.SessionManager
	origins  *http.CrossOriginProtection
	hashed   chan struct{} // passwords that are being compared
	setup    setup
}

var _ rasterbase.Auth = (*Auth)(nil)

// New makes an Auth over the users and tokens of a catalog. It panics without
// one, and for an Origin that is none.
func New(catalog store.Catalog, o Options) *Auth {
	if catalog == nil {
		panic("auth: users are kept in a catalog, and there is none")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Address == nil {
		o.Address = connected
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	origins := http.NewCrossOriginProtection()
	if o.Origin != "" {
		if err := origins.AddTrustedOrigin(o.Origin); err != nil {
			panic("auth: " + err.Error())
		}
	}
	return &Auth{
		catalog: catalog, o: o, limit: newLimiter(), uses: newUses(catalog, o.Log), sessions: newSessions(catalog, o.Now),
		origins: origins, hashed: make(chan struct{}, hashedAtOnce), setup: newSetup(),
	}
}

// Close waits until the uses of tokens that are being noted are stored.
func (a *Auth) Close() { a.uses.wait() }

// connected is the address of the other end of a request's connection.
func connected(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Principal tells whose token a request shows, or which user the browser that sent it is
// signed in as; without any it is nobody, and so it is with a session that has ended. A
// request that changes something and that another site had a browser send has code forbidden. The
// error has code unauthorized for credentials that are malformed, unknown,
// expired or of somebody else than is named, and does not tell which; too many
// when its sender has to wait; and internal when the catalog cannot be read.
func (a *Auth) Principal(r *http.Request) (rasterbase.Principal, error) {
	c, err := parseHeader(r.Header.Values("Authorization"))
	if err != nil {
		return rasterbase.Principal{}, err
	}
	if c == (credentials{}) {
		return a.signedIn(r)
	}
	if !plausible(c.secret) {
		return rasterbase.Principal{}, errWrong() // nothing is looked up for it
	}
	now, address, key := a.o.Now(), network(a.o.Address(r)), c.key()
	switch a.limit.ask(address, key, now) {
	case answerWrong:
		return rasterbase.Principal{}, errWrong()
	case answerWait:
		return rasterbase.Principal{}, errTooMany()
	}
	user, token, err := a.find(r.Context(), c, now)
	switch {
	case errors.Is(err, errNobody):
		if a.limit.wrong(address, key, now) {
			a.o.Log.WarnContext(r.Context(), "too many wrong credentials: others have to wait", "address", address)
		}
		return rasterbase.Principal{}, errWrong()
	case err != nil:
		return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Internal, "look up the credentials: %w", err)
	}
	a.limit.right(key, now)
	a.uses.note(r.Context(), token, now)
	return rasterbase.Principal{Name: user.Name, Role: user.Role.Within(token.Scope), Scope: token.Scope}, nil
}

// signedIn tells which user a browser is signed in as.
func (a *Auth) signedIn(r *http.Request) (rasterbase.Principal, error) {
	u, err := a.session(r)
	if err != nil {
		return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Internal, "look up the session: %w", err)
	}
	if u == nil {
		return rasterbase.Principal{}, nil
	}
	if err := a.origins.Check(r); err != nil {
		return rasterbase.Principal{}, errElsewhere(err)
	}
	return rasterbase.Principal{Name: u.Name, Role: u.Role}, nil
}

// errNobody says that credentials are those of nobody.
var errNobody = errors.New("the credentials are those of nobody")

// find gives the user and the token that credentials stand for.
//
// The token is found by the hash of its secret, and secrets are not compared
// otherwise. How long the look-up takes may tell how many digits of a stored hash
// begin like the hash of a guess. That is of no use: a secret has at least 128
// random bits, and from a hash, even the whole of it, no secret can be computed.
func (a *Auth) find(ctx context.Context, c credentials, now time.Time) (user *rasterbase.User, token *rasterbase.Token, err error) {
	err = a.catalog.View(ctx, func(tx store.Tx) error {
		if token, err = tx.Tokens().FindHash(ctx, Hash(c.secret)); err == nil {
			user, err = tx.Users().Get(ctx, token.User)
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotExist):
		return nil, nil, errNobody
	case err != nil:
		return nil, nil, err
	case Expired(*token, now), c.named && !sameName(c.name, user.Name):
		return nil, nil, errNobody
	}
	return user, token, nil
}

// hintToken says how to show a token.
const hintToken = "send `Authorization: Bearer TOKEN`, or HTTP Basic with the user's name and the token as the password; `rasterbase tokens add USER` makes a token"

func errWrong() error {
	return rasterbase.Errorf(rasterbase.Unauthorized, "the credentials are not valid").
		WithHint("%s; `rasterbase tokens` lists those that are there and when they expire", hintToken)
}

func errTooMany() error {
	return rasterbase.Errorf(rasterbase.TooMany, "too many wrong credentials came from your address").
		WithHint("try again in some seconds")
}

// May lets everybody read public layers and what belongs to no layer, viewers
// and up read private ones, editors and up edit, and administrators manage.
func (a *Auth) May(_ context.Context, p rasterbase.Principal, what rasterbase.Action, l *rasterbase.Layer) error {
	needed := rasterbase.Administrator // for what is not known here, too
	switch what {
	case rasterbase.Read:
		if l == nil || l.Visibility != rasterbase.Private {
			return nil
		}
		needed = rasterbase.Viewer
	case rasterbase.Edit:
		needed = rasterbase.Editor
	}
	subject := subjectOf(what, l)
	if p.Name == "" {
		return rasterbase.Errorf(rasterbase.Unauthorized, "sign in to %s", subject).WithHint(hintToken)
	}
	if slices.Index(rasterbase.Roles, p.Role) >= slices.Index(rasterbase.Roles, needed) {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Forbidden, "%s may not %s: that needs the role %s", p.Name, subject, needed).
		WithHint("an administrator can give it: `rasterbase users set NAME --role %s`; a token may have a scope that is less than its user's role", needed)
}

// subjectOf names an action and what it is done to.
func subjectOf(what rasterbase.Action, l *rasterbase.Layer) string {
	switch {
	case what == rasterbase.Manage:
		return "manage the server"
	case l == nil:
		return string(what) + " layers and legends"
	}
	return string(what) + " this layer"
}
