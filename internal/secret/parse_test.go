package secret

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/authority"
)

func TestEveryFormOfASecretIsRead(t *testing.T) {
	tests := map[string]struct {
		text, binary, want string
	}{
		"the token itself":                   {text: "0123456789abcdef", want: "0123456789abcdef"},
		"user and password as the token":     {text: "root:Milvus", want: "root:Milvus"},
		"white space around a token":         {text: " \t0123456789abcdef\r\n", want: "0123456789abcdef"},
		"a token with a space inside":        {text: "root:pass word", want: "root:pass word"},
		"a token that is not ASCII":          {text: "root:pässword", want: "root:pässword"},
		"a token that looks like JSON's end": {text: "}{", want: "}{"},
		"JSON with token":                    {text: `{"token": "0123456789abcdef"}`, want: "0123456789abcdef"},
		"JSON with white space":              {text: "\n {\"token\": \" 0123456789abcdef\\n\"} \n", want: "0123456789abcdef"},
		"JSON with username and password":    {text: `{"username": "root", "password": "Milvus"}`, want: "root:Milvus"},
		"JSON of another order, other keys":  {text: `{"password": "Milvus", "engine": 5, "username": "root"}`, want: "root:Milvus"},
		"a password with colons and spaces":  {text: `{"username": "root", "password": " a:b c"}`, want: "root: a:b c"},
		"a password with JSON's escapes":     {text: `{"username": "root", "password": "\"\\\u00e9"}`, want: `root:"\é`},
		"token before username":              {text: `{"username": "root", "password": "Milvus", "token": "0123"}`, want: "0123"},
		"an empty token, then username":      {text: `{"username": "root", "password": "Milvus", "token": ""}`, want: "root:Milvus"},
		"a binary token":                     {binary: "0123456789abcdef\n", want: "0123456789abcdef"},
		"binary JSON":                        {binary: `{"token": "0123456789abcdef"}`, want: "0123456789abcdef"},
		"a text before a binary":             {text: "text", binary: "binary", want: "text"},
		"an empty text, then a binary":       {text: " ", binary: "binary", want: "binary"},
		"an invisible text, then a binary":   {text: "\ufeff\u200b", binary: "binary", want: "binary"},

		"a byte order mark":                        {text: "\ufeff0123456789abcdef\r\n", want: "0123456789abcdef"},
		"a byte order mark as Windows-1252 has it": {text: "\u00ef\u00bb\u00bf0123456789abcdef", want: "0123456789abcdef"},
		"a byte order mark in a binary":            {binary: "\xef\xbb\xbf0123456789abcdef", want: "0123456789abcdef"},
		"what is invisible around a token":         {text: "\u00a0\u200b\u2060 0123456789abcdef\u200d\u200c\u2003\u200b", want: "0123456789abcdef"},
		"what is invisible within stays":           {text: "root:\u200bpass\u200dword", want: "root:\u200bpass\u200dword"},
		"a byte order mark before JSON":            {text: "\ufeff{\"token\": \"0123456789abcdef\"}", want: "0123456789abcdef"},
		"a byte order mark in JSON's token":        {text: "{\"token\": \"\ufeff0123456789abcdef\u200b\"}", want: "0123456789abcdef"},
		"a byte order mark in JSON's username":     {text: "{\"username\": \"\ufeffroot\u200b\", \"password\": \"Milvus\"}", want: "root:Milvus"},
		"white space behind a password":            {text: `{"username": "root", "password": "Milvus \u200b\n"}`, want: "root:Milvus"},
		"white space before a password":            {text: `{"username": "root", "password": " Milvus"}`, want: "root: Milvus"},
		"a password in quotes":                     {text: `{"username": "root", "password": "\"Milvus\""}`, want: `root:"Milvus"`},
		"a password like a list":                   {text: `{"username": "root", "password": "[\"Milvus\"]"}`, want: `root:["Milvus"]`},
		"a password like a header":                 {text: `{"username": "root", "password": "Bearer Milvus"}`, want: "root:Bearer Milvus"},
		"a quote at one end":                       {text: `root:Milvus"`, want: `root:Milvus"`},
		"a bracket at one end":                     {text: `root:Milvus]`, want: `root:Milvus]`},
		"a user like a scheme":                     {text: `bearer:Milvus`, want: `bearer:Milvus`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _, err := parse(tt.text, []byte(tt.binary))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestABadSecretIsRefusedWithoutRepeatingIt(t *testing.T) {
	const hidden = "correct-horse-battery"
	utf16 := func(order binary.AppendByteOrder, mark string) string {
		text := []byte(mark)
		for _, unit := range []byte(hidden + "\r\n") {
			text = order.AppendUint16(text, uint16(unit))
		}
		return string(text)
	}
	tests := map[string]struct {
		text string
		want error
	}{
		"nothing":                       {"", errEmpty},
		"white space":                   {" \n\t", errEmpty},
		"a byte order mark":             {"\ufeff", errEmpty},
		"JSON without a token":          {`{"key": "` + hidden + `"}`, errKeys},
		"an empty object":               {`{}`, errKeys},
		"an empty token":                {`{"token": ""}`, errKeys},
		"a token of white space":        {`{"token": " \n"}`, errKeys},
		"a token of no width":           {`{"token": "\u200b"}`, errKeys},
		"a token that is a number":      {`{"token": 5, "note": "` + hidden + `"}`, errJSON},
		"a token null":                  {`{"token": null, "note": "` + hidden + `"}`, errKeys},
		"no password":                   {`{"username": "` + hidden + `"}`, errKeys},
		"an empty password":             {`{"username": "` + hidden + `", "password": ""}`, errKeys},
		"a password of white space":     {`{"username": "` + hidden + `", "password": " \ufeff"}`, errKeys},
		"no username":                   {`{"password": "` + hidden + `"}`, errKeys},
		"an empty username":             {`{"username": "", "password": "` + hidden + `"}`, errKeys},
		"JSON cut off":                  {`{"token": "` + hidden, errJSON},
		"JSON with something behind":    {`{"token": "` + hidden + `"} ` + hidden, errJSON},
		"a brace":                       {`{`, errJSON},
		"a token with a line end":       {"correct-horse\n" + hidden, errControl},
		"a token with a tab":            {hidden + "\t" + hidden, errControl},
		"a token with a DEL":            {hidden + "\x7f", errControl},
		"a token with a C1 control":     {hidden + "\u0090x", errControl},
		"a JSON token, a line end":      {`{"token": "a\r\n` + hidden + `"}`, errControl},
		"a JSON password, a line end":   {`{"username": "root", "password": "` + hidden + `\nx"}`, errControl},
		"a JSON password, a NUL":        {`{"username": "root", "password": "` + hidden + `\u0000"}`, errControl},
		"a JSON string":                 {`"` + hidden + `"`, errQuotes},
		"a JSON string, and a mark":     {"\ufeff\"" + hidden + "\"\r\n", errQuotes},
		"user and password in quotes":   {`"root":"` + hidden + `"`, errQuotes},
		"single quotes":                 {`'` + hidden + `'`, errQuotes},
		"backticks":                     {"`" + hidden + "`", errQuotes},
		"a quote":                       {`"`, errQuotes},
		"a word processor's quotes":     {`“` + hidden + `”`, errQuotes},
		"a whole header":                {`Authorization: Bearer ` + hidden, errScheme},
		"quotes in JSON":                {`{"token": "'` + hidden + `'"}`, errQuotes},
		"a list":                        {`["` + hidden + `"]`, errList},
		"a list of two lines":           {"[\n  \"" + hidden + "\"\n]\n", errList},
		"brackets":                      {`[` + hidden + `]`, errList},
		"a list in JSON's token":        {`{"token": "[\"` + hidden + `\"]"}`, errList},
		"a list as JSON's token":        {`{"token": ["` + hidden + `"]}`, errJSON},
		"a scheme":                      {"Bearer " + hidden, errScheme},
		"a scheme in small letters":     {"bearer  " + hidden, errScheme},
		"a scheme in JSON":              {`{"token": "BEARER ` + hidden + `"}`, errScheme},
		"a scheme and a no-break space": {"Bearer\u00a0" + hidden, errScheme},
		"a scheme alone":                {"Bearer ", errScheme},
		"a NUL":                         {hidden + "\x00", errEncoding},
		"UTF-16":                        {utf16(binary.LittleEndian, ""), errEncoding},
		"UTF-16 with its mark":          {utf16(binary.LittleEndian, "\xff\xfe"), errEncoding},
		"UTF-16, big-endian":            {utf16(binary.BigEndian, "\xfe\xff"), errEncoding},
		"UTF-16 read as Windows-1252":   {utf16(binary.LittleEndian, "\u00ff\u00fe"), errEncoding},
		"UTF-16 of JSON, cut":           {"\xff\xfe{\x00", errEncoding},
		"Latin-1":                       {"root:p\xe4ss" + hidden, errEncoding},
		"Latin-1 in JSON":               {"{\"token\": \"p\xe4ss" + hidden + "\"}", errEncoding},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for place, read := range map[string]func() (string, error){
				"as a text":   func() (string, error) { token, _, err := Parse(tt.text); return token, err },
				"as a binary": func() (string, error) { token, _, err := parse("", []byte(tt.text)); return token, err },
			} {
				got, err := read()
				if !errors.Is(err, tt.want) || got != "" {
					t.Fatalf("%s: got %q, %v, want %v", place, got, err, tt.want)
				}
				for _, word := range strings.Split(hidden, "-") {
					if strings.Contains(err.Error(), word) {
						t.Errorf("%v holds %q", err, word)
					}
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"0123456789abcdef", "root:Milvus", `{"token": "0123456789abcdef"}`, `{"username": "root", "password": "Milvus"}`,
		"", " ", "{", "{}", `{"token": 5}`, `{"token": "a\nb"}`, "a\x7fb", "\ufeff{}", "\xff\xfe", "r\x00", "ï»¿x\u200b", `"x"`, `["x"]`, "Bearer x",
		`{"username": "\ufeff", "password": " x "}`, `{"TOKEN": "x", "token": null}`,
	} {
		f.Add(text, []byte(nil))
		f.Add("", []byte(text))
	}
	ca := authority.New(f, "clients")
	pair := ca.Issue(f, time.Now().Add(time.Hour))
	for _, pems := range [][3]string{{ca.PEM()}, {"", pair.Certificate, pair.Key}, {ca.PEM()[:99], pair.Certificate, pair.Certificate}, {"", "-----BEGIN ", "x"}} {
		f.Add(written(pems[0], pems[1], pems[2]), []byte(nil))
	}
	// Only errors that don't depend on the input can't repeat it.
	faults := []error{errEmpty, errEncoding, errJSON, errKeys, errList, errQuotes, errScheme, errControl}
	faultsOfPEMs := []error{errCA, errCALines, errCertificate, errCertificateLines, errKey, errKeyLines, errKeyEncrypted, errOtherKey, errNoKey, errNoCertificate}
	f.Fuzz(func(t *testing.T, text string, binary []byte) {
		token, found, err := parse(text, binary)
		if err != nil {
			if token != "" || !slices.Contains(faults, err) {
				t.Fatalf("got %q and %v", token, err)
			}
			return
		}
		if trust, err := found.trust(); err != nil && (trust != milvus.Trust{} || !slices.Contains(faultsOfPEMs, err)) {
			t.Fatalf("got %+v and %v", trust, err)
		}
		if token == "" || !utf8.ValidString(token) || strings.ContainsFunc(token, unicode.IsControl) {
			t.Fatalf("no header can carry %q", token)
		}
		if visible(token) != token {
			t.Fatalf("%q has something invisible around it", token)
		}
	})
}
