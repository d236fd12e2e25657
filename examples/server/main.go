// Command server is a berry-api of one's own, with three things that the plain
// one does not have: tokens that are signed instead of listed (token.go), a
// strategy least_busy (strategy.go), and a bill for each user (bill.go).
//
//	export TOKEN_SECRET=... UPSTREAM_API_KEY=...
//	server -sign alice -for 24h       # prints a token
//	server -config config.toml        # serves
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func main() {
	path := flag.String("config", "config.toml", "configuration `FILE`")
	user := flag.String("sign", "", "print a token for the user with this `ID` instead of serving")
	valid := flag.Duration("for", 24*time.Hour, "how long that token is good")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signer, err := newTokens(os.Getenv("TOKEN_SECRET"))
	switch {
	case err != nil:
	case *user != "":
		fmt.Println(signer.sign(*user, *valid))
	default:
		err = serve(ctx, os.Stdout, *path, signer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// serve runs the server until ctx ends, and prints the bill then.
func serve(ctx context.Context, out io.Writer, path string, signer tokens) error {
	bill := new(bill)
	server, err := build(path, signer, bill, out)
	if err != nil {
		return err
	}
	err = server.Run(ctx)
	return errors.Join(err, bill.print(out))
}

// build makes the server; it starts nothing.
func build(path string, signer tokens, bill *bill, out io.Writer) (*api.Server, error) {
	cfg, err := config.Env{Strategies: []string{"least_busy"}}.Load(path)
	if err != nil {
		return nil, err
	}
	return api.New(cfg, api.Options{
		Version:       "my-own",
		Stdout:        out,
		Authenticator: signer,
		Observer:      bill,
		Strategy: func(name string) (loadbalance.Strategy, bool) {
			return leastBusy{}, name == "least_busy"
		},
	})
}
