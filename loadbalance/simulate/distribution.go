package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Distribution says how a quantity is drawn. The zero value is not set: what
// holds it says what is drawn then.
type Distribution struct {
	shape shape
	a, b  float64
}

type shape uint8

const (
	unset shape = iota
	constant
	uniform
	lognormal
)

// Constant is always x.
func Constant(x float64) Distribution { return Distribution{constant, x, 0} }

// Uniform is anything from low to high, all alike.
func Uniform(low, high float64) Distribution { return Distribution{uniform, low, high} }

// Lognormal has its logarithm distributed normally with the deviation sigma:
// half of all draws are above median, and one in 44 above median x e^(2 sigma).
// The latencies of most services look like it.
func Lognormal(median, sigma float64) Distribution { return Distribution{lognormal, median, sigma} }

// isSet reports whether the distribution was given.
func (d Distribution) isSet() bool { return d.shape != unset }

// or returns d if it is set, else other.
func (d Distribution) or(other Distribution) Distribution {
	if d.isSet() {
		return d
	}
	return other
}

func (d Distribution) draw(r *rand.Rand) float64 {
	switch d.shape {
	case constant:
		return d.a
	case uniform:
		return d.a + (d.b-d.a)*r.Float64()
	case lognormal:
		return d.a * math.Exp(d.b*r.NormFloat64())
	default:
		return 0
	}
}

// mean is the expected value.
func (d Distribution) mean() float64 {
	switch d.shape {
	case constant:
		return d.a
	case uniform:
		return (d.a + d.b) / 2
	case lognormal:
		return d.a * math.Exp(d.b*d.b/2)
	default:
		return 0
	}
}

// most bounds what may be drawn around: a day in seconds, and more tokens
// than any model takes. It keeps virtual time from overflowing.
const most = 1e8

// check returns what is wrong with the numbers.
func (d Distribution) check() error {
	switch {
	case !(d.a >= 0) || !(d.b >= 0) || d.a > most || d.b > most:
		return fmt.Errorf("numbers must be from 0 to %g", float64(most))
	case d.shape == uniform && d.b < d.a:
		return errors.New("uniform: the second number must not be below the first")
	case d.shape == lognormal && d.b > maxSigma:
		return fmt.Errorf("lognormal: sigma must be at most %d", maxSigma)
	}
	return nil
}

// maxSigma is a deviation at which the largest of a million draws is ten
// million times the median: more is a mistake.
const maxSigma = 3

// distributionText is a Distribution in JSON: a number for a constant, or an
// object with one field.
type distributionText struct {
	Constant  *float64    `json:"constant,omitempty"`
	Uniform   *[2]float64 `json:"uniform,omitempty"`
	Lognormal *struct {
		Median float64 `json:"median"`
		Sigma  float64 `json:"sigma"`
	} `json:"lognormal,omitempty"`
}

// UnmarshalJSON reads 0.8, {"constant": 0.8}, {"uniform": [0.5, 2]} or
// {"lognormal": {"median": 0.8, "sigma": 0.4}}.
func (d *Distribution) UnmarshalJSON(text []byte) error {
	var x float64
	if json.Unmarshal(text, &x) == nil && !bytes.Equal(text, []byte("null")) {
		*d = Constant(x)
		return d.check()
	}
	var t distributionText
	if err := strict(text, &t); err != nil {
		return err
	}
	var all []Distribution
	if t.Constant != nil {
		all = append(all, Constant(*t.Constant))
	}
	if t.Uniform != nil {
		all = append(all, Uniform(t.Uniform[0], t.Uniform[1]))
	}
	if t.Lognormal != nil {
		all = append(all, Lognormal(t.Lognormal.Median, t.Lognormal.Sigma))
	}
	if len(all) != 1 {
		return errors.New("a distribution is a number or an object with one of constant, uniform, lognormal")
	}
	*d = all[0]
	return d.check()
}
