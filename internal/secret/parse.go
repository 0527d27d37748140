package secret

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"refresh-poller/internal/milvus"
)

const (
	forms  = "it must hold the token itself, or JSON with token, or JSON with username and password"
	inJSON = forms + `, and the line ends of a PEM there are \n`
)

// The faults of a secret: each says what is wrong, then what is right, and repeats
// nothing of it. The runbook lists them.
var (
	errEmpty    = errors.New("it is empty: " + forms)
	errEncoding = errors.New("it is not UTF-8, or has NUL bytes, as UTF-16 does, which PowerShell writes into files: it must be UTF-8 text")
	errJSON     = errors.New("it begins with { and is not one JSON object whose values are strings: " + inJSON)
	errKeys     = errors.New("it is JSON that lacks a token, and a username or password: " + forms)
	errList     = errors.New("the token is in square brackets, like a JSON list: it must be without them")
	errQuotes   = errors.New("the token is in quotes: it must be without them")
	errScheme   = errors.New("the token has Bearer before it: it must be without, for that is sent anyway")
	errControl  = errors.New("the token has a control character, such as a line end, which no HTTP header can carry: it must be on one line")
)

// Parse returns the token that a secret's text holds, without the white space and
// other invisible characters around it, and the trust that is in JSON beside it:
//
//	0123456789abcdef
//	{"token": "0123456789abcdef"}
//	{"username": "root", "password": "Milvus"}
//	{"token": "…", "caCertificate": "-----BEGIN …", "clientCertificate": "-----BEGIN …", "clientPrivateKey": "-----BEGIN …"}
//
// What can't be a token, a certificate or its key is a fault, and the error one
// sentence about it that repeats nothing of the text.
func Parse(text string) (token string, trust milvus.Trust, err error) {
	token, found, err := parse(text, nil)
	if err == nil {
		trust, err = found.trust()
	}
	if err != nil {
		return "", milvus.Trust{}, err
	}
	return token, trust, nil
}

// markOfUTF8 is the byte order mark of UTF-8 where the AWS CLI has read it from a
// file on Windows: it takes files to be in the locale's encoding (AWS CLI User
// Guide, "Loading a parameter from a file").
const markOfUTF8 = "ï»¿"

func parse(text string, binary []byte) (string, pems, error) {
	token := visible(strings.TrimPrefix(text, markOfUTF8))
	if token == "" {
		text = string(binary)
		token = visible(text)
	}
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return "", pems{}, errEncoding
	case token == "":
		return "", pems{}, errEmpty
	case token[0] == '{':
		return fromJSON(token)
	}
	token, err := bare(token)
	return token, pems{}, err
}

// object is the secret as JSON.
type object struct{ Token, Username, Password, CACertificate, ClientCertificate, ClientPrivateKey string }

func fromJSON(text string) (string, pems, error) {
	var object object
	// The error would repeat a part of the secret.
	if json.Unmarshal([]byte(text), &object) != nil {
		return "", pems{}, errJSON
	}
	token, err := object.token()
	return token, pems{visible(object.CACertificate), visible(object.ClientCertificate), visible(object.ClientPrivateKey)}, err
}

func (object object) token() (string, error) {
	if token := visible(object.Token); token != "" {
		return bare(token)
	}
	// A password may begin with anything. But no header's value ends in white
	// space (RFC 9110, section 5.5), so it is never sent.
	user, password := visible(object.Username), strings.TrimRightFunc(object.Password, invisible)
	if user == "" || password == "" {
		return "", errKeys
	}
	return sendable(user + ":" + password)
}

// bare returns a token that is no JSON. Neither an API key nor a user's name, which
// begins with a letter, looks like the faults.
func bare(token string) (string, error) {
	first, last := token[0], token[len(token)-1]
	opening, _ := utf8.DecodeRuneInString(token)
	switch scheme := strings.Fields(token)[0]; {
	case first == '[' && last == ']':
		return "", errList
	case first == last && strings.IndexByte("\"'`", first) >= 0, strings.ContainsRune("“”‘’„«»", opening):
		return "", errQuotes
	case strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "Authorization:"):
		return "", errScheme
	}
	return sendable(token)
}

func sendable(token string) (string, error) {
	if strings.ContainsFunc(token, unicode.IsControl) {
		return "", errControl
	}
	return token, nil
}

// visible returns text without what is invisible around it.
func visible(text string) string { return strings.TrimFunc(text, invisible) }

// invisible reports whether r is white space or, as the byte order mark and those of
// no width are, a character that only says how others are to be shown.
func invisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
