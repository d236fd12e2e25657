package measure

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// WriteSection puts the text into the page between the comments that begin and
// end the section of that name, or at its end with such comments around.
func WriteSection(page, name, text string) error {
	old, err := os.ReadFile(page)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", name), fmt.Sprintf("<!-- %s: end -->\n", name)
	before, rest, found := strings.Cut(string(old), begin)
	_, after, ended := strings.Cut(rest, end)
	switch {
	case found && !ended:
		return fmt.Errorf("%s: the section %q begins and does not end", page, name)
	case !found && before != "":
		before = strings.TrimRight(before, "\n") + "\n\n"
	}
	return os.WriteFile(page, []byte(before+begin+strings.TrimRight(text, "\n")+"\n"+end+after), 0o644)
}

// Machine says in a line when and on what something was measured.
func Machine() string {
	model := "a " + runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s on %d cores of %s, Linux %s, %s",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}

// Table makes a table in Markdown. The first column is text, the others are
// figures.
func Table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := []string{"---"}
	for range len(head) - 1 {
		rule = append(rule, "--:")
	}
	line(rule)
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// Median returns the middle of the values; of none it is 0.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns the value below which the share q of the values lies; of
// none it is 0.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	x := q * float64(len(sorted)-1)
	i := int(x)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (x-float64(i))*(sorted[i+1]-sorted[i])
}

// Port returns an address on loopback that nothing listens on at the moment.
func Port() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
