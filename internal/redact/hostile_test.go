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

// As above. A cluster knows the credential, and can come close to it everywhere.
func BenchmarkValuesHostile(b *testing.B) {
	const largest = 16 << 10 // of a text that is gone through
	key := "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"
	credentials := map[string]string{
		"a key":                     key,
		"a key of two letters":      "abbabaabbaababbabaababbaabbabaabbaababbaabbabaab",
		"a task token":              strings.Repeat(key, 50) + "=",
		"a password of escapes":     `root:"'<>&%+\/ö‹🔑"'<>&%+\/ö‹🔑"'<>&%+\/ö‹🔑`,
		"a password of backslashes": `root:` + strings.Repeat(`\`, 64),
	}
	for name, credential := range credentials {
		texts := map[string]string{
			"ordinary":            "refresh job 449503829274509313 not found; ",
			"all but one letter":  credential[5:min(20, len(credential))],
			"the credential":      credential + ",",
			"its escapes but one": strings.Repeat(`\u0022\u0027\u003c\u003e\u0026\u0025`, 2)[:8*6],
			"backslashes":         `\`,
			"percents":            "%25",
			"its first letter":    credential[:1],
		}
		for text, unit := range texts {
			for _, size := range []int{largest / 16, largest} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, text, size), func(b *testing.B) {
					text := strings.Repeat(unit, size/len(unit))
					b.SetBytes(int64(size))
					for b.Loop() {
						Values(text, credential)
					}
				})
			}
		}
	}
}
