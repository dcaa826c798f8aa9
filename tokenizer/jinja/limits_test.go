package jinja

import (
	"errors"
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
	vars := variables(t)
	for _, c := range []struct{ name, source, want string }{
		{"large range", "{{ range(1000000000) }}", "Range too big"},
		{"endless range", "{{ range(0, 9223372036854775807, 4611686018427387904) | length }}", ""},
		{"nested loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "does not come to an end"},
		{"loops in a macro", "{% macro m() %}{% for a in range(100000) %}{% for b in range(100000) %}{% if b %}{% endif %}{% endfor %}{% endfor %}{% endmacro %}{{ m() }}", "does not come to an end"},
		{"endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call each other more than 200 deep"},
		{"recursion by a caller", "{% macro m() %}{{ caller() }}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}", "No caller defined"},
		{"recursion by a default", "{% macro m(a=m()) %}{% endmacro %}{{ m() }}", "macros call each other more than 200 deep"},
		{"recursive loop", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "macros call each other more than 200 deep"},
		{"recursion from the middle of an expression", "{% macro m() %}{{ " + deep("[", "m()"+strings.Repeat(" ~ 1", 400), "]", 90) + " }}{% endmacro %}{{ m() }}", "macros call each other more than 200 deep"},
		{"recursion behind many operators", "{% macro m() %}{{ " + deep("[", "m()", strings.Repeat(" + 1 * 2", 200)+strings.Repeat("|int", 200)+"]", 90) + " }}{% endmacro %}{{ m() }}", "macros call each other more than 200 deep"},
		{"many calls", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(100) }}", "does not come to an end"},
		{"repeated string", "{{ 'x' * 1000000000000 }}", "makes a text of more than 16 MiB"},
		{"repeated by a large number", "{{ 'x' * 10 ** 30 }}", "makes a text of more than 16 MiB"},
		{"repeated list", "{{ [1] * 1000000000 }}", "makes a list of more than"},
		{"repeated nothing", "{{ [] * 1000000000000 }}{{ '' * 1000000000000 }}", ""},
		{"doubled", "{% set s = 'xxxxxxxx' %}" + strings.Repeat("{% set s = s ~ s %}", 60), "makes a text of more than 16 MiB"},
		{"doubled by plus", "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "makes a text of more than 16 MiB"},
		{"doubled list", "{% set l = [1] %}" + strings.Repeat("{% set l = l + l %}", 60), "makes a list of more than"},
		{"nested doubling", "{% set l = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}", 60) + "{{ l }}", "makes a text of more than 16 MiB"},
		{"nested doubling, compared", "{% set l = ['x'] %}{% set k = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}{% set k = [k, k] %}", 60) + "{{ l == k }}", "does not come to an end"},
		{"nested doubling, ordered", "{% set l = ['x'] %}{% set k = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}{% set k = [k, k] %}", 60) + "{{ l < k }}", "does not come to an end"},
		{"nested doubling, as a key", "{% set l = ('x',) %}" + strings.Repeat("{% set l = (l, l) %}", 60) + "{{ {l: 1} }}", "makes a key of more than"},
		{"nested doubling, as JSON", "{% set l = ['x'] %}" + strings.Repeat("{% set l = [l, l] %}", 20) + "{{ l | tojson(indent=64) }}", "makes a text of more than 16 MiB"},
		{"replaced", "{% set s = 'x' * 10000 %}{{ s | replace('x', s) }}", "makes a text of more than 16 MiB"},
		{"replaced by method", "{% set s = 'x' * 10000 %}{{ s.replace('', s) }}", "makes a text of more than 16 MiB"},
		{"replaced in a map", "{% set s = 'x' * 1000 %}{% set l = [s] * 1000 %}{{ l | map('replace', 'x', s) | list }}", "does not come to an end"},
		{"joined", "{% set s = 'x' * 10000 %}{{ range(10000) | join(s) }}", "makes a text of more than 16 MiB"},
		{"joined by method", "{% set s = 'x' * 10000 %}{{ s.join([s] * 10000) }}", "makes a text of more than 16 MiB"},
		{"indented", "{{ 'a\nb' | indent(1000000000000) }}", "makes a text of more than 16 MiB"},
		{"indented by text", "{% set s = 'x\n' * 10000 %}{{ s | indent(s) }}", "makes a text of more than 16 MiB"},
		{"formatted", "{{ '%9999999999s' | format(1) }}", "makes a text of more than 16 MiB"},
		{"formatted with digits", "{{ '%.99999999f' % 1 }}", "makes a text of more than 16 MiB"},
		{"formatted by a spec", "{{ '{:99999999}'.format(1) }}{{ '{:.99999999}'.format(1.5) }}", "makes a text of more than 16 MiB"},
		{"formatted often", "{% set s = 'x' * 1000000 %}{{ ('{}' * 100).format(s" + strings.Repeat(", s", 99) + ") }}", "makes a text of more than 16 MiB"},
		{"padded", "{{ 'x'.center(99999999) }}", "makes a text of more than 16 MiB"},
		{"filled with zeros", "{{ 'x'.zfill(99999999) }}", "makes a text of more than 16 MiB"},
		{"much text", "{% for a in range(100000) %}{% for b in range(100000) %}" + strings.Repeat("x", 10000) + "{% endfor %}{% endfor %}", "writes more than 16 MiB"},
		{"many lists", "{% set s = 'x' * 1000000 %}{% set n = namespace(l=[]) %}{% for i in range(1000) %}{% set n.l = n.l + [s | list] %}{% endfor %}", "makes a list of more than"},
		{"many slices", "{% set l = range(100000) | list %}{% for i in range(100000) %}{% set k = l[1:] %}{% endfor %}", "does not come to an end"},
		{"batches", "{{ [1] | batch(1000000000, 1) | list }}", "makes a list of more than"},
		{"slices", "{{ [1] | slice(1000000000, 1) | list }}", "makes a list of more than"},
		{"deep list", "{% set n = namespace(l=[]) %}{% for i in range(5000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}", "maximum recursion depth exceeded"},
		{"deep list, compared", "{% set n = namespace(l=[], k=[]) %}{% for i in range(5000) %}{% set n.l = [n.l] %}{% set n.k = [n.k] %}{% endfor %}{{ n.l == n.k }}", "maximum recursion depth exceeded"},
		{"a cycle", "{% set n = namespace() %}{% set n.n = n %}{{ n }}", "maximum recursion depth exceeded"},
		{"a cycle in a list", "{% set n = namespace() %}{% set n.n = [n] %}{{ n.n == n.n }}{{ n.n }}", "maximum recursion depth exceeded"},
		{"large power", "{{ 10 ** 100000 }}", "makes an integer of more than"},
		{"large products", "{% set n = namespace(i=3) %}{% for i in range(99) %}{% set n.i = n.i * n.i %}{% endfor %}", "makes an integer of more than"},
		{"large integers written", "{{ 2 ** 30000 }}", "Exceeds the limit (4300 digits)"},
		{"large integer read", "{{ ('9' * 100000) | int(5) }}", ""},
		{"large literal", "{{ " + strings.Repeat("9", 5000) + " }}", "an integer of more than 4300 digits"},
		{"changed message", "{% set m = messages[0] %}{% set m.content = m %}", "cannot assign attribute on non-namespace object"},
		{"append", "{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe."},
		{"brackets", "{{ " + deep("(", "1", ")", 2000) + " }}", "more than 100 brackets in one another"},
		{"lists", "{{ " + deep("[", "1", "]", 2000) + " }}", "more than 100 brackets in one another"},
		{"signs", "{{ " + strings.Repeat("-", 2000) + "1 }}", "more than 100 brackets in one another"},
		{"negations", "{{ " + strings.Repeat("not ", 2000) + "1 }}", "more than 100 brackets in one another"},
		{"conditions", "{{ " + strings.Repeat("1 if 1 else ", 1000) + "1 }}", "more than 100 brackets in one another"},
		{"targets", "{% set " + deep("(", "a,", ")", 2000) + " = 1 %}", "more than 100 brackets in one another"},
		{"blocks", deep("{% if 1 %}", "x", "{% endif %}", 5000), "more than 100 "},
		{"loops", deep("{% for a in [1] %}", "x", "{% endfor %}", 5000), "more than 100 "},
		{"many operators", "{{ 1" + strings.Repeat(" + 1", 5000) + " }}", ""},
		{"many filters", "{{ 1" + strings.Repeat("|int", 5000) + " }}", ""},
		{"many attributes", "{{ a" + strings.Repeat(".b", 5000) + " }}", "'a' is undefined"},
		{"many strings", "{{ " + strings.Repeat("'"+strings.Repeat("x", 90)+"' ", 9000) + " }}", ""},
		{"many words", "{{ [" + strings.Repeat("1,", 200_000) + "] }}", "more than 131072 words"},
		{"a long template", strings.Repeat("x", maxSource+1), "longer than 1024 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, before := time.Now(), allocated()
			tpl, err := Parse("t", c.source)
			if err == nil {
				_, err = tpl.Render(vars, &Budget{Steps: DefaultSteps / 2, Bytes: DefaultBytes})
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("found %v, want %q", err, c.want)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if made := (allocated() - before) >> 20; made > 4<<10 {
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

// TestBudgetIsShared: several renderings together have what one has.
func TestBudgetIsShared(t *testing.T) {
	tpl, err := Parse("t", "{% for a in range(100) %}x{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	budget := &Budget{Steps: 1000, Bytes: DefaultBytes}
	for range 10 {
		if _, err = tpl.Render(nil, budget); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrLimit) {
		t.Errorf("found %v", err)
	}
}

// FuzzTemplate: no template may panic, hang or grow, whatever it says.
func FuzzTemplate(f *testing.F) {
	paths, err := filepath.Glob("../chat/testdata/templates/*.jinja")
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
	golden, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(golden) == 0 {
		f.Fatal("no golden files")
	}
	for _, path := range golden {
		var groups map[string][]goldenCase
		readJSON(f, path, &groups)
		for _, cases := range groups {
			for i := 0; i < len(cases); i += 17 {
				f.Add(cases[i].source)
			}
		}
	}
	vars := variables(f)
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := Parse("t", src)
		if err != nil {
			return
		}
		start := time.Now()
		out, err := tpl.Render(vars, &Budget{Steps: 1 << 20, Bytes: 1 << 24})
		if took := time.Since(start); took > 30*time.Second {
			t.Fatalf("took %v: %v", took, err)
		}
		last := 0
		for _, p := range out.Pieces {
			if p.Start < last || p.End <= p.Start || p.End > len(out.String) {
				t.Fatalf("piece %v after %d in %d bytes", p, last, len(out.String))
			}
			last = p.End
		}
	})
}
