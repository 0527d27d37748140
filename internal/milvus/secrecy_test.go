package milvus

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"refresh-poller/internal/leak"
)

const password = "correct-horse-battery"

// tokens are credentials and the part of each that nobody may see.
var tokens = map[string]struct{ token, secret string }{
	"an API key":                  {apiKey, apiKey},
	"user:password":               {"root:" + password, password},
	"a password with colons":      {"root:" + password + ":x:y", password},
	"a password with odd letters": {"root:p\"\\&‹ä§$%(" + password + ")", password},
	"a password of odd letters":   {`root:p"a's/s\%2B+w ö&<r>d‹🔑`, `w ö&<r>d`},
	"a password with spaces":      {"root:correct horse battery ", "correct horse"},
}

func TestAnAnswerThatEchoesTheCredentialIsFreedOfIt(t *testing.T) {
	text := func(s string) string {
		raw, _ := json.Marshal(s)
		return string(raw)
	}
	job := func(members string) http.HandlerFunc { return answering(200, success(exactID, members)) }
	echoes := map[string]func(secret string) http.HandlerFunc{
		"message": func(s string) http.HandlerFunc {
			return answering(200, `{"code": 1800, "message": `+text("can't authenticate "+s)+`}`)
		},
		"message of another status": func(s string) http.HandlerFunc {
			return answering(401, `{"message": `+text("Authorization: Bearer "+s)+`}`)
		},
		"message at its limit": func(s string) http.HandlerFunc {
			return answering(200, `{"code": 1, "message": `+text(strings.Repeat("x", maxMessage-len(s)/2)+s)+`}`)
		},
		"page of a gateway": func(s string) http.HandlerFunc { return answering(502, "<html>"+s+"</html>") },
		"reason": func(s string) http.HandlerFunc {
			return job(`"state": "RefreshFailed", "reason": ` + text("denied for "+s))
		},
		"reason at its limit": func(s string) http.HandlerFunc {
			return job(`"state": "RefreshFailed", "reason": ` + text(strings.Repeat("x", maxReason-len(s)/2)+s))
		},
		"collection's name": func(s string) http.HandlerFunc {
			return job(`"state": "RefreshFailed", "collectionName": ` + text(s))
		},
		"source, a URL": func(s string) http.HandlerFunc {
			return job(`"state": "RefreshFailed", "externalSource": ` + text("s3://"+s+"@bucket/"+s+"?key="+s))
		},
		"source, a JSON text": func(s string) http.HandlerFunc {
			return job(`"state": "RefreshFailed", "externalSource": ` + text(`{"path": `+text(s)+`, "note": `+text("x "+s)+`}`))
		},
		"state": func(s string) http.HandlerFunc { return job(`"state": ` + text(s)) },
		"code and id": func(s string) http.HandlerFunc {
			return answering(200, `{"code": 0, "data": {"jobId": `+text(s)+`, "state": "RefreshFailed"}}`)
		},
		"Location of a redirect": func(s string) http.HandlerFunc { return answering(302, "", "Location", "http://127.0.0.1/"+s) },
		"Location that is no URL": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 302 Found\r\nLocation: http://[" + s + "\r\n\r\n")
		},
		"Retry-After":            func(s string) http.HandlerFunc { return answering(429, "", "Retry-After", s) },
		"reason phrase":          func(s string) http.HandlerFunc { return sending("HTTP/1.1 401 " + s + "\r\n\r\n") },
		"protocol's name":        func(s string) http.HandlerFunc { return sending(s + " 200 OK\r\n\r\n") },
		"status":                 func(s string) http.HandlerFunc { return sending("HTTP/1.1 " + s + " OK\r\n\r\n") },
		"header without a colon": func(s string) http.HandlerFunc { return sending("HTTP/1.1 200 OK\r\n" + s[:4] + " " + s + "\r\n\r\n") },
		"length of the body": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 200 OK\r\nContent-Length: " + s + "\r\n\r\n")
		},
		"coding of the body": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n")
		},
		"length of a chunk": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s + "\r\n")
		},
		"answer that is no HTTP": func(s string) http.HandlerFunc { return sending(s) },
		"trailer without a colon": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + s[:4] + " " + s + "\r\n\r\n")
		},
		"answer of another switch": func(s string) http.HandlerFunc {
			return sending("HTTP/1.1 101 Switching\r\nUpgrade: " + s + "\r\n\r\n")
		},
	}
	for credential, tt := range tokens {
		for where, echo := range echoes {
			t.Run(credential+" in the "+where, func(t *testing.T) {
				got, err := startCluster(t, echo(tt.token)).Describe(t.Context(), tt.token, refresh(exactID))
				shown := show(got, err)
				if strings.Contains(shown, tt.secret) || leak.Find(shown, tt.token) != nil {
					t.Errorf("%s holds %s", shown, tt.token)
				}
			})
		}
	}
}

