package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostileTemplates: none of these may hang, fill the memory or end the process.
func TestHostileTemplates(t *testing.T) {
	deep := func(open, body, shut string, n int) string {
		return strings.Repeat(open, n) + body + strings.Repeat(shut, n)
	}
	tok := loadStories(t)
	for _, c := range []struct{ name, source, want string }{
		{"large range", "{{ range(1000000000) }}", "makes a range of more than 100000 numbers"},
		{"endless range", "{{ range(0, 9223372036854775807, 4611686018427387904) | length }}", ""},
		{"nested loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "still running after 50ms"},
		{"loops in a macro", "{% macro m() %}{% for a in range(100000) %}{% for b in range(100000) %}{% if b %}{% endif %}{% endfor %}{% endfor %}{% endmacro %}{{ m() }}", "still running"},
		{"endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call each other more than 200 deep"},
		{"recursion by a caller", "{% macro m() %}{{ caller() }}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}", "macros call each other more than 200 deep"},
		{"repeated string", "{{ 'x' * 1000000000000 }}", "makes a text of more than 16 MiB"},
		{"repeated list", "{{ [1] * 1000000000 }}", "makes a list of more than 100000 items"},
		{"repeated nothing", "{{ [] * 1000000000000 }}{{ '' * 1000000000000 }}", ""},
		{"doubled", "{% set s = 'xxxxxxxx' %}" + strings.Repeat("{% set s = s ~ s %}", 60), "makes a text of more than 16 MiB"},
		{"doubled by plus", "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "makes a text of more than 16 MiB"},
		{"doubled list", "{% set l = [1] %}" + strings.Repeat("{% set l = l + l %}", 60), "MiB"},
		{"nested doubling", "{% set l = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}", 60) + "{{ l }}", "makes a value of more than 64 MiB"},
		{"nested doubling, as JSON", "{% set l = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}", 20) + "{{ l | tojson(indent=64) }}", "makes a text of more than 16 MiB"},
		{"replaced", "{% set s = 'x' * 10000 %}{{ s | replace('x', s) }}", "makes a text of more than 16 MiB"},
		{"replaced by method", "{% set s = 'x' * 10000 %}{{ s.replace('', s) }}", "makes a text of more than 16 MiB"},
		{"replaced in a map", "{% set s = 'x' * 1000 %}{% set l = [s] * 1000 %}{{ l | map('replace', 'x', s) | list }}", "MiB"},
		{"joined", "{% set s = 'x' * 10000 %}{{ range(10000) | join(s) }}", "makes a text of more than 16 MiB"},
		{"joined by method", "{% set s = 'x' * 10000 %}{{ s.join([s] * 10000) }}", "MiB"},
		{"indented", "{{ 'a\nb' | indent(1000000000000) }}", "makes a text of more than 16 MiB"},
		{"indented by text", "{% set s = 'x\n' * 10000 %}{{ s | indent(s) }}", "makes a text of more than 16 MiB"},
		{"formatted", "{{ '%9999999999s' | format(1) }}", "not a width"},
		{"formatted often", "{% set s = 'x' * 1000000 %}{{ ('{}' * 100).format(s" + strings.Repeat(", s", 99) + ") }}", "makes a text of more than 16 MiB"},
		{"much text", "{% for a in range(100000) %}{% for b in range(100000) %}" + strings.Repeat("x", 10000) + "{% endfor %}{% endfor %}", "writes more than 64 MiB"},
		{"many lists", "{% set s = 'x' * 1000000 %}{% set n = namespace(l=[]) %}{% for i in range(1000) %}{% set n.l = n.l + [s | list] %}{% endfor %}", "MiB"},
		{"deep list", "{% set n = namespace(l=[]) %}{% for i in range(5000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}", "makes lists nested deeper than 1000"},
		{"a cycle", "{% set n = namespace() %}{% set n.n = n %}{{ n == n }}", "a namespace inside of another value"},
		{"a cycle in a list", "{% set n = namespace() %}{% set n.n = [n] %}{{ n.n == n.n }}", "a namespace inside of another value"},
		{"a cycle by dict", "{% set n = namespace() %}{% set n.n = dict(a=n) %}", "a namespace inside of another value"},
		{"a cycle at once", "{% set n = namespace() %}{% set m = namespace(n=n) %}", "a namespace inside of another value"},
		{"changed message", "{% set m = messages[0] %}{% set m.content = m %}", "cannot assign attribute on non-namespace object"},
		{"our name", "{{ finetune_tick() }}", `names that begin with "finetune_" are taken`},
		{"our name set", "{% macro finetune_tick() %}{% endmacro %}", `names that begin with "finetune_" are taken`},
		{"append", "{{ messages.append(1) }}", `access to attribute "append" is unsafe`},
		{"brackets", "{{ " + deep("(", "1", ")", 2000) + " }}", "more than 100 brackets in one another"},
		{"lists", "{{ " + deep("[", "1", "]", 2000) + " }}", "more than 100 brackets in one another"},
		{"signs", "{{ " + strings.Repeat("-", 2000) + "1 }}", "more than 100 brackets in one another"},
		{"negations", "{{ " + strings.Repeat("not ", 2000) + "1 }}", "more than 100 brackets in one another"},
		{"conditions", "{{ " + strings.Repeat("1 if 1 else ", 1000) + "1 }}", "more than 100 brackets in one another"},
		{"blocks", deep("{% if 1 %}", "x", "{% endif %}", 5000), "more than 100 blocks in one another"},
		{"loops", deep("{% for a in [1] %}", "x", "{% endfor %}", 5000), "more than 100 blocks in one another"},
		{"many values", "{% set s = 'x' * 1000000 %}{% for a in range(100000) %}{% set b = s ~ a %}{% endfor %}", "has made more than 1024 MiB of values"},
		{"a long expression", "{{ 1" + strings.Repeat(" + 1", 5000) + " }}", "an expression of more than 4096 words"},
		{"a long template", strings.Repeat("x", maxTemplate+1), "longer than 256 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.jinja")
			if err := os.WriteFile(path, []byte(c.source), 0o600); err != nil {
				t.Fatal(err)
			}
			start, before := time.Now(), allocated()
			tpl, err := LoadTemplate("", path, tok)
			if err == nil {
				tpl.limit = time.Minute // what is tested is another limit
				if strings.Contains(c.want, "still") {
					tpl.limit = 50 * time.Millisecond
				}
				_, err = tpl.RenderSpans(chat("user", "x", "assistant", "y"))
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("found %v, want %q", err, c.want)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			if made := (allocated() - before) >> 20; made > 6<<10 {
				t.Errorf("allocated %d MiB", made)
			}
		})
	}
}

