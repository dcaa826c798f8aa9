package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

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
		"packing: True":                           func(c *Config) bool { return c.Packing },
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
	{"model: m\nlora_r: many\n", `run.yaml:2: lora_r: "many", want a whole number`, ""},
	{"lora_r: 8.5\n", `run.yaml:1: lora_r: "8.5", want a whole number`, ""},
	{"lora_r: 8.0\n", `run.yaml:1: lora_r: "8.0", want a whole number`, ""},
	{"lora_r: 1e2\n", `run.yaml:1: lora_r: "1e2", want a whole number`, ""},
	{"lora_r: 1_000\n", `run.yaml:1: lora_r: "1_000", want a whole number`, ""},
	{"lora_r: 010\n", `run.yaml:1: lora_r: 010, want a decimal number without leading zeros`, ""},
	{"lora_r: 0x10\n", `run.yaml:1: lora_r: 0x10, want a decimal number`, ""},
	{"lora_r: 0b10\n", `run.yaml:1: lora_r: 0b10, want a decimal number`, ""},
	{"init_samples: 010\n", `run.yaml:1: init_samples: 010, want a decimal number`, ""},
	{"lora_r: 99999999999999999999\n", `run.yaml:1: lora_r: "99999999999999999999", want a whole number`, ""},
	{"lora_r: true\n", `run.yaml:1: lora_r: "true", want a whole number`, ""},
	{"lora_r: [8]\n", `run.yaml:1: lora_r: a list, want a whole number`, ""},
	{"lora_r: {a: 8}\n", `run.yaml:1: lora_r: a map, want a whole number`, ""},
	{"seed: -1\n", `run.yaml:1: seed: "-1", want a whole number of at least 0`, ""},
	{"seed: 18446744073709551616\n", `run.yaml:1: seed: "18446744073709551616", want`, ""},
	{"learning_rate: fast\n", `run.yaml:1: learning_rate: "fast", want a number`, ""},
	{"learning_rate: 1e400\n", `run.yaml:1: learning_rate: "1e400", want a number`, ""},
	{"learning_rate: .inf\n", `run.yaml:1: learning_rate: ".inf", want a number`, ""},
	{"learning_rate: .nan\n", `run.yaml:1: learning_rate: ".nan", want a number`, ""},
	{"learning_rate: inf\n", `run.yaml:1: learning_rate: "inf", want a number`, ""},
	{"learning_rate: \"0x1p4\"\n", `run.yaml:1: learning_rate: "0x1p4", want a number`, ""},
	{"learning_rate: 2e-4 5\n", `run.yaml:1: learning_rate: "2e-4 5", want a number`, ""},
	{"packing: yes\n", `run.yaml:1: packing: "yes", want true or false`, ""},
	{"packing: 1\n", `run.yaml:1: packing: "1", want true or false`, ""},
	{"model: [a]\n", `run.yaml:1: model: a list, want a plain value`, ""},
	{"model: {a: b}\n", `run.yaml:1: model: a map, want a plain value`, ""},
	{"lora_r: 8\nmodel:\n  a: b\n", `run.yaml:2: model: a map, want a plain value`, ""},
	{"init_samples: some\n", `run.yaml:1: init_samples: "some", want a number or "all"`, ""},
	{"init_samples: [all]\n", `run.yaml:1: init_samples: a list, want a plain value`, ""},
	{"target_modules: {q_proj: v_proj}\n", `run.yaml:1: target_modules: a map, want names`, ""},
	{"target_modules: [q_proj, [v_proj]]\n", `run.yaml:1: target_modules: entry 2: want a plain value`, ""},
	{"target_modules: [q_proj, null]\n", `run.yaml:1: target_modules: entry 2: want a plain value`, ""},
	{"map: [a]\n", `run.yaml:1: map: a list, want field: column pairs`, ""},
	{"map: {x: y}\n", `run.yaml:1: map: unknown field "x"`, ""},
	{"map: {text: }\n", `run.yaml:1: map: "text": want a plain value`, ""},
	{"map: {text: [a]}\n", `run.yaml:1: map: "text": want a plain value`, ""},
	{"map: text\n", `run.yaml:1: map: "text", want field=column`, ""},
	{"lora_r: " + strings.Repeat("a", 10000) + "\n", `run.yaml:1: lora_r: "aaaaaaaaaa`, ""},
	{"lora_r: 0x" + strings.Repeat("1", 10000) + "\n", `run.yaml:1: lora_r: `, ""},
	{"init_samples: " + strings.Repeat("1", 10000) + "\n", `run.yaml:1: init_samples: "1111111111`, ""},
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
	{"model: a\n\xff: b\n", `run.yaml:2: invalid UTF-8`, ""},
	{"\xff\xfem\x00o\x00", `run.yaml:1: invalid UTF-8`, ""},
	{"model: a\x00b\n", `run.yaml:1: the control character U+0000`, ""},
	{"a: b\nmodel: \x1b[31mred\n", `run.yaml:2: the control character U+001B`, ""},
	// What settings have no need of.
	{"model: &a x\n", `run.yaml:1: an anchor (&)`, ""},
	{"data: x\nmodel: *a\n", `run.yaml:2: an alias (*)`, ""},
	{"target_modules: &a [*a]\n", `run.yaml:1: an anchor (&)`, ""},
	{"model: !!binary aGk=\n", `run.yaml:1: a tag (!)`, ""},
	{"lora_r: !!str 8\n", `run.yaml:1: a tag (!)`, ""},
	{"<<: {model: x}\n", `run.yaml:1: a merge key (<<)`, ""},
	{"? model\n: x\n", `run.yaml:1: a key in the form ?`, ""},
	{"%YAML 1.1\n---\nmodel: x\n", `run.yaml:1: a directive (%)`, ""},
	{"model: x\n---\nlora_r: 9\n", `run.yaml:2: a second document`, ""},
	// Files that cost much.
	{billionLaughs(), `run.yaml:1: an anchor (&)`, ""},
	{"model: x\nmap: " + strings.Repeat("[", 30000), `run.yaml:2: brackets nested deeper than 4`, ""},
	{"map: " + strings.Repeat("{a: ", 15000), `run.yaml:1: brackets nested deeper than 4`, ""},
	{"target_modules:\n  " + strings.Repeat("- ", 30000), `run.yaml:2: a list in a list`, ""},
	{strings.Repeat("? ", 30000), `run.yaml:1: a key in the form ?`, ""},
	{"model: " + strings.Repeat("!!str ", 10000), `run.yaml:1: a tag (!)`, ""},
	{"target_modules: [" + strings.Repeat("a,", 30000) + "a]", `run.yaml:1: more than 4096 words and signs`, ""},
	{manyKeys(8000), `run.yaml:1366: more than 4096 words and signs`, ""},
	{manyKeys(1000), `run.yaml:1: unknown setting "k0"`, ""},
}

