// Command finetune adapts a small LLaMA-style language model to your data on a
// laptop's CPU: it trains LoRA-One adapters that Hugging Face PEFT loads.
//
// It knows flags, files and the terminal; the mathematics is in the packages it
// calls. One file holds one command. Two decisions: only ui.go and progress.go
// write to standard error, and only main ends the process (a second Ctrl-C apart).
package main

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
)

// Exit codes. 130 is what a shell reports for a program ended by Ctrl-C.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// commandLine is all a user can type. Each command is a struct in the file of
// its name, with its flags as fields and a Run method.
type commandLine struct {
	Demo     demoCommand     `cmd:"" help:"See the whole job in seconds, on a tiny model inside this program."`
	Check    checkCommand    `cmd:"" help:"Check a file of rows against a model, before training on it."`
	Init     initCommand     `cmd:"" help:"Write a run.yaml whose settings suit the data and the model."`
	Plan     planCommand     `cmd:"" help:"Say what a run would take, before it starts."`
	Train    trainCommand    `cmd:"" help:"Train a LoRA-One adapter on your data."`
	Eval     evalCommand     `cmd:"" help:"Measure loss and perplexity of base and adapter on held-out rows."`
	Generate generateCommand `cmd:"" help:"Write text with a model, with or without an adapter."`
	Download downloadCommand `cmd:"" help:"Fetch a model from the Hugging Face Hub into its ordinary cache."`
	Upload   uploadCommand   `cmd:"" help:"Upload an adapter and its card to the Hugging Face Hub."`
	Version  versionCommand  `cmd:"" help:"Name the version, the Go version and the kernels in use."`

	Quiet    bool   `short:"q" help:"Say nothing on standard error but errors."`
	LogLevel string `placeholder:"LEVEL" enum:"error,warn,info,debug" default:"info" help:"How much to say: error, warn, info or debug (default info)."`
}

func main() {
	// Most of the heap are large buffers without pointers, which cost a collection
	// nothing; a run has less garbage still, see readRows.
	debug.SetGCPercent(20)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	u := newUI(stdin, stdout, stderr)
	err := dispatch(args, u)
	if err != nil && !errors.Is(err, errHelp) && !errors.Is(err, errInterrupted) { // those have said their piece
		u.fail(err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errHelp), hint.IsUsage(err):
		return exitUsage
	}
	return exitFailed
}

// errHelp ends a command line that names no command, once the help is printed.
var errHelp = errors.New("no command")

func dispatch(args []string, u *ui) error {
	helped := false // set in place of kong's own exit after printing the help
	out := u.stdout
	if len(args) == 0 {
		args, out = []string{"--help"}, u.stderr
	}
	cli := new(commandLine)
	parser, err := kong.New(cli,
		kong.Name("finetune"),
		kong.Description("Adapts a small LLaMA-style language model to your data on a laptop's CPU."),
		kong.Writers(out, u.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { helped = true }),
		kong.PostBuild(addSettings),
		kong.Bind(u))
	if err != nil {
		return err
	}
	ctx, err := parser.Parse(normalise(args))
	switch {
	case helped && out == u.stderr:
		return errHelp
	case helped:
		return nil
	case err != nil:
		return parseError(err)
	}
	u.set(cli.Quiet, cli.LogLevel)
	return ctx.Run()
}

// normalise lets flags be written with underscores, and help and version in the
// ways people try.
func normalise(args []string) []string {
	list := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(list, args[i:]...)
		}
		if strings.HasPrefix(arg, "--") {
			name, value, found := strings.Cut(arg, "=")
			arg = strings.ReplaceAll(name, "_", "-")
			if found {
				arg += "=" + value
			}
		}
		list = append(list, arg)
	}
	switch {
	case list[0] == "help":
		return append(list[1:], "--help")
	case list[0] == "--version" || list[0] == "-V":
		list[0] = "version"
	}
	return list
}

// parseError turns kong's error into ours: advice goes to the hint.
func parseError(err error) error {
	text, near, found := strings.Cut(err.Error(), ", did you mean ")
	if found {
		return hint.New(hint.Usagef("%s", text), "did you mean "+near)
	}
	page := "finetune --help"
	if p := new(kong.ParseError); errors.As(err, &p) && p.Context != nil && p.Context.Command() != "" {
		page = "finetune " + p.Context.Command() + " --help"
	}
	return hint.New(hint.Usagef("%s", text), "see "+page)
}
