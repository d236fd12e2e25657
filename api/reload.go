package api

import (
	"errors"
	"reflect"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// Reload makes cfg the configuration of all requests that begin from now on;
// requests under way end on the one that they began with. Configured addresses,
// the log file and its format, and whether TLS is used stay those of the start.
// Unchanged content is a no-op. On an error nothing has changed.
func (s *Server) Reload(cfg *config.Loaded) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.metrics.reloadAt.Store(time.Now().Unix())
	changed, err := s.apply(cfg)
	s.metrics.reloadOK.Store(err == nil)
	if err != nil {
		s.refuseReload(err)
		return err
	}
	message := "Configuration reloaded"
	if !changed {
		message = "Configuration is unchanged"
	}
	n := s.log.line(targetConfig, levelInfo, message)
	n.fields.Str("config", cfg.Path).Uint64("generation", s.gateway.Current().Generation)
	n.send()
	if changed {
		s.warn(cfg.Warnings)
	}
	return nil
}

// ReloadFile is Reload with what the configuration file holds now. A file with
// problems changes nothing; each of them is logged.
func (s *Server) ReloadFile() error {
	cfg, err := s.loaded.Load().Again()
	if err != nil {
		s.reloading.Lock()
		defer s.reloading.Unlock()
		s.metrics.reloadAt.Store(time.Now().Unix())
		s.metrics.reloadOK.Store(false)
		s.refuseReload(err)
		return err
	}
	return s.Reload(cfg)
}

// apply swaps the configuration and reports whether there was anything to swap.
func (s *Server) apply(cfg *config.Loaded) (changed bool, err error) {
	old := s.loaded.Load()
	// The hash of the file is not enough: variables and secret files are part of it.
	if reflect.DeepEqual(old.Config, cfg.Config) {
		return false, nil
	}
	levels, _, err := s.thresholds(cfg.Config)
	if err != nil {
		return false, err
	}
	secure := old.Config.Settings.TLS.CertFile != "" && cfg.Config.Settings.TLS.CertFile != ""
	if secure && old.Config.Settings.TLS != cfg.Config.Settings.TLS {
		if err := s.certs.load(cfg.Config.Settings.TLS); err != nil {
			return false, err
		}
	}
	if err := s.gateway.Reload(cfg.Config); err != nil {
		return false, err
	}
	// What is above may fail, what is below cannot.

	s.loaded.Store(cfg)
	s.log.min.Store(&levels)
	if moved(&old.Config.Settings, &cfg.Config.Settings) {
		n := s.log.line(targetConfig, levelWarn, "A changed address, connection limit, log file, log format or use of TLS takes effect after a restart")
		n.send()
	}
	return true, nil
}

func (s *Server) refuseReload(err error) {
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
