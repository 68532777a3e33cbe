package rasterbase

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an [Error] is, so that a caller, a command or
// the HTTP server can decide what to do without reading its text.
type Code string

// The codes.
const (
	Invalid      Code = "invalid"      // the request or the file is wrong; repeating it does not help
	NotFound     Code = "not found"    // the named thing does not exist
	Conflict     Code = "conflict"     // the name is ambiguous, taken, or the state does not allow it
	Unauthorized Code = "unauthorized" // nobody is signed in
	Forbidden    Code = "forbidden"    // the principal may not do this
	TooLarge     Code = "too large"    // a limit that the operator set is exceeded
	Busy         Code = "busy"         // try again later
	TooMany      Code = "too many"     // the sender asks too often, and has to wait
	Unsupported  Code = "unsupported"  // the thing is right but this build or version cannot do it
	Internal     Code = "internal"     // a fault of ours or of the storage; the cause is not for the client
)

// Error is a failure that a person can act on. Message says what is wrong and
// names the thing; Hint says the way out; Field names the parameter at fault,
// spelled as the user typed it.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Field   string
	Choices []Choice // what Field can be, where that is known
	Err     error    // the cause, for logs
}

// Choice is one of the values that a parameter can have.
type Choice struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Error is the message followed by the cause and the hint.
func (e *Error) Error() string {
	s := e.Message
	if e.Err != nil {
		if s != "" {
			s += ": "
		}
		s += e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [Error]. A %w verb keeps the cause for errors.Is, its text
// being part of the message already.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	if errors.Unwrap(err) != nil {
		return &Error{Code: code, Err: err}
	}
	return &Error{Code: code, Message: err.Error()}
}

// WithHint sets the way out and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithField sets the parameter at fault and returns e.
func (e *Error) WithField(name string) *Error { e.Field = name; return e }

// CodeOf is the code of the first [Error] in err's chain, [Internal] when there
// is none, and empty for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
