package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// notInName reports runes that a name of a model or provider must not hold.
func notInName(r rune) bool { return unicode.IsSpace(r) || isControl(r) }

// checkModels checks every model, its names against those of the others, and
// its listings against the providers.
func (l *loader) checkModels(cfg *Config) {
	taken := make(map[string]string) // public name or alias -> model id
	for _, id := range l.ids("models") {
		m, ok := cfg.Models[id]
		if !ok {
			continue
		}
		if m.Name == "" {
			m.Name = id
		}
		cfg.Models[id] = m
		l.checkName(taken, m, []any{"models", id, "name"}, m.Name)
		for i, alias := range m.Aliases {
			l.checkName(taken, m, []any{"models", id, "aliases", i}, alias)
		}
		l.checkListings(cfg, m)
	}
	for _, id := range l.ids("models") {
		if owner, ok := taken[id]; ok && owner != id && cfg.Models[id].ID != "" {
			l.warn([]any{"models", id}, "this id is also a name of model %s; allowed_models that say %s mean both",
				strconv.Quote(owner), strconv.Quote(clip(id)))
		}
	}
	l.checkFallbacks(cfg)
}

func (l *loader) checkName(taken map[string]string, m Model, path []any, name string) {
	switch owner, ok := taken[name]; {
	case name == "":
		l.wrong(path, "must not be empty")
	case strings.ContainsFunc(name, notInName):
		l.wrong(path, "must not hold white space")
	case ok && owner == m.ID:
		l.wrong(path, "%s is already a name of this model", l.quote(path, name))
	case ok:
		l.wrong(path, "%s is already a name of model %s", l.quote(path, name), strconv.Quote(clip(owner)))
	default:
		taken[name] = m.ID
	}
}

func (l *loader) checkListings(cfg *Config, m Model) {
	first := make(map[string]int, len(m.Backends))
	served := false
	for i, b := range m.Backends {
		at := func(keys ...any) []any { return append([]any{"models", m.ID, "backends", i}, keys...) }
		id := b.Backend()
		if j, ok := first[id]; ok && b.Provider != "" && b.Model != "" {
			l.wrong(at(), "%s is listed twice in this model: it is already backends[%d]", l.quote(at("model"), b.Model), j)
		} else {
			first[id] = i
		}
		l.checkTags(at, b.Tags)
		p, ok := cfg.Providers[b.Provider]
		if !ok {
			if b.Provider != "" { // else it is missing or unreadable, and noted
				options := slices.Sorted(maps.Keys(cfg.Providers))
				l.wrong(at("provider"), "no provider %s is defined%s", l.quote(at("provider"), b.Provider), instead(b.Provider, options))
			}
			served = true // whether it would be is not known
			continue
		}
		if b.Model != "" && len(p.Models) > 0 && !slices.Contains(p.Models, b.Model) {
			l.wrong(at("model"), "provider %s lists no model %s%s", strconv.Quote(b.Provider), l.quote(at("model"), b.Model), instead(b.Model, p.Models))
		}
		served = served || b.Enabled && p.Enabled
	}
	if m.Enabled && !served {
		l.warn([]any{"models", m.ID}, "no enabled backend on an enabled provider; the model answers 503")
	}
}

// instead suggests the nearest option or, if none is near, lists a few.
func instead(word string, options []string) string {
	if s := didYouMean(word, options); s != "" || len(options) == 0 {
		return s
	}
	const most = 8
	more := ""
	if len(options) > most {
		options, more = options[:most], fmt.Sprintf(" and %d more", len(options)-most)
	}
	quoted := make([]string, len(options))
	for i, o := range options {
		quoted[i] = strconv.Quote(scrub(clip(o)))
	}
	return "; there is " + strings.Join(quoted, ", ") + more
}

// checkTags checks the tags of what is at at().
func (l *loader) checkTags(at func(...any) []any, tags []string) {
	for i, tag := range tags {
		if tag == "" || strings.ContainsFunc(tag, isControl) {
			l.wrong(at("tags", i), "a tag must not be empty or hold control characters")
		}
	}
}

// checkFallbacks checks that every context_fallback names a model and that
// following them comes to an end.
func (l *loader) checkFallbacks(cfg *Config) {
	ended := make(map[string]bool) // following from here comes to an end, or was noted
	for _, id := range l.ids("models") {
		next := cfg.Models[id].ContextFallback
		if next == "" {
			continue
		}
		path := []any{"models", id, "context_fallback"}
		if _, ok := cfg.Models[next]; !ok {
			l.wrong(path, "no model has the id %s%s", l.quote(path, next), instead(next, l.ids("models")))
			continue
		}
		trail := []string{id}
		for !ended[trail[len(trail)-1]] {
			next := cfg.Models[trail[len(trail)-1]].ContextFallback
			if next == "" {
				break
			}
			if i := slices.Index(trail, next); i >= 0 {
				path := []any{"models", trail[len(trail)-1], "context_fallback"}
				l.wrong(path, "leads back to itself: %s", strings.Join(append(trail[i:], next), " -> "))
				break
			}
			trail = append(trail, next)
		}
		for _, id := range trail {
			ended[id] = true
		}
	}
}
