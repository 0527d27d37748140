package stack

import (
	"maps"
	"testing"

	"refresh-poller/internal/config"
)

// endpoints are what somebody may give as ClusterEndpoint, and whether template
// and function are to take it. They differ only where the template can't tell,
// or would only tell in a longer pattern; then the stricter one holds.
var endpoints = map[bool]map[bool][]string{ // by the template's answer, then by the function's
	true: {
		true: {
			"https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530",
			"https://in03-0123456789abcde.serverless.gcp-us-west1.vectordb.zillizcloud.com",
			"https://proj-0123.aws-us-west-2.api.zillizcloud.com",
			"https://milvus.example.com", "https://milvus.example.com/", "https://milvus.example.com:443/", "https://milvus",
			"https://milvus.example.com:1", "https://milvus.example.com:65535", "https://MILVUS.example.com", "https://my_milvus.example.com",
			"https://192.0.2.1:19530", "https://[2001:db8::1]:19530", "https://[2001:db8::1]:19530/", "https://[2001:db8::1]",
			"https://[::]", "https://[::1]", "https://[1::]", "https://[1:2:3:4:5:6:7:8]", "https://[1:2:3:4:5:6:7::]", "https://[::2:3:4:5:6:7:8]",
			"https://[1::3:4:5:6:7:8]", "https://[1:2::4:5:6:7:8]", "https://[1:2:3:4:5:6::8]", "https://[FE80::0A]:9999", "https://[::1]:59999",
			"https://localhost:19530", "https://127.0.0.1",
			"http://localhost:19530", "http://localhost", "http://localhost/", "http://127.0.0.1", "http://127.0.0.1:19530/",
		},
		false: {}, // or the function would not start in a stack that has been deployed
	},
	false: {
		true: { // harmless, and rare
			"HTTPS://milvus.example.com", "https://milvus.example.com.", "https://-milvus.example.com", "https://é.example.com",
			"https://milvus.example.com:0443", "https://[::ffff:192.0.2.1]",
		},
		false: {
			"", "/", "milvus.example.com", "milvus.example.com:19530", "https://", "https:///", "https://:19530", "https:milvus.example.com",
			"https:/milvus.example.com", "https:///milvus.example.com", "//milvus.example.com",
			"grpc://milvus.example.com", "ftp://localhost", "file:///etc/passwd", "unix:///var/run/docker.sock", "javascript:alert(1)",
			"http://milvus.example.com", "http://localhost.example.com", "http://127.0.0.2", "http://127.0.0.11", "http://127.0.0.1.example.com",
			"http://0.0.0.0", "http://[::1]:19530", "http://169.254.169.254", "http://localhost@milvus.example.com", "http://2130706433", "http://LOCALHOST",
			"https://root@milvus.example.com", "https://@milvus.example.com", "https://root:secret@milvus.example.com",
			"https://root:/secret@milvus.example.com", "https://root:[secret@milvus.example.com", "https://root:%zzsecret@milvus.example.com",
			"https://milvus.example.com/v2", "https://milvus.example.com//", "https://milvus.example.com/%2e", "https://milvus.example.com/..", `https://milvus.example.com\@other.example.com`,
			"https://milvus.example.com?token=secret", "https://milvus.example.com/?token=secret", "https://milvus.example.com?",
			"https://milvus.example.com#secret", "https://milvus.example.com#",
			"https://milvus.example.com:0", "https://milvus.example.com:", "https://milvus.example.com:/", "https://milvus.example.com:https",
			"https://milvus.example.com:-1", "https://milvus.example.com:65536", "https://milvus.example.com:99999", "https://milvus.example.com:123456", "https://milvus.example.com:1:2",
			"https://[2001:db8::1", "https://[fe80::1%25eth0]", "https://[]", "https://[:::]", "https://[2001:db8::1::2]", "https://[1]",
			"https://[1:2:3:4:5:6:7:8:9]", "https://[1:2:3:4:5:6:7]", "https://[12345::]", "https://[g::]", "https://[:1]", "https://[1:]", "https://%C3%A9.example.com",
			" https://milvus.example.com", "https://milvus.example.com ", "https://milvus .example.com", "https://milvus.example.com\n", "\nhttps://milvus.example.com",
			"https://milvus.example.com\nhttps://other.example.com", "https://milvus.example.com\x00", "https://milvus.example.com\r\nX: x",
		},
	},
}

func TestTemplateAndFunctionTakeTheSameEndpoints(t *testing.T) {
	pattern := at[string](t, template(t), "Parameters", "ClusterEndpoint", "AllowedPattern")
	others := map[string]string{
		"CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token-a1B2c3",
		"JOB_QUEUE_URL":            "https://sqs.example/1/JobQueue", "DEAD_LETTER_QUEUE_URL": "https://sqs.example/1/JobDeadLetterQueue",
		"EVENT_BUS_NAME": "bus", "STACK_NAME": "stack",
	}
	for byTemplate, lists := range endpoints {
		for byFunction, list := range lists {
			for _, endpoint := range list {
				if got := allows(pattern, endpoint); got != byTemplate {
					t.Errorf("%q: the template takes it: %t", endpoint, got)
				}
				environ := maps.Clone(others)
				environ["CLUSTER_ENDPOINT"] = endpoint
				if _, err := config.Load(environ); (err == nil) != byFunction {
					t.Errorf("%q: the function takes it: %t", endpoint, err == nil)
				}
			}
		}
	}
}
