package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// followPause is how long decisions --follow waits before it asks again.
const followPause = time.Second

// decision is what the commands read of the server's record of a request.
type decision struct {
	Sequence   uint64        `json:"sequence"`
	RequestID  string        `json:"request_id"`
	Time       string        `json:"time"`
	User       string        `json:"user"`
	Endpoint   string        `json:"endpoint"`
	Model      string        `json:"model"`
	Strategy   string        `json:"strategy"`
	Stream     bool          `json:"stream"`
	Candidates []candidate   `json:"candidates"`
	Omitted    int           `json:"omitted_candidates"`
	Attempts   []attemptMade `json:"attempts"`
	Outcome    string        `json:"outcome"`
	Status     int           `json:"status"`
	Committed  bool          `json:"committed"`
	LatencyMS  float64       `json:"latency_ms"`
	TTFTMS     *float64      `json:"ttft_ms"`
	Input      int           `json:"input_tokens"`
	Output     int           `json:"output_tokens"`
	Estimated  bool          `json:"estimated"`
	Cost       float64       `json:"cost"`
}

type candidate struct {
	Provider        string   `json:"provider"`
	Model           string   `json:"model"`
	Picked          bool     `json:"picked"`
	Excluded        *string  `json:"excluded"`
	Weight          float64  `json:"weight"`
	EffectiveWeight float64  `json:"effective_weight"`
	Share           float64  `json:"share"`
	Priority        int      `json:"priority"`
	LatencyMS       *float64 `json:"latency_ms"`
	Confidence      float64  `json:"confidence"`
	Cost            float64  `json:"cost"`
	Stage           int      `json:"recovery_stage_percent"`
	Breaker         string   `json:"breaker"`
	Healthy         bool     `json:"healthy"`
}

type attemptMade struct {
	Provider  string   `json:"provider"`
	Model     string   `json:"model"`
	Why       string   `json:"why"`
	Kind      string   `json:"kind"`
	Status    *int     `json:"status"`
	LatencyMS float64  `json:"latency_ms"`
	TTFTMS    *float64 `json:"ttft_ms"`
	PauseMS   float64  `json:"pause_ms"`
}

type decisionsFlags struct {
	serverFlags
	model  string
	limit  int
	follow bool
}

func newDecisions(s *session) *cobra.Command {
	var f decisionsFlags
	c := &cobra.Command{
		Use:   "decisions",
		Short: "Show the running server's newest decisions",
		Long: "decisions lists the newest requests that the running server balanced, the newest last: which backend\n" +
			"answered, after how many attempts, and what came of it. explain tells all of one of them.",
		Example: "  berry-cli decisions --model gpt-4o\n  berry-cli decisions --follow",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return decisions(c.Context(), s, f)
		},
	}
	f.register(c.Flags())
	c.Flags().StringVarP(&f.model, "model", "m", "", "only this model's, by `NAME`, alias or id")
	c.Flags().IntVarP(&f.limit, "limit", "n", 20, "how many, from 1 to 1000")
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with new ones until interrupted")
	s.completing(c, "model", modelNames)
	return c
}

// listed are decisions as the server answers with them.
type listed struct {
	Newest    uint64            `json:"newest"` // the newest one's number, listed or not
	Decisions []json.RawMessage `json:"decisions"`
}

