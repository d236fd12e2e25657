// Command reload changes the configuration of a berry-api again and again, by
// request, by signal and by the file alone, while streams and requests run, and
// prints what became of them. The configuration is mounted as Kubernetes does
// it: a link to a folder that is swapped.
//
// Loopback only; it ends by itself. The exit status is 0 when no request failed,
// no stream broke, each change took effect, each bad file was refused with all
// that is wrong in it, and the 99th percentile of the requests' times did not
// double: 1 if not, 2 for wrong usage.
//
//	go run ./reload -berry ../bin/berry-api -reloads 100 -for 1m
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

type options struct {
	berry   string
	length  time.Duration // of the part with reloads; the part before takes a quarter
	reloads int
	rate    float64 // requests a second
	streams int     // at a time
}

func main() {
	o := options{}
	flag.StringVar(&o.berry, "berry", "", "path of the berry-api to run")
	flag.DurationVar(&o.length, "for", time.Minute, "how long to reload")
	flag.IntVar(&o.reloads, "reloads", 100, "how many reloads in that time")
	flag.Float64Var(&o.rate, "rate", 200, "requests a second")
	flag.IntVar(&o.streams, "streams", 50, "streams at a time")
	flag.Parse()
	if o.berry == "" || flag.NArg() > 0 || o.rate <= 0 || o.rate > 1000 || o.streams < 1 || o.streams > 1000 ||
		o.reloads < 1 || o.length < time.Duration(o.reloads)*leastPause || o.length > time.Hour {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "reload:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
	if !r.good() {
		os.Exit(1)
	}
}
