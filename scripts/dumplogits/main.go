// Command dumplogits writes the token ids, masks, logits and losses of rows as
// finetune computes them, for scripts/peft_check.py to compare with PEFT.
//
//	dumplogits -model DIR -adapter DIR -data rows.jsonl -map prompt=question,completion=answer -out FILE.safetensors
package main

import (
	"flag"
	"fmt"
	"os"

	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/train/data"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

func main() {
	dir := flag.String("model", "", "model folder")
	adapter := flag.String("adapter", "", "adapter folder")
	rows := flag.String("data", "", "rows, as finetune train takes them")
	columns := flag.String("map", "", "renamed columns")
	out := flag.String("out", "", "the file to write")
	flag.Parse()
	if err := run(*dir, *adapter, *rows, *columns, *out); err != nil {
		fmt.Fprintln(os.Stderr, "dumplogits:", err)
		os.Exit(1)
	}
}

func run(dir, adapter, rows, columns, out string) error {
	m, err := opened.Open(opened.Options{Model: dir, Adapter: adapter, Adjust: func(c *recipe.Config, _ *rundir.Provenance) error {
		*c = recipe.Default()
		return nil
	}})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Load(); err != nil {
		return err
	}
	seqs, err := sequences(m, rows, columns)
	if err != nil {
		return err
	}
	return safetensors.Write(out, dump(m.Engine(), seqs), nil)
}

// sequences reads and tokenises all rows, none cut or dropped.
func sequences(m *opened.Model, path, columns string) ([]model.Sequence, error) {
	renamed, err := data.ParseColumns(columns)
	if err != nil {
		return nil, err
	}
	options := data.Options{Template: m.Template, TrainOn: data.Answers, MaxLength: 4096, Overlong: data.Refuse}
	set, err := data.Open(path, renamed, m.Tokenizer, options, m.Pool, nil)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	if set.Len() != set.Stats.Rows {
		return nil, fmt.Errorf("%s: %d of %d rows have nothing to train", path, set.Stats.Rows-set.Len(), set.Stats.Rows)
	}
	return set.All()
}

// dump returns ids.N, learn.N (0 or 1), logits.N (T×V) and loss.N (mean nats) of sequence N.
func dump(e *model.Engine, seqs []model.Sequence) []safetensors.Entry {
	var list []safetensors.Entry
	for n, s := range seqs {
		add := func(name string, data []float32, shape ...int) {
			list = append(list, safetensors.Entry{Name: fmt.Sprintf("%s.%d", name, n), Shape: shape, Data: data})
		}
		ids, learn := make([]float32, len(s.IDs)), make([]float32, len(s.IDs))
		for i, id := range s.IDs {
			ids[i] = float32(id)
			if s.Mask[i] {
				learn[i] = 1
			}
		}
		logits, loss := e.Logits(s.IDs), e.Loss([]model.Sequence{s})[0]
		add("ids", ids, len(ids))
		add("learn", learn, len(learn))
		add("logits", logits.Data, logits.Rows, logits.Cols)
		add("loss", []float32{float32(loss.Sum / float64(loss.Targets))}, 1)
	}
	return list
}
