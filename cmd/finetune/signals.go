package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// stopSignals returns a context that ends at the first Ctrl-C, SIGTERM or SIGHUP.
// A second one ends the process at once. done gives the signals back.
func stopSignals(u *ui) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	wanted := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup asked for that
		wanted = append(wanted, syscall.SIGHUP)
	}
	signals, finished := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, wanted...)
	go func() {
		for first := true; ; first = false {
			select {
			case <-finished:
				return
			case <-signals:
			}
			if !first {
				u.line(levelError, "finetune: stopped at once")
				os.Exit(exitInterrupted)
			}
			u.line(levelError, "finetune: stopping after this step; once more to quit at once")
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(finished)
		cancel()
	}
}
