package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
)

// errTimeout is the cause of the end of a request's context.
var errTimeout = errors.New("the time is over")

// label names an address in errors: services put secrets even into the path.
func label(u *url.URL) string {
	short := url.URL{Scheme: u.Scheme, Host: u.Host}
	if u.Path != "" && u.Path != "/" {
		return short.String() + "/…"
	}
	return short.String()
}

// explain makes the error of a request that had no answer.
func explain(ctx context.Context, u *url.URL, timeout time.Duration, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return rasterbase.Errorf(rasterbase.Busy, "%s did not answer within %s", label(u), timeout)
	case cause != nil:
		return fmt.Errorf("sending to %s: %w", label(u), cause)
	}
	if e, ok := errors.AsType[*rasterbase.Error](err); ok { // of the guarded client
		told := *e
		told.Message, told.Field = strings.ReplaceAll(e.Message, fetch.Redact(u), label(u)), "webhook_url"
		if e.Code == rasterbase.Forbidden {
			return fmt.Errorf("%w: %w", ErrPermanent, &told)
		}
		return &told
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // its text has the whole address
		err = e.Err
	}
	return fmt.Errorf("sending to %s: %w", label(u), err)
}

// answered makes the error of an answer, nil for success.
func answered(u *url.URL, resp *http.Response) error {
	status := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	says := func(code rasterbase.Code) *rasterbase.Error {
		return rasterbase.Errorf(code, "%s answers %s", label(u), strings.TrimSpace(status)).WithField("webhook_url")
	}
	switch s := resp.StatusCode; {
	case s/100 == 2:
		return nil
	case s == http.StatusMovedPermanently, s == http.StatusPermanentRedirect:
		return fmt.Errorf("%w: %w", ErrPermanent, says(rasterbase.Invalid).WithHint("redirects are not followed: name the new address"))
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s/100 == 5:
		return says(rasterbase.Busy)
	case s/100 == 4:
		return fmt.Errorf("%w: %w", ErrPermanent, says(rasterbase.Invalid))
	case s/100 == 3:
		return says(rasterbase.Invalid).WithHint("redirects are not followed")
	}
	return says(rasterbase.Invalid)
}
