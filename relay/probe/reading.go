package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

const (
	// maxNames bounds what is served of one provider's list, the first
	// names that it has: a list is somebody else's, and each name costs memory,
	// series and a place in every view.
	maxNames = 1000
	// maxNameBytes bounds one name.
	maxNameBytes = 256
)

// Reading is what one reading of a provider's model list found.
type Reading struct {
	At    time.Time // when it began
	Names []string  // what can be served and shown, sorted, each once
	// LeftOut is how many names are not among them: more than fit, or such that no
	// client could ask for them.
	LeftOut int
	// Failure says for people why there are no names to be had; "": there are. It
	// is in our own words and may be logged and shown.
	Failure string
	// Cancelled is set when ctx ended first: that says nothing of the provider.
	Cancelled bool
}

// Read reads the provider's model list, within the settings'
// health_check_timeout_seconds. It blocks until that is done or ctx ends.
func (p *Probe) Read(ctx context.Context) Reading {
	ctx, cancel := p.limited(ctx)
	defer cancel()
	return p.reading(p.readList(ctx))
}

// reading is what a list says that was asked for.
func (p *Probe) reading(r result) Reading {
	out := Reading{At: p.start, Cancelled: r.Kind == loadbalance.Cancelled}
	switch {
	case !r.OK:
		out.Failure = unread(r)
		return out
	case r.Models == nil:
		out.Failure = "the provider's list does not say which models there are"
		return out
	}
	seen := map[string]bool{}
	for _, name := range r.Models {
		switch {
		case seen[name]:
		case len(out.Names) == maxNames || !p.usable(name):
			out.LeftOut++
		default:
			seen[name] = true
			out.Names = append(out.Names, name)
		}
	}
	slices.Sort(out.Names)
	return out
}

// unread says why a list could not be read, in our own words: this is logged and
// shown for as long as it lasts, and what the provider says is not ours to show.
func unread(r result) string {
	switch {
	case r.noEndpoint():
		return fmt.Sprintf("the provider has no model list (status %d), so that there is nothing to discover", r.Status)
	case r.Status >= 200 && r.Status <= 299:
		return "what the provider answered is no model list"
	case r.Kind == loadbalance.Auth:
		return fmt.Sprintf("the provider refused the key (status %d)", r.Status)
	case r.Status != 0:
		return fmt.Sprintf("the provider answered with status %d", r.Status)
	case r.Kind == loadbalance.Timeout:
		return "nothing came in time"
	default:
		return "the provider cannot be reached"
	}
}

// usable reports whether a name can be served and shown.
func (p *Probe) usable(name string) bool {
	return name != "" && len(name) <= maxNameBytes && utf8.ValidString(name) && p.masked(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}
