package milvus

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

var errEndpoint = errors.New("must be an https URL of scheme, host and, if need be, port only, such as https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530 (http is for localhost and 127.0.0.1)")

// Endpoint returns raw in the form that Client takes: scheme, host and, where
// given, port, without the trailing slash. The error says what an endpoint must
// look like and never repeats raw, which may hold a password.
func Endpoint(raw string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(raw, "/"))
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Path != "" || strings.ContainsAny(raw, "?#%") {
		return "", errEndpoint
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && !validPort(port) {
		return "", errEndpoint
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", errEndpoint
	}
	return u.Scheme + "://" + u.Host, nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
