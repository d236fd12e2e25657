package simulate

import (
	"fmt"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

const (
	second = Duration(time.Second)
	minute = Duration(time.Minute)
	hour   = Duration(time.Hour)
)

// WorldNames returns the names that BuiltIn knows, the plainest first.
func WorldNames() []string {
	return []string{"healthy", "outage", "hang", "flaky", "flapping", "down", "bursts", "idle"}
}

// BuiltIn returns the world of that name:
//
//	healthy   an hour of a request per second, nothing fails
//	outage    the same; the cheapest backend refuses connections for 10 minutes
//	hang      the same; it takes requests and does not answer for 10 minutes
//	flaky     the same; it answers a fifth of its requests with a server error
//	flapping  the same; it refuses connections for 30 s of every minute
//	down      the same; all backends refuse connections for 10 minutes
//	bursts    the same on average, in bursts of 10 times the rate at random; the cheapest
//	          backend takes 120 requests a minute
//	idle      a day of a request per 10 minutes; the cheapest backend refuses connections for 6 hours
func BuiltIn(name string) (World, error) {
	w := World{Name: name, Duration: hour, Traffic: Traffic{Rate: 1}}
	refused := Fault{Kind: Kind(loadbalance.Network), From: 20 * minute, Until: 30 * minute}
	cheapest := func(s Script) []Script {
		s.Match = "cheapest"
		return []Script{s}
	}
	switch name {
	case "healthy":
		w.About = "nothing fails"
	case "outage":
		w.About = "the cheapest backend refuses connections from 20 to 30 minutes"
		w.Backends = cheapest(Script{Faults: []Fault{refused}})
	case "hang":
		w.About = "the cheapest backend does not answer from 20 to 30 minutes"
		refused.Kind = Kind(loadbalance.Timeout)
		w.Backends = cheapest(Script{Faults: []Fault{refused}})
	case "flaky":
		w.About = "the cheapest backend answers 20 % of its requests with a server error"
		w.Backends = cheapest(Script{Faults: []Fault{{Kind: Kind(loadbalance.Server), Share: 0.2}}})
	case "flapping":
		w.About = "the cheapest backend refuses connections for 30 s of every minute"
		w.Backends = cheapest(Script{Faults: []Fault{{Kind: refused.Kind, From: 30 * second, Every: minute}}})
	case "down":
		w.About = "all backends refuse connections from 20 to 30 minutes"
		w.Backends = []Script{{Match: "*", Faults: []Fault{refused}}}
	case "bursts":
		w.About = "a minute of 10 times the rate every 10 minutes; the cheapest backend takes 120 requests a minute"
		w.Traffic = Traffic{Rate: 10.0 / 19, Random: true, Burst: Burst{Every: 10 * minute, Length: minute, Factor: 10}}
		w.Backends = cheapest(Script{RequestsPerMinute: 120})
	case "idle":
		w.About = "a request every 10 minutes; the cheapest backend refuses connections from 6 to 12 hours"
		w.Duration, w.Traffic.Rate = 24*hour, 1.0/600
		refused.From, refused.Until = 6*hour, 12*hour
		w.Backends = cheapest(Script{Faults: []Fault{refused}})
	default:
		return World{}, fmt.Errorf("unknown world %q, want one of %s", name, strings.Join(WorldNames(), ", "))
	}
	return w, nil
}
