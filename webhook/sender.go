package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
)

// ErrPermanent is matched by errors of [Sender.Send] that sending the event
// again will not mend.
var ErrPermanent = errors.New("the web hook cannot be sent")

// DefaultTimeout is how long a receiver may take to answer.
const DefaultTimeout = 20 * time.Second

// Client sends one request. [fetch.Client] is one that keeps out of internal
// networks and follows no redirect.
type Client interface {
	Do(r *http.Request) (*http.Response, error)
}

// Event is what is told.
type Event struct {
	// ID is the event's, the same at each attempt; letters, digits, - and _.
	ID string
	// Type says what happened, as parse.finished; the form of Data follows
	// from it.
	Type string
	Time time.Time // when it happened; zero: now
	Data any       // as JSON
}

// Sender sends events to one address. It is safe for concurrent use.
type Sender struct {
	URL string // http or https
	// Secret is known to the receiver too, and has at least 24 bytes: whsec_
	// and their base64, or plain text. While a secret is being replaced, the
	// new and the old one, each with whsec_, stand here with a space between
	// them, and requests are signed with both.
	Secret    string
	Client    Client           // nil: one that reaches public hosts only
	Timeout   time.Duration    // of a request; 0: [DefaultTimeout]
	UserAgent string           // empty: rasterbase
	Clock     func() time.Time // nil: time.Now
}

// Check tells whether events can be sent at all: what is wrong with the address
// or the secret. Nothing is sent.
func (s *Sender) Check() error {
	_, _, err := s.parts()
	return err
}

// parts reads the address and the secret.
func (s *Sender) parts() (*url.URL, [][]byte, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" { // the cause would show the address
		return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "the address of the web hook is not http://host/… or https://host/…").
			WithField("webhook_url")
	}
	keys, err := keys(s.Secret)
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		return nil, nil, e.WithField("webhook_secret").WithHint(secretHint)
	}
	for _, k := range keys {
		if len(k) < secretBytes {
			return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "the secret of the web hook has %d bytes, fewer than %d", len(k), secretBytes).
				WithField("webhook_secret").WithHint(secretHint)
		}
	}
	return u, keys, nil
}

const secretHint = "echo whsec_$(openssl rand -base64 32) makes one"

// Send sends an event once, as the JSON {"type": …, "timestamp": …, "data": …}.
// An answer of 2xx is success. Errors name the host of the address and nothing
// else of it, since the rest may be secret; those that trying again will not
// mend match [ErrPermanent]: an answer of 4xx other than 408, 425 and 429, a
// receiver that has moved for good, a host that may not be reached.
func (s *Sender) Send(ctx context.Context, e Event) error {
	u, keys, err := s.parts()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	now := time.Now
	if s.Clock != nil {
		now = s.Clock
	}
	body, err := e.body(now())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, done := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer done()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %s cannot be asked", ErrPermanent, label(u))
	}
	timestamp := strconv.FormatInt(now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", s.agent())
	r.Header.Set(HeaderID, e.ID)
	r.Header.Set(HeaderTimestamp, timestamp)
	r.Header.Set(HeaderSignature, sign(keys, e.ID, timestamp, body))
	resp, err := s.client().Do(r)
	if err != nil {
		return explain(ctx, u, timeout, err)
	}
	_ = resp.Body.Close() // what the receiver says besides its status is not read
	return answered(u, resp)
}

func (s *Sender) client() Client {
	if s.Client == nil {
		return fetch.New(fetch.Options{})
	}
	return s.Client
}

func (s *Sender) agent() string {
	if s.UserAgent == "" {
		return "rasterbase"
	}
	return s.UserAgent
}

// body is what is sent of an event.
func (e Event) body(now time.Time) ([]byte, error) {
	// A full stop in an id would let one signature stand for two requests.
	if e.ID == "" || strings.ContainsFunc(e.ID, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%q is no id of an event: letters, digits, - and _ can be", e.ID)
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{e.Type, e.Time.UTC(), e.Data})
	if err != nil {
		return nil, fmt.Errorf("writing the data of event %s: %w", e.ID, err)
	}
	return body, nil
}
