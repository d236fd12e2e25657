package config_test

import (
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// bound is an environment with nothing in it but BIND_ADDRESS.
func bound(address string) config.Env {
	return config.Env{Lookup: func(name string) (string, bool) {
		if name != "BIND_ADDRESS" || address == "" {
			return "", false
		}
		return address, true
	}}
}

// The tokens of the examples open a server that others can reach to everybody
// who has read them.
func TestPublishedTokens(t *testing.T) {
	f := func(address, variable, token, want string) {
		t.Helper()
		text := "[settings]\nbind_address = \"" + address + "\"\n[users.ann]\ntoken = \"" + token + "\"\n"
		cfg, err := config.Parse("c.toml", []byte(text), bound(variable))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range cfg.Warnings {
			got = append(got, w.String())
		}
		if all := strings.Join(got, "\n"); all != want {
			t.Errorf("%s, %q, %s: %q, want %q", address, variable, token, all, want)
		}
	}
	warned := func(address string) string {
		return "c.toml:4:9: users.ann.token: this is the token of an example, which anybody may know, and " + address +
			" can be reached from other machines; berry-cli generate-token makes one of your own\n    token = \"***\""
	}
	f("0.0.0.0:3000", "", "berry-admin-token-12345", warned("0.0.0.0:3000"))
	f(":3000", "", "replace-the-token-of-hr", warned(":3000"))
	f("[::]:3000", "", "hr-dept-token-12345", warned("[::]:3000"))
	f("gateway.example:3000", "", "berry-user1-token-67890", warned("gateway.example:3000"))
	f("127.0.0.1:3000", "0.0.0.0:3000", "berry-admin-token-12345", warned("0.0.0.0:3000"))
	f("0.0.0.0:3000", "127.0.0.1:3000", "berry-admin-token-12345", "")
	f("127.0.0.1:3000", "", "berry-admin-token-12345", "")
	f("[::1]:3000", "", "berry-admin-token-12345", "")
	f("localhost:3000", "", "replace-the-token-of-hr", "")
	f("unix:/run/berry.sock", "", "berry-admin-token-12345", "")
	f("0.0.0.0:3000", "", "a-token-of-my-own-0001", "")
}

// Each token that an example file spells out is known, or says what to do with it.
func TestExamplesTokensArePublished(t *testing.T) {
	for name, text := range map[string][]byte{"basic": config.Basic(), "advanced": config.Advanced()} {
		cfg, err := config.Parse(name, text, bound("0.0.0.0:3000"))
		if err != nil {
			t.Fatal(err)
		}
		spelled, warned := 0, 0
		for _, u := range cfg.Config.Users {
			if !u.Token.IsEmpty() {
				spelled++
			}
		}
		for _, w := range cfg.Warnings {
			if strings.Contains(w.Message, "token of an example") {
				warned++
			}
		}
		if warned != spelled || spelled == 0 {
			t.Errorf("%s: %d warnings for %d tokens", name, warned, spelled)
		}
	}
}

// What an editor or a hand puts around a secret is seen by nobody, and the
// provider or the user would only be told that it is wrong.
func TestSecretsWithMarks(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		cfg, err := config.Parse("c.toml", []byte(text), config.Env{})
		var got strings.Builder
		if err != nil {
			got.WriteString(err.Error())
		} else {
			for _, w := range cfg.Warnings {
				if w.Key != "users" {
					got.WriteString(w.String())
				}
			}
		}
		if got.String() != want {
			t.Errorf("%q: %q, want %q", text, got.String(), want)
		}
	}
	provider := func(key string) string {
		return "[providers.p]\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"" + key + "\"\n"
	}
	const warned = "c.toml:3:11: providers.p.api_key: the key begins or ends with white space, or with the mark that some editors put before a text; " +
		"it is sent with that\n    api_key = \"***\""
	f(provider("canary-51-key"), "")
	f(provider("canary-51-key "), warned)
	f(provider(" canary-51-key"), warned)
	f(provider(`\ufeffcanary-51-key`), warned)
	f("[users.u]\ntoken = \"\\ufeffcanary-52-token-long\"\n", "c.toml:2:9: users.u.token: a token must not hold white space or control characters: "+
		"no client could send it\n    token = \"***\"")
}
