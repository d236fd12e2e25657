package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestChat(t *testing.T) {
	t.Setenv("LLM_API_KEY", "key")
	t.Setenv("LLM_MODEL", "small")
	asked := map[string]int{}
	serve := func(name string, status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[name]++
			body, _ := io.ReadAll(r.Body)
			got := fmt.Sprint(r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body))
			want := `POST/v1/chat/completionsBearer keyapplication/json{"messages":[{"content":"Why?","role":"user"}],"model":"small"}`
			if got != want {
				t.Errorf("%s got %s, want %s", name, got, want)
			}
			w.WriteHeader(status)
			io.WriteString(w, "from "+name)
		}))
		t.Cleanup(s.Close)
		return s.URL + "/v1"
	}
	good, busy := serve("good", http.StatusOK), serve("busy", http.StatusServiceUnavailable)
	for range 20 { // the one that is busy is first in about half of them
		var out bytes.Buffer
		if err := chat(&out, "Why?", []string{busy, good}); err != nil || out.String() != "from good" {
			t.Fatalf("got %q, %v", out.String(), err)
		}
	}
	if asked["good"] != 20 || asked["busy"] == 0 {
		t.Errorf("asked %v", asked)
	}
	if err := chat(io.Discard, "Why?", []string{busy}); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
}