// A cluster in another language escapes other characters, or in other letters.
func TestACredentialIsTakenOutInTheFormsThatEncodersGiveIt(t *testing.T) {
	const token = `root:p"a's/s\%2B+w ö&<r>d‹🔑`
	forms := map[string]string{
		"JSON of JavaScript":         `p\"a's/s\\%2B+w ö&<r>d‹🔑`,
		"JSON of Go":                 `p\"a's/s\\%2B+w ö\u0026\u003cr\u003ed‹🔑`,
		"JSON of Python":             `p\"a's/s\\%2B+w \u00f6&<r>d\u2039\ud83d\udd11`,
		"JSON in capital digits":     `p\"a's/s\\%2B+w \u00F6&<r>d\u2039\uD83D\uDD11`,
		"JSON of PHP":                `p\"a's\/s\\%2B+w \u00f6&<r>d\u2039\ud83d\udd11`,
		"JSON without an apostrophe": `p\"a\u0027s/s\\%2B+w ö&<r>d‹🔑`,
		"Go's %+q":                   `p\"a's/s\\%2B+w \u00f6&<r>d\u2039\U0001f511`,
		"a query":                    `p%22a%27s%2Fs%5C%252B%2Bw+%C3%B6%26%3Cr%3Ed%E2%80%B9%F0%9F%94%91`,
		"a query in small digits":    `p%22a%27s%2fs%5c%252B%2bw+%c3%b6%26%3cr%3ed%e2%80%b9%f0%9f%94%91`,
		"a path":                     `p%22a%27s%2Fs%5C%252B+w%20%C3%B6&%3Cr%3Ed%E2%80%B9%F0%9F%94%91`,
		"a path in small digits":     `p%22a%27s%2fs%5c%252B+w%20%c3%b6&%3cr%3ed%e2%80%b9%f0%9f%94%91`,
		"encodeURIComponent":         `p%22a's%2Fs%5C%252B%2Bw%20%C3%B6%26%3Cr%3Ed%E2%80%B9%F0%9F%94%91`,
	}
	for name, form := range forms {
		for _, prefix := range []string{"", "root:"} {
			t.Run(name+" behind "+prefix, func(t *testing.T) {
				text, _ := json.Marshal("refused: " + prefix + form)
				source, _ := json.Marshal(`{"path": "s3://bucket/books", "note": "of ` + prefix + form + `"}`)
				body := success(exactID, fmt.Sprintf(`"state": "RefreshFailed", "reason": %s, "collectionName": %[1]s, "externalSource": %s`, text, source))
				job, err := read(200, nil, []byte(body), refresh(exactID), token)
				_, failure := read(200, nil, fmt.Appendf(nil, `{"code": 1800, "message": %s}`, text), refresh(exactID), token)
				if shown := show(job, err) + show(Job{}, failure); leak.Find(shown, token) != nil {
					t.Errorf("%s holds the token", shown)
				}
			})
		}
	}
}

// The cluster's server drops the white space that ends a header's value (RFC 9110,
// section 5.5), so an echo has none.
func TestAPasswordThatEndsInWhiteSpaceIsTakenOutWithoutIt(t *testing.T) {
	for _, token := range []string{"root:" + password + " ", "root:" + password + "\t \t", "root: " + password, apiKey + "  "} {
		var received string
		c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
			received = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			raw, _ := json.Marshal("no user " + received + "!")
			answering(200, `{"code": 1800, "message": `+string(raw)+`}`)(w, r)
		})
		if failure := failedWith(t, t.Context(), c, token); failure.Message != "no user ***!" {
			t.Errorf("%q came as %q, and back as %q", token, received, failure.Message)
		}
	}
}

func TestACredentialThatTheClusterShortensIsTakenOut(t *testing.T) {
	const key = "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432" // 40 characters
	shortened := map[string]string{
		"its beginning":             key[:36],
		"its beginning and a mark":  key[:36] + "…",
		"its end":                   key[4:],
		"its end behind a mark":     "..." + key[4:],
		"its middle":                key[2:38],
		"half of it":                key[:20] + "********************",
		"16 characters of each end": key[:16] + "…" + key[24:],
		"another key's beginning":   "9f8f" + key[4:],
	}
	for name, echo := range shortened {
		for _, token := range []string{key, "root:" + key} {
			t.Run(name+" of "+token[:4], func(t *testing.T) {
				c := startCluster(t, answering(200, `{"code": 21119, "message": "The apikey `+echo+` is illegal."}`))
				message := failedWith(t, t.Context(), c, token).Message
				if leak.Find(message, token) != nil || !strings.HasPrefix(message, "The apikey ") || !strings.HasSuffix(message, " is illegal.") {
					t.Errorf("%s became %s", echo, message)
				}
			})
		}
	}
}

