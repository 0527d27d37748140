package redact

import (
	"encoding/json"
	"errors"
	"strings"
)

const (
	// maxNested is how many JSON texts may lie in each other's strings.
	maxNested = 4
	// maxLevels is how deep objects and arrays may lie in each other, so that
	// no text can exhaust the stack.
	maxLevels = 500

	jsonSpace = " \t\r\n"
)

var errTooDeep = errors.New("JSON is too deep")

// source goes once through a source; nested is the number of JSON texts
// around it.
func source(s string, nested int) string {
	start := strings.TrimLeft(s, jsonSpace)
	if start == "" || start[0] != '{' && start[0] != '[' {
		return location(s)
	}
	if nested > maxNested {
		return mask
	}
	w := walk{src: s, dec: json.NewDecoder(strings.NewReader(s)), nested: nested}
	w.dec.UseNumber()
	err := w.values()
	w.out.WriteString(s[w.done:])
	if err != nil {
		// What parsed is clean by now; this is for the rest.
		return text(w.out.String())
	}
	return w.out.String()
}

// walk goes through src token by token and copies it to out; only what had to
// change differs, so order, repeated keys, numbers and layout stay.
type walk struct {
	src    string
	dec    *json.Decoder
	nested int
	out    strings.Builder
	done   int // src[:done] is dealt with
}

// values goes through the JSON values that src consists of, usually one.
func (w *walk) values() error {
	for strings.TrimLeft(w.src[w.dec.InputOffset():], jsonSpace) != "" {
		if err := w.value(0); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) value(level int) error {
	if level > maxLevels {
		return errTooDeep
	}
	tok, err := w.token()
	if err != nil {
		return err
	}
	open, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	for w.dec.More() {
		step := w.value
		if open == '{' {
			step = w.member
		}
		if err := step(level + 1); err != nil {
			return err
		}
	}
	_, err = w.token()
	return err
}

func (w *walk) member(level int) error {
	key, err := w.token()
	if err != nil {
		return err
	}
	if name, _ := key.(string); !secretKey(name) {
		return w.value(level)
	}
	start := int(w.dec.InputOffset())
	var value json.RawMessage
	if err := w.dec.Decode(&value); err != nil {
		w.replace(start, len(w.src), `:"`+mask+`"`)
		return err
	}
	end := int(w.dec.InputOffset())
	w.replace(end-len(value), end, `"`+mask+`"`)
	return nil
}

// token reads a token. A string, be it a key or a value, is a source itself.
func (w *walk) token() (json.Token, error) {
	start := w.dec.InputOffset()
	tok, err := w.dec.Token()
	s, ok := tok.(string)
	if !ok {
		return tok, err
	}
	if clean := source(s, w.nested+1); clean != s {
		end := int(w.dec.InputOffset())
		raw := strings.TrimLeft(w.src[start:end], jsonSpace+",:")
		w.replace(end-len(raw), end, quote(clean))
	}
	return tok, err
}

func (w *walk) replace(start, end int, with string) {
	w.out.WriteString(w.src[w.done:start] + with)
	w.done = end
}

// quote returns s as a JSON string, with <, > and & as they are.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
