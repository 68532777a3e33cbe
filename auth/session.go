package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// CookieName is the name of the cookie of a browser that is signed in.
const CookieName = "rasterbase_session"

// sessionLifetime is how long a browser stays signed in.
const sessionLifetime = 7 * 24 * time.Hour

// What a session holds.
const (
	sessionUser     = "user"     // the user's id
	sessionPassword = "password" // of the password's hash: another password ends the session
)

func newSessions(catalog store.Catalog, now func() time.Time) *scs.SessionManager {
	// Not scs.New, which starts a store in memory that cannot be stopped safely.
	return &scs.SessionManager{
		Store: sessionStore{catalog, now}, Codec: scs.GobCodec{}, Lifetime: sessionLifetime, HashTokenInStore: true,
	}
}

// sessionStore keeps the sessions of scs in the catalog.
type sessionStore struct {
	catalog store.Catalog
	now     func() time.Time
}

var _ scs.CtxStore = sessionStore{}

// FindCtx implements scs.CtxStore.
func (s sessionStore) FindCtx(ctx context.Context, hash string) (data []byte, found bool, err error) {
	var kept *store.Session
	err = s.catalog.View(ctx, func(tx store.Tx) (err error) {
		kept, err = tx.Sessions().Get(ctx, hash)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil || !s.now().Before(kept.Expires) {
		return nil, false, err
	}
	return kept.Data, true, nil
}

// CommitCtx implements scs.CtxStore. What has expired goes on this occasion.
func (s sessionStore) CommitCtx(ctx context.Context, hash string, data []byte, expires time.Time) error {
	return s.catalog.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Sessions().DeleteExpired(ctx, s.now()); err != nil {
			return err
		}
		return tx.Sessions().Put(ctx, &store.Session{Hash: hash, Data: data, Expires: expires})
	})
}

// DeleteCtx implements scs.CtxStore.
func (s sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	return s.catalog.Update(ctx, func(tx store.Tx) error { return tx.Sessions().Delete(ctx, hash) })
}

// Find implements scs.Store.
func (s sessionStore) Find(hash string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), hash)
}

// Commit implements scs.Store.
func (s sessionStore) Commit(hash string, data []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), hash, data, expires)
}

// Delete implements scs.Store.
func (s sessionStore) Delete(hash string) error { return s.DeleteCtx(context.Background(), hash) }

// errElsewhere is the error of a request that another site made a browser send.
func errElsewhere(err error) error {
	e := rasterbase.Errorf(rasterbase.Forbidden, "another site had your browser send this").
		WithHint("open the page itself and send the form from there; programs send a token")
	e.Err = err
	return e
}

// session gives the user whose browser sent a request; nil: it is not signed in.
func (a *Auth) session(r *http.Request) (*rasterbase.User, error) {
	cookie, err := r.Cookie(CookieName)
	if err != nil || cookie.Value == "" || len(cookie.Value) > maxSecret {
		return nil, nil //nolint:nilerr // there is no such cookie
	}
	ctx, err := a.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return nil, err
	}
	id := rasterbase.UserID(a.sessions.GetInt64(ctx, sessionUser))
	if id == 0 {
		return nil, nil
	}
	var u *rasterbase.User
	err = a.catalog.View(ctx, func(tx store.Tx) (err error) {
		u, err = tx.Users().Get(ctx, id)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil
	}
	if err != nil || a.sessions.GetString(ctx, sessionPassword) != Hash(u.Password) {
		return nil, err
	}
	return u, nil
}

// SignIn lets the browser that sent a request in as the user of this name and
// password, by a cookie that is good for a week, or until the password is another
// one or the user is gone. The error has code unauthorized when the name and the
// password do not belong together, and does not tell which of them is wrong; too many when
// the sender has to wait; and forbidden when another site had the request sent.
func (a *Auth) SignIn(w http.ResponseWriter, r *http.Request, name, password string) error {
	if err := a.origins.Check(r); err != nil {
		return errElsewhere(err)
	}
	ctx, now := r.Context(), a.o.Now()
	address, key := network(a.o.Address(r)), credentials{named: true, name: name, secret: password}.key()
	if a.limit.ask(address, key, now) == answerWait {
		return errTooMany()
	}
	var u *rasterbase.User
	err := a.catalog.View(ctx, func(tx store.Tx) (err error) {
		u, err = tx.Users().FindName(ctx, name)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		u, err = &rasterbase.User{}, nil
	}
	if err != nil {
		return rasterbase.Errorf(rasterbase.Internal, "look up the user: %w", err)
	}
	ok, err := a.matches(ctx, password, u.Password)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Internal, "compare the password: %w", err)
	}
	if !ok {
		if a.limit.wrong(address, key, now) {
			a.o.Log.WarnContext(ctx, "too many wrong passwords: others have to wait", "address", address)
		}
		return rasterbase.Errorf(rasterbase.Unauthorized, "the name and the password do not belong together").
			WithHint("an administrator can give you another password: `rasterbase users password NAME`")
	}
	return a.begin(w, r, u)
}

