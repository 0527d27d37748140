package redact

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"refresh-poller/internal/tests/leak"
)

// newKey returns so many bytes in PEM, as a private key is.
func newKey(size int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func TestOfAPrivateKeyNoLineIsLeft(t *testing.T) {
	for _, size := range []int{32, 138, 1218, 2375} {
		key := newKey(size)
		lines := strings.Split(strings.TrimSpace(key), "\n")
		body := strings.Join(lines[1:len(lines)-1], "")
		texts := inForms(key)
		texts["one line"], texts["lines of 76"], texts["a line"], texts["a piece"] = body, strings.Join(slices.Collect(chunks(body, 76)), "\n"), lines[1], body[3:19]
		for name, text := range texts {
			masked := Values("before "+text+" behind", "a token", key)
			if found := leak.Find(masked, key); found != nil || !strings.HasPrefix(masked, "before ") || !strings.HasSuffix(masked, " behind") {
				t.Errorf("%s of %d bytes: %s", name, size, masked)
			}
			if again := Index("a token", key).Values("before " + text + " behind"); again != masked {
				t.Errorf("%s: ready, it is %s", name, again)
			}
		}
		const sentence = "clientPrivateKey must be from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----"
		if masked := Values(sentence, key); masked != sentence {
			t.Errorf("%s", masked)
		}
	}
}

func chunks(text string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" && yield(text[:min(size, len(text))]) {
			text = text[min(size, len(text)):]
		}
	}
}

// A key of RSA with 4096 bits has 3 KB.
func BenchmarkAPrivateKey(b *testing.B) {
	key := newKey(2375)
	b.Run("made ready", func(b *testing.B) {
		for b.Loop() {
			Index(key)
		}
	})
	const message = "refresh job 449503829274509313 not found; "
	for name, known := range map[string]*Known{"a key": Index(key), "a token": Index("0123456789abcdef0123456789abcdef")} {
		for _, times := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/in %d bytes", name, times*len(message)), func(b *testing.B) {
				text := strings.Repeat(message, times)
				for b.Loop() {
					known.Values(text)
				}
			})
		}
	}
}
