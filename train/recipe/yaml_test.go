package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestYAMLSetsWhatItNames(t *testing.T) {
	c := Default()
	text := "model: m\nlearning_rate: 2e-4\nlora_r: 16\ntarget_modules: all-linear\ninit_samples: all\nmap: {prompt: question, completion: answer}\nseed: 7\nresume: true\n"
	if err := c.parseYAML("run.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Model, want.LearningRate, want.LoraR, want.Seed, want.Resume = "m", 2e-4, 16, 7, true
	want.TargetModules, want.InitSamples = Names{"all-linear"}, All
	want.Map = Columns{"prompt": "question", "completion": "answer"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

// TestYAMLTakes: the forms a value may have, and what the setting then is.
func TestYAMLTakes(t *testing.T) {
	for text, want := range map[string]func(c *Config) bool{
		"target_modules: [q_proj, v_proj]":        func(c *Config) bool { return slices.Equal(c.TargetModules, Names{"q_proj", "v_proj"}) },
		"target_modules:\n  - q_proj\n  - o_proj": func(c *Config) bool { return slices.Equal(c.TargetModules, Names{"q_proj", "o_proj"}) },
		"target_modules: q_proj, k_proj":          func(c *Config) bool { return slices.Equal(c.TargetModules, Names{"q_proj", "k_proj"}) },
		"map: text=body":                          func(c *Config) bool { return c.Map["text"] == "body" },
		"map:\n  prompt: a\n  completion: b":      func(c *Config) bool { return c.Map["prompt"] == "a" && c.Map["completion"] == "b" },
		"map: {text: body}":                       func(c *Config) bool { return c.Map["text"] == "body" },
		"\ufeffmodel: m":                          func(c *Config) bool { return c.Model == "m" },
		"---\nmodel: m\n...\n":                    func(c *Config) bool { return c.Model == "m" },
		"model: m\r\nlora_r: 4\r\n":               func(c *Config) bool { return c.Model == "m" && c.LoraR == 4 },
		"\"model\": m":                            func(c *Config) bool { return c.Model == "m" },
		"{model: m, lora_r: 4}":                   func(c *Config) bool { return c.Model == "m" && c.LoraR == 4 },
		"model: 1.50":                             func(c *Config) bool { return c.Model == "1.50" },
		"model: 010":                              func(c *Config) bool { return c.Model == "010" },
		"model: true":                             func(c *Config) bool { return c.Model == "true" },
		"model: 'a: b # c'":                       func(c *Config) bool { return c.Model == "a: b # c" },
		"model: \"a\\tü\"":                        func(c *Config) bool { return c.Model == "a\tü" },
		"model: a&b*c":                            func(c *Config) bool { return c.Model == "a&b*c" },
		"date: 2026-01-02":                        func(c *Config) bool { return c.Date == "2026-01-02" },
		"learning_rate: 1":                        func(c *Config) bool { return c.LearningRate == 1 },
		"learning_rate: \"1.5\"":                  func(c *Config) bool { return c.LearningRate == 1.5 },
		"packing: True":                           func(c *Config) bool { return len(c.Notes) == 1 },
		"init_samples: 16":                        func(c *Config) bool { return c.InitSamples == 16 },
		"seed: 18446744073709551615":              func(c *Config) bool { return c.Seed == 1<<64-1 },
		"lora_r:":                                 func(c *Config) bool { return c.LoraR == 8 },
		"lora_r: null\nmodel: ~":                  func(c *Config) bool { return c.LoraR == 8 && c.Model == "" },
		"":                                        func(c *Config) bool { return c.LoraR == 8 },
		"# nothing\n":                             func(c *Config) bool { return c.LoraR == 8 },
		"---\n# nothing\n":                        func(c *Config) bool { return c.LoraR == 8 },
		strings.Repeat("# a remark\n", 5000) + "lora_r: 4": func(c *Config) bool { return c.LoraR == 4 },
	} {
		c := Default()
		if err := c.parseYAML("run.yaml", []byte(text)); err != nil || !want(&c) {
			t.Errorf("%.80q: %v, %+v", text, err, c)
		}
	}
}

// badYAML are files that are refused, and the error each of them gets.
var badYAML = []struct{ text, want, hint string }{
	// Keys.
	{"model: m\nlearning_rte: 1\n", `run.yaml:2: unknown setting "learning_rte"`, "did you mean learning_rate?"},
	{"zzz: 1\n", `run.yaml:1: unknown setting "zzz"`, ""},
	{"Lora_r: 8\n", `run.yaml:1: unknown setting "Lora_r"`, "did you mean lora_r?"},
	{"1: 2\n", `run.yaml:1: unknown setting "1"`, ""},
	{"\"\": 2\n", `run.yaml:1: unknown setting ""`, ""},
	{"[a]: 2\n", `run.yaml:1: `, ""},
	{"null: 2\n", `run.yaml:1: a setting's name: want a plain value`, ""},
	{"model: m\nmodel: n\n", `run.yaml:2: mapping key "model" already defined`, ""},
	{"model: m\n\"model\": n\n", `run.yaml:2: mapping key "model" already defined`, ""},
	{"model: m\nmap: {text: a, text: b}\n", `run.yaml:2: mapping key "text" already defined`, ""},
	// Values of the wrong kind.
	{"model: m\nlora_r: many\n", `run.yaml:2: lora_r is "many", want a whole number`, ""},
	{"lora_r: 8.5\n", `run.yaml:1: lora_r is "8.5", want a whole number`, ""},
	{"lora_r: 8.0\n", `run.yaml:1: lora_r is "8.0", want a whole number`, ""},
	{"lora_r: 1e2\n", `run.yaml:1: lora_r is "1e2", want a whole number`, ""},
	{"lora_r: 1_000\n", `run.yaml:1: lora_r is "1_000", want a whole number`, ""},
	{"lora_r: 010\n", `run.yaml:1: lora_r is "010", want a whole number without leading zeros`, ""},
	{"lora_r: 0x10\n", `run.yaml:1: lora_r is "0x10", want a whole number`, ""},
	{"lora_r: 0b10\n", `run.yaml:1: lora_r is "0b10", want a whole number`, ""},
	{"init_samples: 010\n", `run.yaml:1: init_samples is "010", want a number or "all"`, ""},
	{"lora_r: 99999999999999999999\n", `run.yaml:1: lora_r is "99999999999999999999", want a whole number`, ""},
	{"lora_r: true\n", `run.yaml:1: lora_r is "true", want a whole number`, ""},
	{"lora_r: [8]\n", `run.yaml:1: lora_r is a list, want a whole number`, ""},
	{"lora_r: {a: 8}\n", `run.yaml:1: lora_r is a map, want a whole number`, ""},
	{"seed: -1\n", `run.yaml:1: seed is "-1", want a whole number of at least 0`, ""},
	{"seed: 18446744073709551616\n", `run.yaml:1: seed is "18446744073709551616", want`, ""},
	{"learning_rate: fast\n", `run.yaml:1: learning_rate is "fast", want a number`, ""},
	{"learning_rate: 1e400\n", `run.yaml:1: learning_rate is "1e400", want a number`, ""},
	{"learning_rate: .inf\n", `run.yaml:1: learning_rate is ".inf", want a number`, ""},
	{"learning_rate: .nan\n", `run.yaml:1: learning_rate is ".nan", want a number`, ""},
	{"learning_rate: inf\n", `run.yaml:1: learning_rate is "inf", want a number`, ""},
	{"learning_rate: \"0x1p4\"\n", `run.yaml:1: learning_rate is "0x1p4", want a number`, ""},
	{"learning_rate: 2e-4 5\n", `run.yaml:1: learning_rate is "2e-4 5", want a number`, ""},
	{"profile: yes\n", `run.yaml:1: profile is "yes", want true or false`, ""},
	{"profile: 1\n", `run.yaml:1: profile is "1", want true or false`, ""},
	{"model: [a]\n", `run.yaml:1: model is a list, want a plain value`, ""},
	{"model: {a: b}\n", `run.yaml:1: model is a map, want a plain value`, ""},
	{"lora_r: 8\nmodel:\n  a: b\n", `run.yaml:2: model is a map, want a plain value`, ""},
	{"init_samples: some\n", `run.yaml:1: init_samples is "some", want a number or "all"`, ""},
	{"init_samples: [all]\n", `run.yaml:1: init_samples is a list, want a plain value`, ""},
	{"target_modules: {q_proj: v_proj}\n", `run.yaml:1: target_modules is a map, want names`, ""},
	{"target_modules: [q_proj, [v_proj]]\n", `run.yaml:1: target_modules is not a plain value, want names`, ""},
	{"target_modules: [q_proj, null]\n", `run.yaml:1: target_modules is not a plain value, want names`, ""},
	{"map: [a]\n", `run.yaml:1: map: a list, want field: column pairs`, ""},
	{"map: {x: y}\n", `run.yaml:1: map: unknown field "x"`, ""},
	{"map: {text: }\n", `run.yaml:1: map: not a plain value, want field: column pairs`, ""},
	{"map: {text: [a]}\n", `run.yaml:1: map: not a plain value, want field: column pairs`, ""},
	{"map: text\n", `run.yaml:1: map: "text", want field=column`, ""},
	{"lora_r: " + strings.Repeat("a", 10000) + "\n", `run.yaml:1: lora_r is "aaaaaaaaaa`, ""},
	{"lora_r: 0x" + strings.Repeat("1", 10000) + "\n", `run.yaml:1: lora_r is "0x1111`, ""},
	{"init_samples: " + strings.Repeat("1", 10000) + "\n", `run.yaml:1: init_samples is "1111111111`, ""},
	{strings.Repeat("k", 10000) + ": 1\n", `run.yaml:1: unknown setting "kkkkkkkkkk`, ""},
	{"\"\\e[2J\": 1\n", `run.yaml:1: unknown setting "\x1b[2J"`, ""},
	// Text that is no YAML, or no settings.
	{"model: [\n", `run.yaml:1: `, ""},
	{"lora_r: 8\nmodel: [a\n", `run.yaml:2: `, ""},
	{"model: \"x\n", `run.yaml:1: could not find end character of double-quoted text`, ""},
	{"model: 'x\n", `run.yaml:1: could not find end character of single-quoted text`, ""},
	{"model: \"\\q\"\n", `run.yaml:1: `, ""},
	{"model: x\n\tlora_r: 3\n", "run.yaml:2: found character '\t' that cannot start any token", ""},
	{"map:\n\ttext: x\n", "run.yaml:2: found character '\t' that cannot start any token", ""},
	{"  model: x\nlora_r: 2\n", `run.yaml:2: value is not allowed in this context`, ""},
	{"model: a: b\n", `run.yaml:1: `, ""},
	{"model: @x\n", `run.yaml:1: `, ""},
	{"- a\n", `run.yaml:1: want settings, such as lora_r: 8`, ""},
	{"hello\n", `run.yaml:1: want settings, such as lora_r: 8`, ""},
	{"\n\n12\n", `run.yaml:3: want settings, such as lora_r: 8`, ""},
	{"model: a\nlora_r\n", `run.yaml:`, ""},
	{"model: a\n\xff: b\n", `run.yaml:2: not UTF-8`, "save the file as UTF-8"},
	{"\xff\xfem\x00o\x00", `run.yaml:1: not UTF-8`, "save the file as UTF-8"},
	{"model: a\x00b\n", `run.yaml:1: not UTF-8`, "save the file as UTF-8"},
	// What settings have no need of.
	{"model: &a x\n", `run.yaml:1: model is not a plain value, want a plain value`, ""},
	{"data: x\nmodel: *a\n", `run.yaml:2: model is not a plain value`, ""},
	{"lora_r: !!str 8\n", `run.yaml:1: lora_r is not a plain value, want a whole number`, ""},
	{"lr: 0.1\nlearning_rate: 0.2\n", `run.yaml:2: duplicate key: learning_rate is learning_rate, which the file has as lr`, ""},
	{"<<: {model: x}\n", `run.yaml:1: a setting's name: want a plain value`, ""},
	{"model: x\n---\nlora_r: 9\n", `run.yaml:3: a second document`, ""},
	// Several at once.
	{"model: m\nlearning_rte: 1\nlora_r: x\nbf16: true\n", "run.yaml:2: unknown setting \"learning_rte\" (did you mean learning_rate?)\n" +
		"run.yaml:3: lora_r is \"x\", want a whole number\nrun.yaml:4: bf16 is another program's setting (--compute bf16 ", ""},
	{manyKeys(1000), "run.yaml:10: unknown setting \"k9\"\nand 990 more", ""},
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

func TestYAMLRefused(t *testing.T) {
	for i, x := range badYAML {
		t.Run(fmt.Sprintf("%d/%.30s", i, x.want), func(t *testing.T) {
			c := Default()
			err := c.parseYAML("run.yaml", []byte(x.text))
			expect(t, x.text, err, x.want, x.hint)
		})
	}
}

func TestYAMLFiles(t *testing.T) {
	dir := t.TempDir()
	c := Default()
	if err := c.ReadYAML(filepath.Join(dir, "absent.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := c.ReadYAML(dir); err == nil || !strings.Contains(err.Error(), dir+": a folder, want a file") {
		t.Errorf("a folder: %v", err)
	}
	path := filepath.Join(dir, "huge.yaml")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<33); err != nil {
		t.Skip(err)
	}
	if err := c.ReadYAML(path); err == nil || !strings.Contains(err.Error(), path+": 8589934592 bytes, want at most 65536") {
		t.Errorf("a huge file: %v", err)
	}
}

// FuzzYAML: a file is refused with its line, or its settings can be written and read
// again.
func FuzzYAML(f *testing.F) {
	for _, x := range badYAML {
		if len(x.text) < 1000 {
			f.Add([]byte(x.text))
		}
	}
	c := valid()
	text, err := c.YAML()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxYAML {
			return
		}
		c := Default()
		if err := c.parseYAML("run.yaml", text); err != nil {
			if !strings.HasPrefix(err.Error(), "run.yaml:") {
				t.Fatalf("%v: no file named", err)
			}
			return
		}
		c.Resume, c.ResumeFrom, c.Overwrite = false, "", false
		written, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back := Default()
		if err := back.parseYAML("run.yaml", written); err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		if !sameConfig(back, c) {
			t.Fatalf("got %+v\nwant %+v\nfrom\n%s", back, c, written)
		}
	})
}

// sameConfig takes no and an empty list or map for the same.
func sameConfig(a, b Config) bool {
	for _, c := range []*Config{&a, &b} {
		if len(c.TargetModules) == 0 {
			c.TargetModules = nil
		}
		if len(c.Map) == 0 {
			c.Map = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestYAMLTexts: every text that a flag can hold comes back from run.yaml.
func TestYAMLTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := valid()
		text := rapid.OneOf(rapid.SampledFrom([]string{"010", "1e5", "null", " ~", "yes", "true", "", " a ", "- a", "a: b", "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a", "'", `"`, `\`, "[", "{", "|", ">", "a\nb", "\n", "\t", "a\tb", ".inf", "<<", "?", "-", "---", "...", "0x1", "1_0", "2026-01-02", "ü", "\u2028", "\u0085", "=", "a,b"}), rapid.String().Filter(printable)).Draw(t, "text")
		c.Model, c.Data, c.ChatTemplate = text, "x"+text, text+"x"
		written, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back := Default()
		if err := back.parseYAML("run.yaml", written); err != nil || !sameConfig(back, c) {
			t.Fatalf("%v, %q, %q, %q, want %q, from\n%s", err, back.Model, back.Data, back.ChatTemplate, text, written)
		}
	})
}

// printable reports whether YAML can hold a text as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "\r\x00") && !strings.HasPrefix(s, "~")
}
