package config

import (
	"io/fs"
	"reflect"
)

// errNoFile is what os.ReadFile says about a file that is not there.
func errNoFile(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func rootSection() *section { return describe(reflect.TypeFor[Config]()) }