// billionLaughs is 10^30 values in some hundred bytes.
func billionLaughs() string {
	var b strings.Builder
	b.WriteString("target_modules: &a0 [lol]\n")
	for i := range 30 {
		fmt.Fprintf(&b, "target_modules: &a%d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
	}
	return b.String()
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
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := c.parseYAML("run.yaml", []byte(x.text))
			runtime.ReadMemStats(&after)
			expect(t, x.text, err, x.want, x.hint, true)
			if err != nil && strings.Contains(err.Error(), "\n") || err != nil && len(err.Error()) > 300 {
				t.Errorf("%.60q: a long error:\n%v", x.text, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<18+1000*len(x.text)) {
				t.Errorf("%d bytes allocated for a file of %d", n, len(x.text))
			}
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
		text := rapid.OneOf(rapid.SampledFrom([]string{"010", "1e5", "null", "~", "yes", "true", "", " a ", "- a", "a: b", "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a", "'", `"`, `\`, "[", "{", "|", ">", "a\nb", "\n", "\t", "a\tb", ".inf", "<<", "?", "-", "---", "...", "0x1", "1_0", "2026-01-02", "ü", "\u2028", "\u0085", "=", "a,b"}), rapid.String().Filter(printable)).Draw(t, "text")
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
func printable(s string) bool { return checkCharacters([]byte(s)) == nil && !strings.Contains(s, "\r") }
