package config

import (
	"slices"
	"strings"
)

// logLevels are what log_level may say of all of Berry, or of one of logParts.
func logLevels() []string { return []string{"trace", "debug", "info", "warn", "error"} }

// LogParts are the parts of Berry that log_level may name, as in
// "info,relay=debug".
func LogParts() []string { return []string{"api", "auth", "config", "loadbalance", "relay"} }

// checkLogLevel checks settings.log_level and returns the level that it sets
// for all parts that it does not name.
func (l *loader) checkLogLevel(path []any, value string) (base string) {
	base = "info"
	for entry := range strings.SplitSeq(value, ",") {
		part, level, named := strings.Cut(strings.TrimSpace(entry), "=")
		if !named {
			part, level = "", part
		}
		switch {
		case !slices.Contains(logLevels(), level):
			l.wrong(path, "%s is not one of %s, nor levels by part as in info,relay=debug%s",
				l.quote(path, value), strings.Join(logLevels(), ", "), didYouMean(level, logLevels()))
			return base
		case !named:
			base = level
		case !slices.Contains(LogParts(), part):
			l.wrong(path, "%s names a part that does not exist; there is %s%s",
				l.quote(path, value), strings.Join(LogParts(), ", "), didYouMean(part, LogParts()))
			return base
		}
	}
	return base
}
