package api_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// inOrder is a strategy: the first backend in the file that can be used.
type inOrder struct{}

func (inOrder) Pick([]*loadbalance.Node, *loadbalance.Request) int { return 0 }

// byName is an authenticator: whoever says a name is believed.
type byName struct{}

func (byName) Authenticate(r *http.Request, users *auth.Keyring) (*auth.User, error) {
	if u, ok := users.User(r.Header.Get("X-User")); ok {
		return u, nil
	}
	return nil, apierror.New(apierror.InvalidAPIKey, "say who you are in X-User")
}

const exampleConfig = `
[settings]
bind_address = "127.0.0.1:0"
[providers.local]
base_url = "http://127.0.0.1:11434"
[models.chat]
strategy = "in_order"
backends = [{ provider = "local", model = "llama3" }]
[users.ann]
token_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
`

// A berry-api with a strategy and an authenticator of one's own. A program that
// serves loads a file, config.Env{...}.Load("config.toml"), and ends with Run.
func Example() {
	cfg, err := config.Parse("config.toml", []byte(exampleConfig), config.Env{Strategies: []string{"in_order"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := api.New(cfg, api.Options{
		Authenticator: byName{},
		Strategy:      func(name string) (loadbalance.Strategy, bool) { return inOrder{}, name == "in_order" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	stop() // a real one stops with a signal
	fmt.Println(server.Run(ctx))
	// Output: <nil>
}
