package watch

import (
	"encoding/json"
	"math/rand/v2"
	"refresh-poller/internal/milvus"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"refresh-poller/internal/tests/schematest"
)

var (
	whole      = regexp.MustCompile(`^[0-9.]+([eE][-+]?[0-9]+)?$`)
	nineteen   = regexp.MustCompile(`^[1-9][0-9]{18}$`)
	idForms    = []string{`%`, `{"jobId":%}`, `{"code":0,"data":{"jobId":%}}`, `{"detail":{"jobId":%}}`, `{"detail":{"code":"0","data":{"jobId":%}}}`}
	idAlphabet = []rune("00112345678999.-+eE _x٤\"")
)

// wantAgreement checks that a validator takes the ids that Parse takes, in every
// form, and no others but two kinds that message.json warns of.
func wantAgreement(t *testing.T, text string) {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{text, string(quoted)} {
		for _, form := range idForms {
			body := strings.Replace(form, "%", id, 1)
			_, refusal := Parse(body, messageID, sent, milvus.ExternalCollection)
			fault := schematest.MessageFault(body)
			warned := id == text && whole.MatchString(text) && strings.ContainsAny(text, ".eE") || id != text && nineteen.MatchString(text)
			if (refusal == nil) != (fault == nil) && (fault != nil || !warned) {
				t.Errorf("%s: Parse says %v, the schema %v", body, refusal, fault)
			}
		}
	}
}

func TestTheSchemaTakesTheIDsThatParseTakes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 100 {
		text := make([]rune, random.IntN(21))
		for i := range text {
			text[i] = idAlphabet[random.IntN(len(idAlphabet))]
		}
		wantAgreement(t, strings.TrimSpace(string(text)))
		wantAgreement(t, strconv.FormatUint(random.Uint64()>>random.IntN(64), 10))
		wantAgreement(t, strconv.FormatUint(1<<63-50+random.Uint64N(100), 10))
	}
}

func FuzzTheSchemaTakesTheIDsThatParseTakes(f *testing.F) {
	for _, text := range []string{"1", "9223372036854775807", "9223372036854775808", "0", "01", "-1", "1.0", "1e3", "1e9999999", "٤", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// The forms are about ids; what else a body can be is FuzzParse's matter.
		if strings.ContainsAny(text, "{}[],:\\") || strings.TrimSpace(text) != text {
			t.Skip()
		}
		wantAgreement(t, text)
	})
}
