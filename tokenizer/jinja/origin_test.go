package jinja

import (
	"fmt"
	"strings"
	"testing"
)

// TestOrigins: what of a text came from the values that were given, in brackets with
// the number of the value.
func TestOrigins(t *testing.T) {
	vars := map[string]Value{}
	for i, text := range []string{"One two", "  x,y  ", "é<b>"} {
		vars[string(rune('a'+i))] = From(text, i+1)
	}
	d, err := FromJSON([]byte(`{"k": "v", "l": [1, "w"], "n": 5}`), 4)
	if err != nil {
		t.Fatal(err)
	}
	vars["d"] = d
	for source, want := range map[string]string{
		"{{ a }}{{ 'z' }}{{ b }}":                           "1[One two]z2[  x,y  ]",
		"{{ a + ': ' + b }}":                                "1[One two]: 2[  x,y  ]",
		"{{ a ~ 1 ~ c }}":                                   "1[One two]13[é<b>]",
		"-{{ b | trim }}-{{ b.strip() }}-{{ b.lstrip() }}-": "-2[x,y]-2[x,y]-2[x,y  ]-",
		"{{ a[4:] }}{{ a[0] }}{{ a[::-1] }}":                "1[twoOowt enO]",
		"{{ (a ~ b)[5:9] }}":                                "1[wo]2[  ]",
		"{{ a.split(' ') | join('+') }}":                    "1[One]+1[two]",
		"{{ b.strip().split(',')[1] }}":                     "2[y]",
		"{{ a | replace('two', 'zwei') }}":                  "1[One ]zwei",
		"{{ 'X-X'.replace('X', a) }}":                       "1[One two]-1[One two]",
		"{{ a | upper }}{{ c.upper() }}{{ a | title }}":     "1[ONE TWO]3[É<B>]1[One Two]",
		"{{ ('p ' ~ a) | upper }}":                          "P 1[ONE TWO]",
		"{{ '%s=%5s' % (a, 'q') }}":                         "1[One two]=    q",
		"{{ '{}:{:>4}'.format(a, c[0]) }}":                  "1[One two]:   3[é]",
		"{{ c | e }}":                                       "3[é&lt;b&gt;]",
		"{{ (a ~ '\n' ~ b.strip()) | indent }}":             "1[One two]\n    2[x,y]",
		"{{ d | tojson }}":                                  `4[{"k": "v", "l": [1, "w"], "n": 5}]`,
		"{{ [a, 'z', d.l] | tojson }}":                      `[1["One two"], "z", 4[[1, "w"]]]`,
		"{{ d.l }}{{ d.n }}":                                "4[[1, 'w']]5",
		"{% set s %}<{{ a }}>{% endset %}{{ s }}":           "<1[One two]>",
		"{% macro m(x) %}({{ x }}){% endmacro %}{{ m(a) }}": "(1[One two])",
		"{% filter upper %}<{{ a }}>{% endfilter %}":        "<1[ONE TWO]>",
		"{{ a | list | join }}{{ a | first }}":              "1[One twoO]",
		"{{ (a ~ '!') | center(12) }}":                      "  1[One two]!  ",
		"{{ a.partition(' ') | join('|') }}":                "1[One]| |1[two]",
		"{{ a | wordwrap(3) }}":                             "1[One]\n1[two]",
		"{{ (a ~ 'zz') | truncate(8, true, '..', 0) }}":     "1[One tw]..",
		"{{ (b.splitlines() + [a])[0] }}{{ a * 2 }}":        "2[  x,y  ]1[One twoOne two]",
	} {
		tpl, err := Parse("t", source)
		if err != nil {
			t.Fatal(err)
		}
		out, err := tpl.Render(vars, nil)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := bracketed(out); got != want {
			t.Errorf("%s\nfound %s\nwant  %s", source, got, want)
		}
	}
}

func bracketed(out Text) string {
	var b strings.Builder
	at := 0
	for _, p := range out.Pieces {
		b.WriteString(out.String[at:p.Start])
		at = p.Start
		if p.Origin == 0 {
			continue
		}
		fmt.Fprintf(&b, "%d[%s]", p.Origin, out.String[p.Start:p.End])
		at = p.End
	}
	return b.String() + out.String[at:]
}

// TestBlocksAndItems: generation blocks and passes of loops mark what they write.
func TestBlocksAndItems(t *testing.T) {
	var items []Value
	for i := range 3 {
		v, err := FromJSON(fmt.Appendf(nil, `{"c": "m%d"}`, i), i+1)
		if err != nil {
			t.Fatal(err)
		}
		v.(*Dict).Item(i + 1)
		items = append(items, v)
	}
	tpl, err := Parse("t", "<{% for m in l %}a{% if loop.last %}{% generation %}{{ m.c }}.{% endgeneration %}{% else %}{{ m.c }}{% endif %}{% for c in 'xy' %}{{ c }}{% endfor %}{% endfor %}>{% set s %}{% generation %}g{% endgeneration %}{% endset %}{{ s }}")
	if err != nil {
		t.Fatal(err)
	}
	out, err := tpl.Render(map[string]Value{"l": NewList(items...)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range out.Pieces {
		got = append(got, fmt.Sprintf("%s:%d.%d.%d", out.String[p.Start:p.End], p.Origin, p.Block, p.Item))
	}
	want := "a:0.0.1 m0:1.0.1 xy:0.0.1 a:0.0.2 m1:2.0.2 xy:0.0.2 a:0.0.3 m2:3.1.3 .:0.1.3 xy:0.0.3 g:0.2.0"
	if strings.Join(got, " ") != want || !tpl.Generation {
		t.Errorf("found %s\nwant  %s", strings.Join(got, " "), want)
	}
}

func TestFromJSON(t *testing.T) {
	for data, want := range map[string]string{
		`{"b": 1, "a": [true, null, "\u00e9\ud83d\udc4d\n"], "c": 2.0}`: `{'b': 1, 'a': [True, None, 'é👍\n'], 'c': 2.0}`,
		` [1e3, -0, 123456789012345678901234567890, 1e999] `:            `[1000.0, 0, 123456789012345678901234567890, inf]`,
	} {
		v, err := FromJSON([]byte(data), 1)
		if got := repr0(v); err != nil || got != want {
			t.Errorf("%s: found %s, %v, want %s", data, got, err, want)
		}
	}
	if _, err := FromJSON([]byte(`{"a": 1, "a": 2}`), 1); err == nil {
		t.Error("a duplicate key: want an error")
	}
	if _, err := FromJSON([]byte(strings.Repeat("9", 5000)), 1); err == nil {
		t.Error("5000 digits: want an error")
	}
}
