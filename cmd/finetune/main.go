// Command finetune adapts a small LLaMA-style language model to your data on a
// laptop's CPU: it trains LoRA-One adapters that Hugging Face PEFT loads.
//
// It knows flags, files and the terminal; the mathematics is in the packages it
// calls. One file holds one command; chat has two more, talk.go (the conversation) and
// lines.go (what is typed). What they share: settings.go and open.go (flags to settings,
// settings to a model), sampling.go (how a token is chosen), habits.go (what people type
// who know other programs), ui.go, progress.go and text.go (what they see). Two
// decisions: only ui.go and progress.go write to standard error, prompts apart, and only
// main ends the process (a second Ctrl-C apart).
package main

import (
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
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
	Sweep    sweepCommand    `cmd:"" help:"Make many runs of one file, here or on Slurm or Kubernetes, and compare them."`
	Report   reportCommand   `cmd:"" help:"Compare runs: loss by configuration, paired differences, curves."`
	Generate generateCommand `cmd:"" help:"Write text with a model, with or without an adapter."`
	Chat     chatCommand     `cmd:"" help:"Talk with a model on the terminal, with or without an adapter."`
	Merge    mergeCommand    `cmd:"" help:"Write a model folder with the adapter in its weights."`
	Export   exportCommand   `cmd:"" help:"Write an adapter for llama.cpp, Ollama, mlx-lm or PEFT."`
	Download downloadCommand `cmd:"" help:"Fetch a model from the Hugging Face Hub into its ordinary cache."`
	Upload   uploadCommand   `cmd:"" help:"Upload an adapter and its card to the Hugging Face Hub."`
	Version  versionCommand  `cmd:"" help:"Name the version, the Go version and the kernels in use."`

	Quiet    bool   `short:"q" help:"Say nothing on standard error but errors."`
	Fetch    bool   `name:"download" help:"Fetch a model that --model names by its Hub id and the cache lacks, without asking."`
	Yes      bool   `short:"y" help:"Say yes to whatever a command would ask: to fetch a model, to make more than 500 runs, to take a sweep's folder though its file had another name, to run an engine's tasks without locks."`
	LogLevel string `placeholder:"LEVEL" enum:"error,warn,info,debug" default:"info" help:"How much to say: error, warn, info or debug (default info)."`
}

func main() {
	limitHeap(20, 0)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// limitHeap sets how much garbage may lie in this process, in percent of what is in use,
// and the memory it may take; 0 for no limit. Most of the heap are large buffers without
// pointers, which cost a collection nothing. Only main and the commands that are one run
// in one process call it.
func limitHeap(percent int, limit recipe.Size) {
	debug.SetGCPercent(percent)
	if limit > 0 {
		debug.SetMemoryLimit(int64(limit))
	}
}

// heldBytes returns what the process has allocated, after giving back what it can.
func heldBytes() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
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
	out := u.stdout
	if len(args) == 0 {
		args, out = []string{"--help"}, u.stderr
	}
	args = normalise(args)
	cli := new(commandLine)
	ctx, helped, err := parse(cli, args, out, kong.Bind(u))
	switch {
	case helped && out == u.stderr:
		return errHelp
	case helped:
		return nil
	case err != nil:
		return parseError(err, args, func(args []string) (*kong.Context, error) {
			ctx, _, err := parse(new(commandLine), args, io.Discard)
			return ctx, err
		})
	}
	u.set(cli.Quiet, cli.LogLevel)
	u.fetch, u.yes = cli.Fetch || cli.Yes, cli.Yes
	return ctx.Run()
}

// parse reads a command line, and prints the help on out where that is asked for.
func parse(cli *commandLine, args []string, out io.Writer, options ...kong.Option) (ctx *kong.Context, helped bool, err error) {
	parser, err := newParser(cli, append(options,
		kong.Name("finetune"),
		kong.Description("Adapts a small LLaMA-style language model to your data on a laptop's CPU.\n\n"+
			"Results are on standard output; progress, warnings and errors on standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted with the state saved."),
		kong.Writers(out, out),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { helped = true }))...) // in place of kong's own exit after printing the help
	if err != nil {
		return nil, false, err
	}
	ctx, err = parser.Parse(args)
	return ctx, helped, err
}

// newParser returns the parser of all commands and flags, with their defaults.
func newParser(cli *commandLine, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append(options,
		kong.Vars{"seed": strconv.FormatUint(recipe.Default().Seed, 10)},
		kong.PostBuild(addSettings))...)
}
