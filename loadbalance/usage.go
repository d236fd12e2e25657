package loadbalance

import (
	"math"
	"sync/atomic"
)

const (
	// What a request is expected to use before any was seen: a short chat.
	firstInputTokens  = 1000
	firstOutputTokens = 300
	// usageShare is how much of the running average one request makes up:
	// the last fifty or so count.
	usageShare = 0.02
)

// usage is a balancer's running average of tokens per request. The halves are
// updated apart: an average needs no consistent pair.
type usage struct{ input, output average }

// observe adds a request; zeros mean that its usage is not known.
func (u *usage) observe(input, output int) {
	if input <= 0 && output <= 0 {
		return
	}
	u.input.add(float64(input), firstInputTokens)
	u.output.add(float64(output), firstOutputTokens)
}

// inherit takes over what an older balancer's average has come to.
func (u *usage) inherit(old *usage) {
	u.input.bits.Store(old.input.bits.Load())
	u.output.bits.Store(old.output.bits.Load())
}

// typical is the request that costs are compared for, in millions of tokens.
type typical struct{ input, output float64 }

func (u *usage) typical() typical {
	const million = 1e6
	return typical{u.input.get(firstInputTokens) / million, u.output.get(firstOutputTokens) / million}
}

// price is the expected price of the request at a listing, in USD.
func (t typical) price(p prices) float64 { return p.request + t.input*p.input + t.output*p.output }

// prices are those of a listing, in USD per million tokens and per request.
type prices struct{ input, output, request float64 }

// average is a running average, kept as the difference to its first value so
// that zero means nothing was added yet.
type average struct{ bits atomic.Uint64 }

func (a *average) get(first float64) float64 { return first + math.Float64frombits(a.bits.Load()) }

func (a *average) add(x, first float64) {
	for {
		old := a.bits.Load()
		d := math.Float64frombits(old)
		if a.bits.CompareAndSwap(old, math.Float64bits(d+(x-first-d)*usageShare)) {
			return
		}
	}
}
