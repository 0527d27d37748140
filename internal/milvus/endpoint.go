package milvus

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var errEndpoint = errors.New("must be an https URL of scheme, host and, if need be, port only, such as https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530 (http is for localhost, 127.0.0.1, addresses of RFC 1918, names in .internal or .local, and internal-*.elb.amazonaws.com)")

// privateName matches names that show that a host is not on the internet. Its DNS
// has no .internal (ICANN's board, 29 July 2024) and no .local (RFC 6762), and a
// public Application Load Balancer can't be named internal-… (Elastic Load Balancing
// API Reference, CreateLoadBalancer). A Classic one can, but by its owner only. In
// China their names end in .cn.
var privateName = regexp.MustCompile(`^(localhost|[A-Za-z0-9][A-Za-z0-9._-]*\.(internal|local)|internal-[A-Za-z0-9-]+(\.[a-z0-9-]+)?\.elb\.amazonaws\.com(\.cn)?)$`)

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
	if u.Scheme != "https" && (u.Scheme != "http" || !private(u.Hostname())) {
		return "", errEndpoint
	}
	return u.Scheme + "://" + u.Host, nil
}

// private reports whether the host's name shows that it is not on the internet.
// It is the rule of the template's ClusterEndpoint.
func private(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return host == "127.0.0.1" || address.Is4() && address.IsPrivate()
	}
	return privateName.MatchString(host)
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
