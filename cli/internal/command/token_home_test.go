package command

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configuration's token is for its own server and for this machine.
func TestTokenStaysHome(t *testing.T) {
	const token = "berry-canary-71-admin"
	file := filepath.Join(t.TempDir(), "config.toml")
	text := "[settings]\nbind_address = \"10.0.0.1:3000\"\n[users.ops]\ntoken = \"" + token + "\"\ntags = [\"admin\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &session{Process: Process{Err: &bytes.Buffer{}, Getenv: func(string) string { return "" }}, config: file}
	f := func(url, want string) {
		t.Helper()
		srv, err := s.server(serverFlags{url: url})
		if err != nil {
			t.Fatal(err)
		}
		if srv.token != want {
			t.Errorf("%q gets %q, want %q", url, srv.token, want)
		}
	}
	f("", token)
	f("http://10.0.0.1:3000/", token)
	f("http://127.0.0.1:4000", token)
	f("http://localhost:4000", token)
	f("http://10.0.0.1:3001", "")
	f("http://gateway.example:3000", "")
	f("http://localhost.example:3000", "")
}

// A token goes to the server that was named, not to one that it names.
func TestTokenFollowsNoRedirect(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	var out, errs bytes.Buffer
	code := Run(context.Background(), Process{
		Args: []string{"decisions", "--url", srv.URL, "--token", "berry-canary-72-admin"}, In: strings.NewReader(""),
		Out: &out, Err: &errs, Getenv: func(string) string { return "" },
	})
	if code != exitNotGood || asked || !strings.Contains(errs.String(), "answered with status 307") {
		t.Errorf("exit code %d, asked %v\n%s%s", code, asked, &out, &errs)
	}
}
