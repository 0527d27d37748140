package stack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"refresh-poller/internal/laptop/deployed"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/poller"
)

// queries returns the saved ones and those of the dashboard, by name.
func queries(t *testing.T) map[string]string {
	t.Helper()
	stack := template(t)
	found := map[string]string{}
	for _, name := range ofType(t, stack, "AWS::Logs::QueryDefinition") {
		found[name] = at[string](t, stack, "Resources", name, "Properties", "QueryString")
	}
	for _, w := range widgets(t) {
		if w.Type == "log" {
			_, query, _ := strings.Cut(w.Properties.Query, " | ")
			found[w.Properties.Title] = query
		}
	}
	return found
}

// pollersFolders hold the code that writes the lines that are asked for.
var pollersFolders = []string{"../../poller", "../../../functions/poller"}

// logged returns the messages of the function's log lines and the names of their
// fields, from the source: every string that is handed to a logger, or to slog,
// as one.
func logged(t *testing.T, folders ...string) (messages, fields map[string]bool) {
	t.Helper()
	messages, fields = map[string]bool{}, map[string]bool{"time": true, "level": true, "msg": true}
	for _, folder := range folders {
		for _, call := range calls(t, folder) {
			called, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			arguments := call.Args
			switch called.Sel.Name {
			case "String", "Int", "Int64", "Bool", "Any", "Duration", "Time":
				if receiver, ok := called.X.(*ast.Ident); ok && receiver.Name == "slog" {
					fields[text(arguments[0])] = true
				}
				continue
			case "With":
			case "Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "LogAttrs":
				place := slices.IndexFunc(arguments, func(e ast.Expr) bool { return text(e) != "" })
				if place < 0 {
					continue
				}
				messages[text(arguments[place])] = true
				arguments = arguments[place+1:]
			default:
				continue
			}
			for i := 0; i+1 < len(arguments); i += 2 {
				if name := text(arguments[i]); name != "" {
					fields[name] = true
				}
			}
		}
	}
	return messages, fields
}

// calls returns the calls in the folder's Go files, tests left out.
func calls(t *testing.T, folder string) []*ast.CallExpr {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var found []*ast.CallExpr
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				found = append(found, call)
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("no Go code in %s", folder)
	}
	return found
}

// text returns the value of a string literal; "" of anything else.
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	value, _ := strconv.Unquote(literal.Value)
	return value
}

// ofLambda are fields of the lines that Lambda itself writes at the end of each
// execution (AWS Lambda Developer Guide, "Lambda Telemetry API Event schema
// reference"), and those that CloudWatch Logs gives to every line.
var ofLambda = []string{"@timestamp", "@message", "type", "record.status", "record.requestId"}

// words are the commands and functions of Logs Insights that the queries use.
var words = strings.Fields(`fields filter stats sort limit by as and or not in like asc desc
	ispresent count max min latest bin`)

var (
	comment  = regexp.MustCompile(`(?m)^\s*#.*$`)
	constant = regexp.MustCompile(`"[^"]*"|/[^/]*/|\b[0-9]+[a-z]*\b`)
	alias    = regexp.MustCompile(`\bas (\w+)`)
	name     = regexp.MustCompile(`@?[A-Za-z_][\w.]*`)
	equal    = regexp.MustCompile(`([\w.]+) !?= "([^"]*)"`)
)

func TestQueriesNameFieldsThatLinesHave(t *testing.T) {
	_, fields := logged(t, pollersFolders...)
	for title, query := range queries(t) {
		known := slices.Concat(sortedKeys(fields), ofLambda, words)
		query = constant.ReplaceAllString(comment.ReplaceAllString(query, ""), "")
		for _, match := range alias.FindAllStringSubmatch(query, -1) {
			if slices.Contains(known, match[1]) {
				t.Errorf("%s calls a result %s, which is a field's name", title, match[1])
			}
			known = append(known, match[1])
		}
		for _, field := range name.FindAllString(query, -1) {
			if !slices.Contains(known, field) {
				t.Errorf("%s names %s, which no line has", title, field)
			}
		}
	}
}

