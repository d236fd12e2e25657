package httplb

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Defaults of Options.
const (
	DefaultMaxAttempts     = 3
	DefaultMaxBufferedBody = 1 << 20
)

// Options are what a Transport is made of. Only Targets is required.
type Options struct {
	Name    string // of the balancer, for errors; "": "httplb"
	Targets []Target

	// Strategy picks among the targets; nil: weighted_failover. The value
	// belongs to the Transport from then on.
	Strategy loadbalance.Strategy
	// Fleet keeps the targets' state, and its policy says how they are checked
	// and how much is retried. It may be shared with other balancers. nil: a
	// fleet of the Transport's own, with the default policy, in which every
	// target is checked while Run runs.
	Fleet *loadbalance.Fleet

	// Base makes the attempts. It must not retry, follow redirects or balance
	// itself. nil: a copy of http.DefaultTransport, with room for more idle
	// connections.
	Base http.RoundTripper

	// MaxAttempts bounds the attempts for one request; 0: DefaultMaxAttempts.
	MaxAttempts int
	// FirstByteTimeout is how long one attempt may take from the pick to the
	// first byte of the body, or to the header where RoundTrip does not wait for
	// the body. 0: as long as the request's context lives.
	FirstByteTimeout time.Duration
	// MaxBufferedBody is the length in bytes up to which a request's body that
	// has no GetBody is kept in memory; 0: DefaultMaxBufferedBody, negative:
	// none is.
	MaxBufferedBody int64

	// Classify says what an answer means for its target; nil: Classify, the
	// function. It must not touch the body.
	Classify func(t *Target, resp *http.Response) loadbalance.Kind
	// Retry reports whether a request that may have reached a target may be
	// sent to another; nil: every request may. A request that was certainly
	// not acted on, because no connection was made or the target answered 429,
	// is retried in any case.
	Retry func(r *http.Request) bool
	// Observe is told each attempt at its end, on the goroutine that ended it;
	// nil: nobody is. It must not block.
	Observe func(r *http.Request, a Attempt)
}

// Target is one base URL.
type Target struct {
	// URL is http or https, with a host, and a path and query parameters if
	// need be. It holds no user name or password: those are for Header.
	URL string
	// Header is set on the requests to this target only, in place of what the
	// request has under the same names; a name without values is removed.
	// "Host" changes the Host header.
	Header http.Header
	// HealthPath is what an active check asks for, after the URL like a
	// request's path, possibly with a query, such as "/healthz". The target
	// passes if the status is below 400. "": the check only finds out whether
	// the target answers HTTP at all.
	HealthPath string

	// Listing is how the balancer sees the target. An empty ID stands for the
	// URL without its query.
	loadbalance.Listing
}

// Attempt is what became of one attempt.
type Attempt struct {
	Target    string // the ID
	Kind      loadbalance.Kind
	Status    int           // 0: no answer
	FirstByte time.Duration // from the pick to the first byte; 0: none came
	Duration  time.Duration // from the pick to the end
	Err       error         // why there was no whole answer; nil if there was, of whatever status
}

// target is a Target made ready.
type target struct {
	Target
	base   *url.URL
	health *url.URL // nil: none
}

// New checks the options and builds a Transport. It starts and opens nothing.
// The error names everything that is wrong.
func New(o Options) (*Transport, error) {
	errs := o.check()
	targets := make([]*target, len(o.Targets))
	listings := make([]loadbalance.Listing, len(o.Targets))
	seen := map[string]bool{}
	for i, given := range o.Targets {
		t, err := newTarget(given)
		if err != nil {
			errs = append(errs, fmt.Errorf("target %d: %w", i, err))
			continue
		}
		if seen[t.ID] {
			errs = append(errs, fmt.Errorf("target %d: there is a target %q already", i, t.ID))
		}
		seen[t.ID] = true
		targets[i], listings[i] = t, t.Listing
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("httplb: %w", err)
	}
	if o.Fleet == nil {
		o.Fleet = newFleet(listings)
	}
	balancer, err := o.Fleet.Balancer(loadbalance.Config{Name: o.name(), Strategy: o.Strategy, Listings: listings})
	if err != nil {
		return nil, fmt.Errorf("httplb: %w", err)
	}
	t := &Transport{options: o, fleet: o.Fleet, balancer: balancer, targets: targets, base: o.Base}
	t.options.Targets = nil
	t.complete()
	return t, nil
}

