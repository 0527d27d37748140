package redact

import "testing"

func TestTextLeavesSentencesAlone(t *testing.T) {
	for _, s := range []string{
		``,
		`refresh job 5 not found`,
		`the token is illegal`,
		`user hasn't authenticated`,
		`error: bucket not found`,
		`The apikey is illegal.`,
		`Basic authentication failed: user unknown`,
		`basic check failed, bearer token missing`,
		`no Bearer token, no Basic auth`,
		`WWW-Authenticate: Basic realm="milvus"`,
		`code = Unavailable desc = error reading from server: EOF`,
		`Post "https://in01.aws-us-west-2.vectordb.zillizcloud.com:19530/v2/vectordb": context deadline exceeded`,
		`tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of "x509: invalid signature: parent certificate cannot sign this kind of certificate" while trying to verify candidate authority certificate "milvus")`,
		`x509: cannot verify signature: insecure algorithm MD5-RSA`,
		`x509: cannot verify signature: algorithm unimplemented`,
		`dial tcp 10.0.0.1:19530: connect: connection refused`,
		`open /data/part-?.parquet: no such file (see https://docs.example.com/x).`,
		`can't read s3://bucket: access denied; tried https://host:443, twice`,
		`{"type":"volume","path":"volume://my-volume/books"}`,
		`wrong token: , or empty password=""`,
		`the primary key: id`,
		`the token s3://bucket/key was not found`,
		`x509: invalid signature: "parent" is none`,
		`Größe 三 – \xff is no UTF-8: ` + "\xff",
	} {
		t.Run(s, func(t *testing.T) { check(t, Text, s, s) })
	}
}

func TestTextOfPairs(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"key=value", `user=a password=b c`, `user=a password=*** c`},
		{"key: value", `token: abc def`, `token: *** def`},
		{"a value ends at punctuation", `a(pwd=1) b[sig=2] {pass:3} sas=4,5 auth=6;7 token=8&9`, `a(pwd=***) b[sig=***] {pass:***} sas=***,5 auth=***;7 token=***&9`},
		{"double quotes", `"secret" : "a b\"c", "d": "e"`, `"secret" : "***", "d": "e"`},
		{"single quotes", `{'secret': 'a b', 'd': b'e', 'token': b'f g'}`, `{'secret': '***', 'd': b'e', 'token': b'***'}`},
		{"backticks", "token: `a b` c", "token: `***` c"},
		{"a quote that isn't closed", `password: "a b, c=d`, `password: "***`},
		{"a quote that closes at the next key", `"token":"ab; {"password":"c d"}`, `"token":"***"password":"***"}`},
		{"other separators", `token => a, secret := b; pwd == c`, `token => ***, secret := ***; pwd == ***`},
		{"an index", `conf["token"] = "a b"; conf[secret]=c`, `conf["token"] = "***"; conf[secret]=***`},
		{"a list", `secrets: [a, b], c`, `secrets: ***, c`},
		{"a Go map", `map[token:a user:b]`, `map[token:*** user:b]`},
		{"an object that isn't closed", `secret={"a":"b","c":`, `secret=***`},
		{"a value on the next line", "token:\n  abc\nnext", "token:\n  ***\nnext"},
		{"a key of two words", `secret access key: a, API Key = b, no key: c`, `secret access key: ***, API Key = ***, no key: c`},
		{"a key behind an escape", `a\nsig=b\tc`, `a\nsig=***`},
		{"a value that is a key", `bad credential: token: abc def`, `bad credential: *** *** def`},
		{"a value in an error chain", `password: hunter2: access denied`, `password: *** access denied`},
		{"a signature that is no word", `bad signature: 3f2a9c, Signature: abc, "signature": "abc", x-signature: abc`, `bad signature: ***, Signature: ***, "signature": "***", x-signature: ***`},
		{"a scheme's value goes too", `Authorization: Bearer x, failed`, `Authorization: *** failed`},
		{"a scheme's value in quotes", `"Authorization": "Basic x" failed`, `"Authorization": "***" failed`},
		{"what was masked stays masked", `token=*** pwd="***" Bearer ***`, `token=*** pwd="***" Bearer ***`},
		{"white space outside ASCII", "token\u00a0:\u2003geheim", "token\u00a0:\u2003***"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, Text, tt.in, tt.want) })
	}
}

func TestTextOfURLsAndSchemes(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"every URL in a text", `from s3://k:s@a/x to <https://u:p@b:1/y?z>, "c://k@d"`, `from s3://a/x to <https://b:1/y>, "c://d"`},
		{"punctuation behind a query stays", `(see https://h/x?sig=a). Or https://h/x?b: no`, `(see https://h/x). Or https://h/x: no`},
		{"an error that quotes a URL", `Get "https://u:p@h/x?sig=a": EOF`, `Get "https://h/x": EOF`},
		{"a URL ends at a backtick", "`s3://k:s@b?x`y", "`s3://b`y"},
		{"a URL in escaped JSON", `{\"path\":\"s3:\/\/k:s@b\/x?y\",\"a\":1}`, `{\"path\":\"s3:\/\/b\/x\",\"a\":1}`},
		{"user information that was cut off", `can't open s3://key:secr: denied`, `can't open s3://***: denied`},
		{"a query that ends in a quoted secret", `https://h/x?a=b&token="c d"`, `https://h/x?token="***"`},
		{"an empty user", `https://@h/x`, `https://h/x`},
		{"a password with a slash, and no scheme", `//user:a/b@h/x`, `//h/x`},
		{"brackets in the strings of an object", `secret={"a}":"hunter2"} and secret={\"a}\":\"hunter2\"} too`, `secret=*** and secret=*** too`},
		{"a secret that ends in a key", `secret="token="hunter2`, `secret="***"***`},
		{"a bearer", `sent Bearer abc.d-e_f==, then`, `sent Bearer ***, then`},
		{"a bearer that is user and password", `bearer root:Mil,vus!`, `bearer ***!`},
		{"basic", `Basic abc and basic dXNlcjpwYXNz`, `Basic *** and basic ***`},
		{"a bearer behind a sentence", `is basic  Bearer abc ok`, `is basic  Bearer *** ok`},
		{"an access key id", `key AKIAIOSFODNN7EXAMPLE, "ASIAIOSFODNN7EXAMPLE"`, `key ***, "***"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, Text, tt.in, tt.want) })
	}
}
