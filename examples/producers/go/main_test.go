package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatIsNoJobIDIsRefusedBeforeAnythingIsSent(t *testing.T) {
	sqs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	defer sqs.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": sqs.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	for _, job := range []string{"", "0", "007", "-5", "+5", "1.0", "1e3", " 5", "5\n", "5x", "٥", "9223372036854775808"} {
		err := run(t.Context(), sqs.URL+"/123456789012/jobs", "nightly", []string{"9223372036854775807", job})
		if err == nil || !strings.HasSuffix(err.Error(), " is no job id: it must be digits, from 1 to 9223372036854775807, without a leading zero") {
			t.Errorf("%q: %v", job, err)
		}
	}
}
