package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rasterbase/rasterbase"

// source is a package of the module as its files say, whatever the build
// constraints: "" is the root package, others are by their folder.
type source struct {
	folder  string
	files   []*ast.File // without tests
	imports map[string]bool
	// testImports are those of its tests alone.
	testImports map[string]bool
}

// readModule reads every package of the module, and of no module within it.
func readModule(t *testing.T) map[string]*source {
	t.Helper()
	root := filepath.Join("..", "..")
	packages := map[string]*source{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if file != root && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || isModule(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		folder := strings.TrimPrefix(filepath.ToSlash(rel), ".")
		p := packages[folder]
		if p == nil {
			p = &source{folder: folder, imports: map[string]bool{}, testImports: map[string]bool{}}
			packages[folder] = p
		}
		return p.add(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// isModule tells whether a folder begins a module.
func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

func (p *source) add(file string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	into := p.imports
	if strings.HasSuffix(file, "_test.go") {
		into = p.testImports
	} else {
		p.files = append(p.files, f)
	}
	for _, i := range f.Imports {
		into[importPath(i)] = true
	}
	return nil
}

func importPath(i *ast.ImportSpec) string {
	s, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return ""
	}
	return s
}

// ours gives the folder of a package of this module.
func ours(importPath string) (folder string, ok bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// thirdParty tells whether an import is neither ours nor the standard
// library's, whose first element has no dot.
func thirdParty(importPath string) bool {
	if _, ok := ours(importPath); ok {
		return false
	}
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// nameOf is the name that a file knows an import by, as far as its path says.
func nameOf(i *ast.ImportSpec) string {
	if i.Name != nil {
		return i.Name.Name
	}
	p := importPath(i)
	if majorVersion.MatchString(path.Base(p)) {
		p = path.Dir(p)
	}
	return strings.TrimPrefix(path.Base(p), "go-")
}
