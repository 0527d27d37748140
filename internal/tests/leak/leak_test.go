package leak

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// odd has whatever an encoder may escape.
const odd = `p"a'ss\w/ö&r<d>+ %2B%zz?#:;=‹🔑` + "\u2028"

// encoders write a text as some encoder does.
var encoders = map[string]func(string) string{
	"as it is":               func(s string) string { return s },
	"JSON":                   func(s string) string { raw, _ := json.Marshal(s); return string(raw) },
	"Go's %q":                strconv.Quote,
	"Go's %+q":               strconv.QuoteToASCII,
	"JSON in capital digits": func(s string) string { return capitals(`\u`, asciiJSON(s)) },
	"JSON in ASCII":          asciiJSON,
	"JSON of PHP":            func(s string) string { return strings.ReplaceAll(asciiJSON(s), "/", `\/`) },
	"a query":                url.QueryEscape,
	"a query in small digits": func(s string) string {
		return percent.ReplaceAllStringFunc(url.QueryEscape(s), strings.ToLower)
	},
	"a path":    url.PathEscape,
	"user info": func(s string) string { return url.UserPassword("root", s).String() },
	"a byte a time": func(s string) string {
		return fmt.Sprintf("%%%s", strings.Join(strings.Fields(fmt.Sprintf("% x", s)), "%"))
	},
}

// asciiJSON writes JSON as Python does.
func asciiJSON(s string) string {
	var b strings.Builder
	for _, unit := range s {
		switch {
		case unit >= 0x10000:
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(unit-0x10000)>>10, 0xdc00+(unit-0x10000)&0x3ff)
		case unit > '~':
			fmt.Fprintf(&b, `\u%04x`, unit)
		case unit == '"' || unit == '\\':
			b.WriteString(`\` + string(unit))
		default:
			b.WriteRune(unit)
		}
	}
	return b.String()
}

func capitals(mark, s string) string {
	parts := strings.Split(s, mark)
	for i := range parts[1:] {
		parts[i+1] = strings.ToUpper(parts[i+1][:4]) + parts[i+1][4:]
	}
	return strings.Join(parts, mark)
}

func TestACredentialIsFoundInEveryForm(t *testing.T) {
	for first, inner := range encoders {
		for second, outer := range encoders {
			text := "before " + outer("within "+inner(odd)+" within") + " behind"
			if got := Find(text, "root:"+odd, "root:another"); len(got) != 1 {
				t.Errorf("%s in %s: found %q in %s", first, second, got, text)
			}
		}
	}
	marshal := encoders["JSON"]
	if len(Find(marshal(marshal(marshal(odd))), odd)) != 1 {
		t.Error("not found under three layers of JSON")
	}
	if len(Find("Basic "+base64.StdEncoding.EncodeToString([]byte("root:"+odd)), "root:"+odd)) != 1 {
		t.Error("not found in base64")
	}
}

func TestOfPEMEachLineIsFound(t *testing.T) {
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(strings.Repeat(odd, 3))}))
	lines := strings.Split(key, "\n")
	for _, text := range []string{key, lines[1], lines[2][7:23], strings.Join(lines[1:4], ""), strings.ReplaceAll(key, "\n", `\\n`), url.QueryEscape(key)} {
		if len(Find("before "+text, key)) != 1 {
			t.Errorf("not found in %s", text)
		}
	}
	for _, text := range []string{lines[0], lines[2][7:22]} {
		if Find(text, key) != nil {
			t.Errorf("found in %s", text)
		}
	}
}

func TestOnlyWhatIsThereIsFound(t *testing.T) {
	if found := Find("the password of a collection", "root:demo-password", "my-collection-1"); found != nil {
		t.Errorf("words are taken for pieces of %q", found)
	}
	const text = `{"message": "root is refused: the token of 100 % \u00e9", "x": "\ud83d", "y": "\8"}`
	if diff := cmp.Diff([]string(nil), Find(text, "root:Milvus", odd, "0123456789abcdef")); diff != "" {
		t.Error(diff)
	}
}

func TestAPieceIsFoundFromItsShortestLengthOn(t *testing.T) {
	const long, middle, short, wide = "0a1b2c3d4e5f6g7h8i9j-K_L.M~N!O$P(Q)R0S1T", "0a1b2c3d4e5f6g7h8i9j", "0123456789", "äöüßÄÖÜ‹🔑›éèê"
	tests := map[string]struct{ credential, shortest, shorter string }{
		"of a long one, its beginning":       {long, long[:16], long[:15]},
		"of a long one, its end":             {long, long[len(long)-16:], long[len(long)-15:]},
		"of a long password":                 {"root:" + long, long[5:21], long[5:20]},
		"of 20 characters":                   {middle, middle[3:13], middle[3:12]},
		"of 10 characters":                   {short, short[:8], short[:7]},
		"of 8, all":                          {short[:8], short[:8], short[:7]},
		"of 4, all":                          {short[:4], short[:4], short[:3]},
		"of 13 characters that are no ASCII": {wide, "ßÄÖÜ‹🔑›é", "ßÄÖÜ‹🔑›"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for form, encode := range encoders {
				if len(Find("before "+encode("…"+tt.shortest+"…"), tt.credential)) != 1 {
					t.Errorf("%s is not found, %s", tt.shortest, form)
				}
				if Find("before "+encode("…"+tt.shorter+"…"), tt.credential) != nil {
					t.Errorf("%s is found, %s", tt.shorter, form)
				}
			}
		})
	}
}
