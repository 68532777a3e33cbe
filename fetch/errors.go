package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Redact is an address as it may be shown and kept: without user, password,
// query and fragment, which may hold secrets.
func Redact(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery, shown.ForceQuery, shown.Fragment, shown.RawFragment = nil, "", false, "", ""
	return shown.String()
}

// Causes of the ends of contexts.
var (
	errIdle = errors.New("nothing came")
	errTime = errors.New("the time is over")
)

// explain makes an error of the network one for the person who gave the
// address, which label names. Errors that are so already stay as they are.
func explain(label string, err error) error {
	if _, ok := errors.AsType[*rasterbase.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // its text has the whole address
		err = e.Err
	}
	problem := func(code rasterbase.Code, text string) *rasterbase.Error {
		return &rasterbase.Error{Code: code, Message: label + ": " + text, Field: "source"}
	}
	if e, ok := errors.AsType[*refused](err); ok {
		return problem(rasterbase.Forbidden, e.Error()+", which is not fetched from").
			WithHint("the operator can allow the host in RASTER_ALLOWED_HOSTS")
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return problem(rasterbase.NotFound, "there is no host "+e.Name)
		}
		return problem(rasterbase.Busy, "the address of "+e.Name+" could not be found").WithHint("try again")
	}
	if tlsFault(err) {
		return problem(rasterbase.Invalid, "the connection is not secure: "+err.Error())
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return problem(rasterbase.Busy, "the host does not answer").WithHint("try again")
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem(rasterbase.Busy, "the host refuses connections").WithHint("look whether its server runs")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return problem(rasterbase.Busy, "the connection broke").WithHint("try again")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return problem(rasterbase.Busy, "the host cannot be reached").WithHint("try again")
	}
	return problem(rasterbase.Invalid, "it cannot be downloaded: "+err.Error())
}

// tlsFault tells whether a host cannot prove who it is, or does not speak TLS.
func tlsFault(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}

// statusError is the error of an answer that is not the file.
func statusError(label string, resp *http.Response) error {
	answer := resp.Status
	if len(answer) > 100 {
		answer = answer[:100]
	}
	code, hint := rasterbase.Invalid, ""
	switch s := resp.StatusCode; {
	case s == http.StatusNotFound || s == http.StatusGone:
		code = rasterbase.NotFound
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		code, hint = rasterbase.Forbidden, "access is denied; an address may have a user and a password: https://user:password@host/…"
	case s == http.StatusTooManyRequests || s >= 500:
		code, hint = rasterbase.Busy, "try again later"
	}
	return &rasterbase.Error{Code: code, Message: label + ": the host answers " + quoted(answer), Hint: hint, Field: "source"}
}

func tooManyBytes(label string, limit int64) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "%s has more than the %d bytes allowed", label, limit).
		WithHint("the operator can raise RASTER_MAX_SOURCE_BYTES").WithField("source")
}

func tooMuchTime(label string, limit time.Duration) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "%s: the download did not end within the %s allowed", label, limit).
		WithHint("the operator can raise RASTER_FETCH_TIMEOUT").WithField("source")
}

func stalled(label string, idle time.Duration, got int64) error {
	return rasterbase.Errorf(rasterbase.Busy, "%s: nothing came for %s, after %d bytes", label, idle, got).
		WithHint("try again").WithField("source")
}

func changed(label string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "%s: the file changed while it was downloaded", label).
		WithHint("try again").WithField("source")
}
