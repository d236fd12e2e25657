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

// One that has answered responses is soon asked again: something in front of it may
// have said the 404.
func TestResponsesThatWereThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := new(use)
		f := func(want bool) {
			t.Helper()
			if got := u.hasResponses(); got != want {
				t.Errorf("has responses: %v, want %v", got, want)
			}
		}
		native := &call{in: &dialect.Request{Endpoint: dialect.Responses}}
		inChat := &call{in: &dialect.Request{Endpoint: dialect.Chat}, inChat: true}
		u.served(inChat)
		f(false)
		u.served(native) // one that was on its way
		f(true)
		u.served(inChat)
		f(false)
		time.Sleep(time.Minute)
		f(true)
		u.served(&call{in: &dialect.Request{Endpoint: dialect.Chat}}) // a chat says nothing
		f(true)
		u.served(inChat)
		u.served(&call{in: &dialect.Request{Endpoint: dialect.Chat}})
		f(false)
	})
}
