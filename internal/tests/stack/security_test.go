package stack

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// SECURITY.md names the tests that hold what it claims.
func TestSecurityNamesTestsThatThereAre(t *testing.T) {
	claims := security(t)
	var tests strings.Builder
	err := fs.WalkDir(os.DirFS("../../.."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile("../../../" + path)
		tests.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:Test|Benchmark)[A-Za-z0-9]+)`").FindAllStringSubmatch(claims, -1)
	if len(names) < 10 {
		t.Errorf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// A row of the table has a promise, and tests with their packages behind them.
func TestEachPromiseOfSecurityHasATestInThePackageThatIsNamed(t *testing.T) {
	_, table, _ := strings.Cut(security(t), "| promise | tests |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 10 {
		t.Errorf("only %d promises", len(rows))
	}
	group := regexp.MustCompile("((?:`Test[A-Za-z0-9]+`(?:, )?)+) \\(`([a-z/]+)`\\)(?:, )?")
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		if len(cells) != 2 || group.ReplaceAllString(cells[1], "") != "" || cells[1] == "" {
			t.Errorf("not a promise, and tests with their packages: %s", row)
			continue
		}
		for _, of := range group.FindAllStringSubmatch(cells[1], -1) {
			var tests strings.Builder
			files, err := fs.Glob(os.DirFS("../../.."), of[2]+"/*_test.go")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				tests.WriteString(document(t, file))
			}
			for name := range strings.SplitSeq(of[1], ", ") {
				if name = strings.Trim(name, "`"); !strings.Contains(tests.String(), "\nfunc "+name+"(") {
					t.Errorf("%s has no %s", of[2], name)
				}
			}
		}
	}
}

func TestSecurityListsWhatIAMAllows(t *testing.T) {
	claims := security(t)
	for _, role := range []string{"PollerRole", "ResumeRole", "NetworkPolicy"} {
		properties := at[object](t, template(t), "Resources", role, "Properties")
		for _, statement := range statements([]any{properties["Policies"], properties["PolicyDocument"]}) {
			for _, action := range list(statement["Action"]) {
				_, name, _ := strings.Cut(action.(string), ":")
				if !strings.Contains(claims, "`"+name+"`") && !strings.Contains(claims, "`"+action.(string)+"`") {
					t.Errorf("%s of %s is not listed", action, role)
				}
			}
		}
	}
}

func security(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
