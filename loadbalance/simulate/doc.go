// Package simulate plays traffic against scripted backends in virtual time, to
// compare strategies before users do. What picks, judges and checks is the
// very code of package loadbalance: a Fleet, a Balancer and the Fleet's active
// checks, on a clock and a random generator that belong to the simulation. An
// hour of traffic takes milliseconds, and the same Config with the same seed
// gives the same Report.
//
// The words, beside those of package loadbalance:
//
//	world      what the outside does: traffic, and a script for each backend
//	script     how one backend behaves: latency, faults, rate limit
//	fault      a time window in which a share of a backend's requests fails
//	episode    a time in which a backend fails all that is sent to it
//	rules      how a request is retried: those of the gateway's relay
//
// A program makes a World (World returns one by name, ParseWorld reads one
// from JSON), puts it into a Config with listings and a strategy, and calls
// Run. Run starts no goroutine and sleeps never; several Runs may go on at a
// time.
//
// What is simplified: a check takes no time, so that a backend that hangs is
// marked by a check at its beginning instead of at its timeout; a stream does
// not break once it has begun; clients wait for as long as it takes.
package simulate
