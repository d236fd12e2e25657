package config

import (
	"crypto/tls"
	"fmt"
)

// Load reads the certificate and its key. Loading a configuration does not do
// it: files that change by themselves may be between two states at any moment.
// A start does, and so does what checks whether there can be one. It returns
// nil if TLS is not used.
func (t TLS) Load() (*tls.Certificate, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot load the certificate: %w", err)
	}
	return &cert, nil
}
