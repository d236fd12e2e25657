package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
)

func sha(token string) string {
	d := sha256.Sum256([]byte(token))
	return hex.EncodeToString(d[:])
}

func TestLookup(t *testing.T) {
	long := strings.Repeat("long-token-", 100)
	keys := auth.NewKeyring(map[string]config.User{
		"literal":  {Token: config.NewSecret("token-literal"), Enabled: true},
		"digest":   {TokenSHA256: sha("token-digest"), Enabled: true},
		"upper":    {TokenSHA256: strings.ToUpper(sha("token-upper")), Enabled: true},
		"both":     {Token: config.NewSecret("token-unused"), TokenSHA256: sha("token-both"), Enabled: true},
		"long":     {Token: config.NewSecret(long), Enabled: true},
		"disabled": {Token: config.NewSecret("token-disabled")},
		"tokenless": {
			Enabled: true,
		},
		"empty":  {TokenSHA256: sha(""), Enabled: true},
		"broken": {TokenSHA256: "not hex", Enabled: true},
		"short":  {TokenSHA256: "abcd", Enabled: true},
		"over":   {TokenSHA256: sha("token-over") + "00", Enabled: true},
		"twin-b": {Token: config.NewSecret("token-twin"), Enabled: true},
		"twin-a": {Token: config.NewSecret("token-twin"), Enabled: true},
	}, nil)

	f := func(token, want string) {
		t.Helper()
		u, ok := keys.Lookup(token)
		if ok != (want != "") {
			t.Errorf("Lookup(%q) found = %v, want user %q", token, ok, want)
		}
		if ok && u.ID != want {
			t.Errorf("Lookup(%q) = %q, want %q", token, u.ID, want)
		}
	}
	f("token-literal", "literal")
	f("token-digest", "digest")
	f("token-upper", "upper")
	f("token-both", "both")
	f("token-unused", "")
	f(long, "long")
	f(long+"x", "")
	f(long[:256], "")
	f("token-disabled", "disabled")
	f("token-twin", "twin-a")
	f("", "")
	f("not hex", "")
	f("abcd", "")
	f("token-over", "")
	f("token-litera", "")
	f("token-literal ", "")
	f("TOKEN-LITERAL", "")
	f(sha("token-digest"), "") // the digest in the file is not a token
}

// Two digests with the same first 8 bytes share a bucket of the index; the
// whole digest decides.
func TestLookupComparesTheWholeDigest(t *testing.T) {
	token := "token-of-somebody"
	right := sha(token)
	wrong := right[:16] + strings.Repeat("0", 48)
	keys := auth.NewKeyring(map[string]config.User{
		"a-wrong": {TokenSHA256: wrong},
		"b-right": {TokenSHA256: right},
	}, nil)
	u, ok := keys.Lookup(token)
	if !ok || u.ID != "b-right" {
		t.Errorf("Lookup = %v, %v; want b-right", u, ok)
	}
	if _, ok := auth.NewKeyring(map[string]config.User{"a": {TokenSHA256: wrong}}, nil).Lookup(token); ok {
		t.Error("Lookup found a user by the first 8 bytes of the digest alone")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	token := strings.Repeat("t", 256)
	keys := auth.NewKeyring(map[string]config.User{"u": {Token: config.NewSecret(token)}}, nil)
	f := func(token string) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() { keys.Lookup(token) }); n != 0 {
			t.Errorf("%v allocations for a token of %d bytes, want 0", n, len(token))
		}
	}
	f(token)
	f("sk-unknown-0123456789-0123456789-0123456789")
}

func TestLookupConcurrently(t *testing.T) {
	keys := auth.NewKeyring(map[string]config.User{
		"a": {Token: config.NewSecret("token-a"), AllowedModels: []string{"m"}},
		"b": {Token: config.NewSecret("token-b"), Tags: []string{"x"}},
	}, map[string]config.Model{"m": {Name: "M"}})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				a, okA := keys.Lookup("token-a")
				b, okB := keys.Lookup("token-b")
				if !okA || !okB || !a.MayUse("m") || !b.MayUseTags([]string{"x"}) {
					t.Error("a lookup failed while others ran")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestUsers(t *testing.T) {
	limit := config.RateLimit{RequestsPerMinute: 3}
	keys := auth.NewKeyring(map[string]config.User{
		"zoe": {Name: "Zoe", Tags: []string{"admin", "eu"}, Enabled: true},
		"abe": {Name: "Abe", RateLimit: limit},
	}, nil)

	type view struct {
		ID, Name       string
		Tags           []string
		Admin, Enabled bool
		Limit          config.RateLimit
	}
	var got []view
	for _, u := range keys.Users() {
		got = append(got, view{u.ID, u.Name, u.Tags, u.Admin, u.Enabled, u.Limit})
		byID, ok := keys.User(u.ID)
		if !ok || byID != u {
			t.Errorf("User(%q) = %v, %v; want the user that Users lists", u.ID, byID, ok)
		}
	}
	want := []view{
		{ID: "abe", Name: "Abe", Limit: limit},
		{ID: "zoe", Name: "Zoe", Tags: []string{"admin", "eu"}, Admin: true, Enabled: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Users (-want +got):\n%s", d)
	}
	if _, ok := keys.User("nobody"); ok {
		t.Error("User found somebody who is not there")
	}
	keys.Users()[0] = nil
	if keys.Users()[0] == nil {
		t.Error("changing the slice of Users changed the keyring")
	}
}

func TestMayUse(t *testing.T) {
	models := map[string]config.Model{
		"gpt4":  {Name: "gpt-4", Aliases: []string{"smart", "best"}},
		"fast":  {Name: "gpt-mini"},
		"dated": {Name: "fast"}, // its name is another's id
		"bare":  {},             // its name is its id
	}
	f := func(allowed []string, want string) {
		t.Helper()
		keys := auth.NewKeyring(map[string]config.User{"u": {AllowedModels: allowed}}, models)
		u, _ := keys.User("u")
		var got []string
		for _, id := range []string{"bare", "dated", "fast", "gpt4", "later"} {
			if u.MayUse(id) {
				got = append(got, id)
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("allowed_models %q: may use %q, want %q", allowed, g, want)
		}
	}
	f(nil, "bare dated fast gpt4 later")
	f([]string{}, "bare dated fast gpt4 later")
	f([]string{"gpt4"}, "gpt4")
	f([]string{"gpt-4"}, "gpt4")
	f([]string{"best"}, "gpt4")
	f([]string{"gpt-4", "bare"}, "bare gpt4")
	f([]string{"fast"}, "dated fast")
	f([]string{"nothing"}, "") // not the same as no list
	f([]string{"GPT-4"}, "")
	f([]string{""}, "")
	f([]string{"later"}, "later") // found at run time, id and name are one
}

func TestMayUseTags(t *testing.T) {
	f := func(user, backend string, want bool) {
		t.Helper()
		keys := auth.NewKeyring(map[string]config.User{"u": {Tags: strings.Fields(user)}}, nil)
		u, _ := keys.User("u")
		if got := u.MayUseTags(strings.Fields(backend)); got != want {
			t.Errorf("user tags %q, backend tags %q: %v, want %v", user, backend, got, want)
		}
	}
	f("", "", true)
	f("", "premium", true)
	f("basic", "", true)
	f("basic", "premium", false)
	f("basic", "premium basic", true)
	f("basic premium", "premium", true)
	f("admin", "premium", true)
	f("basic admin", "premium", true)
	f("administrator", "premium", false)
	f("Admin", "premium", false)
}
