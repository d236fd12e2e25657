// Command service balances a function over three replicas, of which one does
// not work: whatever has alternatives that can fail can be balanced so.
package main

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// replicas stand for what is really called: databases, queues, printers.
var replicas = map[string]func(string) (string, error){
	"east":  func(string) (string, error) { return "", errors.New("east is on fire") },
	"west":  func(s string) (string, error) { return strings.ToUpper(s), nil },
	"spare": func(s string) (string, error) { return strings.ToUpper(s), nil },
}

func main() {
	strategy, err := loadbalance.ParseStrategy("failover")
	if err != nil {
		log.Fatal(err)
	}
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	lb, err := fleet.Balancer(loadbalance.Config{Name: "shouting", Strategy: strategy, Listings: []loadbalance.Listing{
		{ID: "east", Priority: 1}, {ID: "west", Priority: 2}, {ID: "spare", Priority: 3},
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range []string{"hello", "again"} {
		fmt.Println(shout(lb, word))
	}
	for _, c := range lb.Snapshot() {
		fmt.Printf("%-5s healthy %-5v answered %d of %d\n", c.ID, c.Healthy, c.Successes, c.Requests)
	}
}

// shout asks one replica after the other until one answers.
func shout(lb *loadbalance.Balancer, word string) (string, error) {
	var request loadbalance.Request
	for {
		lease, err := lb.Pick(&request) // another one each time round
		if err != nil {
			return "", err // none is left
		}
		start := time.Now()
		answer, err := replicas[lease.ID()](word)
		if err == nil {
			lease.Report(loadbalance.Outcome{Kind: loadbalance.Success, Duration: time.Since(start)})
			return answer, nil
		}
		lease.Report(loadbalance.Outcome{Kind: loadbalance.Network, Duration: time.Since(start)})
		if !lease.MayRetry() {
			return "", err // too much is retried already
		}
	}
}
