// Command pictures takes the pictures of the dashboard that the documentation
// shows: it runs a berry-api in front of fake providers, keeps requests going for
// some minutes, with an outage, a slow quarter and a user over a limit, and lets
// a browser look.
//
//	cd e2e/browser && npm ci && GOWORK=off go run ./pictures -minutes 20 ../../docs/images
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/browser"
	"github.com/PPKunOfficial/berry-api/e2e/process"
)

func main() {
	minutes := flag.Float64("minutes", 20, "how long requests are made before the pictures are taken")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: go run ./pictures [-minutes N] FOLDER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, time.Duration(*minutes*float64(time.Minute)), flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, long time.Duration, folder string) error {
	tools, err := browser.FindTools()
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "berry-pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := process.Build(dir)
	if err != nil {
		return err
	}
	w, err := openWorld()
	if err != nil {
		return err
	}
	defer w.close()
	start := func(config string) (*process.Berry, error) {
		file, err := process.File(dir, config)
		if err != nil {
			return nil, err
		}
		return process.Start(binary, file, process.Options{Env: process.BareEnv()})
	}
	berry, err := start(w.config())
	if err != nil {
		return err
	}
	defer berry.Stop()
	empty, err := start(emptyConfig())
	if err != nil {
		return err
	}
	defer empty.Stop()
	w.url = berry.URL()
	log.Printf("%s/status for %v, token %s", w.url, long, adminToken)

	take := func(names ...string) error {
		world, err := json.Marshal(map[string]any{
			"chromium": tools.Chromium, "main": w.url, "empty": empty.URL(), "token": adminToken,
			"secrets": []string{adminToken, userToken, scriptToken}, "folder": folder, "pictures": names,
		})
		if err != nil {
			return err
		}
		cmd := exec.Command(tools.Node, "pictures/pictures.mjs")
		cmd.Env = append(os.Environ(), "BERRY_WORLD="+string(world))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	w.play(ctx, long)
	if ctx.Err() != nil {
		return nil
	}
	if err := w.during(ctx, nil, func() error { return take("wide", "phone", "signin", "empty") }); err != nil {
		return err
	}
	if err := w.during(ctx, []string{"reseller"}, func() error { return take("dark", "decision") }); err != nil {
		return err
	}
	if err := w.during(ctx, w.names(), func() error { return take("all-down") }); err != nil {
		return err
	}
	return shrink(folder)
}

// shrink makes the pictures smaller, where there is a program that can.
func shrink(folder string) error {
	tool, err := exec.LookPath("pngquant")
	if err != nil {
		log.Print("pngquant is not installed: the pictures stay as large as they are")
		return nil
	}
	all, err := filepath.Glob(filepath.Join(folder, "dashboard-*.png"))
	if err != nil {
		return err
	}
	for _, file := range all {
		out, err := exec.Command(tool, "--force", "--skip-if-larger", "--strip", "--speed", "1", "--ext", ".png", file).CombinedOutput()
		if code, ok := errors.AsType[*exec.ExitError](err); ok && code.ExitCode() == 98 {
			continue // it would be larger
		}
		if err != nil {
			return fmt.Errorf("cannot shrink %q: %w: %s", file, err, out)
		}
	}
	return nil
}