// A password may be a word of ours.
func TestOurOwnWordsStay(t *testing.T) {
	tests := map[string]struct {
		status     int
		body, want string
	}{
		"of an answer that is no JSON":  {200, "<html>answer</html>", "the answer is not the API's JSON"},
		"of one without a message":      {200, `{"code": 1}`, "the answer has no message"},
		"of one of another status":      {500, `{}`, "the answer is not HTTP 200"},
		"of one without data":           {200, `{"code": 0}`, "the answer has no data"},
		"of one about another job":      {200, success(exactID+1, inProgress), "the answer is about another job"},
		"of one that is too long":       {200, strings.Repeat(" ", maxBody+1), "the answer is larger than 1 MiB"},
		"but not of one with a message": {200, `{"code": 1, "message": "the answer"}`, "the ***"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, answering(tt.status, tt.body))
			if failure := failedWith(t, t.Context(), c, "root:answer"); failure.Message != tt.want {
				t.Errorf("got %q, want %q", failure.Message, tt.want)
			}
		})
	}
}

// Only what is gone through for credentials is shown; what is masked becomes so
// much shorter that the end of that comes into view.
func TestNoCredentialIsShownWhereALongTextIsCut(t *testing.T) {
	for _, token := range []string{"root:correct horse battery", "root:pass word", "root:abcd", apiKey} {
		_, secret, _ := strings.Cut(token, ":")
		if secret == "" {
			secret = token
		}
		for before := range len(secret) + 2 {
			text := strings.Repeat("x", before) + strings.Repeat(" "+secret, maxRedacted/len(secret))
			for piece := range strings.FieldsSeq(clean(text, token, maxReason)) {
				if strings.Trim(piece, "x*…") != "" {
					t.Fatalf("of %q, %q is shown", token, piece)
				}
			}
		}
	}
}

// A text that can't be gone through as a whole ends between two words, and far
// enough before its end for no beginning of a credential to be left.
func TestOf16KiBAtMostIsShownWhatHasNoCredential(t *testing.T) {
	const unit = "pwd=another-word-another-word-another-word-another-word-another " // becomes "pwd=*** "
	whole := strings.Repeat(unit, 16<<10/len(unit)) + strings.Repeat("x", maxRedacted%len(unit))
	tests := map[string]struct {
		text string
		want int // pairs that are shown
	}{
		"16 KiB":                   {whole, maxRedacted / len(unit)},
		"a byte more":              {whole + "x", 14 << 10 / len(unit)},
		"four times as much":       {strings.Repeat(unit, 4*16<<10/len(unit)), 14 << 10 / len(unit)},
		"a word of more than that": {strings.Repeat("x", maxRedacted+1), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := clean(tt.text, apiKey, maxReason)
			if shown := strings.Count(got, "pwd=***"); shown != tt.want {
				t.Errorf("%d of %d pairs are shown, want %d", shown, strings.Count(tt.text, "pwd="), tt.want)
			}
		})
	}
}

func TestHalfACredentialIsNotShownAtACut(t *testing.T) {
	for before := maxMessage - len(password); before <= maxMessage; before++ {
		message := strings.Repeat("x", before) + password
		_, err := read(200, nil, []byte(`{"code": 1, "message": "`+message+`"}`), refresh(1), "root:"+password)
		if strings.Contains(err.Error(), password[:4]) {
			t.Fatalf("the error ends in %q", err.Error()[before-10:])
		}
	}
}

func TestCredentialsOfTheSourceAreTakenOut(t *testing.T) {
	const planted = "wJalrXUtnFEMIK7MDENG"
	tests := map[string]struct{ members, kept string }{
		"a user in a URL":    {`"externalSource": "s3://AKIA0123456789ABCDEF:` + planted + `@bucket/books"`, "bucket/books"},
		"a signed URL":       {`"externalSource": "https://bucket.example.com/books?X-Amz-Signature=` + planted + `"`, "https://bucket.example.com/books"},
		"a key in JSON":      {`"externalSource": "{\"path\":\"s3://bucket/books\",\"secret_key\":\"` + planted + `\"}"`, "s3://bucket/books"},
		"a key in a reason":  {`"reason": "can't read s3://bucket/books with access_key_value=` + planted + `"`, "s3://bucket/books"},
		"the spec":           {`"externalSpec": "{\"extfs\":{\"access_key_value\":\"` + planted + `\"}}"`, "RefreshFailed"},
		"the spec, unquoted": {`"externalSpec": {"extfs.access_key_value": "` + planted + `"}`, "RefreshFailed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := success(exactID, tt.members+`, "state": "RefreshFailed"`)
			job, err := startCluster(t, answering(200, body)).Describe(t.Context(), apiKey, refresh(exactID))
			shown := show(job, err)
			if strings.Contains(shown, planted) {
				t.Errorf("%s holds %s", shown, planted)
			}
			if !strings.Contains(shown, tt.kept) {
				t.Errorf("%s lacks %s", shown, tt.kept)
			}
		})
	}
}

func TestATokenThatNoHeaderCanCarryIsNotRepeated(t *testing.T) {
	c := startCluster(t, answering(200, success(exactID, inProgress)))
	failure := failedWith(t, t.Context(), c, "root:\n"+password)
	if strings.Contains(show(Job{}, failure), password) {
		t.Errorf("%v", failure)
	}
}

// show writes all that a log or an event could take from a describe.
func show(job Job, err error) string {
	raw, _ := json.Marshal(job)
	return fmt.Sprintf("%+v %s %+v %#v %v", job, raw, err, err, err)
}
