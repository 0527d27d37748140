package redact

import "testing"

func TestSecretKey(t *testing.T) {
	tests := []struct {
		name string
		want bool
		keys []string
	}{
		{"an access key in any spelling is a secret", true, []string{
			"access_key_id", "accessKeyId", "AccessKeyID", "ACCESS-KEY", "access key",
			"extfs.access_key_value", "fs.s3a.access.key", "AWS_ACCESS_KEY_ID",
		}},
		{"a part of the key is enough", true, []string{
			"client_secret", "secretKey", "userPassword", "passwd", "passPhrase", "sessionToken",
			"x-api-key", "ssh_private_key", "AccountKey", "SharedKey", "sessionkey", "encryption.key",
			"X-Amz-Credential", "X-Amz-Signature", "connectionString", "Proxy-Authorization",
		}},
		{"a short word counts as a whole word", true, []string{
			"sas", "SAS", "sas_url", "blobSas", "sig", "pwd", "PWDHash", "dbPwd", "pass", "user.pass",
			"auth", "httpAuth", "auth2", "bearer", "set-cookie",
		}},
		{"a short word inside another doesn't count", false, []string{
			"author", "passed", "compass", "bypass", "design", "sigma", "sassy", "forbearer", "cookies",
		}},
		{"ordinary keys are no secrets", false, []string{
			"", "key", "keys", "path", "bucket", "region", "format", "type", "endpoint", "partition_key",
			"primaryKey", "user", "access", "***", "123",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, key := range tt.keys {
				if got := secretKey(key); got != tt.want {
					t.Errorf("%q: got %t, want %t", key, got, tt.want)
				}
			}
		})
	}
}
