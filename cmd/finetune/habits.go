package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model/hub"
	"example.com/finetune/train/recipe"
)

// This file answers what people type who know other programs. A command line that is
// not understood is mended where its meaning is plain, and the mended one is offered,
// once it is known to be understood; nothing is run that was not typed.

// A stranger is a command of another program.
type stranger struct {
	command string // that does its job here; "" for none
	say     string // what to do today where none does
}

const (
	sayMerge  = `finetune merge --adapter adapter -o merged writes a model folder with the adapter in its weights`
	sayExport = `finetune export --adapter adapter --to gguf -o adapter.gguf writes a file for llama.cpp; --to ollama, mlx and peft write others`
	sayServe  = `vLLM and llama.cpp serve a model with an adapter; finetune chat --adapter adapter tries it here`
	sayRows   = `rows are learned as they are, without rewards or preferences: finetune train --help`
)

// strangers are what people ask for by another name. None of them is a command here.
var strangers = map[string]stranger{
	"fuse": {say: sayMerge}, "merge-lora": {say: sayMerge},
	"convert": {say: sayExport}, "gguf": {say: sayExport}, "quantize": {say: sayExport},
	"serve": {say: sayServe}, "server": {say: sayServe},
	"dpo": {say: sayRows}, "orpo": {say: sayRows}, "kto": {say: sayRows}, "grpo": {say: sayRows}, "reward": {say: sayRows},

	"sft": {command: "train"}, "lora": {command: "train"}, "finetune": {command: "train"}, "fine-tune": {command: "train"},
	"tune": {command: "train"}, "fit": {command: "train"}, "run": {command: "train"}, "resume": {command: "train"},
	"evaluate": {command: "eval"}, "test": {command: "eval"}, "perplexity": {command: "eval"},
	"infer": {command: "generate"}, "inference": {command: "generate"}, "predict": {command: "generate"}, "complete": {command: "generate"},
	"talk": {command: "chat"}, "interactive": {command: "chat"}, "repl": {command: "chat"},
	"lint": {command: "check"}, "validate": {command: "check"}, "preprocess": {command: "check"},
	"estimate": {command: "plan"}, "config": {command: "init"}, "new": {command: "init"},
	"pull": {command: "download"}, "fetch": {command: "download"}, "push": {command: "upload"}, "publish": {command: "upload"},
}

// letters are flags of one letter that people try, with what they may mean.
var letters = map[string][]string{
	"-a": {"--adapter"},
	"-b": {"--batch-size"},
	"-d": {"--data"},
	"-e": {"--num-train-epochs"},
	"-f": {"--config"},
	"-k": {"--top-k"},
	"-l": {"--learning-rate"},
	"-n": {"--max-tokens", "--max-steps"},
	"-r": {"--lora-r"},
	"-s": {"--seed"},
	"-t": {"--temperature", "--threads"},
	"-v": {"--log-level=debug"},
}

// A reader reads a command line: the error tells whether it is understood.
type reader func(args []string) (*kong.Context, error)

// parseError turns kong's error about a command line into ours.
func parseError(err error, args []string, parse reader) error {
	text, near := told(err)
	word, command := subject(text), commandOf(err)
	if s, ok := strangers[word]; ok && command == "" {
		text = "there is no command " + word
		if s.say != "" {
			return hint.New(hint.Usagef("%s", text), withAdapter(s.say, args))
		}
		near = ""
	}
	advice := "see " + strings.Join(slices.DeleteFunc([]string{"finetune", command, "--help"}, func(s string) bool { return s == "" }), " ")
	if mended := mend(err, args, parse); mended != nil {
		advice = "did you mean: " + program()
		for _, arg := range mended {
			advice += " " + quote(arg)
		}
	} else if found := mistakes(err, args, parse); len(found) > 1 {
		return hint.New(hint.Join(found), advice)
	} else if near != "" && letters[word] == nil {
		advice = "did you mean " + near
	}
	return hint.New(hint.Usagef("%s", text), advice)
}

// withAdapter has a hint name the adapter of the command line, if that has one.
func withAdapter(say string, args []string) string {
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		if !slices.Contains([]string{"--adapter", "--adapter-path", "--adapter-name-or-path"}, name) {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		if value != "" {
			return strings.ReplaceAll(say, "--adapter adapter", "--adapter "+quote(value))
		}
	}
	return say
}

// told returns what an error of kong's says, and the flag or command that it proposes.
func told(err error) (text, near string) {
	text, near, _ = strings.Cut(err.Error(), ", did you mean ")
	if flag, _, cut := strings.Cut(text, ": expected "); cut && strings.Contains(text, `"EOL"`) {
		text = flag + ": want a value"
	}
	if len(subject(text)) == len("-x") { // all flags of one letter are as near
		near = ""
	}
	return text, near
}

