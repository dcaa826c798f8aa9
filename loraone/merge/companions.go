package merge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

const (
	configName = "config.json"
	indexName  = "model.safetensors.index.json"
	singleName = "model.safetensors"
)

// carried are the files of a model's folder that go along as they are, where they are
// there. A model card is not among them: it speaks of the base.
var carried = []string{
	"generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
	"preprocessor_config.json", "processor_config.json", // of a model with pictures
	"LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "USE_POLICY.md",
}

// templates is a folder of further chat templates, which transformers reads too.
const templates = "additional_chat_templates"

// maxCompanion bounds what is copied whole; a tokenizer has some 35 megabytes.
const maxCompanion = 1 << 30

// companions writes what stands beside the weights.
func (m *merger) companions(dir string) error {
	for _, name := range carried {
		data, err := files.Read(filepath.Join(m.base.Dir, name), maxCompanion)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = files.Write(filepath.Join(dir, name), data)
		}
		if err != nil {
			return err
		}
	}
	if err := m.templates(dir); err != nil {
		return err
	}
	if err := m.index(dir); err != nil {
		return err
	}
	data, err := files.Read(filepath.Join(m.base.Dir, configName), maxCompanion)
	if err == nil && m.DType != nil {
		data, err = retyped(data, *m.DType)
	}
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, configName), data)
}

// templates copies the further chat templates.
func (m *merger) templates(dir string) error {
	list, err := filepath.Glob(filepath.Join(filepath.Clean(m.base.Dir), templates, "*.jinja"))
	if err != nil || len(list) == 0 {
		return nil // a pattern in the folder's own name: nothing is found
	}
	if err := files.MkdirAll(filepath.Join(dir, templates)); err != nil {
		return err
	}
	for _, path := range list {
		data, err := files.Read(path, maxCompanion)
		if err == nil {
			err = files.Write(filepath.Join(dir, templates, filepath.Base(path)), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retyped returns a config.json that names another type, in either spelling, and is
// otherwise as it was.
func retyped(data []byte, d simd.DType) ([]byte, error) {
	config, err := jsontree.Parse(string(data))
	if err != nil {
		return nil, err
	}
	name := `"` + [...]string{simd.F32: "float32", simd.F16: "float16", simd.BF16: "bfloat16"}[d] + `"`
	var out bytes.Buffer
	from := 0
	for key, v := range config.Members() {
		if key == "torch_dtype" || key == "dtype" {
			out.Write(data[from:v.Offset()])
			out.WriteString(name)
			from = v.Offset() + len(v.Raw())
		}
	}
	out.Write(data[from:])
	return out.Bytes(), nil
}

// index writes the index of a model in shards: the base's own, unless there is none or the
// sizes change.
func (m *merger) index(dir string) error {
	shards := m.weights.Shards()
	if len(shards) == 1 && filepath.Base(shards[0].Path()) == singleName {
		return nil
	}
	path := filepath.Join(dir, indexName)
	if m.DType == nil {
		data, err := files.Read(filepath.Join(m.base.Dir, indexName), maxCompanion)
		if err == nil {
			return files.Write(path, data)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	size, shardOf := int64(0), map[string]string{}
	for _, shard := range shards {
		for _, t := range shard.Layout() {
			data, _ := shard.Tensor(t.Name)
			bytes := len(data.Data)
			if from, to, ok := m.floating(t); ok {
				bytes = bytes / from.Size() * to.Size()
			}
			size += int64(bytes)
			shardOf[t.Name] = filepath.Base(shard.Path())
		}
	}
	text, err := json.MarshalIndent(map[string]any{"metadata": map[string]any{"total_size": size}, "weight_map": shardOf}, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(path, append(text, '\n'))
}

// paired calls f with each shard of the base and the one that was written for it.
func (m *merger) paired(dir string, f func(old, made *safetensors.File) error) error {
	for _, old := range m.weights.Shards() {
		made, err := safetensors.Open(filepath.Join(dir, filepath.Base(old.Path())))
		if err != nil {
			return err
		}
		err = made.Guard(func() error { return f(old, made) })
		if err = errors.Join(err, made.Close()); err != nil {
			return err
		}
	}
	return nil
}
