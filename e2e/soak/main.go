// Command soak runs a berry-api for a long time against two fake providers
// that misbehave in every way at a modest rate, and prints what came of the
// requests and how memory, goroutines and open files moved.
//
// Loopback only; it ends by itself after -for. The exit status is 0 when every
// error that clients saw is explained by the faults: 1 if not, 2 for wrong usage.
//
//	go run ./soak -berry ../bin/berry-api -for 1h -rate 10
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.berry, "berry", "", "path of the berry-api to run")
	flag.DurationVar(&o.length, "for", time.Hour, "how long")
	flag.Float64Var(&o.rate, "rate", 10, "requests a second")
	flag.Parse()
	if o.berry == "" || flag.NArg() > 0 || o.rate <= 0 || o.rate > 200 || o.length <= 0 || o.length > 24*time.Hour {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
	if !r.good() {
		os.Exit(1)
	}
}
