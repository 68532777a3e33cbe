package deptest

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// apiMayShow are third-party packages whose types an exported API may show: the
// shared vocabulary of geometries in Go.
var apiMayShow = []string{"github.com/paulmach/orb"}

// showsOwn are packages that are made to be used with a third-party one, whose
// types their API shows.
var showsOwn = map[string]string{
	"postgis":              "github.com/jackc/pgx/v5",
	"postgis/djangoraster": "github.com/jackc/pgx/v5",
	"raster/pgxraster":     "github.com/jackc/pgx/v5",
}

func TestNoExportedAPIShowsAThirdPartyType(t *testing.T) {
	for folder, p := range readModule(t) {
		if free(folder) || folder == "store/storetest" {
			continue
		}
		for _, f := range p.files {
			foreign := foreignNames(f)
			for _, d := range f.Decls {
				for _, shown := range shownTypes(d) {
					from, ok := foreign[shown.name]
					if own := showsOwn[folder]; ok && (own == "" || from != own && !strings.HasPrefix(from, own+"/")) {
						t.Errorf("package %q: %s shows %s.%s of %s", folder, shown.by, shown.name, shown.selected, from)
					}
				}
			}
		}
	}
}

func TestShownTypesSeesThirdPartyTypes(t *testing.T) {
	p := &source{imports: map[string]bool{}, testImports: map[string]bool{}}
	if err := p.add("testdata/shows.go"); err != nil {
		t.Fatal(err)
	}
	foreign := foreignNames(p.files[0])
	var got []string
	for _, d := range p.files[0].Decls {
		for _, s := range shownTypes(d) {
			if _, ok := foreign[s.name]; ok {
				got = append(got, s.by)
			}
		}
	}
	want := []string{"Result", "Argument", "Field", "Method", "Interface", "Variable", "Type", "Embedded"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// foreignNames are the names by which a file knows third-party packages.
func foreignNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, i := range f.Imports {
		if p := importPath(i); thirdParty(p) && !slices.Contains(apiMayShow, p) {
			names[nameOf(i)] = p
		}
	}
	return names
}

// shown is a type of another package in an exported declaration.
type shown struct{ by, name, selected string }

// shownTypes are the types of other packages that a user of a declaration sees.
func shownTypes(d ast.Decl) []shown {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !exportedReceiver(d.Recv) {
			return nil
		}
		return selections(d.Name.Name, d.Type)
	case *ast.GenDecl:
		var all []shown
		for _, s := range d.Specs {
			all = append(all, shownBySpec(s)...)
		}
		return all
	}
	return nil
}

func shownBySpec(s ast.Spec) []shown {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			return selections(s.Name.Name, s.Type)
		}
	case *ast.ValueSpec:
		if slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) && s.Type != nil {
			return selections(s.Names[0].Name, s.Type)
		}
	}
	return nil
}

func exportedReceiver(l *ast.FieldList) bool {
	e := l.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// selections lists the qualified names in a type. Struct fields and methods
// that are not exported are not seen by users; embedded ones are.
func selections(by string, e ast.Expr) []shown {
	var all []shown
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			hidden := len(n.Names) > 0 && !slices.ContainsFunc(n.Names, (*ast.Ident).IsExported)
			return !hidden || !isMember(e, n)
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				all = append(all, shown{by, x.Name, n.Sel.Name})
			}
		}
		return true
	})
	return all
}

// isMember tells whether a field is one of a struct or interface rather than a
// parameter, whose name does not hide its type.
func isMember(e ast.Expr, f *ast.Field) bool {
	member := false
	ast.Inspect(e, func(n ast.Node) bool {
		var l *ast.FieldList
		switch n := n.(type) {
		case *ast.StructType:
			l = n.Fields
		case *ast.InterfaceType:
			l = n.Methods
		}
		if l != nil && slices.Contains(l.List, f) {
			member = true
		}
		return true
	})
	return member
}

func TestNamesOfImports(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{`"modernc.org/sqlite"`, "sqlite"},
		{`"github.com/pressly/goose/v3"`, "goose"},
		{`"github.com/x/go-colour"`, "colour"},
	} {
		i := &ast.ImportSpec{Path: &ast.BasicLit{Value: c.path}}
		if got := nameOf(i); got != c.want || !strings.Contains(c.path, got) {
			t.Errorf("%s is known as %q, want %q", c.path, got, c.want)
		}
	}
}
