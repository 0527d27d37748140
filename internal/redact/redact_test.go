package redact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// check compares clean(in) with want, and that clean leaves want alone.
func check(t *testing.T, clean func(string) string, in, want string) {
	t.Helper()
	if diff := cmp.Diff(want, clean(in)); diff != "" {
		t.Errorf("of %q (-want +got):\n%s", in, diff)
	}
	if diff := cmp.Diff(want, clean(want)); diff != "" {
		t.Errorf("not idempotent (-want +got):\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	tests := []struct {
		name        string
		in          string
		credentials []string
		want        string
	}{
		{"every occurrence goes", "hunter2 and hunter2", []string{"hunter2"}, "*** and ***"},
		{"several credentials go", "root:Milvus", []string{"root", "Milvus"}, "***:***"},
		{"one that begins with another goes whole", "abcdefgh", []string{"abcd", "abcdefgh"}, "***"},
		{"short ones are ignored", "a cat", []string{"a", "cat", ""}, "a cat"},
		{"what replaces one is not searched again", "abcd****", []string{"abcd", "****"}, "******"},
		{"no credentials leave the text alone", "text", nil, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := strings.Join(tt.credentials, "|")
			if got := Values(tt.in, tt.credentials...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if after := strings.Join(tt.credentials, "|"); after != before {
				t.Errorf("the caller's credentials became %q", after)
			}
		})
	}
}

func TestATextThatDoesNotSettleIsGivenUpWhole(t *testing.T) {
	grow := func(s string) string { return s + "x" }
	if got := settle("s", grow); got != mask {
		t.Errorf("got %q, want %q", got, mask)
	}
}
