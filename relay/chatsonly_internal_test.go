package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// A server that had chats only is asked for a response again after an hour.
func TestChatsOnlyIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, err := upstream.New(config.Provider{ID: "o", BackendType: config.TypeOpenAI, BaseURL: "http://example.com/v1"}, upstream.Options{})
		if err != nil {
			t.Fatal(err)
		}
		up.Dialect = openai.New(up.Upstream)
		x := &exchange{rec: &Record{Endpoint: dialect.Responses}}
		to := &target{up: up, use: new(use)}
		f := func(after time.Duration, want dialect.Endpoint) {
			t.Helper()
			time.Sleep(after)
			if got := x.asks(to); got != want {
				t.Errorf("asks for %s, want %s", got, want)
			}
		}
		f(0, dialect.Responses)
		to.use.chatsOnly.Store(time.Now().Add(chatsOnlyFor).UnixNano())
		f(0, dialect.Chat)
		f(59*time.Minute, dialect.Chat)
		x.in.Scan.Previous = "resp_1" // what a chat cannot
		f(0, dialect.Responses)
		x.in.Scan.Previous = ""
		f(time.Minute, dialect.Responses)
	})
}
