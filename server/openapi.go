package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
)

const schemaPrefix = "#/components/schemas/"

// newDocument is the OpenAPI document without its operations.
func newDocument(version string) *huma.OpenAPI {
	schemas := huma.NewMapRegistry(schemaPrefix, schemaName)
	schemas.RegisterTypeAlias(reflect.TypeFor[rasterbase.Float](), reflect.TypeFor[floatSchema]())
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "rasterbase", Version: version,
			Description: "Layers and their parses. Errors are problem documents as RFC 9457 has them. " +
				"Files are sent to /api/v1/uploads in the tus protocol, version 1.0.0.",
		},
		// Relative to this document, wherever the server is mounted.
		Servers: []*huma.Server{{URL: "."}},
		Tags: []*huma.Tag{
			{Name: tagLayers, Description: "Raster data sets with the settings asked for"},
			{Name: tagParses, Description: "Reading the source of a layer, and what came of it"},
			{Name: tagLegends, Description: "The colours of values, the meanings that they share, and the colormaps that people keep for themselves"},
			{Name: tagExports, Description: "Files of layers and formulas that are made in the background"},
			{Name: tagAccounts, Description: "Users and their tokens"},
			{Name: tagServer, Description: "The jobs in the background, and who asks"},
		},
		Components: &huma.Components{
			Schemas: schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "A token, as `rasterbase tokens add` makes it"},
				"basic":  {Type: "http", Scheme: "basic", Description: "A user's name, and a token of theirs as the password"},
			},
		},
	}
}

const (
	tagLayers   = "layers"
	tagParses   = "parses"
	tagLegends  = "legends"
	tagExports  = "exports"
	tagServer   = "server"
	tagAccounts = "accounts"
)

// schemaName names a schema after its Go type.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "JSON")
	switch name {
	case "Metadata":
		return "Layer"
	case "Layer":
		return "LayerSummary"
	}
	return name
}

// floatSchema is the schema of rasterbase.Float.
type floatSchema struct{}

// Schema implements huma.SchemaProvider.
func (floatSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeNumber, Format: "double"}, {Type: huma.TypeString, Enum: []any{"nan", "inf", "-inf"}},
	}}
}

// TransformSchema implements huma.SchemaTransformer, which leaves out members of
// types that are not exported.
func (metadataJSON) TransformSchema(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	item := schemas.Schema(reflect.TypeFor[layerJSON](), false, "")
	for name, member := range item.Properties {
		if s.Properties[name] == nil {
			s.Properties[name] = member
		}
	}
	s.Required = append(slices.Clone(item.Required), s.Required...)
	return s
}

// document says of an operation what its declaration tells.
func (a *api) document(o operation) huma.Operation {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: apiPath + o.path, Tags: []string{o.tag},
		Summary: o.summary, Description: o.detail,
		MaxBodyBytes: o.longest() + 1, BodyReadTimeout: bodyTimeout,
		Metadata:  map[string]any{accessKey: o},
		Responses: map[string]*huma.Response{},
		Security:  []map[string][]string{{"bearer": {}}, {"basic": {}}},
	}
	if o.works {
		op.Description += fmt.Sprintf(" A server without workers works on the parses of at most %d requests at a time, and answers 429 to others.", maxParsing)
	}
	failures := append([]int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError}, o.errors...)
	if o.access == anyone {
		op.Security = append(op.Security, map[string][]string{}) // nobody may ask, too
	} else {
		failures = append(failures, http.StatusForbidden)
	}
	if strings.Contains(o.path, "{") {
		failures = append(failures, http.StatusNotFound)
	}
	if o.parses {
		failures = append(failures, http.StatusNotImplemented)
	}
	if o.example != nil {
		failures = append(failures, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
		media := "application/json"
		if o.file {
			media = fileType
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {Example: o.example}}}
	}
	schemas := a.huma.OpenAPI().Components.Schemas
	for status, answer := range o.answers {
		op.DefaultStatus = max(op.DefaultStatus, status) // any of them: huma must not add one
		op.Responses[strconv.Itoa(status)] = answer.document(schemas)
	}
	for _, status := range failures {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[problem](), true, "")}},
		}
	}
	return op
}

// document describes one kind of answer.
func (a response) document(schemas huma.Registry) *huma.Response {
	out := &huma.Response{Description: a.text, Headers: map[string]*huma.Param{}}
	text := &huma.Schema{Type: huma.TypeString}
	if a.located {
		out.Headers["Location"] = &huma.Param{Description: "The address of what was made or changed", Schema: text}
	}
	if a.tagged {
		out.Headers["ETag"] = &huma.Param{Description: "For If-Match: changes when what is told is changed, but not with the parse of a layer", Schema: text}
	}
	switch {
	case a.media != "":
		out.Content = map[string]*huma.MediaType{a.media: {Schema: text}}
		if a.kind != nil {
			out.Content[a.media].Schema = schemas.Schema(reflect.TypeOf(a.kind), true, "")
		}
	case a.kind != nil:
		out.Content = map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeOf(a.kind), true, "")}}
	}
	return out
}

// openAPI writes the document, as JSON and as YAML.
func (a *api) openAPI() (asJSON, asYAML []byte, err error) {
	doc := a.huma.OpenAPI()
	if err := dropUnused(doc); err != nil {
		return nil, nil, err
	}
	// Answers may get more members later; members of bodies that are not known
	// are refused.
	for name, schema := range doc.Components.Schemas.Map() {
		if !strings.HasSuffix(name, "Body") {
			schema.AdditionalProperties = nil
		}
	}
	if asJSON, err = json.Marshal(doc); err != nil {
		return nil, nil, fmt.Errorf("write openapi.json: %w", err)
	}
	if asYAML, err = doc.YAML(); err != nil {
		return nil, nil, fmt.Errorf("write openapi.yaml: %w", err)
	}
	return asJSON, asYAML, nil
}

// dropUnused takes schemas out that nothing refers to, such as those of the
// errors that huma would make.
func dropUnused(doc *huma.OpenAPI) error {
	schemas := doc.Components.Schemas.Map()
	for {
		text, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("write the document of the API: %w", err)
		}
		before := len(schemas)
		maps.DeleteFunc(schemas, func(name string, _ *huma.Schema) bool {
			return !bytes.Contains(text, []byte(strconv.Quote(schemaPrefix+name)))
		})
		if len(schemas) == before {
			return nil
		}
	}
}
