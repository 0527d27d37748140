//go:build !race

package redact

import (
	"strings"
	"testing"
	"time"
)

// A loop that is quadratic in its input would take minutes for 1 MiB. The race
// detector makes this fifteen times slower and has nothing to find here.
func TestHostileTextOfOneMebibyteIsQuick(t *testing.T) {
	const size, limit = 1 << 20, 20 * time.Second
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	tests := map[string]string{
		"open lists":               fill("["),
		"open objects":             fill(`{"a":`),
		"open objects in a secret": `{"secret":` + fill(`{"a":`),
		"short strings in a list":  `["` + fill(`a","`) + `"]`,
		"URLs in a list":           `["` + fill(`s3://k:s@b/x?y","`) + `"]`,
		"values on end":            fill(`{"token":1}`),
		"repeated secrets":         `{` + fill(`"token":"x",`) + `"a":1}`,
		"a list of lists as text":  `["` + fill(`[\"[`) + `"]`,
		"quotes":                   fill(`"`),
		"backslashes":              fill(`\`),
		"escaped quotes":           `token="` + fill(`\"`),
		"a value of backslashes":   `token=` + fill(`\`),
		"separators":               fill(":"),
		"keys without a value":     fill("token="),
		"keys and spaces":          fill("token : "),
		"spaces":                   "token" + fill(" ") + "=x",
		"open brackets":            fill("token={"),
		"brackets and quotes":      "token=" + fill(`{"\`),
		"scheme starts":            fill("a:/"),
		"URLs without an end":      fill("a://"),
		"URLs with user info":      fill("a://b:c@"),
		"URLs with bad ports":      fill("a://b:c/"),
		"URLs with an @ far away":  fill("a://b:c/") + "@",
		"queries":                  fill("a://b?"),
		"queries and fragments":    fill("a://b?c#"),
		"question marks":           fill("?a"),
		"path queries":             fill("?a=b#"),
		"slashes":                  fill("/"),
		"at signs":                 "a://" + fill("@"),
		"commas":                   "a://" + fill("b:1,"),
		"one word":                 fill("a"),
		"one key":                  fill("aB") + "=x",
		"bearers":                  fill("bearer "),
		"access key ids":           fill("AKIA"),
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			Source(in) // does all that Text does, too
			if took := time.Since(start); took > limit {
				t.Errorf("took %v", took)
			}
		})
	}
}
