package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/store"
)

type tokensCmd struct {
	List   tokensListCmd   `cmd:"" default:"withargs" help:"List the tokens, without their secrets."`
	Add    tokensAddCmd    `cmd:"" help:"Make a token of a user and print its secret, once."`
	Delete tokensDeleteCmd `cmd:"" help:"Delete tokens, all or none: they are refused at once."`
}

// Help is the longer text of "tokens --help".
func (*tokensCmd) Help() string {
	return `A token is a secret by which a program acts as a user. Only its hash is kept, so it is printed once, alone on standard output. Programs send it as

  Authorization: Bearer SECRET

or, as QGIS and GDAL can, as the password of HTTP Basic with the user's name.

Examples:

  TOKEN=$(rasterbase tokens add anna --name laptop)
  rasterbase tokens add anna --name dashboard --scope viewer --expires 90d
  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/layers
  curl --user "anna:$TOKEN" http://127.0.0.1:8080/layers`
}

// tokenDoc is a token as the commands print it.
type tokenDoc struct {
	ID      rasterbase.TokenID `json:"id"`
	User    string             `json:"user"` // name
	Name    string             `json:"name,omitempty"`
	Scope   rasterbase.Role    `json:"scope,omitempty"`  // absent: all that the user may
	Secret  string             `json:"secret,omitempty"` // of a token that was just made
	Created time.Time          `json:"created"`
	Expires *time.Time         `json:"expires"` // null: never
	Expired bool               `json:"expired"`
	Used    *time.Time         `json:"used"` // about the last time; null: never
}

func newTokenDoc(t *rasterbase.Token, user string, now time.Time) tokenDoc {
	return tokenDoc{
		ID: t.ID, User: user, Name: t.Name, Scope: t.Scope, Created: t.Created,
		Expires: moment(t.Expires), Expired: auth.Expired(*t, now), Used: moment(t.Used),
	}
}

// moment is a time for JSON, null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// expiry says when a token ends, as people read it.
func (d tokenDoc) expiry() string {
	switch {
	case d.Expires == nil:
		return "never"
	case d.Expired:
		return "expired " + d.Expires.UTC().Format(time.DateOnly)
	}
	return d.Expires.UTC().Format(time.DateOnly)
}

