package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Secret is a string that must not be shown: it prints, logs and marshals as
// "***" (or "" when it is empty). Only Reveal gives the value.
type Secret struct{ value string }

const masked = "***"

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{value: s} }

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// IsEmpty reports whether there is no value.
func (s Secret) IsEmpty() bool { return s.value == "" }

// String returns "***", or "" for the empty secret.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return masked
}

// Format prints the mask whatever the verb: without it %d and %x would reach
// past String to the value.
func (s Secret) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'v' && f.Flag('#'):
		fmt.Fprint(f, s.GoString())
	case verb == 'q':
		fmt.Fprintf(f, "%q", s.String())
	default:
		fmt.Fprint(f, s.String())
	}
}

// GoString keeps %#v from printing the value.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// MarshalText makes JSON, TOML and every other text encoder print the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the value as it is.
func (s *Secret) UnmarshalText(b []byte) error {
	s.value = string(b)
	return nil
}

// shortHeader is the length under which a header's value is not taken for a
// secret: it could be any word.
const shortHeader = 8

// Secrets returns what must not be shown of p wherever it turns up: its key, the
// values of its headers and the tokens in them, the longest first, as one may be
// a part of another. The caller owns the slice.
func (p *Provider) Secrets() []string {
	var out []string
	if !p.APIKey.IsEmpty() {
		out = append(out, p.APIKey.Reveal())
	}
	for _, value := range p.Headers {
		_, token, _ := strings.Cut(value, " ") // of "Bearer token"
		for _, secret := range []string{value, token} {
			if len(secret) >= shortHeader {
				out = append(out, secret)
			}
		}
	}
	slices.SortFunc(out, longestFirst)
	return out
}

func longestFirst(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }

// Headers are HTTP headers that a provider is sent, by name. The values may
// hold credentials, so that they print, log and marshal as "***"; an index
// expression gives the value.
type Headers map[string]string

// veiled is h with every value masked.
func (h Headers) veiled() map[string]string {
	out := make(map[string]string, len(h))
	for name := range h {
		out[name] = masked
	}
	return out
}

// String lists the names, sorted, with masked values.
func (h Headers) String() string {
	var b strings.Builder
	b.WriteString("map[")
	for i, name := range slices.Sorted(maps.Keys(h)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + ":" + masked)
	}
	b.WriteByte(']')
	return b.String()
}

// Format prints the masked form whatever the verb.
func (h Headers) Format(f fmt.State, _ rune) { fmt.Fprint(f, h.String()) }

// MarshalJSON masks the values.
func (h Headers) MarshalJSON() ([]byte, error) { return json.Marshal(h.veiled()) }
