package secret

import (
	"encoding/json"
	"errors"
	"strings"
)

var (
	errForm  = errors.New("it must hold the token itself, or JSON with token, or JSON with username and password")
	errBytes = errors.New("its token has characters that an HTTP header can't carry")
)

// parse reads the secret's forms:
//
//	0123456789abcdef
//	{"token": "0123456789abcdef"}
//	{"username": "root", "password": "Milvus"}
func parse(text string, binary []byte) (string, error) {
	token := strings.TrimSpace(text)
	if token == "" {
		token = strings.TrimSpace(string(binary))
	}
	if strings.HasPrefix(token, "{") {
		var object struct{ Token, Username, Password string }
		// The error would repeat a part of the secret.
		if json.Unmarshal([]byte(token), &object) != nil {
			return "", errForm
		}
		token = strings.TrimSpace(object.Token)
		if token == "" && object.Username != "" && object.Password != "" {
			token = object.Username + ":" + object.Password
		}
	}
	switch {
	case token == "":
		return "", errForm
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errBytes
	}
	return token, nil
}
