package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// typedHere runs a command line in this process.
func typedHere(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// hinted returns the command line in the hint of some output.
func hinted(t *testing.T, stderr string) []string {
	t.Helper()
	_, line, found := strings.Cut(stderr, "finetune: hint: did you mean: "+program()+" ")
	if !found {
		t.Fatalf("no command line in the hint: %s", stderr)
	}
	words := word.FindAllString(strings.TrimSuffix(line, "\n"), -1)
	for i := range words {
		words[i] = strings.Trim(words[i], `"`)
	}
	return words
}

// What people type is answered by a command line that works as it is printed: the ones
// below are run.
func TestHintsLeadOn(t *testing.T) {
	demo, err := filepath.Abs("demo")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(filepath.Join(demo, "data", "valid.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(filepath.Join(demo, "model"), "M"); err != nil {
		t.Skip(err)
	}
	for name, text := range map[string]string{
		"rows.jsonl": string(rows), "axolotl.yaml": "base_model: M\ndata: rows.jsonl\nmax_steps: 1\noutput_dir: out-axolotl\ninit: lora\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := typedHere("train", "-m", "M", "--data", "rows.jsonl", "--max-steps", "1", "--init", "lora", "-o", "adapter", "-q"); code != 0 {
		t.Fatal(stderr)
	}
	const quick = " --max-steps 1 --init lora -q -o "
	for _, c := range []struct{ typed, error, hint string }{
		{"generate -m M hello", "unexpected argument hello", "generate -m M --prompt hello"},
		{"generate -m M --max-tokens 3 hello world", "unexpected argument hello", "generate -m M --max-tokens 3 --prompt hello world"},
		{"generate adapter hello", "unexpected argument adapter", "generate --adapter adapter --prompt hello"},
		{"generate -m M -p hello -n 3", "unknown flag -n", "generate -m M -p hello --max-tokens 3"},
		{"generate -a adapter -p hello", "unknown flag -a", "generate --adapter adapter -p hello"},
		{"generate -m M -p hello -t 0.5", "unknown flag -t", "generate -m M -p hello --temperature 0.5"},
		{"infer -m M -p hello", "there is no command infer", "generate -m M -p hello"},
		{"train M rows.jsonl" + quick + "a1", "unexpected argument M", "train --model M --data rows.jsonl" + quick + "a1"},
		{"train axolotl.yaml", "unexpected argument axolotl.yaml", "train --config axolotl.yaml"},
		{"train -m M -d rows.jsonl -b 4 -e 1" + quick + "a2", "unknown flag -d", "train -m M --data rows.jsonl --batch-size 4 --num-train-epochs 1" + quick + "a2"},
		{"train -m M --data rows.jsonl -v" + quick + "a3", "unknown flag -v", "train -m M --data rows.jsonl --log-level=debug" + quick + "a3"},
		{"lora --model M --train --data rows.jsonl" + quick + "a4", "there is no command lora", "train --model M --train --data rows.jsonl" + quick + "a4"},
		{"sft --model_name_or_path M --dataset rows.jsonl" + quick + "a5", "there is no command sft", "train --model-name-or-path M --dataset rows.jsonl" + quick + "a5"},
		{"check -m M rows.jsonl", "unexpected argument rows.jsonl", "check -m M --data rows.jsonl"},
		{"lint -m M --data rows.jsonl", "there is no command lint", "check -m M --data rows.jsonl"},
		{"eval adapter rows.jsonl", "unexpected argument adapter", "eval --adapter adapter --data rows.jsonl"},
		{"test M -d rows.jsonl", "there is no command test", "eval --model M --data rows.jsonl"},
		{"estimate M rows.jsonl", "there is no command estimate", "plan --model M --data rows.jsonl"},
		{"config M rows.jsonl", "there is no command config", "init --model M --data rows.jsonl"},
	} {
		code, _, stderr := typedHere(strings.Fields(c.typed)...)
		if code != exitUsage || !strings.HasPrefix(stderr, "finetune: error: "+c.error+"\n") {
			t.Errorf("%s: exit code %d, %s", c.typed, code, stderr)
		}
		mended := hinted(t, stderr)
		if got := strings.Join(mended, " "); got != c.hint {
			t.Errorf("%s:\n got %s\nwant %s", c.typed, got, c.hint)
		}
		if code, _, stderr := typedHere(mended...); code != 0 {
			t.Errorf("%s: exit code %d, %s", c.hint, code, stderr)
		}
	}
}

// Where the meaning is not plain, nothing is made up.
func TestNoHintByGuessing(t *testing.T) {
	for typed, want := range map[string]string{
		"train one two three":         "see finetune train --help",
		"generate -m M --num-beams 4": "see finetune generate --help",
		"version --json":              "see finetune version --help",
		"train --learning-rat 1":      `did you mean "--learning-rate"?`,
		"trian -m M":                  `did you mean "train"?`,
		"train --lora-alpha":          "see finetune train --help",
		"generate --prompt":           "see finetune generate --help",
	} {
		code, _, stderr := typedHere(strings.Fields(typed)...)
		if _, got, _ := strings.Cut(stderr, "finetune: hint: "); code != exitUsage || strings.TrimSpace(got) != want {
			t.Errorf("%s: exit code %d, %s, want %s", typed, code, stderr, want)
		}
	}
}

// vocabulary returns every command and every flag there is, with their aliases.
func vocabulary(t *testing.T) (commands, flags map[string]bool) {
	t.Helper()
	p, err := newParser(new(commandLine))
	if err != nil {
		t.Fatal(err)
	}
	commands, flags = map[string]bool{}, map[string]bool{"help": true, "version": true}
	for _, node := range p.Model.Children {
		commands[node.Name] = true
		for _, f := range slices.Concat(p.Model.Flags, node.Flags) {
			flags[f.Name] = true
			for _, name := range f.Aliases {
				flags[name] = true
			}
		}
	}
	return commands, flags
}

// A stranger is no command, and what it leads to is one.
func TestStrangers(t *testing.T) {
	commands, _ := vocabulary(t)
	for name, s := range strangers {
		if commands[name] {
			t.Errorf("%s is a command here", name)
		}
		if (s.command == "") == (s.say == "") || s.command != "" && !commands[s.command] {
			t.Errorf("%s leads nowhere: %+v", name, s)
		}
	}
}

var (
	flagInText    = regexp.MustCompile(`(?:^|[\s("])--([a-z][a-z-]*)`)
	commandInText = regexp.MustCompile(`(?:^|: |    |; |with )finetune ([a-z]+)\b`)
	othersInText  = regexp.MustCompile(`llama-cli [^\n]*`) // command lines of other programs
)

// Every flag and every command that a hint, a message or a help page anywhere in this
// program names is there.
func TestTextsNameWhatExists(t *testing.T) {
	commands, flags := vocabulary(t)
	checked := 0
	eachText(t, func(where, text string) {
		text = othersInText.ReplaceAllString(text, "")
		for _, m := range flagInText.FindAllStringSubmatch(text, -1) {
			checked++
			if !flags[m[1]] {
				t.Errorf("%s: no flag --%s: %q", where, m[1], text)
			}
		}
		for _, m := range commandInText.FindAllStringSubmatch(text, -1) {
			checked++
			if !commands[m[1]] {
				t.Errorf("%s: no command %s: %q", where, m[1], text)
			}
		}
	})
	if checked < 100 {
		t.Errorf("%d names: too few were found", checked)
	}
}

// eachText calls check for every text in the source of this program.
func eachText(t *testing.T, check func(where, text string)) {
	t.Helper()
	set := token.NewFileSet()
	for _, room := range []string{"cmd", "train", "loraone", "model", "tokenizer", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", "..", room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Error(err)
					}
					check(set.Position(lit.Pos()).String(), text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
