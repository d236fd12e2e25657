package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// masker replaces the configuration's secrets.
type masker struct {
	replacer *strings.Replacer
	longest  int // bytes of the longest secret
}

func newMasker(cfg *config.Config) *masker {
	var secrets []string
	for _, p := range cfg.Providers {
		secrets = append(secrets, p.Secrets()...)
	}
	for _, u := range cfg.Users {
		if !u.Token.IsEmpty() {
			secrets = append(secrets, u.Token.Reveal())
		}
	}
	// Where one secret is the beginning of another, the replacer takes the first.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	m := &masker{}
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "***")
		m.longest = max(m.longest, len(s))
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

func (m *masker) apply(s string) string { return m.replacer.Replace(s) }

// masked is a text fit for the log: without the configuration's secrets, and
// without the credential of this very request, of which the configuration may
// know no more than a digest. A text that was cut loses as much more of its end
// as a secret could reach into: half a secret would not be recognised.
func (x *exchange) masked(text string, cut bool) string {
	m, own := x.view.secrets(), credentials(x.r.Header)
	if cut {
		margin := m.longest
		for _, s := range own {
			margin = max(margin, len(s))
		}
		text = wholeRunes(text[:max(0, len(text)-margin)])
	}
	for _, s := range own {
		text = strings.ReplaceAll(text, s, "***")
	}
	text = m.apply(text)
	if cut {
		text += "... (cut)"
	}
	return text
}

// wholeRunes drops the piece of a rune that a text was cut in.
func wholeRunes(text string) string {
	for range utf8.UTFMax - 1 {
		if r, size := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || size != 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return text
}

// credentials are what a request has in the headers for them, the longest first.
func credentials(h http.Header) []string {
	var out []string
	for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key"} {
		for _, v := range h[name] {
			if token, ok := auth.Token(http.Header{name: {v}}); ok {
				out = append(out, token)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return out
}
