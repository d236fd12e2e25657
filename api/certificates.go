package api

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// certificateCheck is how often at most the files are looked at. It happens
// within a handshake, so that no goroutine has to watch them.
const certificateCheck = time.Second

// certificates hands out the certificate of settings.tls, as the files have it.
type certificates struct {
	log *logger

	mu      sync.Mutex // guards what follows
	files   config.TLS
	seen    [2]fileState // of the files when they were last read
	checked time.Time
	current *tls.Certificate
}

// fileState tells whether a file changed.
type fileState struct {
	modified time.Time
	size     int64
}

func newCertificates(l *logger) *certificates { return &certificates{log: l} }

// config is what a TLS listener needs.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// load reads the files and uses them from now on; on an error nothing changes.
func (c *certificates) load(files config.TLS) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := states(files)
	cert, err := files.Load()
	if err != nil {
		return err
	}
	c.files, c.seen, c.checked, c.current = files, seen, time.Now(), cert
	return nil
}

// get returns the certificate for a handshake. Files that changed and cannot be
// read, maybe half written, leave the old certificate in use.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = time.Now()
	seen := states(c.files)
	if seen == c.seen {
		return c.current, nil
	}
	c.seen = seen
	cert, err := c.files.Load()
	if err != nil {
		n := c.log.line(targetAPI, levelError, "Cannot reload the TLS certificate, the old one stays")
		n.fields.Str("error", err.Error())
		n.send()
		return c.current, nil
	}
	c.current = cert
	n := c.log.line(targetAPI, levelInfo, "TLS certificate reloaded")
	n.fields.Str("not_after", cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	n.send()
	return cert, nil
}

func states(files config.TLS) [2]fileState {
	var out [2]fileState
	for i, name := range []string{files.CertFile, files.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return out
}
