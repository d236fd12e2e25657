package api

import (
	"fmt"
	"slices"
	"strings"
)

// level is how much a log line matters.
type level uint8

const (
	levelTrace level = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
	levelOff // a threshold only: nothing is logged
)

var levelNames = [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"}

func (l level) String() string { return levelNames[l] }

func parseLevel(name string) (level, error) {
	i := slices.Index(levelNames[:], strings.ToUpper(name))
	if i < 0 {
		return levelInfo, fmt.Errorf("unknown log level %q, want trace, debug, info, warn, error or off", name)
	}
	return level(i), nil
}

// target is the part of Berry that a log line is from.
type target uint8

const (
	targetAPI target = iota
	targetAuth
	targetConfig
	targetLoadbalance
	targetRelay
	targets // how many there are
)

var targetNames = [targets]string{"api", "auth", "config", "loadbalance", "relay"}

// String is the target as a log line shows it.
func (t target) String() string {
	return [targets]string{
		"berry_api::api", "berry_api::auth", "berry_api::config", "berry_api::loadbalance", "berry_api::relay",
	}[t]
}

// parseTarget knows a target by its short name and by the names that log
// filters use for it: berry_api::relay, berry_relay, berry_api_relay.
func parseTarget(name string) (target, bool) {
	for _, prefix := range []string{"berry_api::", "berry_api_", "berry_"} {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			name = short
			break
		}
	}
	i := slices.Index(targetNames[:], name)
	return target(max(i, 0)), i >= 0
}

// thresholds are the lowest levels that are logged, by target.
type thresholds [targets]level

// parseFilter reads a filter such as "warn,relay=debug": levels for all targets
// (info unless it says so) and for single ones, the most specific wins. Targets
// that Berry does not have are returned as unknown; RUST_LOG may name other
// programs' modules.
func parseFilter(filter string) (t thresholds, unknown []string, err error) {
	base := levelInfo
	type single struct {
		target target
		level  level
	}
	var singles []single
	for part := range strings.SplitSeq(filter, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, named := strings.Cut(part, "=")
		if !named {
			value = part
		}
		l, err := parseLevel(strings.TrimSpace(value))
		if err != nil {
			return t, nil, err
		}
		name = strings.TrimSpace(name)
		if !named || name == "berry_api" || name == "berry" {
			base = l
			continue
		}
		if tg, ok := parseTarget(name); ok {
			singles = append(singles, single{tg, l})
		} else {
			unknown = append(unknown, name)
		}
	}
	for i := range t {
		t[i] = base
	}
	for _, s := range singles {
		t[s.target] = s.level
	}
	return t, unknown, nil
}

// setsAll reports whether a filter has a level for the parts that it does not name.
func setsAll(filter string) bool {
	for part := range strings.SplitSeq(filter, ",") {
		part = strings.TrimSpace(part)
		name, _, named := strings.Cut(part, "=")
		if part != "" && (!named || strings.TrimSpace(name) == "berry_api" || strings.TrimSpace(name) == "berry") {
			return true
		}
	}
	return false
}
