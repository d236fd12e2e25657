package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// World is what the outside does during a simulation.
type World struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`    // one line for people
	Duration Duration `json:"duration"` // during which requests come; those that came are still answered
	Traffic  Traffic  `json:"traffic"`
	// Backends are the scripts. A backend follows the first one that matches
	// it; one that none matches answers everything at the default latency.
	Backends []Script `json:"backends"`
}

// Script is how backends behave.
type Script struct {
	// Match says which: an id, in which * stands for anything but / and \, or
	// "cheapest" or "dearest" for one backend by its price for a typical
	// request. Where listings have no prices one with the tag premium is dearer than
	// one without; among equals the first counts as cheaper.
	Match string `json:"match"`
	// Latency is the time to the first content in seconds; unset: lognormal
	// around 0.8 s.
	Latency Distribution `json:"latency"`
	// PerToken is the time for each token of an answer. nil: 10 ms.
	PerToken *Duration `json:"per_token"`
	// RequestsPerMinute is the backend's limit: what comes above it in a
	// minute of the clock is answered with 429 and the time until the next. 0: none.
	RequestsPerMinute int `json:"requests_per_minute"`
	// NoList says that the account has no list of models to check by.
	NoList bool    `json:"no_list"`
	Faults []Fault `json:"faults"` // the first that fits a moment counts
}

// Fault is a time window in which requests fail.
type Fault struct {
	Kind  Kind     `json:"kind"`
	From  Duration `json:"from"`
	Until Duration `json:"until"` // 0: for ever; with Every: until the end of the period
	// Every repeats the window: From and Until count from the beginning of
	// each period of that length. 0: it comes once.
	Every Duration `json:"every"`
	// Share is the share of the requests that fail, from 0 to 1. 0 stands for 1.
	Share float64 `json:"share"`
	// After is the time until the failure is known. 0: a timeout takes as long
	// as the request's limit, a broken connection 5 ms, an error 100 ms.
	After Duration `json:"after"`
	// RetryAfter is how long the backend asks to be left alone: rate_limit, and
	// server, which it makes a 503 that says when to come back. 0: it does not say.
	RetryAfter Duration `json:"retry_after"`
	// Account says that not only the model fails but all of the account, which
	// the free list of models shows as well. Of network, auth and model faults
	// the list always shows; a check by connection sees network faults only.
	Account bool `json:"account"`
}

// Kind is a loadbalance.Kind that is written by its name in JSON.
type Kind loadbalance.Kind

// UnmarshalText reads "network", "timeout", "server", "rate_limit", "auth" or
// "model".
func (k *Kind) UnmarshalText(text []byte) error {
	for kind := loadbalance.Network; kind <= loadbalance.Model; kind++ {
		if kind.String() == string(text) {
			*k = Kind(kind)
			return nil
		}
	}
	return fmt.Errorf("unknown kind of fault %q, want network, timeout, server, rate_limit, auth or model", text)
}

// Duration is a time.Duration that is written as "1m30s" in JSON, or as a
// number of seconds.
type Duration time.Duration

// UnmarshalJSON reads "1m30s" or 90. Durations are not negative and at most
// 366 days.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var seconds float64
	var s string
	switch {
	case json.Unmarshal(text, &s) == nil:
		parsed, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no duration, such as 1m30s", s)
		}
		seconds = parsed.Seconds()
		*d = Duration(parsed)
	case json.Unmarshal(text, &seconds) == nil:
		*d = Duration(seconds * float64(time.Second))
	default:
		return errors.New(`a duration is a text such as "1m30s" or a number of seconds`)
	}
	if !(seconds >= 0 && seconds <= maxDuration.Seconds()) {
		return fmt.Errorf("a duration must be from 0 to %.0f seconds", maxDuration.Seconds())
	}
	return nil
}

const (
	maxDuration = 366 * day  // that a simulation may last
	maxRequests = 10_000_000 // that it may have
	maxEpisodes = 100_000    // that a fault may come to
)

// ParseWorld reads a world from JSON: the fields of World by their JSON names.
// Unknown fields are an error. A duration that is 0 or left out is an hour, and
// a rate one request per second. The world is checked.
func ParseWorld(r io.Reader) (World, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxWorld+1))
	if err != nil {
		return World{}, err
	}
	if len(text) > maxWorld {
		return World{}, fmt.Errorf("longer than %d bytes", maxWorld)
	}
	var w World
	if err := strict(text, &w); err != nil {
		return World{}, err
	}
	if w.Duration == 0 {
		w.Duration = hour
	}
	if w.Traffic.Rate == 0 {
		w.Traffic.Rate = 1
	}
	return w, w.Check()
}

// maxWorld bounds a world's text in bytes.
const maxWorld = 1 << 20

// strict decodes exactly one JSON value without unknown fields.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end of the object")
	}
	return nil
}

// Check returns all that is wrong with the world; nil if nothing is.
func (w *World) Check() error {
	var errs []error
	if !(w.Duration > 0 && w.Duration <= Duration(maxDuration)) {
		errs = append(errs, fmt.Errorf("duration must be above 0 and at most %.0f seconds", maxDuration.Seconds()))
	}
	errs = append(errs, w.Traffic.check())
	for i := range w.Backends {
		if err := w.Backends[i].check(time.Duration(w.Duration)); err != nil {
			errs = append(errs, fmt.Errorf("backends[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Script) check(whole time.Duration) error {
	var errs []error
	if _, err := path.Match(s.Match, ""); s.Match == "" || err != nil {
		errs = append(errs, fmt.Errorf("match is %q, want an id, a pattern, cheapest or dearest", s.Match))
	}
	if err := s.Latency.check(); err != nil {
		errs = append(errs, fmt.Errorf("latency: %w", err))
	}
	if p := s.PerToken; p != nil && (*p < 0 || *p > Duration(time.Minute)) {
		errs = append(errs, errors.New("per_token must be from 0 to 1m"))
	}
	if s.RequestsPerMinute < 0 {
		errs = append(errs, errors.New("requests_per_minute must not be negative"))
	}
	for i := range s.Faults {
		if err := s.Faults[i].check(whole); err != nil {
			errs = append(errs, fmt.Errorf("faults[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (f *Fault) check(whole time.Duration) error {
	kind := loadbalance.Kind(f.Kind)
	longest := max(f.From, f.Until, f.Every, f.After, f.RetryAfter)
	switch {
	case !kind.Elsewhere():
		return errors.New("kind must be one of network, timeout, server, rate_limit, auth, model")
	case min(f.From, f.Until, f.Every, f.After, f.RetryAfter) < 0 || longest > Duration(maxDuration):
		return fmt.Errorf("times must be from 0 to %.0f seconds", maxDuration.Seconds())
	case f.Until != 0 && f.Until <= f.From:
		return errors.New("until must be after from")
	case f.Every != 0 && max(f.From+1, f.Until) > f.Every:
		return errors.New("the window must lie within every")
	case f.Every != 0 && whole/time.Duration(f.Every) > maxEpisodes:
		return fmt.Errorf("it would come more than %d times", maxEpisodes)
	case !(f.Share >= 0 && f.Share <= 1):
		return errors.New("share must be from 0 to 1")
	case f.RetryAfter != 0 && kind != loadbalance.RateLimit && kind != loadbalance.Server:
		return errors.New("retry_after is for rate_limit and server")
	}
	return nil
}

// covers reports whether the fault's window includes the moment.
func (f *Fault) covers(at moment) bool {
	if f.Every > 0 {
		at %= moment(f.Every)
	}
	return at >= moment(f.From) && (f.Until == 0 || at < moment(f.Until))
}

// total reports whether everything fails in the fault's window.
func (f *Fault) total() bool { return f.Share == 0 || f.Share == 1 }

// scriptOf returns the script that listing i follows.
func (w *World) scriptOf(listings []loadbalance.Listing, i int) Script {
	for _, s := range w.Backends {
		switch s.Match {
		case "cheapest":
			if w.byPrice(listings)[0] == listings[i].ID {
				return s
			}
		case "dearest":
			if all := w.byPrice(listings); all[len(all)-1] == listings[i].ID {
				return s
			}
		default:
			if ok, _ := path.Match(s.Match, listings[i].ID); ok || s.Match == listings[i].ID {
				return s
			}
		}
	}
	return Script{}
}

// byPrice returns the ids of the listings, the cheapest first.
func (w *World) byPrice(listings []loadbalance.Listing) []string {
	type priced struct {
		id   string
		cost float64
	}
	all := make([]priced, len(listings))
	in, out := w.Traffic.input().mean(), w.Traffic.output().mean()
	for i, l := range listings {
		all[i] = priced{l.ID, price(&l, in, out)}
		if all[i].cost == 0 && slices.Contains(l.Tags, "premium") {
			all[i].cost = 1
		}
	}
	slices.SortStableFunc(all, func(a, b priced) int {
		switch {
		case a.cost < b.cost:
			return -1
		case a.cost > b.cost:
			return 1
		}
		return 0
	})
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.id
	}
	return ids
}

// price is what a request costs at a listing, in USD.
func price(l *loadbalance.Listing, in, out float64) float64 {
	const perMillion = 1e-6
	return l.RequestPrice + perMillion*(in*l.InputPrice+out*l.OutputPrice)
}