// allocated is the bytes allocated since the process began.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestTimeRunsOutForAllRenderingsTogether(t *testing.T) {
	tpl := templateOf(t, loadStories(t), "{% for m in messages %}{% for a in range(90) %}{% endfor %}{{ m.content[::-1] }}{% endfor %}")
	var turns []string
	for range 100 {
		turns = append(turns, "user", "u", "assistant", "one")
	}
	tpl.limit = 300 * time.Millisecond // one rendering needs about 5 ms, all of them seconds
	start := time.Now()
	_, err := tpl.RenderSpans(chat(turns...))
	if err == nil || !strings.Contains(err.Error(), "still running after 300ms") || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: found %v", time.Since(start), err)
	}
}

// FuzzTemplate: no template may panic, hang or grow, whatever it says.
func FuzzTemplate(f *testing.F) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) == 0 {
		f.Fatal("no templates")
	}
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	for _, s := range []string{
		"{% for k, v in messages[0].items() if 0 %}{{ k ~ v * 2 }}{% else %}{% break %}{% endfor %}", "{% raw %}{{{% endraw -%} x",
		"{% set x %}a{% endset %}{% call(a) m(1, b=[]) %}{{ a }}{% endcall %}", "{{ -x.y[1:2:-1]|map(attribute='a')|join(', ') is not none }}",
		"{{ '%05d' | format(3) ~ '{}'.format(1e9) ~ \"\\u00e9\" 'b' }}", "{% generation %}{{ messages|tojson(indent=2) }}{% endgeneration %}",
	} {
		f.Add(s)
	}
	tok := trainedTok(f)
	conv := raws([]json.RawMessage{
		json.RawMessage(`{"role":"user","content":"hi <|im_end|>"}`),
		json.RawMessage(`{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":[1,2.5,true]}}}]}`),
		json.RawMessage(`{"role":"assistant","content":"<think>\na</think> four "}`),
	}, json.RawMessage(`[{"type":"function"}]`))
	f.Fuzz(func(t *testing.T, src string) {
		compiled, err := compileTemplate(src)
		if err != nil {
			return
		}
		tpl := &Template{t: tok, date: fixedDate, limit: 200 * time.Millisecond, source: "t", chat: compiled}
		start := time.Now()
		r, err := tpl.RenderSpans(conv)
		if took := time.Since(start); took > time.Minute {
			t.Fatalf("took %v: %v", took, err)
		}
		last := 0
		for _, s := range r.Spans {
			if s.Start < last || s.End <= s.Start || s.End > len(r.Text) {
				t.Fatalf("span %v after %d in %d bytes", s, last, len(r.Text))
			}
			last = s.End
		}
	})
}
