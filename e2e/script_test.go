package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	runScript(t, node, "node/client.mjs")
}

func TestPython(t *testing.T) {
	python := "python/.venv/bin/python"
	if _, err := os.Stat(python); err != nil {
		if python, err = exec.LookPath("python3"); err != nil {
			t.Skip("python3 is not installed")
		}
	}
	if err := exec.Command(python, "-c", "import openai").Run(); err != nil {
		t.Skip("Python's openai is not installed: see e2e/README.md")
	}
	runScript(t, python, "-B", "python/client.py")
}

// runScript runs a client in another language and turns its reports into subtests.
func runScript(t *testing.T, command ...string) {
	w := newWorld(t)
	// What a client must get goes by the environment, so that it is written down in one place.
	expect, err := json.Marshal(map[string]any{
		"answer": answer, "question": question, "promptTokens": promptTokens, "completionTokens": completionTokens,
		"vectors": [][]float32{mockllm.Vector("a", vectorLength), mockllm.Vector("b", vectorLength)},
		"models":  modelNames(), "choices": []string{choice0, choice1},
		"tools": [][]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", toolArgs2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	runCases(t, cases(), []string{
		"BERRY_URL=" + w.berry.baseURL(), "BERRY_STRICT_URL=" + w.strict.baseURL(), "BERRY_EXPECT=" + string(expect),
		"BERRY_TOKEN=" + token, "BERRY_LIMITED_TOKEN=" + limitedToken, "BERRY_WRONG_TOKEN=" + wrongToken,
	}, command...)
	w.verify(t)
}

// runCases runs a script, which must report on all the named cases and no others.
func runCases(t *testing.T, names, env []string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Env = process.BareEnv(env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, stderr.String())
	}
	reports := map[string]report{}
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("the client printed %q", lines.Text())
			continue
		}
		reports[r.Case] = r
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			r, ok := reports[name]
			switch {
			case !ok:
				t.Error("the client did not run this case")
			case r.Error != "":
				t.Error(r.Error)
			}
			delete(reports, name)
		})
	}
	for name := range reports {
		t.Errorf("the client ran a case that is not in the list: %s", name)
	}
}
