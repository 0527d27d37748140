package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// mutant is a change of one operator, named by what stays when lines move: its file,
// its function (or const, var), gremlins' name of the change, and the line of code,
// with «» about the operator.
type mutant struct{ file, function, kind, code string }

// String writes it as docs/mutants.md has it, below its file.
func (m mutant) String() string { return fmt.Sprintf("- `%s` %s: `%s`", m.function, m.kind, m.code) }

// source is a file of Go code.
type source struct {
	name  string
	lines []string
	set   *token.FileSet
	tree  *ast.File
}

func newSource(root, name string) (*source, error) {
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	return &source{name, strings.Split(string(text), "\n"), set, tree}, err
}

// mutant names the mutant at a line and a column, both from 1, the column in bytes.
func (s *source) mutant(kind string, line, column int) mutant {
	before, after := s.lines[line-1][:column-1], s.lines[line-1][column-1:]
	operator := firstToken(after)
	code := strings.TrimSpace(before + "«" + operator + "»" + after[len(operator):])
	return mutant{s.name, s.function(line), kind, strings.ReplaceAll(code, "`", "'")}
}

func firstToken(code string) string {
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(code)), []byte(code), nil, 0)
	_, t, _ := s.Scan()
	return t.String()
}

// function returns the name of the function about a line, with its receiver's type.
func (s *source) function(line int) string {
	for _, decl := range s.tree.Decls {
		if line < s.set.Position(decl.Pos()).Line || line > s.set.Position(decl.End()).Line {
			continue
		}
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			return decl.(*ast.GenDecl).Tok.String()
		}
		if f.Recv == nil {
			return f.Name.Name
		}
		receiver := f.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		return fmt.Sprint(receiver) + "." + f.Name.Name
	}
	return ""
}