// begin makes a session of a user.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, u *rasterbase.User) error {
	ctx, err := a.sessions.Load(r.Context(), "")
	if err != nil {
		return err
	}
	a.sessions.Put(ctx, sessionUser, int64(u.ID))
	a.sessions.Put(ctx, sessionPassword, Hash(u.Password))
	secret, expires, err := a.sessions.Commit(ctx)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Internal, "keep the session: %w", err)
	}
	http.SetCookie(w, a.cookie(r, secret, expires))
	return nil
}

func (a *Auth) cookie(r *http.Request, secret string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: secret, Path: "/", Expires: expires,
		HttpOnly: true, Secure: a.o.Secure(r), SameSite: http.SameSiteLaxMode,
	}
}

// SignOut ends the session of the browser that sent a request.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.origins.Check(r); err != nil {
		return errElsewhere(err)
	}
	gone := a.cookie(r, "", time.Unix(1, 0))
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return nil //nolint:nilerr // it was not signed in
	}
	ctx, err := a.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return err
	}
	return a.sessions.Destroy(ctx)
}

// setup is the secret by which the first administrator is made. It is kept in memory:
// whoever can read the program's output may set it up.
type setup struct{ secret string }

func newSetup() setup { return setup{rand.Text()} }

// SetupCode is the secret that [Auth.SetUp] wants, and empty when there is an
// administrator.
func (a *Auth) SetupCode(ctx context.Context) (string, error) {
	var there bool
	err := a.catalog.View(ctx, func(tx store.Tx) (err error) {
		there, err = administrated(ctx, tx)
		return err
	})
	if err != nil || there {
		return "", err
	}
	return a.setup.secret, nil
}

func administrated(ctx context.Context, tx store.Tx) (bool, error) {
	all, err := tx.Users().List(ctx)
	for _, u := range all {
		if u.Role == rasterbase.Administrator {
			return true, nil
		}
	}
	return false, err
}

// SetUp makes the first administrator, for whoever has the secret of [Auth.SetupCode],
// and signs the browser in. The error has code forbidden for another secret, conflict
// when there is an administrator, and invalid for a name or password that is refused.
func (a *Auth) SetUp(w http.ResponseWriter, r *http.Request, code, name, password string) error {
	if err := a.origins.Check(r); err != nil {
		return errElsewhere(err)
	}
	ctx, now, address := r.Context(), a.o.Now(), network(a.o.Address(r))
	key := sha256.Sum256([]byte("setup\x00" + code))
	if a.limit.ask(address, key, now) == answerWait {
		return errTooMany()
	}
	if subtle.ConstantTimeCompare([]byte(code), []byte(a.setup.secret)) != 1 {
		a.limit.wrong(address, key, now)
		return rasterbase.Errorf(rasterbase.Forbidden, "this is not the address that the server printed when it started").
			WithHint("copy it from the server's output, or run `rasterbase users add NAME` and `rasterbase users password NAME`")
	}
	if err := CheckUserName(name); err != nil {
		return err
	}
	if err := CheckPassword(name, password); err != nil {
		return err
	}
	hash, err := HashPassword(password)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Internal, "hash the password: %w", err)
	}
	var u *rasterbase.User
	err = a.catalog.Update(ctx, func(tx store.Tx) error {
		there, err := administrated(ctx, tx)
		if err != nil {
			return err
		}
		if there {
			return rasterbase.Errorf(rasterbase.Conflict, "there is an administrator already").WithHint("sign in")
		}
		u = &rasterbase.User{Name: name, Role: rasterbase.Administrator}
		if err := tx.Users().Create(ctx, u); err != nil {
			return err
		}
		u.Password = hash
		return tx.Users().SetPassword(ctx, u.ID, hash)
	})
	if err != nil {
		return err
	}
	return a.begin(w, r, u)
}
