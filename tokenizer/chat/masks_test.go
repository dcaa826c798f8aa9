package chat

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"example.com/finetune/tokenizer"
)

// ownWord is a word that says which message it is of: m3w0. Tool definitions hold "tooldef".
var ownWord = regexp.MustCompile(`m(\d+)w\d+|tooldef`)

// checkMask holds what is trained of a conversation against other renderings of it: a
// message's span begins where the rendering of what is before it, with the generation
// prompt, ends, and ends where the rendering up to it does; it has all the words of its
// message, and no others. A message without a span is reported, and none with words is empty.
func checkMask(tok *tokenizer.Tokenizer, tpl *Template, c Conversation) error {
	r, err := tpl.RenderSpans(c, nil)
	if err != nil {
		return nil // the row's error
	}
	spans := map[int][]Span{}
	last := 0
	for _, s := range r.Spans {
		if s.Start < last || s.End <= s.Start || s.End > len(r.Text) || c.Messages[s.Turn].Role != "assistant" {
			return fmt.Errorf("span %v after %d in %d bytes", s, last, len(r.Text))
		}
		last = s.End
		spans[s.Turn] = append(spans[s.Turn], s)
	}
	var skipped []int
	for i, m := range c.Messages {
		if m.Role == "assistant" && spans[i] == nil {
			skipped = append(skipped, i)
		}
		if len(spans[i]) == 1 && !tpl.chat.Generation {
			if err := checkSpan(tpl, c, r.Text, spans[i][0]); err != nil {
				return fmt.Errorf("message %d: %w\n%q", i, err, r.Text)
			}
		}
	}
	if !slices.Equal(skipped, r.Skipped) {
		return fmt.Errorf("%v are without a span, %v are reported", skipped, r.Skipped)
	}
	if err := checkWords(r, spans); err != nil {
		return err
	}
	return checkTokens(tok, r)
}

// checkSpan: text(prompt with generation prompt) + trained text = the rendering up to the
// end of the message, without white space behind.
func checkSpan(tpl *Template, c Conversation, text string, s Span) error {
	part := func(n int, prompt bool) (string, bool) {
		if n == 0 {
			return "", false
		}
		got, err := tpl.Render(Conversation{c.Messages[:n], c.Tools}, prompt)
		return got, err == nil && strings.HasPrefix(text, got)
	}
	if prompt, ok := part(s.Turn, true); ok && s.Start != len(prompt) {
		return fmt.Errorf("%q is trained, the prompt ends with %q", text[s.Start:s.End], prompt[max(0, len(prompt)-40):])
	}
	through, ok := part(s.Turn+1, false)
	if before, _ := part(s.Turn, false); ok && s.End < len(through) {
		if tail := strings.TrimSpace(through[s.End:]); tail != "" && strings.HasSuffix(strings.TrimSpace(before), tail) {
			return nil // a generation prompt that is always there
		}
	}
	if end := strings.TrimRightFunc(through, unicode.IsSpace); ok && s.End != len(end) {
		return fmt.Errorf("%q is trained, the message ends with %q", text[s.Start:s.End], end[max(0, len(end)-40):])
	}
	return nil
}

// checkWords: a word is trained as one of its own message, or not at all.
func checkWords(r Rendered, spans map[int][]Span) error {
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
		if of != want || slices.Contains(r.Empty, of) {
			return fmt.Errorf("%q is trained as message %d, want %d, and %v are empty\n%q", r.Text[at[0]:at[1]], of, want, r.Empty, r.Text)
		}
	}
	return nil
}

// trainedIDs are the tokens with a byte in a span.
func trainedIDs(e tokenizer.Encoding, s Span) []int32 {
	var ids []int32
	for i, o := range e.Offsets {
		if o[0] < s.End && o[1] > s.Start {
			ids = append(ids, e.IDs[i])
		}
	}
	return ids
}

// checkTokens: the trained tokens, decoded, hold the words of the spans and no others.
func checkTokens(tok *tokenizer.Tokenizer, r Rendered) error {
	e := tok.Encode(r.Text, false)
	for _, s := range r.Spans {
		ids := trainedIDs(e, s)
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
		c.Tools = treeOf(json.RawMessage(`[{"type":"function","function":{"name":"f","description":"tooldef"}}]`))
	}
	return c
}

// lastToken is what the last trained token of every answer is, by template: generation
// stops there.
var lastToken = map[string]string{
	"chatml": "<|im_end|>", "llama2": "</s>", "llama3": "<|eot_id|>", "mistral": "</s>", "qwen": "<|im_end|>", "gemma": "<end_of_turn>", "zephyr": "</s>",
	"thinking": "<|im_end|>", "think_last": "<|im_end|>", "end_two": "<|im_end|>", "end_newline": "<file_sep>", "end_quoted": "<|im_end|>", "alternate": "</s>",
	"oracle_plain": "<|im_end|>", "oracle_trim": "<|im_end|>",
}

// TestMasks is the rule of what is trained, over random conversations.
func TestMasks(t *testing.T) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	tok := trainedTok(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".jinja")
		if name == "dates" || name == "expressions" {
			continue // not chats: nothing in them is an end token
		}
		t.Run(name, func(t *testing.T) {
			tpl := testTemplate(t, tok, name+".jinja")
			trained, skipped := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				c := genConversation(t)
				if err := checkMask(tok, tpl, c); err != nil {
					t.Fatal(err)
				}
				r, err := tpl.RenderSpans(c, nil)
				if err != nil {
					return
				}
				trained += len(r.Spans)
				skipped += len(r.Skipped)
				e := tok.Encode(r.Text, false)
				for _, s := range r.Spans {
					ids := trainedIDs(e, s)
					last, _ := tok.Token(ids[len(ids)-1])
					if want := lastToken[name]; want != "" && last != want {
						t.Fatalf("the last trained token is %q, want %q\n%q", last, want, r.Text)
					}
				}
			})
			if trained <= skipped {
				t.Errorf("%d messages trained, %d skipped", trained, skipped)
			}
			t.Logf("%d messages trained, %d skipped", trained, skipped)
		})
	}
}
