package config

import (
	"net"
	"slices"
	"strings"
)

// published are tokens of the examples that do not say that they must be
// replaced: whoever knows Berry knows them.
var published = [...]string{
	"berry-admin-token-12345", "berry-budget-token-67890", "berry-former-token-99999", "berry-premium-token-abcde",
	"berry-user1-token-67890", "hr-dept-token-12345", "rd-dept-token-67890",
}

// placeholder begins the tokens of the other examples.
const placeholder = "replace-"

// warnPublished warns of an example's token where others than this machine can
// send it. A first try on loopback may keep it.
func (l *loader) warnPublished(path []any, token, address string) {
	if (slices.Contains(published[:], token) || strings.HasPrefix(token, placeholder)) && !local(address) {
		l.warn(path, "this is the token of an example, which anybody may know, and %s can be reached from other machines; "+
			"berry-cli generate-token makes one of your own", address)
	}
}

// local reports whether a bind address is for this machine only.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || strings.HasPrefix(address, "unix:") {
		return true
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
