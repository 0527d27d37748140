package milvus

import (
	"net/http"
	"strings"
	"testing"
)

func TestAnEndpointIsAnHTTPSURLOfAHost(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		"dedicated":                  {"https://in01-0123.aws-us-west-2.vectordb.zillizcloud.com:19530", "https://in01-0123.aws-us-west-2.vectordb.zillizcloud.com:19530"},
		"serverless":                 {"https://in03-0123.serverless.gcp-us-west1.vectordb.zillizcloud.com", "https://in03-0123.serverless.gcp-us-west1.vectordb.zillizcloud.com"},
		"project":                    {"https://proj-0123.aws-us-west-2.api.zillizcloud.com", "https://proj-0123.aws-us-west-2.api.zillizcloud.com"},
		"trailing slash":             {"https://milvus.example.com/", "https://milvus.example.com"},
		"trailing slash behind port": {"https://milvus.example.com:443/", "https://milvus.example.com:443"},
		"the smallest port":          {"https://milvus.example.com:1", "https://milvus.example.com:1"},
		"the largest port":           {"https://milvus.example.com:65535", "https://milvus.example.com:65535"},
		"capital scheme":             {"HTTPS://milvus.example.com", "https://milvus.example.com"},
		"IPv4":                       {"https://192.0.2.1:19530", "https://192.0.2.1:19530"},
		"IPv6":                       {"https://[2001:db8::1]:19530", "https://[2001:db8::1]:19530"},
		"IPv6 without port":          {"https://[2001:db8::1]", "https://[2001:db8::1]"},
		"https on this host":         {"https://localhost:19530", "https://localhost:19530"},
		"http on this host":          {"http://localhost:19530", "http://localhost:19530"},
		"http on this host by IPv4":  {"http://127.0.0.1:19530/", "http://127.0.0.1:19530"},
		"http on this host, no port": {"http://localhost", "http://localhost"},
		"http on a private address":  {"http://10.0.0.1:19530/", "http://10.0.0.1:19530"},
		"http on a private name":     {"http://milvus.prod.internal:19530", "http://milvus.prod.internal:19530"},
		"http on a link-local name":  {"http://milvus.local", "http://milvus.local"},
		"http on a load balancer":    {"http://internal-milvus-123.us-east-1.elb.amazonaws.com", "http://internal-milvus-123.us-east-1.elb.amazonaws.com"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Endpoint(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnythingElseIsNoEndpoint(t *testing.T) {
	tests := map[string]string{
		"empty":                     "",
		"a slash":                   "/",
		"a host alone":              "milvus.example.com",
		"a host and port":           "milvus.example.com:19530",
		"a scheme alone":            "https://",
		"a port alone":              "https://:19530",
		"no slashes":                "https:milvus.example.com",
		"one slash":                 "https:/milvus.example.com",
		"three slashes":             "https:///milvus.example.com",
		"no scheme":                 "//milvus.example.com",
		"another scheme":            "grpc://milvus.example.com",
		"http":                      "http://milvus.example.com",
		"http on a lookalike":       "http://localhost.example.com",
		"http on a nearby address":  "http://127.0.0.2",
		"http behind user info":     "http://localhost@milvus.example.com",
		"http by IPv6":              "http://[::1]:19530",
		"http on a public address":  "http://172.32.0.1",
		"http on a public name":     "http://milvus.internal.example.com",
		"http behind a balancer":    "http://internal-milvus.public-1.us-east-1.elb.amazonaws.com",
		"a user":                    "https://root@milvus.example.com",
		"an empty user":             "https://@milvus.example.com",
		"a user and password":       "https://root:" + password + "@milvus.example.com",
		"a password with a slash":   "https://root:/" + password + "@milvus.example.com",
		"a password with a bracket": "https://root:[" + password + "@milvus.example.com",
		"a password with a percent": "https://root:%zz" + password + "@milvus.example.com",
		"a path":                    "https://milvus.example.com/v2",
		"two slashes at the end":    "https://milvus.example.com//",
		"an encoded path":           "https://milvus.example.com/%2e",
		"a query":                   "https://milvus.example.com?token=" + password,
		"a query behind a slash":    "https://milvus.example.com/?token=" + password,
		"an empty query":            "https://milvus.example.com?",
		"a fragment":                "https://milvus.example.com#" + password,
		"an empty fragment":         "https://milvus.example.com#",
		"port 0":                    "https://milvus.example.com:0",
		"port 65536":                "https://milvus.example.com:65536",
		"an empty port":             "https://milvus.example.com:",
		"an empty port and a slash": "https://milvus.example.com:/",
		"a port in words":           "https://milvus.example.com:https",
		"two ports":                 "https://milvus.example.com:1:2",
		"a bracket left open":       "https://[2001:db8::1",
		"an address with a zone":    "https://[fe80::1%25eth0]",
		"an encoded host":           "https://%C3%A9.example.com",
		"white space before":        " https://milvus.example.com",
		"white space behind":        "https://milvus.example.com ",
		"white space inside":        "https://milvus .example.com",
		"a line end":                "https://milvus.example.com\n",
		"two endpoints":             "https://a.example.com,https://b.example.com",
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Endpoint(raw)
			if err == nil {
				t.Fatalf("accepted as %q", got)
			}
			if strings.Contains(err.Error(), password) || len(raw) > 8 && strings.Contains(err.Error(), raw) {
				t.Errorf("the error repeats the endpoint: %v", err)
			}
		})
	}
}

func FuzzEndpoint(f *testing.F) {
	for _, raw := range []string{
		"https://milvus.example.com:19530/", "http://localhost", "http://127.0.0.1:1", "https://[::1]:443",
		"https://a:b@c", "https://a?b#c", "https://[fe80::1%25eth0]", "https://é.example", "https://a\"b", "https://a,b",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		endpoint, err := Endpoint(raw)
		if err != nil {
			if err.Error() != errEndpoint.Error() {
				t.Fatalf("the error depends on the endpoint: %v", err)
			}
			return
		}
		if again, err := Endpoint(endpoint); err != nil || again != endpoint {
			t.Fatalf("%q became %q, then %q (%v)", raw, endpoint, again, err)
		}
		req, err := http.NewRequest(http.MethodPost, endpoint+ExternalCollection.row().path, nil)
		if err != nil {
			t.Fatalf("%q can't be asked: %v", endpoint, err)
		}
		if req.URL.Path != ExternalCollection.row().path || req.URL.User != nil || req.URL.RawQuery != "" || req.URL.Fragment != "" {
			t.Fatalf("%q asks for %s", endpoint, req.URL)
		}
	})
}
