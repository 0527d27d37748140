package stack

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// spaces are those of JSON that stand between its texts.
var spaces = regexp.MustCompile(`("(?:[^"\\]|\\.)*")|\s+`)

// compact returns v without the white space in the JSON, or parts of it, that it
// holds as texts: the dashboard and the schemas.
func compact(v any) any {
	switch v := v.(type) {
	case object:
		all := object{}
		for key, value := range v {
			all[key] = compact(value)
		}
		return all
	case []any:
		all := []any{}
		for _, item := range v {
			all = append(all, compact(item))
		}
		return all
	case string:
		if strings.HasPrefix(v, "{") || strings.HasPrefix(v, `"`) {
			return spaces.ReplaceAllString(v, "$1")
		}
	}
	return v
}

// What is given to CloudFormation inline, and not by way of S3, may be so long
// (CloudFormation User Guide, "Quotas").
func TestTheTemplateKeepsWithinWhatCanBeGivenInline(t *testing.T) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(compact(template(t))); err != nil {
		t.Fatal(err)
	}
	if size := text.Len() - 1; size > 51_200 {
		t.Errorf("without comments and needless white space the template has %d bytes, more than 51 200", size)
	} else {
		t.Logf("%d bytes", size)
	}
}
