package api

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// How log files are rotated: a file that is full or a day old is renamed with
// the moment in its name, and the oldest go. A dependency for this would be
// larger than it.
const (
	logFileBytes = 100 << 20
	logFileAge   = 24 * time.Hour
	logFilesKept = 7
)

// logFile appends to a file and rotates it. Only the log sink uses it, one
// write at a time.
type logFile struct {
	path  string
	limit int64 // bytes
	file  *os.File
	size  int64
	born  time.Time
}

// openLogFile opens or makes the file, and its folder. Others may not read it:
// it names users.
func openLogFile(path string) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the log file: %w", err)
	}
	f := &logFile{path: path, limit: logFileBytes}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *logFile) open() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the log file: %w", err)
	}
	f.file, f.size, f.born = file, 0, time.Now()
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		f.size = info.Size()
		// A file of an earlier run: its last write is the best that is known of its age.
		f.born = info.ModTime()
	}
	return nil
}

// Write appends whole lines, to a fresh file if it is time for one.
func (f *logFile) Write(p []byte) (int, error) {
	if f.size > 0 && (f.size+int64(len(p)) > f.limit || time.Since(f.born) >= logFileAge) {
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

func (f *logFile) rotate() error {
	if f.file != nil {
		_ = f.file.Close() // its lines are written; nothing is left to lose
		f.file = nil
	}
	// Nanoseconds, so that two rotations never meet; the names sort by time.
	if err := os.Rename(f.path, f.path+"."+time.Now().UTC().Format("20060102T150405.000000000Z")); err != nil && !os.IsNotExist(err) {
		return err
	}
	old, err := filepath.Glob(f.path + ".*Z")
	if err == nil {
		slices.Sort(old)
		for _, name := range old[:max(0, len(old)-logFilesKept)] {
			_ = os.Remove(name) // tried again with the next rotation
		}
	}
	return f.open()
}

// Close closes the file.
func (f *logFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