func (o *Options) name() string {
	if o.Name == "" {
		return "httplb"
	}
	return o.Name
}

func (o *Options) check() []error {
	var errs []error
	if len(o.Targets) == 0 {
		errs = append(errs, errors.New("no targets"))
	}
	if o.MaxAttempts < 0 {
		errs = append(errs, fmt.Errorf("MaxAttempts is %d, want 1 or more, or 0 for the default", o.MaxAttempts))
	}
	if o.FirstByteTimeout < 0 {
		errs = append(errs, fmt.Errorf("FirstByteTimeout is %v, want 0 or more", o.FirstByteTimeout))
	}
	return errs
}

// complete puts the defaults in place of what was left out.
func (t *Transport) complete() {
	o := &t.options
	if t.base == nil {
		t.base = newBase()
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = DefaultMaxAttempts
	}
	if o.MaxBufferedBody == 0 {
		o.MaxBufferedBody = DefaultMaxBufferedBody
	}
	if o.Classify == nil {
		o.Classify = Classify
	}
	if o.Retry == nil {
		o.Retry = func(*http.Request) bool { return true }
	}
	if o.Observe == nil {
		o.Observe = func(*http.Request, Attempt) {}
	}
}

// newFleet is the fleet of a Transport that is given none.
func newFleet(listings []loadbalance.Listing) *loadbalance.Fleet {
	p := loadbalance.DefaultPolicy()
	p.Groups = map[string]loadbalance.Group{}
	for _, l := range listings {
		group := l.Group
		if group == "" {
			group = l.ID
		}
		p.Groups[group] = loadbalance.Group{Check: loadbalance.CheckAuto}
	}
	return loadbalance.NewFleet(loadbalance.Options{Policy: p})
}

// idlePerTarget is how many idle connections a target may have: with the 2 of
// net/http a busy client opens a connection for nearly every request.
const idlePerTarget = 256

func newBase() http.RoundTripper {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // somebody replaced it, and will know why
	}
	base = base.Clone()
	base.MaxIdleConns, base.MaxIdleConnsPerHost = 0, idlePerTarget
	return base
}

// newTarget checks a target. Its errors hold no part of a URL that may be a
// secret, nor any header's value.
func newTarget(given Target) (*target, error) {
	u, err := url.Parse(given.URL)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be read")
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password: put them into Header")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("the URL %q is not of the form http://HOST or https://HOST", u.Redacted())
	case u.Fragment != "":
		return nil, errors.New("the URL has a fragment (#)")
	}
	t := &target{Target: given, base: u}
	if t.ID == "" {
		t.ID = u.Scheme + "://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/")
	}
	t.Header = given.Header.Clone()
	for name, values := range t.Header {
		if !validHeader(name, values) {
			return nil, fmt.Errorf("%q: the header %q cannot be sent: a line break perhaps, or a space in its name", t.ID, name)
		}
	}
	if given.HealthPath != "" {
		path, err := url.Parse(given.HealthPath)
		if err != nil || path.IsAbs() || path.Host != "" || !strings.HasPrefix(given.HealthPath, "/") {
			return nil, fmt.Errorf("%q: the health path %q does not begin with / or cannot be read", t.ID, given.HealthPath)
		}
		t.health = join(u, path)
	}
	return t, nil
}

// validHeader reports whether net/http can send the header (RFC 9110, 5.1 and 5.5).
func validHeader(name string, values []string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for _, c := range name {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune(special, c) {
			return false
		}
	}
	for _, v := range values {
		for i := range len(v) {
			if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
				return false
			}
		}
	}
	return name != ""
}
