package simulate

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func TestParseWorld(t *testing.T) {
	got, err := ParseWorld(strings.NewReader(`{
		"name": "mine", "about": "a test", "duration": "2h",
		"traffic": {
			"rate": 0.5, "random": true, "diurnal": 0.8, "whole": 0.25,
			"burst": {"every": "10m", "length": 30, "factor": 8},
			"input_tokens": 1000, "output_tokens": {"lognormal": {"median": 300, "sigma": 0.5}}
		},
		"backends": [{
			"match": "openai:*", "latency": {"uniform": [0.5, 2]}, "per_token": "10ms", "requests_per_minute": 600, "no_list": true,
			"faults": [{
				"kind": "server", "from": "10m", "until": "20m", "every": "1h", "share": 0.3,
				"after": "200ms", "retry_after": 5.5, "account": true
			}]
		}, {"match": "dearest", "latency": {"constant": 3}}]
	}`))
	perToken := Duration(10 * time.Millisecond)
	want := World{
		Name: "mine", About: "a test", Duration: 2 * hour,
		Traffic: Traffic{
			Rate: 0.5, Random: true, Diurnal: 0.8, Whole: 0.25, Burst: Burst{10 * minute, 30 * second, 8},
			InputTokens: Constant(1000), OutputTokens: Lognormal(300, 0.5),
		},
		Backends: []Script{
			{
				Match: "openai:*", Latency: Uniform(0.5, 2), PerToken: &perToken, RequestsPerMinute: 600, NoList: true,
				Faults: []Fault{{
					Kind: Kind(loadbalance.Server), From: 10 * minute, Until: 20 * minute, Every: hour, Share: 0.3,
					After: Duration(200 * time.Millisecond), RetryAfter: Duration(5500 * time.Millisecond), Account: true,
				}},
			},
			{Match: "dearest", Latency: Constant(3)},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if got, err = ParseWorld(strings.NewReader("{}")); err != nil || got.Duration != hour || got.Traffic.Rate != 1 {
		t.Errorf("an empty world is %+v, %v", got, err)
	}
}

func TestParseWorldRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseWorld(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	script := func(s string) string { return `{"backends": [{"match": "*", ` + s + `}]}` }
	fault := func(s string) string { return script(`"faults": [{"kind": "server", ` + s + `}]`) }
	f(``, "EOF")
	f(`{} {}`, "more after the end")
	f(`{"outages": 1}`, `unknown field "outages"`)
	f(`{"duration": "soon"}`, `"soon" is no duration`)
	f(`{"duration": -1}`, "from 0 to")
	f(`{"duration": 1e300}`, "from 0 to")
	f(`{"duration": true}`, "a duration is a text")
	f(`{"duration": "-1h"}`, "from 0 to")
	f(`{"traffic": {"rate": -1}}`, "rate must be above 0")
	f(`{"traffic": {"rate": 1e9}}`, "rate must be above 0")
	f(`{"traffic": {"diurnal": 1.5}}`, "diurnal must be from 0 to 1")
	f(`{"traffic": {"burst": {"every": "1m", "length": "1m", "factor": 2}}}`, "a burst needs")
	f(`{"traffic": {"input_tokens": -1}}`, "numbers must be from 0")
	f(`{"traffic": {"input_tokens": {"constant": 1, "uniform": [1, 2]}}}`, "a distribution is")
	f(`{"traffic": {"input_tokens": {}}}`, "a distribution is")
	f(`{"traffic": {"input_tokens": null}}`, "")
	f(`{"backends": [{}]}`, `match is ""`)
	f(`{"backends": [{"match": "["}]}`, `match is "["`)
	f(script(`"latency": {"uniform": [2, 1]}`), "the second number")
	f(script(`"latency": {"lognormal": {"median": 1, "sigma": 9}}`), "sigma must be at most")
	f(script(`"per_token": "2m"`), "per_token must be")
	f(script(`"requests_per_minute": -1`), "must not be negative")
	f(script(`"faults": [{"kind": "gremlins"}]`), `unknown kind of fault "gremlins"`)
	f(script(`"faults": [{}]`), "kind must be one of")
	f(fault(`"from": "2m", "until": "1m"`), "until must be after from")
	f(fault(`"from": "1m", "until": "3m", "every": "2m"`), "must lie within every")
	f(fault(`"every": "1ms"`), "more than 100000 times")
	f(fault(`"share": 1.1`), "share must be from 0 to 1")
	f(script(`"faults": [{"kind": "network", "retry_after": 1}]`), "retry_after is for")
	f(strings.Repeat(" ", maxWorld)+"{}", "longer than")
}

func TestParseTrace(t *testing.T) {
	got, err := ParseTrace(strings.NewReader(`{"at": 2.5, "model": "m", "input_tokens": 10, "output_tokens": 20, "stream": true}

{"at": 1}
`))
	want := []Arrival{{At: time.Second}, {At: 2500 * time.Millisecond, Model: "m", InputTokens: 10, OutputTokens: 20, Stream: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseTrace(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	f("{\"at\": 1}\n{}", `line 2: "at" is missing`)
	f(`{"at": -1}`, `line 1: "at" must be`)
	f(`{"at": 1e30}`, `line 1: "at" must be`)
	f(`{"at": 1, "tokens": 1}`, `line 1: json: unknown field "tokens"`)
	f(`{"at": 1, "input_tokens": -1}`, "tokens must be")
	f(`{"at": 1, "output_tokens": 1000000000}`, "tokens must be")
	f(`{"at": 1} {"at": 2}`, "more after the end")
	f(`[1]`, "line 1: json")
	f(strings.Repeat("x", maxTraceLine+1), "line 1: ")
}

// Scripts go to the backends that they name, the first that matches.
func TestScriptsFindTheirBackends(t *testing.T) {
	listings := []loadbalance.Listing{
		{ID: "p:dear", OutputPrice: 5}, {ID: "p:cheap", OutputPrice: 1}, {ID: "q:org/m", RequestPrice: 0.001}, {ID: "[x]:y", OutputPrice: 2},
	}
	f := func(w World, want ...int) {
		t.Helper()
		for i, n := range want {
			if got := w.scriptOf(listings, i).RequestsPerMinute; got != n {
				t.Errorf("%s has script %d, want %d", listings[i].ID, got, n)
			}
		}
	}
	script := func(match string, n int) Script { return Script{Match: match, RequestsPerMinute: n} }
	f(World{Backends: []Script{script("cheapest", 1), script("dearest", 2), script("*:*", 3)}}, 2, 1, 0, 3)
	f(World{Backends: []Script{script("p:*", 1), script("p:dear", 2), script("*:org/*", 3), script("[x]:y", 4)}}, 1, 1, 3, 4)
	f(World{}, 0, 0, 0, 0)
	for i := range listings {
		listings[i].OutputPrice, listings[i].RequestPrice = 0, 0
	}
	listings[0].Tags = []string{"premium"}
	f(World{Backends: []Script{script("cheapest", 1), script("dearest", 2)}}, 2, 1, 0, 0)
}

func FuzzParseWorld(f *testing.F) {
	f.Add(`{"duration": "1s", "traffic": {"rate": 1, "burst": {"every": "1s", "length": "0.5s", "factor": 2}}, ` +
		`"backends": [{"match": "*", "latency": {"lognormal": {"median": 1, "sigma": 1}}, "faults": [{"kind": "network", "every": 1, "share": 0.5}]}]}`)
	f.Add(`{"traffic": {"input_tokens": 5, "diurnal": 1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWorld(strings.NewReader(text))
		if err != nil {
			return
		}
		// A world that is accepted can be simulated, in short.
		w.Duration = min(w.Duration, 10*second)
		w.Traffic.Rate = min(w.Traffic.Rate, 10)
		w.Traffic.Burst.Factor = min(w.Traffic.Burst.Factor, 10)
		simulated(t, Config{Listings: pair(), World: w}, "smart_ai", loadbalance.CheckAuto)
	})
}

func FuzzParseTrace(f *testing.F) {
	f.Add("{\"at\": 1}\n{\"at\": 0.5, \"model\": \"m\", \"stream\": true}")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, a := range all {
			if a.At < 0 || a.At > maxDuration || i > 0 && a.At < all[i-1].At {
				t.Errorf("request %d at %v", i, a.At)
			}
		}
	})
}
