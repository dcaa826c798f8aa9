// Command randommodel writes a model folder of a given shape with random bfloat16
// weights, for measurements of speed and memory: what a model says does not matter
// there. The tokenizer is that of another model, whose vocabulary must not be larger.
//
//	go run ./scripts/randommodel SHAPE TOKENIZERDIR OUT
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"example.com/finetune/model"
)

// A shape is a config.json without what all of them share.
type shape struct {
	Hidden, Intermediate, Layers, Heads, KVHeads, HeadDim, Vocab int
}

var shapes = map[string]shape{
	"llama-3.2-1b": {2048, 8192, 16, 32, 8, 64, 128256},
	"qwen2.5-0.5b": {896, 4864, 24, 14, 2, 64, 151936}, // without its biases
	"smollm2-360m": {960, 2560, 32, 15, 5, 64, 49152},
}

func main() {
	if len(os.Args) != 4 {
		fatal(fmt.Errorf("usage: randommodel SHAPE TOKENIZERDIR OUT"))
	}
	s, ok := shapes[os.Args[1]]
	if !ok {
		fatal(fmt.Errorf("no shape %q", os.Args[1]))
	}
	if err := write(s, os.Args[2], os.Args[3]); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "randommodel:", err)
	os.Exit(1)
}

func write(s shape, tokenizer, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	config := map[string]any{
		"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
		"hidden_size": s.Hidden, "intermediate_size": s.Intermediate, "num_hidden_layers": s.Layers, "num_attention_heads": s.Heads,
		"num_key_value_heads": s.KVHeads, "head_dim": s.HeadDim, "vocab_size": s.Vocab, "max_position_embeddings": 131072,
		"rope_theta": 500000.0, "bos_token_id": 1, "eos_token_id": 2,
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "config.json"), text, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		text, err := os.ReadFile(filepath.Join(tokenizer, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	shapes, err := model.ReadConfig(out)
	if err != nil {
		return err
	}
	return weights(shapes.Tensors(), filepath.Join(out, "model.safetensors"))
}

// weights writes the tensors one after the other: the whole need not fit in memory.
func weights(tensors []model.Tensor, path string) error {
	header, offset := map[string]any{}, 0
	for _, t := range tensors {
		n := 2
		for _, d := range t.Shape {
			n *= d
		}
		header[t.Name] = map[string]any{"dtype": "BF16", "shape": t.Shape, "data_offsets": []int{offset, offset + n}}
		offset += n
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, t := range tensors {
		if err := values(w, rng, t.Shape); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// values writes ones for a norm, and noise of variance 1/in for a projection.
func values(w io.Writer, rng *rand.Rand, shape []int) error {
	row := make([]byte, 2*shape[len(shape)-1])
	if len(shape) == 1 {
		for i := 0; i < len(row); i += 2 {
			binary.LittleEndian.PutUint16(row[i:], 0x3f80)
		}
		_, err := w.Write(row)
		return err
	}
	sigma := 1 / math.Sqrt(float64(shape[1]))
	noise := make([]byte, 1<<20) // repeated with shifts: drawing all would take longer than training
	for i := 0; i < len(noise); i += 2 {
		binary.LittleEndian.PutUint16(noise[i:], uint16(math.Float32bits(float32(sigma*rng.NormFloat64()))>>16))
	}
	for range shape[0] {
		at := 2 * rng.IntN((len(noise)-len(row))/2)
		if _, err := w.Write(noise[at : at+len(row)]); err != nil {
			return err
		}
	}
	return nil
}