func TestQueriesCompareWithValuesThatLinesHave(t *testing.T) {
	messages, _ := logged(t, pollersFolders...)
	values := map[string][]string{
		"msg":           sortedKeys(messages),
		"level":         {"DEBUG", "INFO", "WARN", "ERROR"},
		"action":        {string(poller.Reenqueue), string(poller.Publish), string(poller.Reject)},
		"state":         {"RefreshCompleted"},
		"outcome":       {string(milvus.Succeeded)},
		"errorKind":     {string(milvus.Temporary), string(milvus.NotFound), string(milvus.Refused), string(milvus.Throttled), string(milvus.Misconfigured)},
		"type":          {"platform.report"},
		"record.status": {"success"},
		// To be filled in by whoever asks.
		"jobId": {"JOB_ID"}, "watchId": {"WATCH_ID"},
	}
	for title, query := range queries(t) {
		for _, match := range equal.FindAllStringSubmatch(query, -1) {
			if !slices.Contains(values[match[1]], match[2]) {
				t.Errorf("%s asks for %s = %q, which no line has", title, match[1], match[2])
			}
		}
	}
}

// Of the lines about executions, WARN lets through those that did not end well, and
// INFO the others too (AWS Lambda Developer Guide, "Log-level filtering", the table
// "System log level event mapping").
func TestQueriesAskOnlyForThoseLinesOfLambdasThatAreWritten(t *testing.T) {
	level := at[string](t, template(t), "Resources", "PollerFunction", "Properties", "LoggingConfig", "SystemLogLevel")
	for title, query := range queries(t) {
		asked := strings.Count(query, "platform.")
		if failed := strings.Count(query, `type = "platform.report" and record.status != "success"`); asked > failed && level == "WARN" {
			t.Errorf("%s asks for lines that SystemLogLevel %s leaves out", title, level)
		}
	}
}

// refresh-poller follow shows, and hands on, what it finds in these fields.
func TestFollowReadsFieldsThatLinesHave(t *testing.T) {
	_, fields := logged(t, pollersFolders...)
	for field := range reflect.TypeFor[deployed.Line]().Fields() {
		name := strings.Replace(strings.ToLower(field.Name[:1])+field.Name[1:], "ID", "Id", 1)
		if field.Tag.Get("json") != "-" && !fields[name] {
			t.Errorf("follow reads %s, which no line has", name)
		}
	}
}

func TestTheReadmeListsFieldsThatLinesHave(t *testing.T) {
	_, fields := logged(t, pollersFolders...)
	_, list, _ := strings.Cut(document(t, "README.md"), "The log has a JSON line for each poll: ")
	list, _, _ = strings.Cut(list, ".")
	names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(list, -1)
	if len(names) == 0 {
		t.Fatal("README.md lists none")
	}
	for _, name := range names {
		if !fields[name[1]] {
			t.Errorf("README.md lists %s, which no line has", name[1])
		}
	}
}

// By outcome, and by state where a line is from before there were outcomes.
func TestTheJobsThatDidNotCompleteAreTheSameInBothPlaces(t *testing.T) {
	const ends = `filter msg = "job polled" and action = "publish" and state != "RefreshCompleted" and (not ispresent(outcome) or outcome != "succeeded") |`
	found := queries(t)
	for _, title := range []string{"JobsNotCompletedQuery", "The last jobs that did not complete"} {
		query := strings.Join(strings.Fields(comment.ReplaceAllString(found[title], "")), " ")
		if !strings.HasPrefix(query, ends) {
			t.Errorf("%s asks %s", title, query)
		}
	}
}

// The query for what the rate limit held back knows the line by this text.
func TestTheReasonOfAJobNotReachedIsTheOneThatIsAskedFor(t *testing.T) {
	d := poller.Decide(poller.Settings{MinDelay: 1, MaxDelay: 1}, watchMessage, poller.Answer{NotReached: true}, watchMessage.Watch.Since)
	if query := queries(t)["RateLimitQuery"]; !strings.HasPrefix(d.Reason, "not reached") || !strings.Contains(query, "reason like /^not reached/") {
		t.Errorf("the reason is %q, asked for is\n%s", d.Reason, query)
	}
}

func TestQueriesAreOfTheFunctionsLogAndInTheStacksFolder(t *testing.T) {
	stack := template(t)
	plain := strings.Join(strings.Fields(runbook(t)), " ")
	for _, id := range ofType(t, stack, "AWS::Logs::QueryDefinition") {
		query := at[object](t, stack, "Resources", id, "Properties")
		if groups := at[[]any](t, query, "LogGroupNames"); len(groups) != 1 || !references(groups)["PollerLogGroup"] {
			t.Errorf("%s asks %v", id, groups)
		}
		title, inFolder := strings.CutPrefix(at[string](t, query, "Name", "Fn::Sub"), "${AWS::StackName}/")
		if !inFolder || strings.ContainsAny(title, ":*/") {
			t.Errorf("%s has the name %v", id, query["Name"])
		}
		if !strings.Contains(plain, "*"+title+"*") {
			t.Errorf("the runbook has no use for *%s*", title)
		}
	}
}
