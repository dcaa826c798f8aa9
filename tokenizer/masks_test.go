package tokenizer

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ownWord is a word that says which message it is of: m3w0. Tool definitions hold "tooldef".
var ownWord = regexp.MustCompile(`m(\d+)w\d+|tooldef`)

// turn is what the mask test has to know of a message.
type turn struct {
	Role    string
	Content *string
	Calls   json.RawMessage `json:"tool_calls"`
	Reason  string          `json:"reasoning_content"`
}

// checkMask holds the trained tokens of a conversation against the words of its
// messages: an assistant turn is trained whole, with its end token, or it is not
// and counts as skipped; nothing of another message is trained.
func checkMask(tok *Tokenizer, tpl *Template, c Conversation) error {
	r, err := tpl.RenderSpans(c)
	if err != nil {
		return nil // the row's error
	}
	turns := make([]turn, len(c.Messages))
	for i, m := range c.Messages {
		if err := json.Unmarshal(m.Raw, &turns[i]); err != nil {
			return err
		}
	}
	spans := map[int][]Span{}
	last := 0
	for _, s := range r.Spans {
		if s.Start < last || s.End <= s.Start || s.End > len(r.Text) || turns[s.Turn].Role != "assistant" {
			return fmt.Errorf("span %v after %d in %d bytes", s, last, len(r.Text))
		}
		last = s.End
		spans[s.Turn] = append(spans[s.Turn], s)
	}
	skipped := 0
	for i, t := range turns {
		if t.Role == "assistant" && spans[i] == nil {
			skipped++
		}
		if len(spans[i]) == 1 && tpl.chat.marked == nil {
			if err := checkSpan(tok, r.Text, spans[i][0], t); err != nil {
				return fmt.Errorf("message %d: %w\n%q", i, err, r.Text)
			}
		}
	}
	if skipped != r.Skipped {
		return fmt.Errorf("%d turns without a span, %d reported as skipped", skipped, r.Skipped)
	}
	for _, at := range ownWord.FindAllStringSubmatchIndex(r.Text, -1) {
		of := -1 // the message whose span holds the word
		for _, s := range r.Spans {
			if s.Start <= at[0] && at[1] <= s.End {
				of = s.Turn
			} else if s.Start < at[1] && at[0] < s.End {
				return fmt.Errorf("span %v cuts the word %q\n%q", s, r.Text[at[0]:at[1]], r.Text)
			}
		}
		want := -1
		if at[2] >= 0 {
			if n, _ := strconv.Atoi(r.Text[at[2]:at[3]]); spans[n] != nil {
				want = n
			}
		}
		if of != want {
			return fmt.Errorf("%q is trained as message %d, want %d\n%q", r.Text[at[0]:at[1]], of, want, r.Text)
		}
	}
	return checkTokens(tok, r)
}

// checkSpan: an answer without reasoning or calls is trained as it is, with the end token.
func checkSpan(tok *Tokenizer, text string, s Span, t turn) error {
	trained := text[s.Start:s.End]
	end := slices.ContainsFunc(sortedSpecial(tok), func(x string) bool { return strings.HasSuffix(trained, x) })
	if n := tok.specialAt(text[s.End:]); n > 0 && !end {
		return fmt.Errorf("the end token %q is not trained", text[s.End:s.End+n])
	}
	if t.Content == nil || len(t.Calls) > 0 || t.Reason != "" || strings.Contains(*t.Content, "think>") {
		return nil
	}
	core := strings.TrimSpace(*t.Content)
	if core == "" || !strings.HasPrefix(trained, core) {
		return nil // the template writes it in its own way
	}
	rest := strings.TrimSpace(trained[len(core):])
	if rest != "" && tok.specialAt(rest) != len(rest) {
		return fmt.Errorf("%q is trained after the answer", rest)
	}
	return nil
}

