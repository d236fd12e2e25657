package loadbalance

import "time"

// Progressive recovery: a backend that was open or unhealthy takes part with
// a share of its weight until it has proved itself.
const (
	firstStage  = 30 // percent of the weight, right after recovery
	secondStage = 50
	fullStage   = 100

	secondStageAfter = 2 // successes since the recovery
	fullStageAfter   = 5
)

// minRecoveryPause is the first pause of the back-off between recovery
// probes; each failed one doubles it, up to Policy.RecoveryInterval.
const minRecoveryPause = time.Second

const (
	// wantedPause is the longest pause between recovery probes while requests
	// are turned away for want of this backend: the first to come back should be
	// noticed within two seconds.
	wantedPause = 1500 * time.Millisecond
	// wantedFor is how long a request that was turned away counts.
	wantedFor = 10 * time.Second
)

// recovery is where a backend stands on its way back. The zero value is a
// backend that never failed.
type recovery struct {
	active    bool
	successes int // since it recovered

	step uint  // failed probes and trials since it was marked
	next int64 // moment of the next probe or trial, while it is unhealthy
}

// stage is the percentage of its weight that the backend counts.
func (r *recovery) stage() int {
	switch {
	case !r.active:
		return fullStage
	case r.successes < secondStageAfter:
		return firstStage
	default:
		return secondStage
	}
}

// restart begins the recovery anew: at a mark, and at any failure on the way.
func (r *recovery) restart() { r.active, r.successes = true, 0 }

// success counts a success after the one that recovered the backend.
func (r *recovery) success() {
	if !r.active {
		return
	}
	r.successes++
	if r.successes >= fullStageAfter {
		*r = recovery{}
	}
}

// backOff sets the next probe: 1 s, 2 s, 4 s ... at most limit, less up to a
// quarter as jitter, so that many backends that fell together do not come
// back together. u is a random number.
func (r *recovery) backOff(now int64, limit time.Duration, u uint64) {
	pause := limit
	if r.step < 32 {
		pause = min(limit, minRecoveryPause<<r.step)
	}
	r.step++
	r.next = now + jittered(pause, u)
}

// jittered returns d less up to a quarter, by the random number u.
func jittered(d time.Duration, u uint64) int64 {
	return int64(d) - int64(float64(d)/4*unit(u))
}

// unit makes a number in [0,1) of 64 random bits.
func unit(u uint64) float64 { return float64(u>>11) / (1 << 53) }
