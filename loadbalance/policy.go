package loadbalance

import (
	"maps"
	"time"
)

// Policy holds the numbers that a Fleet judges its backends by. It is data
// only. The zero Policy stands for DefaultPolicy.
type Policy struct {
	// FailureThreshold is the number of consecutive failures that opens a
	// backend's breaker. A Policy in which it is 0 or less is taken as
	// DefaultPolicy with the Groups of this one.
	FailureThreshold int
	OpenTimeout      time.Duration // from opening to the first half-open trial; not positive: the default

	CheckInterval    time.Duration // between active checks of a group; not positive: no active checks at all
	CheckTimeout     time.Duration // hard limit of one check; not positive: the default
	RecoveryInterval time.Duration // upper bound of the back-off between recovery probes; not positive: the default

	// RetryRatio is the share of a backend's first picks that may be retried
	// elsewhere, from 0 up. See Lease.MayRetry.
	RetryRatio float64

	SmartAI SmartAI
	// Groups holds limits and checks by group. A group that is not in it has
	// no limit and no checks.
	Groups map[string]Group

	limited bool // some group has a MaxConcurrent
}

// Group is what backends that share an account have in common.
type Group struct {
	MaxConcurrent int // leases at one time over all backends of the group; 0: no limit
	Check         CheckKind
}

// SmartAI holds the numbers of the smart_ai strategy. Confidences, ratios and
// penalties are in [0,1].
type SmartAI struct {
	InitialConfidence float64 // of a backend that nothing is known about
	MinConfidence     float64 // the floor that failures cannot push below

	TimeDecay          bool          // an idle backend's confidence drifts back to InitialConfidence
	LightCheckInterval time.Duration // between checks of backends without traffic; not positive: none
	ExplorationRatio   float64       // share of the requests that explore
	StabilityBonus     float64       // factor for proven backends that are not premium; 1 is none

	SuccessBoost float64 // added by a success

	// Taken off by a failure of the kind.
	NetworkPenalty, AuthPenalty, RateLimitPenalty, ServerPenalty, ModelPenalty, TimeoutPenalty float64
}

// DefaultPolicy returns the defaults: a breaker that opens after 5 failures
// for 60 s, checks every 30 s of at most 10 s, recovery probes at most 120 s
// apart, and retries of at most a fifth of the traffic.
func DefaultPolicy() Policy {
	return Policy{
		FailureThreshold: 5,
		OpenTimeout:      60 * time.Second,
		CheckInterval:    30 * time.Second,
		CheckTimeout:     10 * time.Second,
		RecoveryInterval: 120 * time.Second,
		RetryRatio:       0.2,
		SmartAI: SmartAI{
			InitialConfidence:  0.8,
			MinConfidence:      0.05,
			TimeDecay:          true,
			LightCheckInterval: 600 * time.Second,
			ExplorationRatio:   0.2,
			StabilityBonus:     1.1,
			SuccessBoost:       0.1,
			NetworkPenalty:     0.3,
			AuthPenalty:        0.8,
			RateLimitPenalty:   0.1,
			ServerPenalty:      0.2,
			ModelPenalty:       0.3,
			TimeoutPenalty:     0.2,
		},
	}
}

// normalised returns p with defaults for what cannot be zero, sharing nothing
// with p.
func (p Policy) normalised() *Policy {
	d := DefaultPolicy()
	if p.FailureThreshold <= 0 {
		d.Groups = p.Groups
		p = d
	}
	if p.OpenTimeout <= 0 {
		p.OpenTimeout = d.OpenTimeout
	}
	if p.CheckTimeout <= 0 {
		p.CheckTimeout = d.CheckTimeout
	}
	if p.RecoveryInterval <= 0 {
		p.RecoveryInterval = d.RecoveryInterval
	}
	p.RetryRatio = max(p.RetryRatio, 0)
	if p.SmartAI == (SmartAI{}) {
		p.SmartAI = d.SmartAI
	}
	p.SmartAI = p.SmartAI.normalised()
	p.Groups = maps.Clone(p.Groups)
	p.limited = false
	for _, g := range p.Groups {
		p.limited = p.limited || g.MaxConcurrent > 0
	}
	return &p
}

func (s SmartAI) normalised() SmartAI {
	for _, x := range []*float64{
		&s.InitialConfidence, &s.MinConfidence, &s.ExplorationRatio, &s.SuccessBoost,
		&s.NetworkPenalty, &s.AuthPenalty, &s.RateLimitPenalty, &s.ServerPenalty, &s.ModelPenalty, &s.TimeoutPenalty,
	} {
		*x = min(max(*x, 0), 1)
	}
	s.MinConfidence = min(s.MinConfidence, s.InitialConfidence)
	if !(s.StabilityBonus > 0) {
		s.StabilityBonus = 1
	}
	return s
}

// penalty is what a failure of kind k takes off a confidence.
func (s *SmartAI) penalty(k Kind) float64 {
	switch k {
	case Network:
		return s.NetworkPenalty
	case Timeout:
		return s.TimeoutPenalty
	case Server:
		return s.ServerPenalty
	case RateLimit:
		return s.RateLimitPenalty
	case Auth:
		return s.AuthPenalty
	case Model:
		return s.ModelPenalty
	}
	return 0
}
