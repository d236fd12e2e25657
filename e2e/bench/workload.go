package main

import (
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure/load"
	"github.com/PPKunOfficial/berry-api/e2e/measure/upstream"
)

// workload is one way to use a gateway.
type workload struct {
	id, about string
	body      []byte
	events    int // of each answer; 0: it is not streamed

	// One of these says how requests come; all 0: none do.
	connections int     // a closed loop over so many, for the length
	rate        float64 // an open loop of so many per second, for the length
	once        int     // so many streams at the same time, each once

	length time.Duration
	warm   time.Duration // before it, not measured
}

const (
	small = 1 << 10
	large = 100 << 10
)

// workloads returns all, W1 to W6.
func workloads() []workload {
	const events = upstream.Events + 1 // and [DONE]
	return []workload{
		{id: "W1", about: "1 KB chat", body: load.Chat("plain", small), connections: 32, length: 4 * time.Second, warm: time.Second},
		{id: "W2", about: "100 KB prompt", body: load.Chat("plain", large), connections: 32, length: 4 * time.Second, warm: time.Second},
		{id: "W3", about: "stream, 50 events at once", body: load.Stream("burst", small), events: events, connections: 32, length: 4 * time.Second, warm: time.Second},
		{id: "W3p", about: "stream, an event every 10 ms", body: load.Stream("paced", small), events: events, connections: 60, length: 4 * time.Second, warm: 700 * time.Millisecond},
		{id: "W4", about: "1000 requests/s, provider takes 20 ms", body: load.Chat("slow", small), rate: 1000, length: 4 * time.Second, warm: time.Second},
		{id: "W5", about: "1000 streams, an event every 100 ms", body: load.Stream("long", small), events: events, once: 1000},
		{id: "W6", about: "at rest", length: 1500 * time.Millisecond},
	}
}

// quickly makes the workloads short.
func quickly(all []workload) []workload {
	for i := range all {
		w := &all[i]
		w.length, w.warm = min(w.length, 300*time.Millisecond), min(w.warm, 100*time.Millisecond)
		w.rate, w.once, w.connections = min(w.rate, 100), min(w.once, 20), min(w.connections, 8)
		if w.once > 0 {
			w.body = load.Stream("paced", small)
		}
	}
	return all
}

func chosen(all []workload, ids []string) []workload {
	return slices.DeleteFunc(all, func(w workload) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(strings.TrimSpace(id), w.id) })
	})
}
