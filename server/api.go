package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/rasterbase/rasterbase"
)

const (
	apiPath = "/api/v1"
	// maxBody is the longest body of a request to the API, in bytes.
	maxBody = 1 << 20
	// bodyTimeout is how long such a body may take.
	bodyTimeout = 30 * time.Second
)

// access says who may ask for an operation; handlers ask further where it is
// about one layer.
type access int

const (
	anyone  access = iota
	member         // signed in
	editor         // may make layers
	manager        // may manage the server
)

// operation is one operation of the API and what its document tells of it.
type operation struct {
	id, method, path     string // path is below apiPath
	tag, summary, detail string
	access               access
	parses               bool             // needs a Parser
	works                bool             // works on parses before the answer, with ParseInRequest
	answers              map[int]response // by status
	errors               []int            // besides those that follow from the rest
	example              any              // of the body
	file                 bool             // the body is that of a file, and not JSON
	most                 int64            // bytes of the body; 0: maxBody
}

// longest is how many bytes the body may have.
func (o operation) longest() int64 { return cmp.Or(o.most, maxBody) }

// reads tells whether a body of a type is read. A page can send those of other
// types, or of none, to other origins without asking first.
func (o operation) reads(contentType string) bool {
	if !o.file {
		return isJSON(contentType)
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == fileType
}

// fileType is the type of a body that is a file.
const fileType = "application/octet-stream"

// response is one kind of answer.
type response struct {
	text    string
	kind    any    // a value of the type of the body; nil: none
	media   string // empty: application/json
	located bool   // has a Location
	tagged  bool   // has an ETag
}

// api registers operations: what each takes is read and checked by huma, from
// the same types that the document is made of; what it answers is written, as
// everywhere in this package, by its handler.
type api struct {
	s      *Server
	huma   huma.API
	handle func(pattern string, h handler)
}

// newAPI makes an API without operations.
func newAPI(s *Server, handle func(string, handler)) *api {
	a := &api{s: s, handle: handle}
	config := huma.Config{
		OpenAPI:       newDocument(s.c.Version),
		Formats:       map[string]huma.Format{"application/json": bodyFormat, "json": bodyFormat},
		DefaultFormat: "application/json",
	}
	a.huma = huma.NewAPI(config, adapter{a})
	return a
}

// bodyFormat reads bodies. All that huma writes are refusals, and those are
// problem documents like any other.
var bodyFormat = huma.Format{
	Unmarshal: json.Unmarshal,
	Marshal: func(w io.Writer, v any) error {
		x, ok := w.(*exchange)
		if !ok {
			return fmt.Errorf("write a refusal to %T", w)
		}
		x.refusal = x.operation.refused(x.status, v)
		return nil
	},
}

// adapter lets huma register operations here.
type adapter struct{ *api }

func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.ServeHTTP(w, r) }

// Handle is called by huma for each operation.
func (a adapter) Handle(op *huma.Operation, handle func(huma.Context)) {
	a.handle(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) error {
		r, err := a.s.admit(r, op)
		if err != nil {
			return err
		}
		o, _ := op.Metadata[accessKey].(operation)
		if op.RequestBody != nil && r.ContentLength != 0 && !o.reads(r.Header.Get("Content-Type")) {
			return o.refused(http.StatusUnsupportedMediaType, nil)
		}
		x := &exchange{humaContext: humago.NewContext(op, r, w), w: w, r: r, operation: o}
		handle(x)
		return x.refusal
	})
}

// isJSON tells whether a body is JSON.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// humaContext is embedded under another name than that of its method.
type humaContext = huma.Context

// exchange is what huma sees of a request. What huma writes goes into refusal.
type exchange struct {
	humaContext
	operation operation
	w         http.ResponseWriter
	r         *http.Request
	status    int
	refusal   error
}

func (x *exchange) SetStatus(status int)        { x.status = status }
func (x *exchange) Status() int                 { return x.status }
func (x *exchange) SetHeader(string, string)    {}
func (x *exchange) AppendHeader(string, string) {}
func (x *exchange) BodyWriter() io.Writer       { return x }

// Write takes what huma says when it cannot write.
func (x *exchange) Write(b []byte) (int, error) {
	x.refusal = errors.Join(x.refusal, errors.New(string(b)))
	return len(b), nil
}

// accessKey is where the metadata of a huma operation holds ours.
const accessKey = "rasterbase"

// admit lets those ask for an operation who may, before anything of it is read.
func (s *Server) admit(r *http.Request, op *huma.Operation) (*http.Request, error) {
	o, ok := op.Metadata[accessKey].(operation)
	if !ok {
		return r, fmt.Errorf("operation %s does not say who may", op.OperationID)
	}
	r, who, err := s.identified(r)
	if err != nil {
		return r, err
	}
	if o.access != anyone {
		if _, err := s.signedIn(r); err != nil {
			return r, err
		}
	}
	switch o.access {
	case editor:
		err = s.c.Auth.May(r.Context(), who, rasterbase.Edit, nil)
	case manager:
		err = s.c.Auth.May(r.Context(), who, rasterbase.Manage, nil)
	}
	if err == nil && o.parses {
		_, err = s.parser()
	}
	return r, err
}

