package httplb_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

// provider is an LLM provider of the example: it wants its own key.
func provider(name, key string, handler http.HandlerFunc) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key || r.URL.Path != "/v1/chat/completions" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Println(name, "is asked")
		handler(w, r)
	}))
}

// chat is what an SDK does: it knows one base URL, one key and one http.Client.
func chat(client *http.Client, baseURL, key, question string) (string, error) {
	body, err := json.Marshal(map[string]any{
		"model": "small", "messages": []map[string]string{{"role": "user", "content": question}},
	})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequest(http.MethodPost, baseURL+"/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}

// An SDK's client over three base URLs, each with a key of its own. The first
// is overloaded and the second drops the connection; the SDK sees neither.
func Example() {
	overloaded := provider("east", "key-east", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	defer overloaded.Close()
	broken := provider("west", "key-west", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
	defer broken.Close()
	good := provider("north", "key-north", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "an answer")
	})
	defer good.Close()

	strategy, err := loadbalance.ParseStrategy("failover")
	if err != nil {
		fmt.Println(err)
		return
	}
	lb, err := httplb.New(httplb.Options{
		Strategy: strategy,
		Targets: []httplb.Target{
			{URL: overloaded.URL + "/v1", Header: http.Header{"Authorization": {"Bearer key-east"}}, Listing: loadbalance.Listing{ID: "east", Priority: 1}},
			{URL: broken.URL + "/v1", Header: http.Header{"Authorization": {"Bearer key-west"}}, Listing: loadbalance.Listing{ID: "west", Priority: 2}},
			{URL: good.URL + "/v1", Header: http.Header{"Authorization": {"Bearer key-north"}}, Listing: loadbalance.Listing{ID: "north", Priority: 3}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lb.CloseIdleConnections()
	client := &http.Client{Transport: lb}

	for range 2 {
		fmt.Println(chat(client, "http://llm", "unused", "Hello"))
	}
	for _, c := range lb.Balancer().Snapshot() {
		fmt.Printf("%s: healthy %v, %d of %d requests answered\n", c.ID, c.Healthy, c.Successes, c.Requests)
	}
	// Output:
	// east is asked
	// west is asked
	// north is asked
	// an answer <nil>
	// north is asked
	// an answer <nil>
	// east: healthy true, 0 of 1 requests answered
	// west: healthy false, 0 of 1 requests answered
	// north: healthy true, 2 of 2 requests answered
}