func decisions(ctx context.Context, s *session, f decisionsFlags) error {
	if f.limit < 1 || f.limit > 1000 {
		return errors.New("--limit must be from 1 to 1000")
	}
	srv, err := s.server(f.serverFlags)
	if err != nil {
		return err
	}
	defer srv.close()
	q := url.Values{"limit": {strconv.Itoa(f.limit)}}
	if f.model != "" {
		q.Set("model", f.model)
	}
	var got listed
	whole, err := srv.ask(ctx, "/admin/decisions?"+q.Encode(), &got)
	if err != nil {
		return err
	}
	if !f.follow {
		if s.json {
			return s.object(whole)
		}
		return s.showDecisions(got, f.model)
	}
	last, err := s.printDecisions(got, 0)
	if err != nil {
		return err
	}
	server := absence{seen: true}
	for pause(ctx, followPause) {
		q.Set("after", strconv.FormatUint(last, 10))
		q.Set("limit", "1000")
		got = listed{}
		if _, err := srv.ask(ctx, "/admin/decisions?"+q.Encode(), &got); err != nil {
			switch {
			case ctx.Err() != nil:
				return nil
			case server.bear(s, err):
				continue
			}
			return err
		}
		server.present()
		if got.Newest < last { // the server was started anew, and counts anew
			last = 0
			continue
		}
		if last, err = s.printDecisions(got, last); err != nil {
			return err
		}
	}
	return nil
}

var decisionColumns = []string{"TIME", "REQUEST", "USER", "MODEL", "BACKEND", "ATTEMPTS", "OUTCOME", "TOOK"}

func (d *decision) row() []string {
	backend := "-"
	if n := len(d.Attempts); n > 0 {
		backend = d.Attempts[n-1].Provider + ":" + d.Attempts[n-1].Model
	}
	at := d.Time
	if t, err := time.Parse(time.RFC3339, d.Time); err == nil {
		at = t.Local().Format("15:04:05.000")
	}
	return []string{at, d.RequestID, d.User, d.Model, backend, strconv.Itoa(len(d.Attempts)), d.outcome(), shownMS(d.LatencyMS)}
}

// outcome is the outcome with its mark.
func (d *decision) outcome() string {
	if d.Outcome == "success" {
		return "✅ " + d.Outcome
	}
	return fmt.Sprintf("❌ %s (%d)", d.Outcome, d.Status)
}

// showDecisions shows those of one model, "" for all.
func (s *session) showDecisions(got listed, model string) error {
	rows := make([][]string, 0, len(got.Decisions))
	for i := range got.Decisions {
		var d decision // the newest is first, and is shown last
		if err := json.Unmarshal(got.Decisions[len(got.Decisions)-1-i], &d); err != nil {
			return cannot("understand the server: %w", err)
		}
		rows = append(rows, d.row())
	}
	switch {
	case len(rows) > 0:
		s.table(decisionColumns, rows)
	case model != "":
		fmt.Fprintf(s.Out, "No decision of the model %s is kept: it was not asked for, or the newest ones are others'\n", model)
	default:
		fmt.Fprintln(s.Out, "No request was balanced yet")
	}
	return nil
}

// printDecisions prints one line each, the newest last, and returns the newest
// one's number. JSON is one object per line.
func (s *session) printDecisions(got listed, last uint64) (uint64, error) {
	for i := range got.Decisions {
		raw := got.Decisions[len(got.Decisions)-1-i]
		var d decision
		if err := json.Unmarshal(raw, &d); err != nil {
			return last, cannot("understand the server: %w", err)
		}
		last = d.Sequence
		if err := s.printDecision(raw, &d); err != nil {
			return last, err
		}
	}
	return last, nil
}

func (s *session) printDecision(raw json.RawMessage, d *decision) error {
	if s.json {
		if _, err := fmt.Fprintf(s.Out, "%s\n", raw); err != nil {
			return cannot("write the result: %w", err)
		}
		return nil
	}
	return printRow(s.Out, d.row())
}

// printRow prints a row of a table whose other rows are not known yet.
func printRow(w io.Writer, row []string) error {
	const format = "%-12s  %-36s  %-10s  %-16s  %-24s  %s  %s  %s\n"
	cells := make([]any, len(row))
	for i, c := range row {
		cells[i] = c
	}
	if _, err := fmt.Fprintf(w, format, cells...); err != nil {
		return cannot("write the result: %w", err)
	}
	return nil
}

// shownMS is shown for a number of milliseconds.
func shownMS(ms float64) string { return shown(time.Duration(ms * float64(time.Millisecond))) }