// register adds an operation whose parameters and body are the fields of I.
func register[I any](a *api, o operation, h func(w http.ResponseWriter, r *http.Request, in *I) error) {
	type output struct{ Body func(huma.Context) }
	op := a.document(o)
	if body, ok := reflect.TypeFor[I]().FieldByName("Body"); ok && o.method == http.MethodPatch {
		op.RequestBody.Content["application/merge-patch+json"] = &huma.MediaType{
			Schema: a.huma.OpenAPI().Components.Schemas.Schema(body.Type, true, ""),
		}
	}
	huma.Register(a.huma, op, func(_ context.Context, in *I) (*output, error) {
		return &output{func(c huma.Context) {
			x, ok := c.(*exchange)
			if !ok { // no middleware of huma's is used
				panic(fmt.Sprintf("server: %T is no exchange", c))
			}
			// The time for the body must not end an answer that takes long.
			_ = http.NewResponseController(x.w).SetReadDeadline(time.Time{}) // not all can
			if o.works && a.s.c.ParseInRequest && mayParse(in) {
				end, err := a.s.parsing.begin("parses")
				if err != nil {
					x.refusal = err
					return
				}
				defer end()
			}
			x.refusal = h(x.w, x.r, in)
		}}, nil
	})
}

// mayParse tells whether a parse may follow from what a request asks for. Inputs
// of which not all do have a method that tells.
func mayParse(in any) bool {
	some, ok := in.(interface{ mayParse() bool })
	return !ok || some.mayParse()
}

// refused makes the error of what huma found wrong with a request.
func (o operation) refused(status int, v any) error {
	problem, ok := v.(*huma.ErrorModel)
	if !ok { // a host program has told huma to make errors of its own
		problem = &huma.ErrorModel{Detail: fmt.Sprint(v)}
	}
	e := &rasterbase.Error{Code: rasterbase.Invalid, Message: cmp.Or(problem.Detail, "the request cannot be read")}
	if len(problem.Errors) > 0 {
		describe(e, problem.Errors)
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		e.Code, e.Message, e.Hint = rasterbase.TooLarge, "the body is too long", fmt.Sprintf("at most %d bytes", o.longest())
	case http.StatusUnsupportedMediaType:
		e.Message, e.Hint = "the body is of a type that is not read here", "send application/json"
		if o.file {
			e.Hint = "send " + fileType
		}
		return &statusError{status, e}
	case http.StatusRequestTimeout:
		return &statusError{status, e}
	}
	return e
}

// describe says what is wrong, and names the first parameter that is.
func describe(e *rasterbase.Error, found []*huma.ErrorDetail) {
	first := found[0]
	unknown := unknownMembers(found)
	place, name, _ := strings.Cut(first.Location, ".")
	if missing := missingIn(first.Message); missing != "" {
		name = strings.TrimPrefix(name+"."+missing, ".")
	}
	e.Field = name
	switch {
	case first.Message == validation.MsgUnexpectedProperty && len(unknown) > 1:
		e.Field = unknown[0]
		e.Message, e.Hint = "the body has members that are not known: "+listed(unknown), "openapi.json lists the members"
		found = found[len(unknown)-1:] // as many more are wrong as are not named
	case first.Message == validation.MsgUnexpectedProperty:
		e.Message, e.Hint = fmt.Sprintf("the body has a member %.100q, which is not known", name), "openapi.json lists the members"
	case missingIn(first.Message) != "":
		e.Message = name + " is missing"
	case name == "":
		e.Message = fmt.Sprintf("the %s cannot be read: %s", place, first.Message)
	case strings.HasPrefix(first.Message, "required ") && strings.HasSuffix(first.Message, " is missing"):
		e.Message = name + " is missing"
	default:
		e.Message = name + " is not right: " + first.Message
	}
	if len(found) > 1 {
		e.Hint = strings.TrimPrefix(e.Hint+fmt.Sprintf("; %d more are wrong", len(found)-1), "; ")
	}
}

// unknownMembers are the members of a body that are not known, in the order of
// their names, since they are found in any.
func unknownMembers(found []*huma.ErrorDetail) (names []string) {
	for _, one := range found {
		if one.Message == validation.MsgUnexpectedProperty {
			_, name, _ := strings.Cut(one.Location, ".")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// listed writes up to five names, and how many more there are.
func listed(names []string) string {
	var out []string
	for _, name := range names[:min(5, len(names))] {
		out = append(out, fmt.Sprintf("%.100q", name))
	}
	if more := len(names) - len(out); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), more)
	}
	return strings.Join(out, ", ")
}

// missingIn is the name of the member that a message says is missing.
func missingIn(message string) (name string) {
	before, after, ok := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if rest, is := strings.CutPrefix(message, before); ok && is {
		name, _ = strings.CutSuffix(rest, after)
	}
	return name
}
