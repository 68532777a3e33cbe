package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docsView is the document of the API as people read it.
type docsView struct {
	Title, Version, Description string
	Root                        string // the address of the server
	AssetVersion                string
	Groups                      []docsGroup
	Schemas                     []docsSchema
}

// docsGroup is the operations of a tag.
type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Detail, Who string
	Parameters                             []docsMember
	Body                                   []docsBody
	Answers                                []docsAnswer
	Curl                                   string // without the address
}

// docsMember is a parameter or a member of an object.
type docsMember struct {
	Name, In, Description, Default string
	Type                           docsType
	Required                       bool
}

type docsBody struct {
	Media string
	Type  docsType
}

type docsAnswer struct {
	Status, Description, Media string
	Type                       docsType
}

type docsSchema struct {
	Name, Description string
	Type              docsType
	Members           []docsMember
}

// docsType is a type in words; what is linked is the name of a schema.
type docsType []docsWord

type docsWord struct {
	Text string
	Link bool
}

func (t docsType) String() string {
	var out strings.Builder
	for _, w := range t {
		out.WriteString(w.Text)
	}
	return out.String()
}

// accessText says who may ask for an operation.
var accessText = map[access]string{
	anyone: "Anybody, about what they may read", member: "Whoever is signed in", editor: "Editors", manager: "Administrators",
}

// newDocs makes what the page shows of a document.
func newDocs(doc *huma.OpenAPI) *docsView {
	v := &docsView{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description}
	for _, tag := range doc.Tags {
		g := docsGroup{Name: tag.Name, Description: tag.Description}
		for path, item := range doc.Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					g.Operations = append(g.Operations, newDocsOperation(path, op))
				}
			}
		}
		slices.SortFunc(g.Operations, func(a, b docsOperation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(slices.Index(methodsInOrder, a.Method), slices.Index(methodsInOrder, b.Method)))
		})
		v.Groups = append(v.Groups, g)
	}
	for name, s := range doc.Components.Schemas.Map() {
		v.Schemas = append(v.Schemas, docsSchema{Name: name, Description: s.Description, Type: wordsOf(s), Members: docsMembers(s)})
	}
	slices.SortFunc(v.Schemas, func(a, b docsSchema) int { return cmp.Compare(a.Name, b.Name) })
	return v
}

var methodsInOrder = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func newDocsOperation(path string, op *huma.Operation) docsOperation {
	out := docsOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Detail: op.Description}
	o, _ := op.Metadata[accessKey].(operation)
	out.Who = accessText[o.access]
	for _, p := range op.Parameters {
		m := docsMemberOf(p.Name, p.Schema, p.Required)
		m.In, m.Description = p.In, cmp.Or(p.Description, m.Description)
		out.Parameters = append(out.Parameters, m)
	}
	curl := "curl"
	if op.Method != http.MethodGet {
		curl += " -X " + op.Method
	}
	curl += ` "$RASTERBASE` + path + `"`
	if o.access != anyone {
		curl += ` -H "Authorization: Bearer $TOKEN"`
	}
	if op.RequestBody != nil {
		for _, media := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
			content := op.RequestBody.Content[media]
			out.Body = append(out.Body, docsBody{media, wordsOf(content.Schema)})
			if content.Example != nil {
				curl += " -H 'Content-Type: " + media + "'" + exampleOf(media, content.Example)
			}
		}
	}
	out.Curl = curl
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		a := docsAnswer{Status: status, Description: r.Description}
		for media, content := range r.Content {
			a.Media, a.Type = media, wordsOf(content.Schema)
		}
		out.Answers = append(out.Answers, a)
	}
	return out
}

// exampleOf is the body of an example as a shell takes it.
func exampleOf(media string, example any) string {
	if text, ok := example.(string); ok && media == fileType {
		return " --data-binary " + quoted(text)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(example); err != nil {
		panic(fmt.Sprintf("server: the example of an operation: %v", err)) // it is written here
	}
	return " -d " + quoted(strings.TrimSpace(b.String()))
}

// quoted is a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func docsMembers(s *huma.Schema) (out []docsMember) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		out = append(out, docsMemberOf(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	return out
}

func docsMemberOf(name string, s *huma.Schema, required bool) docsMember {
	m := docsMember{Name: name, Type: wordsOf(s), Required: required}
	if s != nil {
		m.Description = s.Description
		if s.Default != nil {
			m.Default = fmt.Sprint(s.Default)
		}
	}
	return m
}

// wordsOf is the type that a schema describes.
func wordsOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return nil
	case s.Ref != "":
		return docsType{{strings.TrimPrefix(s.Ref, schemaPrefix), true}}
	case len(s.AnyOf) > 0:
		var out docsType
		for i, one := range s.AnyOf {
			if i > 0 {
				out = append(out, docsWord{Text: " or "})
			}
			out = append(out, wordsOf(one)...)
		}
		return out
	case len(s.Enum) > 0:
		var texts []string
		for _, v := range s.Enum {
			text, err := json.Marshal(v)
			if err == nil {
				texts = append(texts, string(text))
			}
		}
		return docsType{{Text: strings.Join(texts, ", ")}}
	case s.Type == huma.TypeArray:
		return append(docsType{{Text: "array of "}}, wordsOf(s.Items)...)
	case s.Type == huma.TypeObject && len(s.Properties) == 0:
		if of, ok := s.AdditionalProperties.(*huma.Schema); ok {
			return append(docsType{{Text: "object of "}}, wordsOf(of)...)
		}
	}
	text := cmp.Or(s.Type, "any")
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	if s.Minimum != nil && s.Maximum != nil {
		text += ", " + decimal(*s.Minimum) + " to " + decimal(*s.Maximum)
	} else if s.Minimum != nil {
		text += ", at least " + decimal(*s.Minimum)
	}
	if s.Nullable {
		text += " or null"
	}
	return docsType{{Text: text}}
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// docsPage answers the document of the API as a page.
func (s *Server) docsPage(w http.ResponseWriter, r *http.Request, v docsView) error {
	v.Root, v.AssetVersion = s.root(r), s.page.version
	var b bytes.Buffer
	if err := s.page.docs.Execute(&b, v); err != nil {
		return fmt.Errorf("the page of the API: %w", err)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	return answer{contentType: "text/html; charset=utf-8", body: b.Bytes()}.write(w, r)
}
