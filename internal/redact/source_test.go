package redact

import (
	"strings"
	"testing"
)

func TestSourceLeavesWhatHoldsNoCredentialAlone(t *testing.T) {
	tests := []struct{ name, in string }{
		{"nothing", ""},
		{"white space", " \n"},
		{"a volume's URL", `volume://my-volume/books`},
		{"a volume as JSON", `{"type":"volume","path":"volume://my-volume/books"}`},
		{"JSON with layout, escapes and exact numbers", "\n{ \"a\\u0062\" : [1.10, 1e400, 12345678901234567890, null, true],\t\"<&>\":\"\\u003c\" }\n"},
		{"repeated ordinary keys", `{"a":1,"a":2}`},
		{"empty JSON", `[{},[]]`},
		{"a bucket with a port", `https://minio:9000/bucket/x@y`},
		{"an @ in the path", `s3://bucket/path@v1/x`},
		{"an IPv6 address", `https://[fe80::1%eth0]:9000/bucket/x@y`},
		{"several hosts", `mongodb://a:27017,b:27017/db`},
		{"two URLs", `s3://a,s3://b/x`},
		{"a glob", `data/part-?.parquet`},
		{"a glob before a partition", `data/?/year=2024/x.parquet`},
		{"a glob that looks like JSON", `[ab]*/part-?.parquet`},
		{"a drive", `C:\data@v1\x`},
		{"a fragment", `https://host/x#part`},
		{"JSON that is cut off", `{"type":"volume","path":"volume://my-vol`},
		{"JSON that isn't closed", `{"type":"volume"`},
		{"JSON with data behind it", `{"type":"volume"} and more`},
		{"keys that look a little like secrets", `{"key":"k","author":"a","format":"f","primary_key":"id"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, Source, tt.in, tt.in) })
	}
}

func TestSourceOfURLsAndPaths(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"user and password go", `s3://key:secret@bucket/x`, `s3://bucket/x`},
		{"a user alone goes", `s3://key@bucket/x`, `s3://bucket/x`},
		{"a password may hold an @", `s3://key:se@cr@et@bucket/x`, `s3://bucket/x`},
		{"a password may hold a slash", `s3://key:se/cr/et@bucket/x`, `s3://bucket/x`},
		{"a password may begin with a slash", `s3://key:/secret@bucket/x`, `s3://bucket/x`},
		{"a password may hold a slash, then an @", `s3://key:se/cr@et@bucket/x`, `s3://bucket/x`},
		{"a password may hold a colon", `s3://key:se:cr:et@bucket/x`, `s3://bucket/x`},
		{"a password may hold a ? and a #", `s3://key:se?cr#et@bucket/x`, `s3://bucket/x`},
		{"a password may hold a backslash", `s3://key:se\cret@bucket/x`, `s3://bucket/x`},
		{"a password may hold white space and quotes", `s3://key:se cr"et@bucket/x`, `s3://bucket/x`},
		{"a password may be longer than a port", `s3://key:123456/x@bucket/x`, `s3://bucket/x`},
		{"an @ in the path stays behind user information", `s3://k:s@bucket/path@v1/x`, `s3://bucket/path@v1/x`},
		{"a user named like a secret", `https://token:abc@host/x`, `https://host/x`},
		{"user information that was cut off", `s3://key:secr`, `s3://***`},
		{"user information with an escaped @", `s3://key:secret%40bucket/x`, `s3://***/x`},
		{"collapsed slashes", `s3:/key:secret@bucket/x`, `s3:/bucket/x`},
		{"too many slashes", `s3:///key:secret@bucket/x`, `s3:///bucket/x`},
		{"no scheme but slashes", `//key:secret@bucket/x`, `//bucket/x`},
		{"an empty scheme", `://key:secret@bucket/x`, `://bucket/x`},
		{"a URL in a URL", `jdbc:https://host/x,s3://key:secret@bucket/y`, `jdbc:https://host/x,s3://bucket/y`},
		{"white space before a URL", ` s3://key:secret@bucket`, ` s3://bucket`},
		{"the query goes", `https://host/x?X-Amz-Signature=abc&y`, `https://host/x`},
		{"the query goes without a path", `https://host?x`, `https://host`},
		{"a fragment stays", `https://host/x?sig=abc#part`, `https://host/x#part`},
		{"a fragment is scrubbed", `https://host/x#a=b&access_token=abc&c=d`, `https://host/x#a=b&access_token=***&c=d`},
		{"a ? in a fragment stays", `https://host/x?a#/y?b`, `https://host/x#/y?b`},
		{"a query with white space and quotes goes", `https://host/x?sig="a b"`, `https://host/x`},
		{"a query whose last key has no value goes", `https://host/x?token=`, `https://host/x`},
		{"a path's query goes", `data/x.parquet?a=b&c`, `data/x.parquet`},
		{"a path's glob stays before a query", `data/part-?.parquet?k=v`, `data/part-?.parquet`},
		{"a path's fragment stays", `data/x?a=b#part?c=d`, `data/x#part`},
		{"a pair in a path", `data/token=abc`, `data/token=***`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, Source, tt.in, tt.want) })
	}
}

