package redact

import (
	"fmt"
	"strings"
	"testing"
)

// hostile are texts of about size bytes that a loop could go over again and again.
func hostile(size int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	return map[string]string{
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
}

// The time for a byte is about the same at both sizes: where it grows with the
// size, a loop is quadratic.
func BenchmarkSourceHostile(b *testing.B) {
	const largest = 1 << 20 // of an answer
	for name := range hostile(largest) {
		for _, size := range []int{largest / 16, largest} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				text := hostile(size)[name]
				b.SetBytes(int64(size))
				for b.Loop() {
					Source(text) // does all that Text does, too
				}
			})
		}
	}
}
