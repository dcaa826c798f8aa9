package score

import (
	"strings"
	"testing"
)

func TestRight(t *testing.T) {
	for _, c := range []struct {
		score, got, want string
		asks, right      bool
	}{
		{"exact", " yes\n", "yes", true, true},
		{"exact", "Yes", "yes", true, false},
		{"exact", "", " ", false, false},
		{"contains", "It is Paris.", " Paris", true, true},
		{"contains", "It is Rome.", "Paris", true, false},
		{"number", "so 5 and then 1,200.", "#### 1200.00", true, true},
		{"number", "3.50", "7/2 is 3.5", true, true},
		{"number", "12", "-12", true, false},
		{"number", "it is -12", "−12", true, true},
		{"number", "-$12", "-12", true, true},
		{"number", "20-12", "12", true, true},
		{"number", "x-12", "12", true, true},
		{"number", "1,2", "2", true, true},
		{"number", "none", "4", true, false},
		{"number", "4", "four", false, false},
		{"number", "0.1", ".1", true, true},
		{"number", "12345678901234567890", "12345678901234567891", true, false},
		{"json", `{"b": 1.0, "a": [1, "x"]}`, `{"a": [1, "x"], "b": 1}`, true, true},
		{"json", "```json\n{\"a\": 1}\n```", `{"a": 1}`, true, true},
		{"json", `{"a": 1, "b": 2}`, `{"a": 1}`, true, false},
		{"json:a", `{"a": 1, "b": 2}`, `{"a": 1}`, true, true},
		{"json:a,b", `{"a": 1, "b": 2}`, `{"a": 1}`, true, false},
		{"json", `{"a": 1`, `{"a": 1}`, true, false},
		{"json:x", `{"a": 1}`, `{"a": 1}`, false, false}, // nothing of it is compared
		{"json:x", `[1]`, `[1]`, false, false},
		{"json", `{}`, `no`, false, false},
		{"json", `[1, 2]`, `[2, 1]`, true, false},
		{"json", `"a"`, `"\u0061"`, true, true},
		{"json", `null`, `false`, true, false},
		{"json", `12345678901234567890`, `12345678901234567891`, true, false},
		{"json", `{"id": 9007199254740993}`, `{"id": 9007199254740993}`, true, true},
		{"json", `1e2`, `100`, true, true},
		{"json", `-0`, `0`, true, true},
		{"json:a", `{"b": 1}`, `{"c": 1}`, false, false},
		{"json:a,b", `{"a": 1}`, `{"a": 1, "c": 2}`, true, true},
		{"json:a", `[]`, `[1]`, false, false},
		{"regex:(x*)", "b", "ab", false, false},
		{"regex:(x*)$", "", "axx", true, false},
		{"regex:#### (.*)", "#### 1\n#### 2 ", "x #### 2", true, true},
		{"regex:#### (.*)", "2", "#### 2", true, false},
		{"regex:#### (.*)", "#### 2", "2", false, false},
		{"choice: yes, no", "no", " no", true, true},
		{"choice:yes,no", "no", "maybe", false, false},
	} {
		var s Score
		if err := s.UnmarshalText([]byte(c.score)); err != nil {
			t.Fatal(err)
		}
		if asks := s.Asks(c.want); asks != c.asks {
			t.Errorf("%s: %q asks: %v", c.score, c.want, asks)
		}
		if right := s.Right(c.got, c.want); c.asks && right != c.right {
			t.Errorf("%s: %q for %q: %v", c.score, c.got, c.want, right)
		}
	}
}

func TestText(t *testing.T) {
	for _, text := range []string{"none", "number", "regex:a:(b)", "choice:a,b", "json", "json:a,b"} {
		var s Score
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != text {
			t.Errorf("%s: %s, %v", text, s, err)
		}
	}
	for text, want := range map[string]string{
		"":           "no kind",
		"numbers":    `"numbers", want one of exact, contains, number, json, regex, choice, none`,
		"number:4":   "number takes nothing behind a colon",
		"regex":      `the pattern "" has no group to compare`,
		"regex:(":    "the pattern: error parsing regexp: missing closing )",
		"choice":     "choice without two answers to choose from",
		"choice:a":   "choice without two answers to choose from",
		"choice:a,,": "choice without two answers to choose from",
	} {
		var s Score
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
