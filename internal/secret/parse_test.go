package secret

import (
	"errors"
	"strings"
	"testing"
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
		"a password with colons and spaces":  {text: `{"username": "root", "password": " a:b "}`, want: "root: a:b "},
		"a password with JSON's escapes":     {text: `{"username": "root", "password": "\"\\\u00e9"}`, want: `root:"\é`},
		"token before username":              {text: `{"username": "root", "password": "Milvus", "token": "0123"}`, want: "0123"},
		"an empty token, then username":      {text: `{"username": "root", "password": "Milvus", "token": ""}`, want: "root:Milvus"},
		"a binary token":                     {binary: "0123456789abcdef\n", want: "0123456789abcdef"},
		"binary JSON":                        {binary: `{"token": "0123456789abcdef"}`, want: "0123456789abcdef"},
		"a text before a binary":             {text: "text", binary: "binary", want: "text"},
		"an empty text, then a binary":       {text: " ", binary: "binary", want: "binary"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.text, []byte(tt.binary))
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
	tests := map[string]struct {
		text string
		want error
	}{
		"nothing":                     {"", errForm},
		"white space":                 {" \n\t", errForm},
		"JSON without a token":        {`{"key": "` + hidden + `"}`, errForm},
		"an empty object":             {`{}`, errForm},
		"an empty token":              {`{"token": ""}`, errForm},
		"a token of white space":      {`{"token": " \n"}`, errForm},
		"a token that is a number":    {`{"token": 5, "note": "` + hidden + `"}`, errForm},
		"a token null":                {`{"token": null, "note": "` + hidden + `"}`, errForm},
		"no password":                 {`{"username": "` + hidden + `"}`, errForm},
		"an empty password":           {`{"username": "` + hidden + `", "password": ""}`, errForm},
		"no username":                 {`{"password": "` + hidden + `"}`, errForm},
		"an empty username":           {`{"username": "", "password": "` + hidden + `"}`, errForm},
		"JSON cut off":                {`{"token": "` + hidden, errForm},
		"JSON with something behind":  {`{"token": "` + hidden + `"} ` + hidden, errForm},
		"a brace":                     {`{`, errForm},
		"a token with a line end":     {"correct-horse\n" + hidden, errBytes},
		"a token with a NUL":          {hidden + "\x00", errBytes},
		"a token with a tab":          {hidden + "\t" + hidden, errBytes},
		"a token with a DEL":          {hidden + "\x7f", errBytes},
		"a JSON token, a line end":    {`{"token": "a\r\n` + hidden + `"}`, errBytes},
		"a JSON password, a line end": {`{"username": "root", "password": "` + hidden + `\n"}`, errBytes},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.text, nil)
			if !errors.Is(err, tt.want) || got != "" {
				t.Fatalf("got %q, %v, want %v", got, err, tt.want)
			}
			for _, word := range strings.Split(hidden, "-") {
				if strings.Contains(err.Error(), word) {
					t.Errorf("%v holds %q", err, word)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"0123456789abcdef", "root:Milvus", `{"token": "0123456789abcdef"}`, `{"username": "root", "password": "Milvus"}`,
		"", " ", "{", "{}", `{"token": 5}`, `{"token": "a\nb"}`, "a\x7fb", "\ufeff{}", "\xff\xfe", `{"TOKEN": "x", "token": null}`,
	} {
		f.Add(text, []byte(nil))
		f.Add("", []byte(text))
	}
	f.Fuzz(func(t *testing.T, text string, binary []byte) {
		token, err := parse(text, binary)
		if err != nil {
			// Only errors that don't depend on the input can't repeat it.
			if token != "" || err != errForm && err != errBytes {
				t.Fatalf("got %q and %v", token, err)
			}
			return
		}
		if token == "" {
			t.Fatal("an empty token is none")
		}
		for _, b := range []byte(token) {
			if b < ' ' || b == 0x7f {
				t.Fatalf("no header can carry %q", token)
			}
		}
	})
}