type tokensListCmd struct {
	User string `arg:"" optional:"" name:"user" help:"Only tokens of this user, by name or id."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Run lists the tokens.
func (c *tokensListCmd) Run(ctx context.Context, a *app) error {
	docs := []tokenDoc{}
	err := a.view(ctx, func(tx store.Tx) error {
		docs = docs[:0]
		of := rasterbase.UserID(0)
		if c.User != "" {
			u, err := auth.FindUser(ctx, tx, c.User)
			if err != nil {
				return err
			}
			of = u.ID
		}
		tokens, err := tx.Tokens().List(ctx, of)
		if err != nil {
			return err
		}
		names, err := userNames(ctx, tx)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			docs = append(docs, newTokenDoc(t, names[t.User], time.Now()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"tokens": docs})
	}
	if len(docs) == 0 {
		fmt.Fprintln(a.stderr, "no tokens; `rasterbase tokens add USER` makes one")
		return nil
	}
	t := newTable(a.stdout, "ID", "USER", "NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED")
	for _, d := range docs {
		used := "never"
		if d.Used != nil {
			used = d.Used.UTC().Format("2006-01-02 15:04")
		}
		t.row(strconv.FormatInt(int64(d.ID), 10), d.User, d.Name, cmp.Or(string(d.Scope), "all"), day(d.Created), d.expiry(), used)
	}
	t.flush()
	return nil
}

func userNames(ctx context.Context, tx store.Tx) (map[rasterbase.UserID]string, error) {
	users, err := tx.Users().List(ctx)
	names := map[rasterbase.UserID]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	return names, err
}

type tokensAddCmd struct {
	User    string `arg:"" name:"user" help:"Name or id of the user."`
	Name    string `help:"What the token is for." placeholder:"TEXT"`
	Scope   string `help:"The most that it may do, whatever its user may: viewer, editor or administrator. Without it: all that its user may, also when that changes." placeholder:"ROLE"`
	Expires string `default:"365d" help:"When it ends: after so many days (90d), at the beginning of a day (2027-01-01, in UTC), or never. A token that is forgotten ends by itself; a service may want never. Default: ${default}." placeholder:"WHEN"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// Run makes a token.
func (c *tokensAddCmd) Run(ctx context.Context, a *app) error {
	now := time.Now()
	expires, err := parseExpiry(c.Expires, now)
	if err != nil {
		return usageError{err}
	}
	if err := checkText("--name", c.Name); err != nil {
		return err
	}
	var scope rasterbase.Role
	if c.Scope != "" {
		if scope, err = rasterbase.ParseRole(c.Scope); err != nil {
			return usageError{err}
		}
	}
	var doc tokenDoc
	err = a.updateThere(ctx, func(tx store.Tx) error {
		u, err := auth.FindUser(ctx, tx, c.User)
		if err != nil {
			return err
		}
		secret, t := auth.NewToken(u.ID, c.Name, expires)
		t.Scope = scope
		if err := tx.Tokens().Create(ctx, &t); err != nil {
			return err
		}
		doc = newTokenDoc(&t, u.Name, now)
		doc.Secret = secret
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	ends := "it never expires"
	if doc.Expires != nil {
		ends = "it expires on " + doc.expiry()
	}
	fmt.Fprintf(a.stderr, "token %d of %s; %s, and is not shown again\n", doc.ID, visible(doc.User), ends)
	if _, err := fmt.Fprintln(a.stdout, doc.Secret); err != nil {
		return fmt.Errorf("print the secret: %w", err)
	}
	return nil
}

// days matches a number of days, such as 90d.
var days = regexp.MustCompile(`^[0-9]{1,5}d$`)

// parseExpiry reads when a token ends; the zero time is never.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	wrong := func(why string) (time.Time, error) {
		return time.Time{}, rasterbase.Errorf(rasterbase.Invalid, "--expires %q %s", s, why).
			WithHint("a number of days such as 90d, a day such as 2027-01-01, or never").WithField("expires")
	}
	if strings.EqualFold(s, "never") {
		return time.Time{}, nil
	}
	if days.MatchString(s) {
		n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
		if err != nil || n == 0 {
			return wrong("is no time to come")
		}
		return now.AddDate(0, 0, n).UTC().Truncate(time.Second), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		if t, err = time.Parse(time.RFC3339, s); err != nil {
			return wrong("is not a time")
		}
	}
	if !t.After(now) {
		return wrong("is in the past")
	}
	return t.UTC(), nil
}

type tokensDeleteCmd struct {
	Tokens []int64 `arg:"" name:"id" help:"Ids of tokens, as the list shows them."`
	Yes    bool    `short:"y" help:"Do not ask."`
	JSON   bool    `name:"json" help:"Print one JSON document."`
}

// Run deletes tokens: all that are to go, or none when one is not there.
func (c *tokensDeleteCmd) Run(ctx context.Context, a *app) (err error) {
	_, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	ids := unique(c.Tokens)
	texts := map[int64]string{}
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			if texts[id], err = tokenText(ctx, tx, rasterbase.TokenID(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	deleted := []int64{}
	for _, id := range ids {
		ok := c.Yes
		if !ok {
			if ok, err = a.confirm("delete " + texts[id] + "?"); err != nil {
				return err
			}
		}
		if ok {
			deleted = append(deleted, id)
		} else {
			fmt.Fprintf(a.stderr, "kept %s\n", texts[id])
		}
	}
	err = st.Catalog().Update(ctx, func(tx store.Tx) error {
		for _, id := range deleted {
			err := tx.Tokens().Delete(ctx, rasterbase.TokenID(id))
			if errors.Is(err, store.ErrNotExist) {
				return noToken(rasterbase.TokenID(id))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"deleted": deleted})
	}
	for _, id := range deleted {
		fmt.Fprintf(a.stdout, "deleted %s\n", texts[id])
	}
	return nil
}

// unique is a list without what it has before.
func unique(ids []int64) (out []int64) {
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func noToken(id rasterbase.TokenID) error {
	return rasterbase.Errorf(rasterbase.NotFound, "there is no token %d", id).
		WithHint("`rasterbase tokens` lists the tokens with their ids").WithField("id")
}

// tokenText names a token for people.
func tokenText(ctx context.Context, tx store.Tx, id rasterbase.TokenID) (string, error) {
	t, err := tx.Tokens().Get(ctx, id)
	if errors.Is(err, store.ErrNotExist) {
		return "", noToken(id)
	}
	if err != nil {
		return "", err
	}
	u, err := tx.Users().Get(ctx, t.User)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("token %d of %s", t.ID, visible(u.Name))
	if t.Name != "" {
		text += ", " + visible(t.Name)
	}
	return text, nil
}
