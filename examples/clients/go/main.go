// Command go asks Berry with net/http alone: a chat, a stream, and errors told
// apart. With an SDK, such as openai-go, it is its base URL that has to be set.
//
//	BERRY_TOKEN=... go run .
//
// BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set;
// BERRY_MODEL the model to ask, the first one of the list unless set.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c := &client{
		base:  cmp.Or(os.Getenv("BERRY_URL"), "http://127.0.0.1:3000") + "/v1",
		token: os.Getenv("BERRY_TOKEN"),
	}
	model := os.Getenv("BERRY_MODEL")
	if model == "" {
		models, err := c.models(ctx)
		if err != nil {
			return err
		}
		if len(models) == 0 {
			return errors.New("this user may use no model")
		}
		model = models[0]
	}

	fmt.Println("== chat")
	answer, err := c.chat(ctx, model, "Say hello.")
	if err != nil {
		return err
	}
	fmt.Println(answer)

	fmt.Println("== stream")
	for text, err := range c.stream(ctx, model, "Count to ten.") {
		if err != nil {
			return err // what was printed so far is not the whole answer
		}
		fmt.Print(text)
	}
	fmt.Println()

	fmt.Println("== error")
	_, err = c.chat(ctx, "no-such-model", "Hello")
	refused, ok := errors.AsType[*apiError](err)
	switch {
	case !ok:
		return fmt.Errorf("cannot reach Berry: %w", err)
	case refused.Code == "model_not_found":
		fmt.Println("there is no such model:", refused)
	case refused.retryAfter > 0:
		fmt.Println("come back in", refused.retryAfter, refused)
	default:
		fmt.Println(refused)
	}
	return nil
}
