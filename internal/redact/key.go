package redact

import (
	"slices"
	"strings"
	"unicode"
)

var (
	// A key with one of these anywhere in it, separators left out, names a
	// secret: extfs.access_key_value, accessKeyId.
	secretParts = []string{
		"secret", "password", "passwd", "passphrase", "token", "accesskey",
		"apikey", "privatekey", "accountkey", "sharedkey", "sessionkey",
		"encryptionkey", "storagekey", "subscriptionkey", "clientkey",
		"serverkey", "sslkey", "tlskey", "signingkey", "masterkey", "credential", "signature", "connectionstring",
		"authorization",
	}
	// These are too short for that (author, design, passed), so they count
	// only as a whole word of the key: sas_url, userPwd.
	secretWords = []string{"sas", "sig", "pwd", "pass", "auth", "bearer", "cookie", "sk", "jwt", "hmac"}
)

// secretKey reports whether a value under this key is a secret, however the
// key is written: access_key, access-key, accessKey, ACCESSKEY.
func secretKey(name string) bool {
	words := keyWords(name)
	if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) }) {
		return true
	}
	flat := strings.Join(words, "")
	return slices.ContainsFunc(secretParts, func(p string) bool { return strings.Contains(flat, p) })
}

// keyWords splits a key into its words, in lower case: at whatever is no
// letter, and where camel case starts a new word (fsAuth, PWDHash).
func keyWords(name string) []string {
	runes := []rune(name)
	var spaced strings.Builder
	for i, r := range runes {
		startsWord := unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord || !unicode.IsLetter(r) {
			spaced.WriteByte(' ')
		}
		if unicode.IsLetter(r) {
			spaced.WriteRune(unicode.ToLower(r))
		}
	}
	return strings.Fields(spaced.String())
}
