package metric

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// declared returns the values of the constants of type Name, sorted: a metric
// that is counted but not defined would be in no line.
func declared(t *testing.T) []Name {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "metric.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []Name
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Name" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil || text != spec.Names[0].Name {
				t.Errorf("the constant %s is %s", spec.Names[0].Name, text)
			}
			names = append(names, Name(text))
		}
		return true
	})
	slices.Sort(names)
	return names
}
