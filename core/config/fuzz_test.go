package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// FuzzParse: whatever the text, there is a configuration or there are
// problems, every problem is inside the file, and what is TOML and what is not is
// judged as the library's own decoder does it.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.toml", "../../*.toml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("\ufeff[settings]\nmax_retries = 1\n"))
	f.Fuzz(checkParse)
}

// TestDeep: ten thousand of anything neither panics nor takes for ever.
func TestDeep(t *testing.T) {
	const many = 10_000
	for _, text := range []string{
		strings.Repeat("[", 2*many),
		"a = " + strings.Repeat("[", many-1) + strings.Repeat("]", many-1),
		"a = " + strings.Repeat("[", many-1) + `"canary"` + strings.Repeat("]", many-1),
		"a = " + strings.Repeat("{a=", many-1) + "1" + strings.Repeat("}", many-1),
		"a" + strings.Repeat(".a", many) + " = 1",
		"[a" + strings.Repeat(".a", many) + "]",
		"[providers.a.headers" + strings.Repeat(".a", many) + "]",
		strings.Repeat("[[models.a.backends]]\n", many),
		strings.Repeat("a = 1\n", many),
		strings.Repeat("a b\n", many),
		strings.Repeat("a = [\n", many),
		strings.Repeat("a = \"\"\"\n", many),
		strings.Repeat("\"", many),
		"[users]\n" + strings.Repeat("a", many) + " = 1",
		"[users." + strings.Repeat("a", many) + "]\ntoken = 1",
		"[settings]\nlog_level = \"" + strings.Repeat("${", many) + "\"",
		"[settings]\nlog_level = \"" + strings.Repeat("x", many) + "\"",
	} {
		checkParse(t, []byte(text))
	}
}

// checkParse is what must hold for any text.
func checkParse(t *testing.T, data []byte) {
	t.Helper()
	var plain map[string]any
	isTOML := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &plain)
	if doc := parse(data); isTOML == nil && len(doc.broken)+len(doc.twice) > 0 {
		t.Errorf("it is TOML, but there are complaints: %+v %+v", doc.broken, doc.twice)
	}
	got, err := Parse("fuzz.toml", data, fakeEnv(testVars, testFiles))
	var problems Problems
	switch {
	case err == nil:
		checkPositions(t, data, got.Warnings)
		if isTOML != nil {
			t.Errorf("accepted, but not TOML: %v", isTOML)
		}
		for id, u := range got.Config.Users {
			if len(u.TokenSHA256) != 64 || u.ID != id {
				t.Errorf("user %q is not ready for use: %+v", id, u)
			}
		}
	case errors.As(err, &problems) && len(problems) > 0:
		checkPositions(t, data, problems)
	default:
		t.Errorf("got neither a configuration nor problems: %v", err)
	}
}

func checkPositions(t *testing.T, data []byte, problems []Problem) {
	t.Helper()
	lines := bytes.Split(data, []byte("\n"))
	for _, p := range problems {
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > utf8.RuneCount(lines[p.Line-1])+1 {
			t.Errorf("outside the file: %v", p)
		}
		if p.File != "fuzz.toml" || p.Message == "" || !utf8.ValidString(p.String()) || strings.Count(p.String(), "\n") > 1 {
			t.Errorf("malformed: %q", p.String())
		}
	}
}

// bigConfig has 1000 users, 200 models and 1000 backends.
func bigConfig() []byte {
	var b bytes.Buffer
	b.WriteString("[settings]\nmax_retries = 3\n")
	for i := range 50 {
		fmt.Fprintf(&b, "[providers.p%d]\nname = \"Provider %d\"\nbase_url = \"https://p%d.example/v1\"\napi_key = \"${KEY}\"\n", i, i, i)
	}
	for i := range 200 {
		fmt.Fprintf(&b, "[models.m%d]\nname = \"model-%d\"\nstrategy = \"smart_ai\"\n", i, i)
		for j := range 5 {
			fmt.Fprintf(&b, "[[models.m%d.backends]]\nprovider = \"p%d\"\nmodel = \"upstream-%d\"\nweight = 0.5\npriority = %d\ntags = [\"a\", \"b\"]\n", i, (i+j)%50, j, j)
		}
	}
	for i := range 1000 {
		fmt.Fprintf(&b, "[users.u%d]\nname = \"User %d\"\ntoken = \"token-number-%d-of-many\"\nallowed_models = [\"model-%d\", \"m%d\"]\n"+
			"[users.u%d.rate_limit]\nrequests_per_minute = 60\n", i, i, i, i%200, (i+1)%200, i)
	}
	return b.Bytes()
}

func BenchmarkParseBig(b *testing.B) {
	data, env := bigConfig(), fakeEnv(testVars, nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("big.toml", data, env); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseBigWrong is the same file with a mistake in every listing and
// every user.
func BenchmarkParseBigWrong(b *testing.B) {
	data, env := bytes.ReplaceAll(bigConfig(), []byte(`provider = "p`), []byte(`provider = "pq`)), fakeEnv(testVars, nil)
	data = bytes.ReplaceAll(data, []byte(`allowed_models = ["model-`), []byte(`allowed_models = ["modle-`))
	for b.Loop() {
		if _, err := Parse("big.toml", data, env); err == nil {
			b.Fatal("no problems")
		}
	}
}
