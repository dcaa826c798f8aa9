package hub

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// read are the names of what a run reads of a model's folder, or an adapter's; carried
// are those that go along into a merged folder. Weights and further templates apart.
var (
	read = []string{
		"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
		"adapter_config.json", "adapter_model.safetensors",
	}
	carried = []string{
		"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model", "chat_template.json",
		"preprocessor_config.json", "processor_config.json",
	}
)

const (
	weights      = "model.safetensors"
	weightsIndex = "model.safetensors.index.json"
)

var (
	shard    = regexp.MustCompile(`^[^/]+-\d{5}-of-\d{5}\.safetensors$`)
	template = regexp.MustCompile(`^additional_chat_templates/[A-Za-z0-9_-]+\.jinja$`)
)

// needs returns the names of the files that a run needs, in order: never the same
// weights in another format, such as consolidated.safetensors or *.bin.
func needs(tree map[string]treeFile) ([]string, error) {
	_, single := tree[weights]
	shards := shardsOf(tree)
	var list []string
	for name := range tree {
		switch {
		case slices.Contains(read, name), slices.Contains(carried, name), template.MatchString(name), name == weights,
			!single && name == weightsIndex:
			list = append(list, name)
		}
	}
	if !single {
		list = append(list, shards...)
	}
	slices.Sort(list)
	switch {
	case slices.Contains(list, "adapter_config.json") && slices.Contains(list, "adapter_model.safetensors"):
	case !slices.Contains(list, "config.json"):
		return nil, errors.New("holds no model: no config.json")
	case !single && len(shards) == 0:
		return nil, noWeights(tree)
	}
	return list, nil
}

// shardsOf returns the shards of a model: those called model-00001-of-00002.safetensors
// and so on, else what is numbered like that under another name, which an index may give
// them. consolidated-… are the same weights as another program names them. Without an
// index there must be as many as they say.
func shardsOf(tree map[string]treeFile) []string {
	var usual, others []string
	for name := range tree {
		switch {
		case !shard.MatchString(name), strings.HasPrefix(name, "consolidated"):
		case strings.HasPrefix(name, "model-"):
			usual = append(usual, name)
		default:
			others = append(others, name)
		}
	}
	if usual == nil {
		usual = others
	}
	_, index := tree[weightsIndex]
	if !index && len(usual) > 0 && !strings.HasSuffix(usual[0], fmt.Sprintf("-of-%05d.safetensors", len(usual))) {
		return nil
	}
	return usual
}

// noWeights says what there is in place of safetensors.
func noWeights(tree map[string]treeFile) error {
	var others []string
	for name := range tree {
		switch ext := path.Ext(name); ext {
		case ".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack", ".safetensors":
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		return errors.New("holds no weights: no model.safetensors")
	}
	slices.Sort(others)
	return hint.New(errors.New("holds no model.safetensors, only "+strings.Join(others[:min(3, len(others))], ", ")),
		"look for the same model with safetensors, or save it so with transformers: save_pretrained writes them")
}
