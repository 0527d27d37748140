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
			"http://10.0.0.0", "http://10.0.0.1:19530", "http://10.255.255.255/", "http://10.9.99.249", "http://10.250.199.200",
			"http://172.16.0.0", "http://172.19.9.9", "http://172.20.0.1", "http://172.31.255.255:19530",
			"http://192.168.0.0", "http://192.168.1.20:19530", "http://192.168.255.255",
			"http://milvus.internal", "http://ip-10-0-0-1.eu-central-1.compute.internal:19530/", "http://MILVUS.internal", "http://10.1.internal", "http://a_b.c.internal",
			"http://milvus.local", "http://milvus.default.svc.cluster.local:19530", "http://internal.local", "http://x.local.internal",
			"http://internal-milvus-1234567890.us-east-1.elb.amazonaws.com", "http://internal-a.elb.amazonaws.com:80/",
			"http://internal-milvus-1.cn-north-1.elb.amazonaws.com.cn:19530", "http://internal-Milvus-1.us-gov-west-1.elb.amazonaws.com",
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
			"http://9.255.255.255", "http://11.0.0.0", "http://10.0.0.256", "http://10.0.0", "http://10.1", "http://10.0.0.0.1", "http://010.1.1.1",
			"http://10.01.1.1", "http://0x0a000001", "http://0xa.0.0.1", "http://167772161", "http://10.0.0.1.", "http://10.0.0.1.example.com", "http://10.0.0.1x",
			"http://110.0.0.1", "http://10.0.0.1e", "http://10.0.0.-1", "http://10,0,0,1", "http://10.0.0.1:0", "http://user@10.0.0.1", "http://10.0.0.1@example.com",
			"http://172.15.255.255", "http://172.32.0.0", "http://172.160.0.1", "http://172.1.0.1", "http://172.16.0.256", "http://172.016.0.1",
			"http://192.167.255.255", "http://192.169.0.0", "http://192.168.1", "http://192.168.1.300", "http://1.192.168.1", "http://[::ffff:10.0.0.1]", "http://[fd00::1]",
			"http://internal", "http://local", "http://.internal", "http://.local:80", "http://x.internal.", "http://x.internal.:80", "http://x.INTERNAL", "http://x.Local",
			"http://evil.internal.example.com", "http://x.local.example.com", "http://xinternal", "http://x.notinternal", "http://x-internal", "http://x.internal2",
			"http://-x.internal", "http://x.internal:", "http://x.internal:65536", "http://x.internal/v2", "http://x.internal?a", "http://example.com/x.internal",
			"http://example.com#.internal", "http://example.com?.internal", "http://example.com@x.internal", `http://example.com\.internal`, "http://é.internal", "http://a b.internal",
			"http://example.com:80.internal", "http://x.internal\n", "ftp://x.internal",
			"http://elb.amazonaws.com", "http://milvus-1.us-east-1.elb.amazonaws.com", "http://internal-.us-east-1.elb.amazonaws.com", "http://internal.us-east-1.elb.amazonaws.com",
			"http://internal-a.elb.amazonaws.com.evil.com", "http://internal-a.elb.amazonaws.com.cn.evil.com", "http://internal-a.elb.amazonaws.comx", "http://internal-a.elb-amazonaws.com",
			"http://internal-a.evil-1.us-east-1.elb.amazonaws.com", "http://internal-a.us-east-1.elbXamazonaws.com", "http://x.internal-a.us-east-1.elb.amazonaws.com",
			"http://Internal-a.us-east-1.elb.amazonaws.com", "http://internal-a.us-east-1.elb.amazonaws.com.", "http://internal-a_b.us-east-1.elb.amazonaws.com",
			"http://internal-a.us-east-1.elb.amazonaws.org", "http://internal-a.us-east-1.elb.amazonaws.com.uk", "http://milvus-1.elb.us-east-1.amazonaws.com",
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