func TestSourceOfJSON(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{
			"a secret of any type goes",
			`{"secret":"x","pwd":1.0,"token":{"a":["x"]},"sas":[1,{"b":2}],"sig":true,"auth":null,"pass":""}`,
			`{"secret":"***","pwd":"***","token":"***","sas":"***","sig":"***","auth":"***","pass":"***"}`,
		},
		{
			"every one of repeated keys is covered",
			`{"token":"a","token":"b","x":{"token":"c"},"x":[{"token":"d"}]}`,
			`{"token":"***","token":"***","x":{"token":"***"},"x":[{"token":"***"}]}`,
		},
		{
			"order, layout and numbers stay",
			"{ \"z\" : 12345678901234567890.10,\n\t\"extfs.access_key_value\" :\t\"x\" , \"a\":\"<&>\" }\n",
			"{ \"z\" : 12345678901234567890.10,\n\t\"extfs.access_key_value\" :\t\"***\" , \"a\":\"<&>\" }\n",
		},
		{"an escaped key is read", `{"\u0073ecret":"x"}`, `{"\u0073ecret":"***"}`},
		{"a URL in a value", `{"path":"s3://k:s@b/x?y","list":["s3:\/\/k:s@b"]}`, `{"path":"s3://b/x","list":["s3://b"]}`},
		{"a URL in a key", `{"s3://k:s@b":1}`, `{"s3://b":1}`},
		{"a path's query in a value", `["a/?.parquet","a?k=v"]`, `["a/?.parquet","a"]`},
		{"HTML isn't escaped", `["https://h/?a <b>#<&>"]`, `["https://h/#<&>"]`},
		{
			"JSON in a string",
			`{"spec":"{\"secret\": \"x\", \"path\": \"s3://k:s@b\"}"}`,
			`{"spec":"{\"secret\": \"***\", \"path\": \"s3://b\"}"}`,
		},
		{"a pair in a string", `["password=x y"]`, `["password=*** y"]`},
		{"several texts", `{"token":"a"} {"token":"b"}`, `{"token":"***"} {"token":"***"}`},
		{"data behind it", `{"token":"a"} token=b`, `{"token":"***"} token=***`},
		{"cut off in a secret", `{"a":1,"secret":"x y`, `{"a":1,"secret":"***"`},
		{"cut off in a secret object", `{"secret":{"a":"x","b":["y"`, `{"secret":"***"`},
		{"cut off in a URL", `{"path":"s3://key:sec`, `{"path":"s3://***`},
		{"cut off after a URL with escaped slashes", `["s3:\/\/k:s@b\/x?y`, `["s3:\/\/b\/x`},
		{"cut off in JSON in a string", `{"spec":"{\"a\":\"b\",\"secret\":\"x y`, `{"spec":"{\"a\":\"b\",\"secret\":\"***`},
		{"escaped once too often", `{\"secret\":\"x\\\"y z\",\"a\":\"b\"}`, `{\"secret\":\"***\",\"a\":\"b\"}`},
		{"escaped three times", `[\\\"secret\\\":\\\"x \\\\\\\"y z\\\",1]`, `[\\\"secret\\\":\\\"***\\\",1]`},
		{"a quoted value with a backslash at its end", `{"a" "secret":"x\\","b":"c"}`, `{"a" "secret":"***","b":"c"}`},
		{"an object in broken JSON", `{"a" "secret":{"b":"}","c":[")"]},"d":1}`, `{"a" "secret":***,"d":1}`},
		{"a key without a colon", `{"a" 1, "secret" "x", "token":"y"}`, `{"a" 1, "secret" "x", "token":"***"}`},
		{"the wrong bracket", `[{"token":"x"],"token":"y"}`, `[{"token":"***"],"token":"***"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, Source, tt.in, tt.want) })
	}
}

func TestSourceGivesUpJSONNestedInStringsTooOften(t *testing.T) {
	s := `{"secret":"hunter2"}`
	for range maxNested + 1 {
		s = "[" + quote(s) + "]"
	}
	got := Source(s)
	if strings.Contains(got, "hunter2") || !strings.Contains(got, mask) {
		t.Errorf("got %s", got)
	}
}

func TestSourceLeavesJSONNestedInStringsAsOftenAsMayBe(t *testing.T) {
	s := `{"a":"b"}`
	for range maxNested {
		s = "[" + quote(s) + "]"
	}
	check(t, Source, s, s)
	if got := Source("[" + quote(s) + "]"); !strings.Contains(got, mask) {
		t.Errorf("once more: %s", got)
	}
}

// As JSON a number becomes a string, in a text it does not.
func TestSourceReadsJSONUpToItsDepth(t *testing.T) {
	for levels, masked := range map[int]string{500: `"***"`, 501: `***`} {
		open, shut := strings.Repeat("[", levels), strings.Repeat("]", levels)
		check(t, Source, open+`{"token":17}`+shut, open+`{"token":`+masked+`}`+shut)
	}
}

func TestSourceScrubsJSONThatIsTooDeep(t *testing.T) {
	for _, levels := range []int{maxLevels - 1, maxLevels + 1, 20000} {
		in := strings.Repeat(`{"a":[`, levels/2) + `{"secret":"hunter2"}` + strings.Repeat(`]}`, levels/2)
		want := strings.Replace(in, "hunter2", mask, 1)
		check(t, Source, in, want)
	}
}
