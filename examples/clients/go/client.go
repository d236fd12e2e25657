package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// client is one user of one Berry. It may be used by many goroutines.
type client struct{ base, token string }

// apiError is what Berry answers instead of what was asked for.
type apiError struct {
	Message string `json:"message"`
	Code    string `json:"code"`

	status     int           // 0: the error came inside a stream
	retryAfter time.Duration // 0: Berry did not say
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s (status %d, %s)", e.Message, e.status, e.Code)
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type question struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Stream   bool      `json:"stream,omitempty"`
}

func (c *client) models(ctx context.Context) ([]string, error) {
	var list struct {
		Data []struct{ ID string }
	}
	resp, err := c.do(ctx, http.MethodGet, "/models", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&list)
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func (c *client) chat(ctx context.Context, model, text string) (string, error) {
	resp, err := c.do(ctx, http.MethodPost, "/chat/completions", question{Model: model, Messages: []message{{"user", text}}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Choices []struct{ Message message }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", errors.New("an answer without choices")
	}
	return answer.Choices[0].Message.Content, nil
}

// stream yields the answer piece by piece. An error is the last thing that it
// yields, and means that the answer is not whole.
func (c *client) stream(ctx context.Context, model, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		resp, err := c.do(ctx, http.MethodPost, "/chat/completions",
			question{Model: model, Messages: []message{{"user", text}}, Stream: true})
		if err != nil {
			yield("", err)
			return
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 16<<20) // an event can be long
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data:")
			switch data = strings.TrimSpace(data); {
			case !ok: // between events, or a comment that keeps the connection alive
			case data == "[DONE]":
				return
			default:
				piece, err := decode(data)
				if !yield(piece, err) || err != nil {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield("", err)
			return
		}
		yield("", io.ErrUnexpectedEOF) // no [DONE]
	}
}

// decode reads one event of a stream.
func decode(data string) (string, error) {
	var event struct {
		Choices []struct{ Delta message }
		Error   *apiError
	}
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		return "", err
	}
	if event.Error != nil {
		return "", event.Error
	}
	if len(event.Choices) == 0 {
		return "", nil // usage, for example
	}
	return event.Choices[0].Delta.Content, nil
}

// do sends a request and returns a good answer, whose body the caller closes.
func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	var answer struct{ Error apiError }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		answer.Error.Message = resp.Status // no answer of Berry's: a proxy before it, perhaps
	}
	answer.Error.status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		answer.Error.retryAfter = time.Duration(s) * time.Second
	}
	return nil, &answer.Error
}
