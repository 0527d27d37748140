package stack

import (
	"regexp"
	"strings"
	"testing"

	"refresh-poller/internal/version"
)

func TestTheChangelogBeginsWithTheVersion(t *testing.T) {
	first := regexp.MustCompile(`(?m)^## .*$`).FindString(document(t, "CHANGELOG.md"))
	if want := "## " + version.Number; first != want && !strings.HasPrefix(first, want+" ") {
		t.Errorf("its first heading is %q, not %q", first, want)
	}
}

// The limits are those of the SAM Developer Guide, "AWS SAM template Metadata section
// properties"; sam publish would be the first to tell.
func TestTheMetadataIsWhatTheApplicationRepositoryTakes(t *testing.T) {
	got := at[object](t, template(t), "Metadata", "AWS::ServerlessRepo::Application")
	for key, pattern := range map[string]string{
		"Name":            `^[A-Za-z0-9-]{1,140}$`,
		"Description":     `^.{1,256}$`,
		"Author":          `^[a-z0-9](-?[a-z0-9])*$`,
		"SpdxLicenseId":   `^Apache-2\.0$`,
		"SemanticVersion": "^" + regexp.QuoteMeta(version.Number) + "$",
	} {
		if text := at[string](t, got, key); !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%s is %q", key, text)
		}
	}
	for _, key := range []string{"LicenseUrl", "ReadmeUrl"} {
		document(t, at[string](t, got, key)) // fails if it is not there
	}
	labels := at[[]any](t, got, "Labels")
	for _, label := range labels {
		if !regexp.MustCompile(`^[a-zA-Z0-9+_:/@-]{1,127}$`).MatchString(label.(string)) {
			t.Errorf("a label is %q", label)
		}
	}
	if len(labels) > 10 {
		t.Errorf("%d labels, more than 10", len(labels))
	}
}