func sortedSpecial(tok *Tokenizer) []string {
	var all []string
	for s := range tok.added.special {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// checkTokens: the trained tokens, decoded, hold the words of the spans and no others.
func checkTokens(tok *Tokenizer, r Rendered) error {
	e := tok.Encode(r.Text, false)
	for _, s := range r.Spans {
		var ids []int32
		for i, o := range e.Offsets {
			if o[0] < s.End && o[1] > s.Start {
				ids = append(ids, e.IDs[i])
			}
		}
		want, got := ownWord.FindAllString(r.Text[s.Start:s.End], -1), ownWord.FindAllString(tok.Decode(ids, false), -1)
		if !slices.Equal(want, got) {
			return fmt.Errorf("span %v has the words %q, its tokens %q", s, want, got)
		}
	}
	return nil
}

// genConversation draws a conversation whose words say where they are from.
func genConversation(t *rapid.T) Conversation {
	extra := rapid.SampledFrom([]string{
		"", " ", "\n", "\n\n", "é", "👍🏽", "中文", "e\u0301", "<|im_end|>", "<|im_start|>assistant\n", "</s>", "<s>", "[/INST]", "[INST]", "<|eot_id|>",
		"<end_of_turn>", "{{ x }}", "{% endfor %}", "\u00a0", "\u2028", "\t", ".", "```", "<", "|", "\\", `"`, "'", "<|assistant|>", "yes",
	})
	content := func(i int) string {
		words := rapid.IntRange(0, 3).Draw(t, "words")
		s := extra.Draw(t, "head")
		for k := range words {
			s += fmt.Sprintf("m%dw%d", i, k) + extra.Draw(t, "between")
		}
		return s + extra.Draw(t, "tail")
	}
	var messages []json.RawMessage
	add := func(role string, more map[string]any) {
		m := map[string]any{"role": role, "content": content(len(messages))}
		for k, v := range more {
			m[k] = v
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, raw)
	}
	if rapid.Bool().Draw(t, "system") {
		add("system", nil)
	}
	if rapid.IntRange(0, 5).Draw(t, "opening") == 0 {
		add("assistant", nil)
	}
	tools := rapid.IntRange(0, 3).Draw(t, "tools") == 0
	for range rapid.IntRange(1, 4).Draw(t, "turns") {
		add("user", nil)
		if tools && rapid.Bool().Draw(t, "calls") {
			args := map[string]any{"city": fmt.Sprintf("m%dw9", len(messages))}
			call := map[string]any{"type": "function", "function": map[string]any{"name": "f", "arguments": args}}
			more := map[string]any{"tool_calls": []any{call}}
			if rapid.Bool().Draw(t, "null") {
				more["content"] = nil
			}
			add("assistant", more)
			add("tool", nil)
		}
		more := map[string]any{}
		switch n := len(messages); rapid.IntRange(0, 5).Draw(t, "reasoning") {
		case 0:
			more["reasoning_content"] = fmt.Sprintf("m%dw8", n)
		case 1:
			more["content"] = fmt.Sprintf("<think>\nm%dw8\n</think>\n\n", n) + content(n)
		}
		add("assistant", more)
	}
	c := raws(messages, nil)
	if tools {
		c.Tools = json.RawMessage(`[{"type":"function","function":{"name":"f","description":"tooldef"}}]`)
	}
	return c
}

// TestMasks is the rule of what is trained, over random conversations.
func TestMasks(t *testing.T) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	tok := trainedTok(t)
	for _, path := range paths {
		if name := filepath.Base(path); name == "dates.jinja" || name == "expressions.jinja" {
			continue // not chats: nothing in them is an end token
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			tpl := testTemplate(t, tok, filepath.Base(path))
			trained, skipped := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				c := genConversation(t)
				if err := checkMask(tok, tpl, c); err != nil {
					t.Fatal(err)
				}
				if r, err := tpl.RenderSpans(c); err == nil {
					trained += len(r.Spans)
					skipped += r.Skipped
				}
			})
			if trained <= skipped {
				t.Errorf("%d turns trained, %d skipped", trained, skipped)
			}
			t.Logf("%d turns trained, %d skipped", trained, skipped)
		})
	}
}
