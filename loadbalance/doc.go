// Package loadbalance picks among alternatives that can fail: accounts of an
// API, replicas, mirrors. It learns from what becomes of each pick which of them
// work, leaves those that do not, and comes back to them carefully. It knows no
// HTTP, imports only the standard library, and any goroutine may call it.
//
// # Words
//
//   - A backend is one alternative, known by an id. A group is the backends
//     that share an account, and with it a concurrency limit and its checks.
//   - A Fleet is the live states of all backends, by id: health, breaker,
//     cool-down, latency, confidence, recovery.
//   - A Listing is a backend's entry in a Balancer: weight, priority, tags, prices.
//   - A Balancer is a list of listings with a Strategy. A backend may be listed
//     by many balancers; its state is one.
//   - A Lease is one pick. It holds a slot until it is reported.
//   - An Outcome is what came of it; its Kind decides what it does to the backend.
//
// # Use
//
// Build one Fleet for the life of the program, and a Balancer for each list.
// For each request of your own, take a zero Request, then
//
//	Pick -> try -> Report -> again, if Kind.Elsewhere and MayRetry say so
//
// A Request remembers what it was picked for, so the next Pick is another
// backend. Report every lease, whatever happens; Fleet.Leases finds, in a test,
// a path that forgets.
//
// To reload, build the new balancers over the same Fleet, each with the one that
// it Replaces, Renew those that stay as they are, swap them in, call SetPolicy and
// then Retain. States stay; requests under way finish on the old balancers.
//
// # Who may be picked
//
// A backend is usable for a request if the request's tags and pin allow it, the
// request has not tried it, and it is not drained, cooling down, at its group's
// limit or behind an open breaker. The strategy chooses among the usable ones
// that are healthy. If none is, it chooses among the unhealthy ones, as the last
// resort; if there are none either, those behind open breakers get a trial a
// second each. Else Pick returns an *Unavailable that says why and for how long.
//
// # How backends fail and come back
//
// A network error, a timeout, a refused credential or a missing model marks a
// backend unhealthy; so do two server failures in a row. Policy.FailureThreshold
// failures in a row open its breaker: nothing is sent for Policy.OpenTimeout,
// then one trial at a time until one succeeds. Where nothing else is left nobody
// has to wait for that; a trial that is silent gives up its place to the next
// within a second, and one that begins to answer is enough: see Lease.Answered. A
// rate limit makes it cool down and is no failure.
//
// Any request that succeeds brings its backend back at once. Without one, the
// active checks of Fleet.Run do: after 1 s, 2 s, 4 s and so on, by evidence that
// fits the failure; see Prober. A backend that no check can bring back (it is
// billed per request, or there are no checks) gets a single request of a user at
// the same pace: Lease.Trial. One that is back counts 30 percent of its
// weight at first, 50 after two successes and all of it after five, with the
// strategies that look at Node.Stage.
//
// # Why a backend was picked
//
// Set Request.Decision, and Pick records in it every listing with its numbers
// and why it was left out, and which one it picked. Balancer.Explain says the
// same of a pick that is not made.
//
// # Concurrency and cost
//
// Fleet and Balancer may be used from any goroutine; a Request serves one at
// a time. Pick takes no lock unless the pick is a trial or there is nothing to
// pick, never waits for a check, and allocates nothing. Nothing runs in the
// background but what Fleet.Run starts and joins.
package loadbalance
