package api

import (
	"errors"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// reloaded is what came of a reload that was not refused.
type reloaded struct {
	changed    bool
	changes    config.Changes
	restart    []string // changed settings that take effect after a restart
	warnings   []config.Problem
	generation uint64
}

// Reload makes cfg the configuration of all requests that begin from now on;
// requests under way end on the one that they began with. Configured addresses,
// the log file and its format, and whether TLS is used stay those of the start.
// Unchanged content is a no-op. On an error nothing has changed.
func (s *Server) Reload(cfg *config.Loaded) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	_, err := s.reload(cfg)
	return err
}

// ReloadFile is Reload with what the configuration file holds now. A file with
// problems changes nothing; all of them are logged.
func (s *Server) ReloadFile() error {
	_, err := s.reloadFile()
	return err
}

func (s *Server) reloadFile() (reloaded, error) {
	// Read under the lock, so that of two reloads the later one reads later.
	s.reloading.Lock()
	defer s.reloading.Unlock()
	old := s.loaded.Load()
	cfg, err := old.Again()
	if err == nil && defines(old.Config) && !defines(cfg.Config) {
		err = emptied(cfg.Path)
	}
	if err != nil {
		s.refuseReload(err)
		return reloaded{}, err
	}
	return s.reload(cfg)
}

// defines reports whether a configuration has more than settings.
func defines(c *config.Config) bool { return len(c.Providers)+len(c.Models)+len(c.Users) > 0 }

// emptied is the error of a file out of which all has gone. It is valid, and
// what an editor or a full disk leaves for a moment, or for good; nobody means it.
func emptied(path string) error {
	return config.Problems{{File: path, Line: 1, Column: 1, Message: "no provider, model or user is defined any more: " +
		"the file was emptied, or is being written; to serve nothing, stop the server"}}
}

// reload is called under reloading.
func (s *Server) reload(cfg *config.Loaded) (reloaded, error) {
	r, err := s.apply(cfg)
	if err != nil {
		s.refuseReload(err)
		return reloaded{}, err
	}
	s.metrics.reloaded(true)
	s.metrics.forgetUsers(r.changes.Users.Removed)
	message := "Configuration is unchanged"
	if r.changed {
		message = "Configuration reloaded"
	}
	n := s.log.line(targetConfig, levelInfo, message)
	n.fields.Str("config", cfg.Path).Uint64("generation", r.generation)
	for _, part := range []struct {
		name  string
		paths []string
	}{{"added", r.changes.Added()}, {"removed", r.changes.Removed()}, {"changed", r.changes.Altered()}} {
		if len(part.paths) > 0 {
			n.fields.Strs(part.name, part.paths)
		}
	}
	n.send()
	if len(r.restart) > 0 {
		n := s.log.line(targetConfig, levelWarn, "A changed address, connection limit, log file, log format or use of TLS takes effect after a restart")
		n.fields.Strs("settings", r.restart)
		n.send()
	}
	if r.changed {
		s.warn(cfg.Warnings)
	}
	return r, nil
}

// apply swaps the configuration, if there is anything to swap.
func (s *Server) apply(cfg *config.Loaded) (reloaded, error) {
	old := s.loaded.Load()
	r := reloaded{changes: config.Diff(old.Config, cfg.Config), warnings: cfg.Warnings}
	// The hash of the file is not enough: variables and secret files are part of it.
	if r.changes.IsEmpty() {
		s.loaded.Store(cfg) // its comments may have changed, and with them its hash
		r.generation = s.gateway.Current().Generation
		return r, nil
	}
	levels, unknown, err := s.thresholds(cfg.Config)
	if err != nil {
		return r, err
	}
	secure := old.Config.Settings.TLS.CertFile != "" && cfg.Config.Settings.TLS.CertFile != ""
	if secure && old.Config.Settings.TLS != cfg.Config.Settings.TLS {
		if err := s.certs.load(cfg.Config.Settings.TLS); err != nil {
			return r, err
		}
	}
	if err := s.gateway.Reload(cfg.Config); err != nil {
		return r, err
	}
	// What is above may fail, what is below cannot.

	s.loaded.Store(cfg)
	s.log.min.Store(&levels)
	s.warnOfParts(unknown)
	r.changed, r.generation = true, s.gateway.Current().Generation
	r.restart = moved(&old.Config.Settings, &cfg.Config.Settings)
	return r, nil
}

// refuseReload notes a reload that changed nothing, in one line with all that
// is wrong.
func (s *Server) refuseReload(err error) {
	s.metrics.reloaded(false)
	n := s.log.line(targetConfig, levelError, "Configuration refused, the old one stays")
	if problems, ok := errors.AsType[config.Problems](err); ok {
		list := make([]string, len(problems))
		for i, p := range problems {
			list[i] = p.String()
		}
		n.fields.Strs("problems", list)
	} else {
		n.fields.Str("error", err.Error())
	}
	n.send()
}

// reloaded counts an attempt to reload.
func (m *metrics) reloaded(good bool) {
	m.reloadAt.Store(time.Now().Unix())
	m.reloadOK.Store(good)
	if good {
		m.reloadsGood.Inc()
	} else {
		m.reloadsRefused.Inc()
	}
}