// mistakes lists what is wrong with a command line, each with its advice. A flag that is
// not known is left out with the words behind it, and the rest is read again: in the end
// its settings too.
func mistakes(err error, args []string, parse reader) (found []error) {
	for {
		text, near := told(err)
		word := subject(text)
		switch {
		case letters[word] != nil:
			near = strings.Join(letters[word], " or ") + "?"
			fallthrough
		case near != "":
			near = "did you mean " + near
		}
		found = append(found, hint.New(hint.Usagef("%s", text), near))
		at := slices.IndexFunc(args, func(arg string) bool {
			name, _, _ := strings.Cut(arg, "=")
			return name == word
		})
		if !strings.HasPrefix(word, "-") || at < 0 {
			return found
		}
		end := at + 1
		for end < len(args) && !strings.HasPrefix(args[end], "-") && !strings.Contains(args[at], "=") {
			end++
		}
		args = slices.Concat(args[:at], args[end:])
		var ctx *kong.Context
		if ctx, err = parse(args); err == nil {
			c := recipe.Default()
			return append(found, wrongSettings(&c, typed(ctx))...)
		}
	}
}

// subject returns the word that an error of kong's is about.
func subject(text string) string {
	for _, begin := range []string{"unexpected argument ", "unknown flag "} {
		if word, ok := strings.CutPrefix(text, begin); ok {
			return word
		}
	}
	return ""
}

// commandOf returns the command whose flags were wrong, "" where there is none.
func commandOf(err error) string {
	p := new(kong.ParseError)
	if !errors.As(err, &p) || p.Context == nil {
		return ""
	}
	command, _, _ := strings.Cut(p.Context.Command(), " ")
	return command
}

// mend returns a command line that is understood and means what args plainly mean; nil
// where that is not plain.
func mend(err error, args []string, parse reader) []string {
	for changed := false; ; changed = true {
		if err == nil && changed {
			return args
		}
		text, _, misspelt := strings.Cut(err.Error(), ", did you mean ")
		word, command := subject(text), commandOf(err)
		at := slices.Index(args, word)
		if word == "" || at < 0 || misspelt && strangers[word].command == "" && letters[word] == nil && (command == "" || strings.HasPrefix(word, "-")) {
			return nil
		}
		args, err = better(args, at, command, err, parse)
		if args == nil {
			return nil
		}
	}
}

// better returns the first change to the word at a place that takes the error away and
// gives no flag twice, and what is wrong then.
func better(args []string, at int, command string, was error, parse reader) ([]string, error) {
	word := args[at]
	var changes [][]string
	end := at + 1
	switch {
	case command == "":
		if s := strangers[word]; s.command != "" {
			changes = [][]string{{s.command}}
		}
	case letters[word] != nil:
		for _, flag := range letters[word] {
			changes = append(changes, []string{flag})
		}
	case word[0] != '-':
		for end < len(args) && command == "generate" && args[end][0:min(1, len(args[end]))] != "-" { // words of one prompt
			end++
		}
		changes = [][]string{{flagFor(command, args, word), strings.Join(args[at:end], " ")}}
		if changes[0][0] != "--prompt" {
			end, changes[0][1] = at+1, word
		}
	}
	for _, change := range changes {
		if slices.Contains(args, change[0]) {
			continue
		}
		next := slices.Concat(args[:at], change, args[end:])
		if _, err := parse(next); err == nil || err.Error() != was.Error() {
			return next, err
		}
	}
	return nil, was
}

// flagFor returns the flag that a word without one belongs to.
func flagFor(command string, args []string, word string) string {
	holds := func(name string) bool {
		_, err := os.Stat(filepath.Join(word, name))
		return err == nil
	}
	_, err := os.Stat(word)
	named := slices.ContainsFunc(args, func(arg string) bool {
		return arg == "-m" || arg == "--model" || strings.HasPrefix(arg, "--model=") || arg == "--model-name-or-path"
	})
	ext := strings.ToLower(filepath.Ext(word))
	switch {
	case (ext == ".yaml" || ext == ".yml") && command != "generate" && command != "eval":
		return "--config"
	case holds("adapter_config.json") && (command == "generate" || command == "eval"):
		return "--adapter"
	case holds("config.json"), err != nil && !named && hub.IsID(word) && strings.Contains(word, "/") && !slices.Contains([]string{".jsonl", ".json", ".csv", ".txt", ".parquet"}, ext):
		return "--model"
	case command == "generate":
		return "--prompt"
	}
	return "--data"
}

// normalise lets flags be written with underscores, negative numbers stand by
// themselves, and help and version be asked for in the ways people try.
func normalise(args []string) []string {
	list := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(list, args[i:]...)
		}
		last := len(list) - 1
		switch name, value, found := strings.Cut(arg, "="); {
		case strings.HasPrefix(arg, "--"):
			arg = strings.ReplaceAll(name, "_", "-")
			if found {
				arg += "=" + value
			}
		case negative(arg) && i > 0 && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "="):
			list[last] += "=" + arg
			continue
		}
		list = append(list, arg)
	}
	switch list[0] {
	case "help":
		return append(list[1:], "--help")
	case "--version", "-V", "-v":
		list[0] = "version"
	}
	return list
}

// negative reports whether a word is a number below 0 rather than flags.
func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && strings.ContainsRune(".0123456789", rune(arg[1]))
}
