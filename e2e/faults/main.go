// Command faults plays the fault catalogue S01-S16 with its full times against
// a running berry-api and prints the score card as Markdown.
//
// Each scenario has a berry-api process of its own, two fake providers A and B
// on loopback, and a client. All run at the same time, so that the whole takes
// as long as the longest, about two minutes. The exit status is 0 when all
// pass, 1 when one fails, 2 for wrong usage.
//
//	go run ./faults -berry ../bin/berry-api
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

func main() {
	berry := flag.String("berry", "", "path of the berry-api to test")
	only := flag.String("only", "", "comma-separated ids, such as S01,S08; empty: all")
	flag.Parse()
	if *berry == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	version, err := exec.Command(*berry, "--version").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot run berry-api:", err)
		os.Exit(2)
	}
	all := scenarios()
	if *only != "" {
		all = selected(all, strings.Split(*only, ","))
	}
	results := make([]string, len(all))
	var playing sync.WaitGroup
	for i, s := range all {
		playing.Go(func() { results[i] = s.play(*berry) })
	}
	playing.Wait()

	passed := 0
	fmt.Printf("Played on %s with %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), strings.TrimSpace(string(version)))
	fmt.Println("| id | fault on A | result |")
	fmt.Println("|---|---|---|")
	for i, s := range all {
		result := "pass"
		if results[i] == "" {
			passed++
		} else {
			result = "FAIL: " + results[i]
		}
		fmt.Printf("| %s | %s | %s |\n", s.id, s.fault, result)
	}
	fmt.Printf("\n%d/%d\n", passed, len(all))
	if passed < len(all) {
		os.Exit(1)
	}
}

func selected(all []scenario, ids []string) []scenario {
	var some []scenario
	for _, s := range all {
		for _, id := range ids {
			if s.id == strings.TrimSpace(id) {
				some = append(some, s)
			}
		}
	}
	return some
}
