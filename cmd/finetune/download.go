package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub"
)

type downloadCommand struct {
	Model string `arg:"" name:"org/name" help:"Model on the Hub; @ and a branch, a tag or a commit after it names a revision (default main)."`
}

func (downloadCommand) Help() string {
	return `Fetches what a run needs of a model, and no other weights than safetensors, into the ordinary Hub cache, where Python's programs find it too. ` +
		`Each file is verified. A download that ends early goes on where it was when the command is typed again.

The environment is that of huggingface_hub: HF_HUB_CACHE or HF_HOME for the cache, HF_TOKEN or the file that hf auth login writes for private and gated models, ` +
		`HF_ENDPOINT for a mirror, HF_HUB_OFFLINE, and HTTPS_PROXY.

For example:

    finetune download HuggingFaceTB/SmolLM2-135M-Instruct
    finetune train --model HuggingFaceTB/SmolLM2-135M-Instruct --data rows.jsonl

    finetune download HuggingFaceTB/SmolLM2-135M@refs/pr/1
    HF_TOKEN=hf_... finetune download meta-llama/Llama-3.2-1B
`
}

// Run fetches the model and says where it is.
func (c *downloadCommand) Run(u *ui) error {
	id, revision, err := hub.ParseID(c.Model)
	if err != nil {
		return hint.New(hint.Usagef("%w", err), hint.Of(err))
	}
	client, err := newHub(u)
	if err != nil {
		return err
	}
	ctx, done := interruptible()
	defer done()
	plan, err := client.Plan(ctx, id, revision)
	if err != nil {
		return stopped(u, ctx, err, goesOn)
	}
	missing := missingFiles(plan)
	if err := fetchPlan(ctx, u, client, plan); err != nil {
		return err
	}
	return c.say(u, plan, missing)
}

// say prints where the model is and what to do with it.
func (c *downloadCommand) say(u *ui, p *hub.Plan, fetched int) error {
	files := "as the cache has them"
	if n := len(p.Files); n > 0 {
		files = fmt.Sprintf("%d, %s, %d of them fetched now", n, bytesText(p.Size()), fetched)
	}
	next := fmt.Sprintf("train   %s train --model %s --data rows.jsonl", program(), quote(c.Model))
	if slices.ContainsFunc(p.Files, func(f hub.File) bool { return f.Path == "adapter_config.json" }) {
		next = fmt.Sprintf("try     %s generate --adapter %s --prompt \"…\"", program(), quote(p.Dir))
	}
	return u.printf("model   %s, commit %.12s\nfolder  %s\nfiles   %s\n%s\n", c.Model, p.Commit, p.Dir, files, next)
}

// newHub returns a client that tells the user what it waits for.
func newHub(u *ui) (*hub.Client, error) {
	c, err := hub.NewClient("finetune/" + version())
	if err != nil {
		return nil, err
	}
	c.Log = func(text string) { u.infof("finetune: %s", text) }
	return c, nil
}

// interruptible returns a context that ends at Ctrl-C, SIGTERM or SIGHUP. A second one
// ends the process at once. done gives the signals back.
func interruptible() (ctx context.Context, done func()) {
	ctx, done = signal.NotifyContext(context.Background(), append(endings(), os.Interrupt)...)
	context.AfterFunc(ctx, done)
	return ctx, done
}

// stopped is err, or that the user has ended the command, and what is left of it.
func stopped(u *ui, ctx context.Context, err error, left string) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	u.line(levelError, "finetune: stopped; "+left)
	return errInterrupted
}

// goesOn is what is left of a transfer.
const goesOn = "the same command goes on from here"

// A transfer shows bytes on their way.
type transfer struct {
	progress *progress
	start    time.Time
	first    int64 // bytes that were there before the first byte came
}

func newTransfer(u *ui) *transfer {
	return &transfer{progress: newProgress(u, "auto"), start: time.Now(), first: -1}
}

// show draws done of total bytes, the rate and the time left.
func (t *transfer) show(done, total int64) {
	const mega = 1_000_000
	if t.first < 0 || done < t.first {
		t.first = done
	}
	took := time.Since(t.start)
	if took < time.Second/2 { // small ones are done before anyone could read a bar
		return
	}
	var words []string
	if rate := float64(done-t.first) / took.Seconds(); rate > 0 {
		words = []string{bytesText(int64(rate)) + "/s", duration(time.Duration(float64(total-done)/rate*float64(time.Second))) + " left"}
	}
	t.progress.show("megabyte", int(done/mega), int(max(1, total/mega)), words...)
}
