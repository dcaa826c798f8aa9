package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/model/hub"
)

type uploadCommand struct {
	Dir     string `arg:"" name:"dir" help:"Folder of an adapter, as train writes it."`
	Repo    string `arg:"" name:"org/name" help:"Repository on the Hub, made where there is none; org is your user name or an organization of yours."`
	Private bool   `help:"Make a new repository private; one that is there and public is refused."`
}

func (uploadCommand) Help() string {
	return `Uploads the adapter and its card: adapter_config.json, adapter_model.safetensors, README.md and loss.svg. ` +
		`The other files of the folder stay here: they name folders of this machine. What is the same on the Hub is not sent again.

It needs a token with the right to write, as HF_TOKEN or from hf auth login.

For example:

    finetune upload adapter me/my-adapter --private
    HF_TOKEN=hf_... finetune upload adapter me/my-adapter
`
}

// Run uploads the adapter and says where it is.
func (c *uploadCommand) Run(u *ui) error {
	if !hub.IsID(c.Repo) || !strings.Contains(c.Repo, "/") {
		return hint.New(hint.Usagef("%q is not the id of a repository", c.Repo), "an id is ORG/NAME, where ORG is your user name or an organization of yours")
	}
	client, err := newHub(u)
	if err != nil {
		return err
	}
	if err := c.look(u); err != nil {
		return err
	}
	ctx, done := interruptible()
	defer done()
	t := newTransfer(u)
	up, err := client.Upload(ctx, c.Dir, c.Repo, c.Private, t.show)
	t.progress.end()
	if err != nil {
		return stopped(u, ctx, err, goesOn)
	}
	kind := "public"
	if up.Private {
		kind = "private"
	}
	if up.Created {
		kind += ", new"
	}
	sent := "nothing: all of it is there already"
	if len(up.Files) > 0 {
		sent = fmt.Sprintf("%s, %s", many(len(up.Files), "file"), bytesText(up.Bytes))
	}
	return u.printf("adapter  %s (%s)\nsent     %s\nload     PeftModel.from_pretrained(base, %q)\n", up.URL, kind, sent, c.Repo)
}

// look reads the adapter, before others do, and warns of a base model that they cannot
// load: a folder of this machine.
func (c *uploadCommand) look(u *ui) error {
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		return hint.New(fmt.Errorf("%s: no such folder", c.Dir), "give the folder that train wrote")
	}
	_, err := peft.Leaves(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the upload says which file is not there
		return err
	}
	base, err := hub.BaseOf(c.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case base == "":
		u.warnf("adapter_config.json names no base model: put its id on the Hub there, as base_model_name_or_path")
		return nil
	}
	if _, err := os.Stat(base); err == nil || filepath.IsAbs(base) || !hub.IsID(base) {
		u.warnf("adapter_config.json names the base model %q, a folder of this machine: for others put its id on the Hub in place of it", base)
	}
	return nil
}
