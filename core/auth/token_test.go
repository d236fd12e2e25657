package auth_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/auth"
)

func TestToken(t *testing.T) {
	// headers: pairs of name and value, one after the other
	f := func(want string, headers ...string) {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Add(headers[i], headers[i+1])
		}
		got, ok := auth.Token(h)
		if got != want || ok != (want != "") {
			t.Errorf("Token(%q) = %q, %v; want %q", headers, got, ok, want)
		}
	}
	f("")
	f("t1", "Authorization", "Bearer t1")
	f("t1", "Authorization", "bearer t1")
	f("t1", "Authorization", "BEARER   t1  ")
	f("t1", "Authorization", "  Bearer t1")
	f("t 1", "Authorization", "Bearer t 1")
	f("t1", "x-api-key", "t1")
	f("t1", "X-API-KEY", " t1 ")
	f("t1", "api-key", "t1")
	f("t1", "Authorization", "Bearer t1", "x-api-key", "t2", "api-key", "t3")
	f("t2", "x-api-key", "t2", "api-key", "t3")
	f("t1", "Authorization", "Bearer t1", "Authorization", "Bearer t2")

	both := http.Header{"Authorization": {"Bearer t1"}, "X-Api-Key": {" t2"}, "Api-Key": {"t3"}}
	if got := slices.Collect(auth.Tokens(both)); !slices.Equal(got, []string{"t1", "t2", "t3"}) {
		t.Errorf("Tokens(%q) = %q", both, got)
	}

	// What is no bearer token does not hide one in another header.
	f("t2", "Authorization", "Basic dXNlcjpwYXNz", "x-api-key", "t2")
	f("t2", "Authorization", "Bearer ", "x-api-key", "t2")
	f("t3", "x-api-key", "  ", "api-key", "t3")

	f("", "Authorization", "t1")
	f("", "Authorization", "Bearer")
	f("", "Authorization", "Bearer  ")
	f("", "Authorization", "Bearert1")
	f("", "Authorization", "Basic dXNlcjpwYXNz")
	f("", "Proxy-Authorization", "Bearer t1")
	f("", "Cookie", "api-key=t1")
}

func FuzzToken(f *testing.F) {
	f.Add("Bearer t1", "t2", "t3")
	f.Add("bearer\tt1", " ", "\x00")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, authorization, apiKey, azureKey string) {
		h := http.Header{
			"Authorization": {authorization},
			"X-Api-Key":     {apiKey},
			"Api-Key":       {azureKey},
		}
		token, ok := auth.Token(h)
		if ok != (token != "") {
			t.Fatalf("Token = %q, %v", token, ok)
		}
		if token != strings.TrimSpace(token) {
			t.Fatalf("Token = %q has white space around it", token)
		}
		if !strings.Contains(authorization+"\n"+apiKey+"\n"+azureKey, token) {
			t.Fatalf("Token = %q stands in no header", token)
		}
		if !ok && (strings.TrimSpace(apiKey) != "" || strings.TrimSpace(azureKey) != "") {
			t.Fatal("a key was there and was not found")
		}
	})
}
