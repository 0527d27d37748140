package redact

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"refresh-poller/internal/leak"
)

// planted is a credential that fuzzing doesn't come upon by chance.
const planted = "zQ7PLANTEDx9"

// checkClean checks what holds for any text.
func checkClean(t *testing.T, clean func(string) string, in string) {
	t.Helper()
	once := clean(in)
	if twice := clean(once); twice != once {
		t.Errorf("%q becomes %q, and that %q", in, once, twice)
	}
	if utf8.ValidString(in) && !utf8.ValidString(once) {
		t.Errorf("%q becomes %q, which is no UTF-8", in, once)
	}
}

// checkPlanted checks that the planted credential doesn't come through.
func checkPlanted(t *testing.T, clean func(string) string, in string) {
	t.Helper()
	checkClean(t, clean, in)
	if got := clean(in); strings.Contains(got, planted) {
		t.Errorf("%q becomes %q", in, got)
	}
}

// without returns s without the given characters.
func without(s, chars string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(chars, r) {
			return -1
		}
		return r
	}, s)
}

func FuzzSource(f *testing.F) {
	for _, s := range []string{
		`volume://my-volume/books`,
		`{"type":"volume","path":"volume://my-volume/books"}`,
		`s3://key:se/cr@et@bucket/x?a=b#c=d`,
		`{"a":"{\"token\":\"x\"}","b":[1.0,null,{"pwd":{}}]}`,
		`{\"secret\":\"x\\\"y\",`,
		`a/?.parquet?k=v#x?y=z`,
		`[[[{"a":"s3:\/\/k:s@b`,
		`token='a "b": {"c`,
	} {
		f.Add(s, "/path", 40)
	}
	f.Fuzz(func(t *testing.T, a, b string, cut int) {
		checkClean(t, Source, a)
		checkClean(t, Source, a+b)

		// The password may hold anything but an @, behind which a host begins.
		checkPlanted(t, Source, "s3://key:x"+without(a, "@")+planted+"@bucket/"+b)
		checkPlanted(t, Source, "s3://key:"+without(a, `@/\?#`)+planted)
		checkPlanted(t, Source, "https://host/"+without(a, "#@")+"?"+without(b, "#@")+planted)
		checkPlanted(t, Source, "dir/"+without(a, ":#")+"?k="+without(b, "#:")+planted)

		inner := fmt.Sprintf(`{%s:%s,"secret":%s,"b":%s}`, quote(a), quote(b), quote(planted+b), quote(a))
		list := fmt.Sprintf(`[%s,{"fsAuth":{%s:[%s]}},{"path":%s}]`,
			quote(a), quote(b), quote(planted), quote("s3://k:"+planted+"@b"))
		for _, json := range []string{inner, list, `{"spec":` + quote(inner) + `}`} {
			checkPlanted(t, Source, json)
			checkPlanted(t, Source, json+b)
			checkPlanted(t, Source, json[:min(max(cut, 1), len(json))])
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		`refresh job 5 not found`,
		`Get "https://u:p@h/x?sig=a": Authorization: Bearer x`,
		`{"secret":{"a":"b","c":[1,"}"]}}`,
		`token: "abc; {\"password\":\"x\"}`,
		`secret access key: b'x' conf['token'] => AKIAIOSFODNN7EXAMPLE`,
	} {
		f.Add(s, " and more")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		checkClean(t, Text, a)
		checkClean(t, Text, a+b)

		for _, form := range []string{
			`password=%s`, `token: %s`, `"secret": "%s"`, `{'pwd': '%s'}`, `{\"token\":\"%s\"}`,
			`Authorization: Bearer %s`, `Bearer %s`, `s3://key:%s@bucket/x`, `https://host/x?y=%s`,
		} {
			checkPlanted(t, Text, a+" "+fmt.Sprintf(form, planted)+" "+b)
		}
	})
}

// Whatever a credential is, it is found in the forms that encoders give it.
func FuzzValues(f *testing.F) {
	for _, credential := range []string{
		"0123456789abcdef", "correct horse", `p"a's/s\%2B+w ö&<r>d‹🔑`, `\\\\`, `%25%25`, `\u0061\u0062`, "++++", "....", "(?i:a)", "a\xffb\xfe", "\xff\xff\xff\xff", "\u2028\uFFFD", "correct horse battery staple", `\"+%\"+%\"+%\"+%\"+%`,
	} {
		f.Add(credential)
	}
	f.Fuzz(func(t *testing.T, credential string) {
		const before, behind = "refused <", "> as such"
		// user:password is two; spaces around one don't count.
		credential = strings.Trim(strings.ReplaceAll(credential, ":", ";"), " ")
		// What has a piece of the mask may come about around it.
		if len(credential) < minCredential || len(credential) > 256 || leak.Find(before+mask+behind, credential) != nil || strings.ContainsFunc(credential, unicode.IsControl) || strings.Contains(credential, "*") {
			t.Skip("too short or too long, or everywhere, or for no header, or like the mask")
		}
		lower := strings.ToLower(credential)
		echoes := []string{credential}
		if chars := []rune(credential); utf8.ValidString(credential) { // or it changes here
			echoes = append(echoes, string(chars[:len(chars)*3/4]), string(chars[len(chars)/4:]))
		}
		for _, echo := range echoes {
			for name, form := range inForms(echo) {
				masked := Values(before+form+behind, credential, lower)
				if echo == credential && !strings.Contains(masked, mask) || leak.Find(masked, credential, lower) != nil {
					t.Errorf("%s: %q became %q", name, form, masked)
				}
			}
		}
	})
}

// inForms returns what encoders make of a credential.
func inForms(credential string) map[string]string {
	marshalled, _ := json.Marshal(credential)
	twice, _ := json.Marshal(string(marshalled))
	return map[string]string{
		"as it is": credential, "JSON": string(marshalled), "JSON in JSON": string(twice),
		"%q": strconv.Quote(credential), "%+q": strconv.QuoteToASCII(credential),
		"a query": url.QueryEscape(credential), "a path": url.PathEscape(credential), "a path in a path": url.PathEscape(url.PathEscape(credential)),
		"small digits": strings.ToLower(url.QueryEscape(strings.ToLower(credential))),
	}
}
