package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newExplain(s *session) *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use:   "explain REQUEST_ID",
		Short: "Explain how the running server handled a request",
		Long: "explain asks the running server for the decision about one request: every backend that could have\n" +
			"been picked with the numbers that counted, why the others could not, each attempt, and what it cost.\n" +
			"The id is what the answer's header x-request-id showed. The server keeps the newest 1000.",
		Example: "  berry-cli explain req_0123456789abcdef0123456789abcdef",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return errors.New("the command takes one argument, the id of a request")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return explain(c.Context(), s, f, args[0])
		},
	}
	f.register(c.Flags())
	return c
}

func explain(ctx context.Context, s *session, f serverFlags, id string) error {
	srv, err := s.server(f)
	if err != nil {
		return err
	}
	defer srv.close()
	var d decision
	whole, err := srv.ask(ctx, "/admin/decisions/"+url.PathEscape(id), &d)
	if err != nil {
		return err
	}
	if s.json {
		return s.object(whole)
	}
	s.explained(&d)
	return nil
}

func (s *session) explained(d *decision) {
	how := ""
	if d.Endpoint != "" && d.Endpoint != "chat/completions" {
		how = ", " + d.Endpoint
	}
	if d.Stream {
		how += ", streamed"
	}
	fmt.Fprintf(s.Out, "Request %s: %s in %s\n", d.RequestID, d.outcome(), shownMS(d.LatencyMS))
	fmt.Fprintf(s.Out, "  %s, user %s, model %s (%s%s)\n", d.Time, d.User, d.Model, d.Strategy, how)
	if d.TTFTMS != nil {
		fmt.Fprintf(s.Out, "  first content after %s\n", shownMS(*d.TTFTMS))
	}
	if d.Input+d.Output > 0 {
		estimated := ""
		if d.Estimated {
			estimated = " (estimated)"
		}
		fmt.Fprintf(s.Out, "  %d tokens in, %d out%s, cost %s\n", d.Input, d.Output, estimated, dollars(d.Cost))
	}
	fmt.Fprintln(s.Out, "\nCandidates at the first pick")
	s.table([]string{"", "BACKEND", "WEIGHT", "EFFECTIVE", "SHARE", "LATENCY", "CONFIDENCE", "COST", "STAGE", "NOTE"}, candidateRows(d.Candidates))
	if d.Omitted > 0 {
		fmt.Fprintf(s.Out, "and %s that the server did not record\n", count(d.Omitted, "more candidate"))
	}
	if len(d.Attempts) == 0 {
		fmt.Fprintln(s.Out, "\nNo attempt was made: none of them could be picked")
		return
	}
	fmt.Fprintln(s.Out, "\nAttempts")
	s.table([]string{"", "BACKEND", "WHY", "OUTCOME", "STATUS", "TOOK", "FIRST CONTENT", "WAITED BEFORE"}, attemptRows(d.Attempts))
}

func candidateRows(candidates []candidate) [][]string {
	rows := make([][]string, len(candidates))
	for i, c := range candidates {
		mark := ""
		if c.Picked {
			mark = "→"
		}
		weight, share := number(c.EffectiveWeight), fmt.Sprintf("%.1f %%", 100*c.Share)
		if c.Excluded != nil {
			weight, share = "-", "-"
		}
		rows[i] = []string{
			mark, c.Provider + ":" + c.Model, number(c.Weight), weight, share, shownIf(c.LatencyMS), fmt.Sprintf("%.2f", c.Confidence),
			dollars(c.Cost), strconv.Itoa(c.Stage) + " %", c.note(),
		}
	}
	return rows
}

// note is why a candidate could not be picked, or what spoke against it.
func (c *candidate) note() string {
	switch {
	case c.Excluded != nil:
		return "left out: " + *c.Excluded
	case c.Breaker != "closed":
		return "trial, breaker " + c.Breaker
	case !c.Healthy:
		return "unhealthy, a last resort"
	}
	return ""
}

func attemptRows(attempts []attemptMade) [][]string {
	rows := make([][]string, len(attempts))
	for i, a := range attempts {
		status := "-"
		if a.Status != nil {
			status = strconv.Itoa(*a.Status)
		}
		rows[i] = []string{
			strconv.Itoa(i + 1), a.Provider + ":" + a.Model, a.Why, a.Kind, status,
			shownMS(a.LatencyMS), shownIf(a.TTFTMS), shownMS(a.PauseMS),
		}
	}
	return rows
}

func shownIf(ms *float64) string {
	if ms == nil {
		return shown(0)
	}
	return shown(time.Duration(*ms * float64(time.Millisecond)))
}

// number is a weight: as many digits as it takes, four at most.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// dollars is an amount with four digits that say something, however small;
// "-" where no price is known.
func dollars(usd float64) string {
	if usd <= 0 {
		return "-"
	}
	digits := max(0, 3-int(math.Floor(math.Log10(usd))))
	text := strconv.FormatFloat(usd, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return "$" + text
}
