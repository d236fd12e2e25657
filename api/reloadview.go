package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// problemView is one thing that is wrong in the configuration file, or
// probably not meant.
type problemView struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key"` // TOML path; "" for a syntax error
	Message string `json:"message"`
	Excerpt string `json:"excerpt"` // the line in question, secrets masked
}

func problemViews(problems []config.Problem) []problemView {
	out := []problemView{}
	for _, p := range problems {
		out = append(out, problemView(p))
	}
	return out
}

// reloadConfig reads the configuration file again: 200 with what that changed,
// or 400 with all that is wrong in it; then nothing has changed.
func (x *exchange) reloadConfig() {
	r, err := x.server.reloadFile()
	if err != nil {
		x.refuseReload(err)
		return
	}
	status := "unchanged"
	if r.changed {
		status = "reloaded"
	}
	x.json(http.StatusOK, struct {
		Timestamp  *string        `json:"timestamp"`
		Status     string         `json:"status"`
		Generation uint64         `json:"generation"`
		Changes    config.Changes `json:"changes"`
		Restart    []string       `json:"needs_restart"` // settings that changed and take effect after a restart
		Warnings   []problemView  `json:"warnings"`
	}{stamp(time.Now()), status, r.generation, r.changes, append([]string{}, r.restart...), problemViews(r.warnings)})
}

func (x *exchange) refuseReload(err error) {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok { // the file cannot be read, or what it is about cannot be used
		problems = config.Problems{{File: x.server.loaded.Load().Path, Message: err.Error()}}
	}
	few := "1 problem"
	if len(problems) != 1 {
		few = fmt.Sprintf("%d problems", len(problems))
	}
	e := apierror.New(apierror.InvalidValue, "the configuration has %s, the old one stays", few)
	x.failure = e
	var envelope struct {
		Error    json.RawMessage `json:"error"`
		Problems []problemView   `json:"problems"`
	}
	if err := json.Unmarshal(e.Body(), &envelope); err != nil {
		panic(err) // a bug: answered as one
	}
	envelope.Problems = problemViews(problems)
	x.json(e.Status, envelope)
}

// watch reloads the file each time that it changes, until ctx ends. A file that
// cannot be watched is no reason not to serve.
func (s *Server) watch(ctx context.Context) error {
	cfg := s.loaded.Load()
	err := cfg.Watch(ctx, func() { _ = s.ReloadFile() }) // logged, and the old configuration stays
	if err != nil {
		n := s.log.line(targetConfig, levelWarn, "The configuration file is not watched: a change takes effect with SIGHUP or POST /admin/reload-config")
		n.fields.Str("config", cfg.Path).Str("error", err.Error())
		n.send()
	}
	return nil
}
