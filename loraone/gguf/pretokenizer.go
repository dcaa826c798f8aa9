package gguf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// A split is a set of rules of llama.cpp for what is one word before merges.
type split struct {
	pre          string
	structure    string // of the pre_tokenizer, see structure
	ignoreMerges bool   // a word that is a token is taken whole: llama.cpp ties that to the set
}

// splits are those whose rules are known to be those of a structure: llama-vocab.cpp
// quotes the pattern beside its own.
var splits = []split{
	{"gpt-2", "ByteLevel+", false},
	{"smollm", "Digits+ ByteLevel+", false},
	{"llama-bpe", `Split(` + caseless + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}` + rest + `) ByteLevel`, true},
	{"smaug-bpe", `Split(` + caseless + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}` + rest + `) ByteLevel`, false},
	{"qwen2", `Split(` + caseless + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}` + rest + `) ByteLevel`, false},
	{"gpt-4o", `Split([^\r\n\p{L}\p{N}]?` + upper + `*` + lower + `+` + caseless + `?|[^\r\n\p{L}\p{N}]?` + upper + `+` + lower + `*` + caseless + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+) ByteLevel`, false},
	{"tekken", `Split([^\r\n\p{L}\p{N}]?` + upper + `*` + lower + `+|[^\r\n\p{L}\p{N}]?` + upper + `+` + lower + `*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+) ByteLevel`, true},
}

// What several patterns have in common.
const (
	caseless = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	upper    = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	lower    = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	rest     = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// hashed are the official scripts' names for the ids of probe, by their hash.
var hashed = map[string]string{
	"0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5": "llama-bpe",
	"c136ed14d01c2745d4f60a9596ae66800e2b61fa45643e72436041855ad4089d": "smaug-bpe",
	"e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea": "qwen2",
	"d4540891389ea895b53b399da6ac824becc30f2fba0e9ddbb98f92e55ca0e97c": "qwen2",
	"855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249": "smollm",
	"63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e": "tekken",
	"3ce83efda5659b07b1ad37ca97ca5797ea4285d9b9ab0dc679e4a720c9da7454": "gpt-2",
	"0fe1cf6eda062318a1af7270f3331a85c539a01778ff948e24388e949c5282f4": "gpt-2",
	"877081d19cf6996e2c4ff0e1236341e9b7bde288f5311a56a937f0afbbb3aeb5": "deepseek-v3",
	"b3f499bb4255f8ca19fccd664443283318f2fd2414d5e0b040fbdd0cc195d6c5": "deepseek-r1-qwen",
}

// probe is the text whose ids the official scripts hash (chktxt in conversion/base.py).
const probe = "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n🚀 (normal) 😶\u200d🌫️ (multiple emojis concatenated) ✅ 🦙🦙 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 កាន់តែពិសេសអាច😁 ?我想在apple工作1314151天～ ------======= нещо на Български ''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL"

// preTokenizer returns the name of the rules for a tokenizer.json, by its structure, else
// by the hash of the ids of probe. note says where the two do not agree.
func preTokenizer(file jsontree.Value, encode func(text string) []int32) (pre, note string, err error) {
	ignore, _ := file.Get("model").Get("ignore_merges").Bool()
	shape, err := structure(file.Get("pre_tokenizer"))
	if err != nil {
		return "", "", err
	}
	for _, s := range splits {
		if s.structure == shape && s.ignoreMerges == ignore {
			pre = s.pre
		}
	}
	if err := composes(file.Get("normalizer")); err != nil {
		return "", "", err
	}
	byHash := hashed[idsHash(encode(probe))]
	switch {
	case pre == "" && byHash == "":
		return "", "", hint.New(fmt.Errorf("llama.cpp has no rules for this pre_tokenizer: %.200s", shape),
			"the adapter alone needs no tokenizer: export it without --merged, beside a GGUF of the base")
	case pre == "":
		return byHash, "", nil
	case byHash != "" && byHash != pre:
		return pre, fmt.Sprintf("by its structure the tokenizer splits text as %s, by the hash of the official scripts as %s: %s is written", pre, byHash, pre), nil
	}
	return pre, "", nil
}

// composes returns an error for a normalizer that does more than compose characters,
// which changes few texts: llama.cpp does not normalize.
func composes(normalizer jsontree.Value) error {
	kind, _ := normalizer.Get("type").Str()
	switch {
	case normalizer.IsNull(), kind == "NFC":
		return nil
	case kind == "Sequence":
		for _, part := range normalizer.Get("normalizers").Items() {
			if err := composes(part); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("a normalizer %s, which llama.cpp does not have for this kind of vocabulary", kind)
}

// idsHash hashes ids as Python prints a list of them.
func idsHash(ids []int32) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.Itoa(int(id))
	}
	sum := sha256.Sum256([]byte("[" + strings.Join(text, ", ") + "]"))
	return hex.EncodeToString(sum[:])
}

// structure writes a pre_tokenizer in short: its parts in their order, a + where ByteLevel
// splits and Digits takes them one by one, the pattern of a Split. A setting that no set
// of rules has is an error.
func structure(v jsontree.Value) (string, error) {
	kind, _ := v.Get("type").Str()
	truth := func(key string, otherwise bool) bool {
		b, err := v.Get(key).Bool()
		if err != nil {
			return otherwise
		}
		return b
	}
	switch kind {
	case "Sequence":
		var parts []string
		for _, sub := range v.Get("pretokenizers").Items() {
			s, err := structure(sub)
			if err != nil {
				return "", err
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, " "), nil
	case "ByteLevel":
		if truth("add_prefix_space", true) {
			return "", errors.New("ByteLevel with add_prefix_space, which llama.cpp does not have for it")
		}
		if truth("use_regex", true) {
			return "ByteLevel+", nil
		}
		return "ByteLevel", nil
	case "Digits":
		if truth("individual_digits", false) {
			return "Digits+", nil
		}
	case "Split":
		pattern, _ := v.Get("pattern").Get("Regex").Str()
		behavior, _ := v.Get("behavior").Str()
		// Removed with invert keeps the matches, as Isolated does where they cover the text.
		if invert := truth("invert", false); behavior == "Isolated" && !invert || behavior == "Removed" && invert {
			return "Split(" + pattern + ")", nil
		}
		return fmt.Sprintf("Split(%s, %s)", pattern, behavior), nil
	}
	return kind, nil
}
