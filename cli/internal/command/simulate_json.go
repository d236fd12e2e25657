package command

import (
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
)

// simulated is the result of simulate.
type simulated struct {
	Model    string           `json:"model"`
	Seed     uint64           `json:"seed"`
	Backends []string         `json:"backends"`
	Worlds   []simulatedWorld `json:"worlds"`
}

type simulatedWorld struct {
	World           string              `json:"world"`
	About           string              `json:"about"`
	DurationSeconds float64             `json:"duration_seconds"`
	Strategies      []simulatedStrategy `json:"strategies"`
}

type simulatedStrategy struct {
	Strategy           string             `json:"strategy"`
	Requests           int                `json:"requests"`
	Succeeded          int                `json:"succeeded"`
	Failed             int                `json:"failed"`
	Refused            int                `json:"refused"`
	Retried            int                `json:"retried"`
	Attempts           int                `json:"attempts"`
	SuccessRate        float64            `json:"success_rate"`
	AttemptsPerRequest float64            `json:"attempts_per_request"`
	Cost               float64            `json:"cost"`
	CostPerSuccess     float64            `json:"cost_per_success"`
	P50MS              float64            `json:"p50_ms"`
	P99MS              float64            `json:"p99_ms"`
	RetryAfterMin      float64            `json:"retry_after_min_seconds"`
	RetryAfterMax      float64            `json:"retry_after_max_seconds"`
	Backends           []simulatedBackend `json:"by_backend"`
	Episodes           []simulatedEpisode `json:"episodes"`
	SliceSeconds       float64            `json:"slice_seconds"`
	Timeline           []simulatedSlice   `json:"timeline"`
}

type simulatedBackend struct {
	Backend    string  `json:"backend"`
	Share      float64 `json:"share"`
	Attempts   int     `json:"attempts"`
	Succeeded  int     `json:"succeeded"`
	Failed     int     `json:"failed"`
	Cost       float64 `json:"cost"`
	FreeChecks int     `json:"free_checks"`
	PaidChecks int     `json:"paid_checks"`
}

type simulatedEpisode struct {
	Backend       string  `json:"backend"`
	FromSeconds   float64 `json:"from_seconds"`
	UntilSeconds  float64 `json:"until_seconds"`
	Failures      int     `json:"failures"`
	Lost          int     `json:"lost"`
	Left          bool    `json:"left"`
	LeaveSeconds  float64 `json:"leave_seconds"`
	Returned      bool    `json:"returned"`
	ReturnSeconds float64 `json:"return_seconds"`
	Arrivals      int     `json:"arrivals"`
}

type simulatedSlice struct {
	Answered   []int     `json:"answered"`
	Unanswered int       `json:"unanswered"`
	Confidence []float64 `json:"confidence"`
}

// object is the result for programs.
func (st *study) object(results []comparison) simulated {
	out := simulated{Model: st.model.ID, Seed: st.scenario.seed, Backends: []string{}, Worlds: []simulatedWorld{}}
	for _, b := range results[0].reports[0].Backends {
		out.Backends = append(out.Backends, b.ID)
	}
	for _, c := range results {
		w := simulatedWorld{
			World: c.world.Name, About: c.world.About,
			DurationSeconds: time.Duration(c.world.Duration).Seconds(), Strategies: []simulatedStrategy{},
		}
		for _, r := range c.reports {
			w.Strategies = append(w.Strategies, strategyObject(r))
		}
		out.Worlds = append(out.Worlds, w)
	}
	return out
}

func strategyObject(r *simulate.Report) simulatedStrategy {
	o := simulatedStrategy{
		Strategy: r.Name, Requests: r.Requests, Succeeded: r.Succeeded, Failed: r.Failed, Refused: r.Refused,
		Retried: r.Retried, Attempts: r.Attempts, SuccessRate: r.SuccessRate(), AttemptsPerRequest: r.AttemptsPerRequest(),
		Cost: r.Cost, CostPerSuccess: r.CostPerSuccess(), P50MS: milliseconds(r.P50), P99MS: milliseconds(r.P99),
		RetryAfterMin: r.WaitShortest.Seconds(), RetryAfterMax: r.WaitLongest.Seconds(),
		Backends: []simulatedBackend{}, Episodes: []simulatedEpisode{}, Timeline: []simulatedSlice{},
		SliceSeconds: r.Width.Seconds(),
	}
	for i, b := range r.Backends {
		o.Backends = append(o.Backends, simulatedBackend{
			Backend: b.ID, Share: r.Share(i), Attempts: b.Attempts, Succeeded: b.Succeeded, Failed: b.Failed,
			Cost: b.Cost, FreeChecks: b.FreeChecks, PaidChecks: b.Chats,
		})
	}
	for _, e := range r.Episodes {
		o.Episodes = append(o.Episodes, simulatedEpisode{
			Backend: e.Backend, FromSeconds: e.From.Seconds(), UntilSeconds: e.Until.Seconds(),
			Failures: e.Failures, Lost: e.Lost, Left: e.Left, LeaveSeconds: e.Leave.Seconds(),
			Returned: e.Returned, ReturnSeconds: e.Return.Seconds(), Arrivals: e.Arrivals,
		})
	}
	for _, t := range r.Timeline {
		o.Timeline = append(o.Timeline, simulatedSlice(t))
	}
	return o
}
