package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortToken is the length below which a token is called easy to guess.
const shortToken = 16

// allowed is what allowed_models may say.
type allowed struct {
	known map[string]bool
	names []string          // the same, sorted
	hints map[string]string // by entry: many users may have the same wrong one
	more  bool              // a provider may have models that the file does not name
}

func newAllowed(cfg *Config) *allowed {
	a := &allowed{known: make(map[string]bool), hints: make(map[string]string)}
	for _, p := range cfg.Providers {
		a.more = a.more || p.Enabled && p.Discover
	}
	for _, m := range cfg.Models {
		a.known[m.ID], a.known[m.Name] = true, true
		for _, alias := range m.Aliases {
			a.known[alias] = true
		}
	}
	a.names = slices.Sorted(maps.Keys(a.known))
	return a
}

func (a *allowed) hint(entry string) string {
	hint, ok := a.hints[entry]
	if !ok {
		hint = didYouMean(entry, a.names)
		a.hints[entry] = hint
	}
	return hint
}

// checkUsers checks every user and finds out the hash of each token.
func (l *loader) checkUsers(cfg *Config) {
	byHash := make(map[string]string) // token_sha256 -> user id
	allowed := newAllowed(cfg)
	for _, id := range l.ids("users") {
		u, ok := cfg.Users[id]
		if !ok {
			continue
		}
		at := func(keys ...any) []any { return append([]any{"users", id}, keys...) }
		if id == "" || strings.ContainsFunc(id, isControl) {
			l.wrong(at(), "the id of a user must not be empty or hold control characters")
		}
		if u.Name == "" {
			u.Name = id
		}
		l.readToken(at, &u)
		l.warnPublished(at(tokenKey(u)), u.Token.Reveal(), cfg.Settings.BindAddress)
		l.checkRateLimit(at, u.RateLimit)
		if other, ok := byHash[u.TokenSHA256]; ok && u.TokenSHA256 != "" {
			l.wrong(at(tokenKey(u)), "user %s has the same token", strconv.Quote(clip(other)))
		}
		byHash[u.TokenSHA256] = id
		l.checkTags(at, u.Tags)
		for i, entry := range u.AllowedModels {
			if !allowed.known[entry] && !allowed.more {
				path := at("allowed_models", i)
				l.warn(path, "no model has the id, name or alias %s%s", l.quote(path, entry), allowed.hint(entry))
			}
		}
		cfg.Users[id] = u
	}
	if len(cfg.Users) == 0 {
		l.warn([]any{"users"}, "no users are configured: every request to a model will be refused")
	}
}

// tokenKey is the key that gave u its token.
func tokenKey(u User) string {
	switch {
	case u.TokenFile != "":
		return "token_file"
	case u.Token.IsEmpty():
		return "token_sha256"
	}
	return "token"
}

// readToken fills in Token, where it is known, and TokenSHA256.
func (l *loader) readToken(at func(...any) []any, u *User) {
	table, _ := l.doc.find(at())
	var given []string
	slip := false
	for _, key := range []string{"token", "token_file", "token_sha256"} {
		if table.fields[key] != nil {
			given = append(given, key)
		}
		slip = slip || table.slips[key]
	}
	switch {
	case len(given) == 0 && slip:
		return
	case len(given) == 0:
		l.wrong(at(), "needs a token, a token_file or a token_sha256")
		return
	case len(given) > 1:
		l.wrong(at(given[1]), "only one of token, token_file and token_sha256 may be set; %s is there as well", given[0])
		return
	}
	path := at(given[0])
	if table.fields[given[0]].failed {
		return
	}
	switch {
	case u.TokenSHA256 != "":
		u.TokenSHA256 = strings.ToLower(u.TokenSHA256)
		if sum, err := hex.DecodeString(u.TokenSHA256); err != nil || len(sum) != sha256.Size {
			l.wrong(path, "must be 64 hex digits, the SHA-256 of the token; berry-cli hash-token makes it")
			u.TokenSHA256 = ""
		}
		return
	case u.TokenFile != "":
		value, ok := l.secretFile(path, u.TokenFile)
		if !ok {
			return
		}
		u.Token = NewSecret(value)
	}
	l.checkToken(path, u)
}

// byteOrderMark is what some editors put before a file's text. Nobody sees it.
const byteOrderMark = '\ufeff'

func (l *loader) checkToken(path []any, u *User) {
	token := u.Token.Reveal()
	if token == "" {
		l.wrong(path, "must not be empty")
		return
	}
	if strings.ContainsFunc(token, func(r rune) bool {
		return unicode.IsSpace(r) || isControl(r) || r == utf8.RuneError || r == byteOrderMark
	}) {
		l.wrong(path, "a token must not hold white space or control characters: no client could send it")
		return
	}
	if utf8.RuneCountInString(token) < shortToken {
		l.warn(path, "the token has fewer than %d characters and is easy to guess; berry-cli generate-token makes a good one", shortToken)
	}
	sum := sha256.Sum256([]byte(token))
	u.TokenSHA256 = hex.EncodeToString(sum[:])
}

// checkRateLimit checks that no longer window is below a shorter one.
func (l *loader) checkRateLimit(at func(...any) []any, r RateLimit) {
	windows := []struct {
		key   string
		limit int
	}{
		{"requests_per_minute", r.RequestsPerMinute},
		{"requests_per_hour", r.RequestsPerHour},
		{"requests_per_day", r.RequestsPerDay},
	}
	for i, long := range windows {
		for j := i - 1; j >= 0; j-- {
			if short := windows[j]; long.limit > 0 && long.limit < short.limit {
				l.wrong(at("rate_limit", long.key), "%d is below %s (%d), which could then never be reached", long.limit, short.key, short.limit)
				break
			}
		}
	}
}
