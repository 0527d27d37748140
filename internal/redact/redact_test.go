package redact

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// check compares clean(in) with want, and that clean leaves want alone.
func check(t *testing.T, clean func(string) string, in, want string) {
	t.Helper()
	if diff := cmp.Diff(want, clean(in)); diff != "" {
		t.Errorf("of %q (-want +got):\n%s", in, diff)
	}
	if diff := cmp.Diff(want, clean(want)); diff != "" {
		t.Errorf("not idempotent (-want +got):\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	tests := []struct {
		name        string
		in          string
		credentials []string
		want        string
	}{
		{"every occurrence goes", "hunter2 and hunter2", []string{"hunter2"}, "*** and ***"},
		{"several credentials go", "root:Milvus", []string{"root", "Milvus"}, "***:***"},
		{"one that begins with another goes whole", "abcdefgh", []string{"abcd", "abcdefgh"}, "***"},
		{"short ones are ignored", "a cat", []string{"a", "cat", ""}, "a cat"},
		{"what replaces one is not searched again", "abcd****", []string{"abcd", "****"}, "******"},
		{"of user:password, the user goes along", "for root:Milvus", []string{"root:Milvus"}, "for ***"},
		{"of user:password, the password goes alone", "root, Milvus", []string{"root:Milvus"}, "root, ***"},
		{"of user:password, the user alone stays", "database_administrator", []string{"database_administrator:Milvus"}, "database_administrator"},
		{"a user goes with half a password", "root:0123456789…", []string{"root:0123456789abcdefghij"}, "***…"},
		{"a short password goes with its user only", "root:abc, abc", []string{"root:abc"}, "***, abc"},
		{"a password with colons", "a b:c:d:e", []string{"root:b:c:d:e"}, "a ***"},
		{"spaces around one do not count", "<hunter2>, <hunter2 >, <root:hunter2>", []string{"hunter2 ", "root: hunter2\t"}, "<***>, <*** >, <root:***>"},
		{"nor does a tab", "<hunter2>", []string{"\thunter2\t"}, "<***>"},
		{"bytes that are no characters", "<a\xff\xfeb>, <a\uFFFD\uFFFDb>, <a%FF%feb>, <\\ufffdab\\ufffd>", []string{"a\xff\xfeb", "\xffab\xff"}, "<***>, <***>, <***>, <***>"},
		{"a byte that is no character is not any character", "abcXdefgh, abc\uFFFDdefgh", []string{"abc\xffdefg", "abc\x00defg"}, "abcXdefgh, ***h"},
		{"another character is not what encoders make of one", "abc\uFFFDdefgh", []string{"abc\x00defg", "abcXdefg"}, "abc\uFFFDdefgh"},
		{"a character is a credential's whole piece", "key🔑host", []string{"🔑"}, "key***host"},
		{"of two readings, the longer goes", `token'(ud83d\\\udd11u`, []string{`token'(ud83d\\\udd11`}, "***u"},
		{"no escape ends a text", `<\>, \\\`, []string{"abcd"}, `<\>, \\\`},
		{"31 backslashes are an escape's, more are not", strings.Repeat(`\`, 33) + "u20ac123", []string{"€123"}, `\\***`},
		{"the first letters and the last are letters", "aaaaaaaa zzzzzzzz AAAAAAAA ZZZZZZZZ", []string{"aaaaaaaaa", "zzzzzzzzz", "AAAAAAAAA", "ZZZZZZZZZ"}, "aaaaaaaa zzzzzzzz AAAAAAAA ZZZZZZZZ"},
		{"bytes that encoders replace, of several credentials", "\uFFFDz123, \uFFFDa123, \uFFFDm123, \x80123", []string{"\xffz123", "\xfea123", "\xfdm123", "\x80123"}, "***, ***, ***, ***"},
		{"halves of a pair, and 15 backslashes behind one", `<\\ud83d\\udd11-12345>, \ud83d` + strings.Repeat(`\`, 15), []string{"🔑-12345"}, `<***>, \ud83d` + strings.Repeat(`\`, 15)},
		{"bytes with unlike backslashes", `<\xc3\\xb6-12345>, <\xc3` + strings.Repeat(`\`, 31) + `xb6-12345>`, []string{"ö-12345"}, "<***>, <***>"},
		{"an escape at the end", "12345-%c3%b6", []string{"12345-ö"}, "***"},
		{"what is no escape is no NUL", "%zcd", []string{"\x00zcd"}, "%zcd"},
		{"a word that a password has, too, stays", "wrong password, Password1 of the collection", []string{"demo-password", "my-collection-1", "MyPassword2"}, "wrong password, Password1 of the collection"},
		{"what is no word goes", "demo-passw, n-password, ion-1-, y-collec, Password2", []string{"demo-password", "my-collection-1", "MyPassword2"}, "***, n***, ion-1-, ***, ***"},
		{"a password of words goes whole", "(my-collection-1) (demo-password) (certificates)", []string{"my-collection-1", "demo-password", "certificates"}, "(***) (***) (***)"},
		{"16 letters are no word", "correcthorsebatt, correcthorsebat, certificate", []string{"correcthorsebattery", "certificates"}, "***, correcthorsebat, certificate"},
		{"no credentials leave the text alone", "text", nil, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := strings.Join(tt.credentials, "|")
			if got := Values(tt.in, tt.credentials...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if after := strings.Join(tt.credentials, "|"); after != before {
				t.Errorf("the caller's credentials became %q", after)
			}
		})
	}
}

func TestAPieceOfACredentialIsTakenOutFromItsShortestLengthOn(t *testing.T) {
	const chars = "0a1b2c3d4e5f6g7h8i9j-K_L.M~N!O$P(Q)R0S1T"
	wide := []rune("äöüßÄÖÜ‹🔑›éèê中文字符")
	tests := map[string]struct {
		credential []rune
		piece      int // characters
	}{
		"of 8, all":                    {[]rune(chars[:8]), 8},
		"of 9, 8":                      {[]rune(chars[:9]), 8},
		"of 17, half":                  {[]rune(chars[:17]), 8},
		"of 20, half":                  {[]rune(chars[:20]), 10},
		"of 31, half":                  {[]rune(chars[:31]), 15},
		"of 33, 16":                    {[]rune(chars[:33]), 16},
		"of 40, 16":                    {[]rune(chars), 16},
		"of 17 that are no ASCII":      {wide, 8},
		"of 17 with escapes":           {[]rune(`p"a's/s\%2B+w ö&<`), 8},
		"of 4, as long as counts, all": {[]rune(chars[:4]), 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			credential := string(tt.credential)
			for i := range len(tt.credential) - tt.piece + 1 {
				for form, piece := range inForms(string(tt.credential[i : i+tt.piece])) {
					if form == "small digits" {
						continue // another credential
					}
					for _, known := range []string{credential, "root:" + credential} {
						got := Values("<"+piece+">", known)
						if strings.Trim(got, `<>"\`) != mask {
							t.Errorf("%s from %d on, %s, became %s", piece, i, form, got)
						}
					}
				}
			}
			for i := range len(tt.credential) - tt.piece + 2 {
				shorter := "<" + string(tt.credential[i:i+tt.piece-1]) + ">"
				if got := Values(shorter, credential, "root:"+credential); got != shorter {
					t.Errorf("%s became %s", shorter, got)
				}
			}
		})
	}
}

func TestACredentialIsFoundUnderSomeLayersOfEncoding(t *testing.T) {
	const credential = `c\o\"r/r%e+c t‹🔑`
	layer := func(encode func(string) string, times int) string {
		text := credential
		for range times {
			text = encode(text)
		}
		return text
	}
	marshal := func(s string) string { return quote(s)[1 : len(quote(s))-1] }
	ascii := func(s string) string { s = strconv.QuoteToASCII(s); return s[1 : len(s)-1] }
	tests := map[string]struct {
		encode func(string) string
		layers int
	}{
		"JSON":            {marshal, 4},
		"Go's %+q":        {ascii, 4},
		"a path":          {url.PathEscape, 3},
		"a query, a path": {func(s string) string { return strings.ReplaceAll(url.PathEscape(s), "%20", "+") }, 1},
	}
	for name, tt := range tests {
		for times := range tt.layers + 1 {
			for _, known := range []string{credential, "root:" + credential} {
				if got := Values("<"+layer(tt.encode, times)+">", known); got != "<***>" {
					t.Errorf("%s, %d times, became %s", name, times, got)
				}
			}
		}
	}
}

// Each of the longest run goes, whatever is missing around it.
func TestALongPieceGoesWhole(t *testing.T) {
	const credential = "0123456789abcdefghijABCDEFGHIJ-_.~!$()kK"
	for from := range len(credential) {
		for to := from + maxPiece; to <= len(credential); to++ {
			if got := Values("x"+credential[from:to]+"…"+credential[from:to], credential); got != "x***…***" {
				t.Errorf("%s became %s", credential[from:to], got)
			}
		}
	}
}

func TestATextThatDoesNotSettleIsGivenUpWhole(t *testing.T) {
	grow := func(s string) string { return s + "x" }
	if got := settle("s", grow); got != mask {
		t.Errorf("got %q, want %q", got, mask)
	}
}
