package simulate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Traffic is when requests come, and what they ask for.
type Traffic struct {
	// Rate is the mean number of requests per second, before Diurnal and Burst.
	Rate float64 `json:"rate"`
	// Random makes the requests come independently of each other, as those of
	// many users do (a Poisson process). Otherwise they come at even distances.
	Random bool `json:"random"`
	// Diurnal, from 0 to 1, lets the rate swing over 24 hours by that share of
	// it: lowest at midnight, which is when the simulation begins, highest at noon.
	Diurnal float64 `json:"diurnal"`
	Burst   Burst   `json:"burst"`

	// Tokens of the prompts and the answers; unset: 1000 and 300, lognormal.
	InputTokens  Distribution `json:"input_tokens"`
	OutputTokens Distribution `json:"output_tokens"`
	// Whole is the share of the requests that want their answer whole instead
	// of streamed, from 0 to 1.
	Whole float64 `json:"whole"`

	// Trace, if it is not empty, is the requests themselves, sorted by At;
	// Rate, Random, Diurnal, Burst and Whole count no more. ParseTrace reads one.
	Trace []Arrival `json:"-"`
}

// Burst multiplies the rate from time to time.
type Burst struct {
	Every  Duration `json:"every"`  // from the beginning of a burst to that of the next; 0: no bursts
	Length Duration `json:"length"` // less than Every; each burst ends when Every does
	Factor float64  `json:"factor"` // what the rate is multiplied by
}

// Arrival is one request of a trace.
type Arrival struct {
	At                        time.Duration // since the beginning
	Model                     string        // "": any; Run does not look at it
	InputTokens, OutputTokens int           // 0: drawn as those of other traffic
	Stream                    bool
}

const (
	day = 24 * time.Hour
	// diurnalStep is how long the rate stands still while it swings.
	diurnalStep = 5 * time.Minute
	maxRate     = 1e6
)

func (t *Traffic) check() error {
	var errs []error
	share := func(name string, x float64) {
		if !(x >= 0 && x <= 1) {
			errs = append(errs, fmt.Errorf("traffic: %s must be from 0 to 1", name))
		}
	}
	share("diurnal", t.Diurnal)
	share("whole", t.Whole)
	if len(t.Trace) == 0 && !(t.Rate > 0 && t.Rate <= maxRate) {
		errs = append(errs, fmt.Errorf("traffic: rate must be above 0 and at most %g requests per second", float64(maxRate)))
	}
	if b := t.Burst; b.Every != 0 && !(b.Every >= Duration(time.Second) && b.Length > 0 && b.Length < b.Every && b.Factor >= 0 && b.Factor <= maxRate) {
		errs = append(errs, fmt.Errorf("traffic: a burst needs every from 1s on, a length above 0 and below every, and a factor from 0 to %g", float64(maxRate)))
	}
	for name, d := range map[string]Distribution{"input_tokens": t.InputTokens, "output_tokens": t.OutputTokens} {
		if err := d.check(); err != nil {
			errs = append(errs, fmt.Errorf("traffic: %s: %w", name, err))
		}
	}
	for i := 1; i < len(t.Trace); i++ {
		if t.Trace[i].At < t.Trace[i-1].At {
			errs = append(errs, errors.New("traffic: the trace is not sorted"))
			break
		}
	}
	return errors.Join(errs...)
}

func (t *Traffic) input() Distribution  { return t.InputTokens.or(Lognormal(900, 0.45)) }  // mean 996
func (t *Traffic) output() Distribution { return t.OutputTokens.or(Lognormal(270, 0.45)) } // mean 299

// arrivals hands out the requests of a traffic in their order.
type arrivals struct {
	traffic *Traffic
	rnd     *rand.Rand
	at      time.Duration // of the latest one
	n       int           // how many there were
}

// next is the next request. False: the trace has no more, or nothing ever comes.
func (a *arrivals) next() (Arrival, bool) {
	t := a.traffic
	next := Arrival{Stream: true}
	if len(t.Trace) > 0 {
		if a.n == len(t.Trace) {
			return next, false
		}
		next = t.Trace[a.n]
	} else {
		if !a.advance() {
			return next, false
		}
		next.At = a.at
		next.Stream = t.Whole == 0 || a.rnd.Float64() >= t.Whole
	}
	a.n++
	if next.InputTokens == 0 {
		next.InputTokens = int(t.input().draw(a.rnd))
	}
	if next.OutputTokens == 0 {
		next.OutputTokens = int(t.output().draw(a.rnd))
	}
	return next, true
}

// advance moves on to the moment at which the rate, summed up since the last
// request, makes one more: 1, or for random arrivals a number with an
// exponential distribution. The rate is constant from one step to the next.
// Even arrivals begin half a distance in, so that a whole one fits at the end.
func (a *arrivals) advance() bool {
	need := 1.0
	switch {
	case a.traffic.Random:
		need = a.rnd.ExpFloat64()
	case a.n == 0:
		need = 0.5
	}
	for a.at < maxDuration {
		rate, until := a.traffic.rate(a.at)
		if comes := need / rate; comes < (until - a.at).Seconds() {
			a.at += time.Duration(comes * float64(time.Second))
			return true
		}
		need -= rate * (until - a.at).Seconds()
		a.at = until
	}
	return false
}

// rate is the rate at a moment, and until when it stays.
func (t *Traffic) rate(at time.Duration) (rate float64, until time.Duration) {
	rate, until = t.Rate, maxDuration
	if t.Diurnal > 0 {
		until = (at/diurnalStep + 1) * diurnalStep
		middle := float64((until-diurnalStep/2)%day) / float64(day)
		rate *= 1 - t.Diurnal*math.Cos(2*math.Pi*middle)
	}
	if every := time.Duration(t.Burst.Every); every > 0 {
		begin := every - time.Duration(t.Burst.Length)
		if into := at % every; into < begin {
			until = min(until, at-into+begin)
		} else {
			until = min(until, at-into+every)
			rate *= t.Burst.Factor
		}
	}
	return rate, until
}
