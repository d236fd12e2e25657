package upstream

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// shortSecret is the length under which a credential is not looked for in
// texts: it could be any word.
const shortSecret = 8

// Secrets are what a provider may echo and nobody may see, the longest first.
type Secrets []string

func secretsOf(p *config.Provider) Secrets {
	return slices.DeleteFunc(p.Secrets(), func(s string) bool { return len(s) < shortSecret })
}

// Hide takes the secrets out of a text, also one that the text breaks off in:
// long ones have been cut before they come here.
func (s Secrets) Hide(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "***")
		for n := min(len(secret)-1, len(text)); n >= shortSecret; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				text = text[:len(text)-n] + "***"
				break
			}
		}
	}
	return text
}

// In reports whether the text holds one of the secrets.
func (s Secrets) In(text string) bool {
	for _, secret := range s {
		if strings.Contains(text, secret) {
			return true
		}
	}
	return false
}

// HideFault takes the secrets out of an error. One that was to be passed on as
// it is no longer is, if any of its texts holds one in whatever spelling.
func (s Secrets) HideFault(e *apierror.Error) {
	for _, text := range []*string{&e.Message, &e.Type, &e.Param, &e.Code} {
		*text = s.Hide(*text)
	}
	if e.Raw == nil {
		return
	}
	texts := json.NewDecoder(bytes.NewReader(e.Raw))
	for {
		token, err := texts.Token()
		if err != nil { // its end: Raw is valid JSON
			return
		}
		if text, ok := token.(string); ok && s.Hide(text) != text {
			e.Raw = nil
			return
		}
	}
}
