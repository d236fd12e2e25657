// Command initial_health_check_demo shows what the gateway knows of its
// backends, and when: a provider that is not there is found by the first check,
// before any user meets it; one that breaks is left after two failures, which
// the users do not notice; and when it works again it gets its traffic back by
// stages.
//
//	go run ./initial_health_check_demo
//
// It needs no key and no network, and takes a few seconds.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// tooLong is when the demonstration gives up: something is wrong then.
const tooLong = time.Minute

// run tells the story, one step after the other.
func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	story := &story{out: out, start: time.Now()}
	w, err := open(ctx, story)
	if err != nil {
		return err
	}
	err = tell(ctx, story, w)
	if closing := w.close(); err == nil {
		err = closing
	}
	return err
}

func tell(ctx context.Context, s *story, w *world) error {
	s.title("Start: three providers for one model, weights 7 : 3 : 3, and nobody has asked anything yet")
	if err := w.until(ctx, allChecked); err != nil {
		return err
	}
	if err := w.table(ctx); err != nil {
		return err
	}

	s.title("Requests: absent gets none, the others by weight")
	if err := w.traffic(ctx, 60); err != nil {
		return err
	}

	s.title("main breaks: it answers everything with 503")
	if err := w.main.SetBehaviour(broken(provider("main"))); err != nil {
		return err
	}
	if err := w.traffic(ctx, 60); err != nil {
		return err
	}

	s.title("main works again: a probe finds out, no user has to")
	if err := w.main.SetBehaviour(provider("main")); err != nil {
		return err
	}
	if err := w.until(ctx, healthy("main")); err != nil {
		return err
	}

	s.title("main comes back by stages: 30 % of its weight, 50 % after 2 successes, all after 5")
	for stage := w.stage(); stage < 100; stage = w.stage() {
		if err := w.traffic(ctx, 1); err != nil {
			return err
		}
	}
	if err := w.traffic(ctx, 60); err != nil {
		return err
	}

	s.title("End")
	return w.table(ctx)
}
