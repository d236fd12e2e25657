// Command chat asks a question of whichever of several OpenAI-compatible base
// URLs can answer it:
//
//	LLM_API_KEY=... LLM_MODEL=... chat 'How are you?' https://llm.east.example/v1 https://llm.west.example/v1
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: chat QUESTION BASE_URL...")
		os.Exit(2)
	}
	if err := chat(os.Stdout, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func chat(out io.Writer, question string, baseURLs []string) error {
	options := httplb.Options{FirstByteTimeout: time.Minute}
	for _, url := range baseURLs {
		options.Targets = append(options.Targets, httplb.Target{
			URL:    url,
			Header: http.Header{"Authorization": {"Bearer " + os.Getenv("LLM_API_KEY")}},
		})
	}
	lb, err := httplb.New(options)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: lb} // an SDK takes this client, and the base URL http://llm

	body, err := json.Marshal(map[string]any{
		"model": os.Getenv("LLM_MODEL"), "messages": []any{map[string]string{"role": "user", "content": question}},
	})
	if err != nil {
		return err
	}
	resp, err := client.Post("http://llm/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", resp.Request.URL.Host, resp.Status)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
