// Package leak finds credentials in what was written, in whatever form an
// encoder may have put them there. Only tests use it.
package leak

import (
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLayers is how many encodings may lie around a credential: the externalSource
// of an event is JSON within the detail's JSON, within that of a call of AWS.
const maxLayers = 3

// Find returns those of the credentials that text holds: as they are, or under
// up to three layers of JSON strings or percent-encoding, or in base64. Of
// user:password, the password alone counts too, and of each credential any half,
// in characters: but no piece of fewer than 8, nor of fewer than 16 letters alone,
// which may be a word, and each of 16. Of PEM, the secret is the base64 in it.
func Find(text string, credentials ...string) (found []string) {
	texts := decodings(text)
	for _, credential := range credentials {
		secret := credential
		if _, password, ok := strings.Cut(credential, ":"); ok {
			secret = password
		}
		if block, _ := pem.Decode([]byte(credential)); block != nil {
			secret = base64.StdEncoding.EncodeToString(block.Bytes)
		}
		sought := append(pieces(secret), base64.StdEncoding.EncodeToString([]byte(credential)), base64.URLEncoding.EncodeToString([]byte(credential)))
		holds := func(text string) bool {
			return slices.ContainsFunc(sought, func(s string) bool { return strings.Contains(text, s) })
		}
		if slices.ContainsFunc(texts, holds) {
			found = append(found, credential)
		}
	}
	return found
}

// pieces returns the shortest pieces of a secret that count; any longer one holds
// one of them.
func pieces(secret string) []string {
	chars := []rune(secret)
	size := min(max(len(chars)/2, 8), 16)
	all := []string{secret}
	for i := range chars {
		for _, size := range []int{size, 16} {
			if i+size > len(chars) || !utf8.ValidString(secret) {
				continue
			}
			if piece := string(chars[i : i+size]); size == 16 || !letters.MatchString(piece) {
				all = append(all, piece)
			}
		}
	}
	return all
}

var letters = regexp.MustCompile(`^[a-zA-Z]*$`)

// decodings returns text and what comes of taking layers off it.
func decodings(text string) []string {
	all := []string{text}
	layer := all
	for range maxLayers {
		var next []string
		for _, text := range layer {
			for _, decode := range []func(string) string{fromJSON, fromPath, fromQuery} {
				if decoded := decode(text); !slices.Contains(all, decoded) {
					all, next = append(all, decoded), append(next, decoded)
				}
			}
		}
		layer = next
	}
	return all
}

// escape is one of JSON, or one that Go's %q writes; a pair of surrogates goes
// together.
var escape = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|["\\/bfnrt'av])`)

// fromJSON takes the escapes out of text, which needn't be JSON as a whole.
func fromJSON(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return escape.ReplaceAllStringFunc(text, func(match string) string {
		hex := func(digits string) rune {
			n, _ := strconv.ParseUint(digits, 16, 32)
			return rune(n)
		}
		switch {
		case len(match) == len(`\ud83d\udd11`):
			return string(utf16.DecodeRune(hex(match[2:6]), hex(match[8:])))
		case len(match) == len(`\xff`):
			return string([]byte{byte(hex(match[2:]))})
		case len(match) > len(`\n`):
			return string(hex(match[2:]))
		case match == `\/`:
			return "/"
		}
		char, _, _, err := strconv.UnquoteChar(match, match[1])
		if err != nil {
			return match
		}
		return string(char)
	})
}

var percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

func fromPath(text string) string {
	return percent.ReplaceAllStringFunc(text, func(match string) string {
		char, _ := url.PathUnescape(match)
		return char
	})
}

func fromQuery(text string) string { return fromPath(strings.ReplaceAll(text, "+", " ")) }
