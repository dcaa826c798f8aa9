package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

func TestWhatIsTrained(t *testing.T) {
	const (
		prompt = `{"prompt": "hi", "completion": "ok"}`
		text   = `{"text": "the"}`
		chat   = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "y"}]}`
		lists  = `{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "y"}]}`
	)
	for _, c := range []struct {
		name, in, trainOn string
		template          bool
		want              string
	}{
		{"plain", prompt, "assistant", false, "<s>hi[o][k][</s>]"},
		{"plain, all", prompt, "all", false, "<s>[h][i][o][k][</s>]"},
		{"plain, last", prompt, "last", false, "<s>hi[o][k][</s>]"},
		{"a token of both", `{"prompt": "a ", "completion": "b"}`, "assistant", false, "<s>a[ b][</s>]"},
		{"its own end", `{"prompt": "a", "completion": "c</s>"}`, "assistant", false, "<s>a[c][</s>]"},
		{"its own start", `{"prompt": "<s>a", "completion": "c"}`, "assistant", false, "<s>a[c][</s>]"},
		{"templated", prompt, "assistant", true, "<s><|user|>hi<|end|><|assistant|>[o][k][<|end|>]↵"},
		{"text", text, "assistant", false, "<s>[the][</s>]"},
		{"text beside a template", text, "last", true, "<s>[the][</s>]"},
		{"chat", chat, "assistant", true, "<s><|user|>a<|end|><|assistant|>[x][<|end|>]↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
		{"chat, last", chat, "last", true, "<s><|user|>a<|end|><|assistant|>x<|end|>↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
		{"chat, all", chat, "all", true, "[<s>][<|user|>][a][<|end|>][<|assistant|>][x][<|end|>][↵][<|user|>][c][<|end|>][<|assistant|>][y][<|end|>][↵]"},
		{"lists", lists, "assistant", true, "<s><|user|>a<|end|><|assistant|>x<|end|>↵<|user|>c<|end|><|assistant|>[y][<|end|>]↵"},
	} {
		set, tok, err := encode(t, c.in, Options{TrainOn: TrainOn(c.trainOn)}, c.template)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := show(t, tok, set, 0); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		bos, _ := tok.BOS()
		if ids := sequence(t, set, 0).IDs; ids[0] != bos || ids[1] == bos {
			t.Errorf("%s: ids %v, want one BOS", c.name, ids)
		}
	}
}

// TestLongConversation: rows with many or large messages are read, and what max_length
// leaves of them is trained as in a short row.
func TestLongConversation(t *testing.T) {
	row := func(messages, size int) string {
		var b strings.Builder
		b.WriteString(`{"messages": [`)
		for i := range messages / 2 {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(`{"role": "user", "content": "a` + strings.Repeat("c", i*size) + `"}, {"role": "assistant", "content": "x"}`)
		}
		return b.String() + "]}\n"
	}
	set, tok, err := encode(t, row(2, 0)+row(4000, 0)+row(300, 150), Options{TrainOn: "assistant", MaxLength: 7}, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		got, want := show(t, tok, set, i), "<s><|user|>a<|end|><|assistant|>[x][<|end|>]"
		if got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}

func TestOverlongRows(t *testing.T) {
	in := `{"prompt": "ab", "completion": "cdef"}` + "\n" + `{"prompt": "a", "completion": "c"}` + "\n" + `{"prompt": "a", "completion": "d"}`
	set, tok, err := encode(t, in, Options{TrainOn: "assistant", MaxLength: 4, Overlong: "truncate"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := show(t, tok, set, 0); got != "<s>ab[c]" || set.Stats.Cut != 1 || set.Stats.Kept != 3 || set.Stats.Longest != 4 {
		t.Errorf("truncate: %s %+v", got, set.Stats)
	}
	set, _, err = encode(t, in, Options{TrainOn: "assistant", MaxLength: 4, Overlong: "drop"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if set.Stats.Dropped != 1 || set.Len() != 2 || set.Origin(0).Line != 2 {
		t.Errorf("drop: %+v %v", set.Stats, set.Origin(0))
	}
	_, _, err = encode(t, in, Options{TrainOn: "assistant", MaxLength: 4, Overlong: "error"}, false)
	expect(t, "error", err, "train.jsonl:1: 8 tokens, max_length is 4", "--overlong truncate or drop, or a larger --max-length")
	_, _, err = encode(t, in, Options{TrainOn: "assistant", MaxLength: 3, Overlong: "drop"}, false)
	expect(t, "all dropped", err, "no row is left to train on", "a larger --max-length, or --overlong truncate")
}

func TestRowsWithoutTrainedTokens(t *testing.T) {
	in := `{"prompt": "abcd", "completion": "e"}` + "\n" + `{"prompt": "a", "completion": "c"}`
	set, _, err := encode(t, in, Options{TrainOn: "assistant", MaxLength: 4, Overlong: "truncate"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if st := set.Stats; st.Untrained != 1 || st.Kept != 1 || st.First.Untrained != 1 || st.Rows != 2 || st.Tokens != 4 || st.Trained != 2 {
		t.Errorf("%+v", st)
	}
	_, _, err = encode(t, in+"\n"+strings.Split(in, "\n")[0], Options{TrainOn: "assistant", MaxLength: 4, Overlong: "truncate"}, false)
	expect(t, "most rows", err, "2 of 3 rows have no token to train on, the first at train.jsonl:1",
		"the prompt may fill max_length, the answers may be marked as not to be learned, or the chat template may not show where an answer stands: --chat-template names another")
}

func TestRowsThatCannotBeRendered(t *testing.T) {
	chat := `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}]}`
	_, _, err := encode(t, chat, Options{TrainOn: "assistant"}, false)
	expect(t, "no template", err, "train.jsonl:1: messages, but the model has no chat template",
		"--chat-template FILE names one; a model without one takes prompt and completion, or text")
	_, _, err = encode(t, chat+"\n"+strings.Replace(chat, "user", "robot", 1), Options{TrainOn: "assistant"}, true)
	expect(t, "the template's own error", err, "no role robot", "")
	expect(t, "its place", err, "train.jsonl:2: ", "")
}

func TestEncodeDoesNotDependOnThreads(t *testing.T) {
	var in strings.Builder
	for range 50 {
		in.WriteString(`{"prompt": "the bat", "completion": "the ball"}` + "\n" + `{"prompt": "q", "completion": "r"}` + "\n")
	}
	tok, tpl := load(t)
	inFolder(t, "train.jsonl", in.String())
	var want string
	for _, threads := range []int{1, 2, 5} {
		p := simd.NewPool(threads)
		set, err := Open("train.jsonl", nil, tok, Options{Template: tpl, TrainOn: "assistant", MaxLength: 100}, p, nil)
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = digest(t, set)
		}
		if got := digest(t, set); got != want {
			t.Errorf("%d threads: digest %s, want %s", threads, got, want)
		}
		if set.MaxID < 256 || !slices.Contains(sequence(t, set, 0).IDs, set.MaxID) || set.MaxIDAt.Line != 1 {
			t.Errorf("largest id %d at %v", set.MaxID, set.MaxIDAt)
		}
	}
}

func TestDigestSeesTokensAndMasks(t *testing.T) {
	in := `{"prompt": "ab", "completion": "c"}`
	of := func(in, trainOn string) string {
		set, _, err := encode(t, in, Options{TrainOn: TrainOn(trainOn)}, false)
		if err != nil {
			t.Fatal(err)
		}
		return digest(t, set)
	}
	a := of(in, "assistant")
	if a != of(`{"prompt":"ab","completion":"c","id":1}`, "last") {
		t.Error("the same tokens have two digests")
	}
	if a == of(in, "all") || a == of(strings.Replace(in, `"c"`, `"d"`, 1), "assistant") {
		t.Error("a change of mask or token left the digest alone")
	}
}

// Phi-3's markers take the white space behind them, that of an answer's beginning too.
func TestAMarkerDoesNotTakeAnAnswersSpace(t *testing.T) {
	files, err := filepath.Glob(testdata + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s (%v)", testdata, err)
	}
	dir := t.TempDir()
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, filepath.Base(path)), strings.ReplaceAll(string(data), `"rstrip": false`, `"rstrip": true`))
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	const text = "<|assistant|>\n \nok <|end|>\n"
	start := strings.Index(text, " \nok")
	var e encoded
	e.take(&encoder{t: tok}, text, []span{{start, len(text) - 1}}, false)
	got := ""
	for i, id := range e.IDs {
		if s := tok.Decode([]int32{id}, false); e.Mask[i] {
			got += "[" + s + "]"
		} else {
			got += s
		}
	}
	if got != "<|assistant|>[o][k][ ][<|end|>]" || e.joined != 0 {
		t.Errorf("%s, %d joined", got, e.joined)
	}
	if end := e.offsets[0][1]; end != start+2 {
		t.Errorf("the first marker ends at %d, want %d: its offsets are those of Hugging Face", end, start+2)
	}
}

func TestLossMaskTakesTokensThatTouchASpan(t *testing.T) {
	spans := []span{{2, 4}, {6, 7}}
	offsets := [][2]int{{0, 0}, {0, 2}, {1, 3}, {3, 4}, {3, 4}, {4, 6}, {5, 8}, {8, 9}, {9, 9}}
	want := []bool{false, false, true, true, true, false, true, false, false}
	learn, joined := lossMask(offsets, spans)
	if !slices.Equal(learn, want) || joined != 2 {
		t.Errorf("got %v, %d joined, want %v, 2 joined", learn, joined, want)
	}
}
