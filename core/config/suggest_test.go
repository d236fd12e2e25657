package config

import "testing"

func TestNearest(t *testing.T) {
	options := []string{"weighted_random", "round_robin", "random", "failover", "weighted_failover", "gpt-4o", "gpt-4o-mini", "a"}
	f := func(word, want string) {
		t.Helper()
		got, ok := nearest(word, options)
		if got != want || ok != (want != "") {
			t.Errorf("nearest(%q) = %q, %v, want %q", word, got, ok, want)
		}
	}
	f("wieghted_random", "weighted_random") // neighbours swapped
	f("weighted-random", "weighted_random")
	f("WeightedRandom", "weighted_random")
	f("roundrobin", "round_robin")
	f("failovr", "failover")
	f("gpt4o", "gpt-4o")
	f("gpt-4o-min", "gpt-4o-mini")
	f("A", "a")
	f("b", "") // one letter, and that one wrong
	f("", "")
	f("least_latency", "")
	f("smart_ai", "")
}

func TestElsewhere(t *testing.T) {
	f := func(word, wantKey string, wantTables ...string) {
		t.Helper()
		key, tables := elsewhere(rootSection(), word)
		same := key == wantKey && len(tables) == len(wantTables)
		for i := range tables {
			same = same && tables[i] == wantTables[i]
		}
		if !same {
			t.Errorf("elsewhere(%q) = %q, %q, want %q, %q", word, key, tables, wantKey, wantTables)
		}
	}
	f("requests_per_min", "requests_per_minute", "[users.<id>.rate_limit]")
	f("Weight", "weight", "[[models.<id>.backends]]")
	f("success_boost", "success_boost", "[settings.smart_ai.confidence_adjustments]")
	f("max_retries", "max_retries", "[settings]", "[providers.<id>]")
	f("nothing_of_ours", "")
}
