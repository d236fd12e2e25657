package measure

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	f := func(values []float64, q, want float64) {
		t.Helper()
		if got := Quantile(values, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v at %v: %v, want %v", values, q, got, want)
		}
	}
	f(nil, 0.5, 0)
	f([]float64{7}, 0.99, 7)
	f([]float64{3, 1, 2}, 0.5, 2)
	f([]float64{4, 1, 2, 3}, 0.5, 2.5)
	f([]float64{1, 2, 3, 4, 5}, 1, 5)
	f([]float64{10, 20}, 0.99, 19.9)
}

func TestWriteSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	f := func(name, text, want string) {
		t.Helper()
		if err := WriteSection(file, name, text); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != want {
			t.Errorf("the page is\n%s\nwant\n%s", got, want)
		}
	}
	f("a", "one\n\n", "<!-- a: begin -->\none\n<!-- a: end -->\n")
	f("b", "two", "<!-- a: begin -->\none\n<!-- a: end -->\n\n<!-- b: begin -->\ntwo\n<!-- b: end -->\n")
	f("a", "three", "<!-- a: begin -->\nthree\n<!-- a: end -->\n\n<!-- b: begin -->\ntwo\n<!-- b: end -->\n")
	if err := os.WriteFile(file, []byte("<!-- a: begin -->\nno end"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteSection(file, "a", "x"); err == nil {
		t.Error("a section without an end is overwritten")
	}
}

func TestDrawingsAreXML(t *testing.T) {
	f := func(svg string) {
		t.Helper()
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
	}
	f((&Plot{Title: "a & b", X: "<x>", Y: "y", Points: []float64{1, 10}, Lines: []Line{{"l<1>", []float64{0.5, 70}}, {"gap", []float64{0, 3}}}}).SVG())
	f((&Bars{Title: "a < b", Mark: 1, Bars: []Bar{{"one & two", 0.8, 0.7, 1.4}}}).SVG())
}

// What this program learns of another is what that one did: it kept a
// processor busy for a while.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := Start(dir, "busy", "sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo counted; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; {
		text, _ := os.ReadFile(filepath.Join(dir, "busy.log"))
		if string(text) == "counted\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	cpu, err := p.CPU()
	if err != nil || cpu <= 0 || cpu > 30*time.Second {
		t.Errorf("CPU %v %v", cpu, err)
	}
	if m, err := p.Memory(); err != nil || m.Now <= 0 || m.Peak < m.Now {
		t.Errorf("memory %+v %v", m, err)
	}
}

func TestAwaitGivesUpOnWhatHasEnded(t *testing.T) {
	p, err := Start(t.TempDir(), "broken", "sh", "-c", "echo that went wrong; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	begin := time.Now()
	if _, err := p.Await(t.Context(), "http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "that went wrong") {
		t.Errorf("%v", err)
	}
	if time.Since(begin) > 15*time.Second {
		t.Error("it was waited for all the same")
	}
}
