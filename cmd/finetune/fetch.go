package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub"
	"example.com/finetune/train/opened"
)

// This file fetches a model that a command names by its id and the Hub cache lacks, once
// its user agrees.

// openModel opens a model, and fetches it first where it is missing: when --download
// says so, or the user does when asked.
func openModel(u *ui, o opened.Options) (*opened.Model, error) {
	m, err := opened.Open(o)
	missing := new(hub.MissingError)
	if !errors.As(err, &missing) || !strings.Contains(missing.ID, "/") { // a name alone is rather a folder's
		return m, err
	}
	if err := fetchMissing(u, missing, err); err != nil {
		return nil, err
	}
	return opened.Open(o)
}

// fetchMissing fetches a model. why is the error that stands where nothing is fetched.
func fetchMissing(u *ui, missing *hub.MissingError, why error) error {
	if !u.fetch && !asksPerson(u) {
		return why
	}
	client, err := newHub(u)
	if err != nil {
		return err
	}
	if client.OfflineBy != "" {
		return hint.New(why, "unset "+client.OfflineBy+" to fetch it")
	}
	ctx, done := interruptible()
	defer done()
	plan, err := client.Plan(ctx, missing.ID, missing.Revision)
	if err != nil {
		return stopped(u, ctx, hint.New(fmt.Errorf("%w; and it cannot be fetched: %w", why, err), hint.Of(err)), goesOn)
	}
	if !u.fetch {
		yes, err := ask(ctx, u, fmt.Sprintf("%s is not in the Hub cache. Fetch %s from %s? [y/N] ", missing.ID, bytesText(plan.Missing()), client.Endpoint))
		if err != nil {
			return stopped(u, ctx, err, goesOn)
		}
		if !yes {
			return why
		}
	}
	return fetchPlan(ctx, u, client, plan)
}

// asksPerson reports whether somebody can be asked and answer.
func asksPerson(u *ui) bool {
	for _, end := range []any{u.stdin, u.stderr} {
		if f, ok := end.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
			return false
		}
	}
	return true
}

// ask asks a question that yes or no answers. It reads no byte behind the answer's line.
func ask(ctx context.Context, u *ui, question string) (yes bool, err error) {
	fmt.Fprint(u.stderr, question)
	answer := make(chan string, 1)
	go func() {
		var line []byte
		for b := make([]byte, 1); ; {
			n, err := u.stdin.Read(b)
			if n > 0 && b[0] != '\n' {
				line = append(line, b[0])
			}
			if n > 0 && b[0] == '\n' || err != nil && !errors.Is(err, io.ErrNoProgress) {
				answer <- strings.ToLower(strings.TrimSpace(string(line)))
				return
			}
		}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(u.stderr)
		return false, context.Cause(ctx)
	case text := <-answer:
		return text == "y" || text == "yes", nil
	}
}

// fetchPlan fetches what is missing, with a progress line.
func fetchPlan(ctx context.Context, u *ui, client *hub.Client, plan *hub.Plan) error {
	if n := missingFiles(plan); n > 0 {
		u.infof("fetching %s of %s in %s", bytesText(plan.Missing()), plan.ID, many(n, "file"))
	}
	t := newTransfer(u)
	err := client.Fetch(ctx, plan, t.show)
	t.progress.end()
	return stopped(u, ctx, err, goesOn)
}

// missingFiles counts the files that are not in the cache.
func missingFiles(plan *hub.Plan) (n int) {
	for _, f := range plan.Files {
		if !f.Cached {
			n++
		}
	}
	return n
}
