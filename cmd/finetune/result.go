package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/finetune/simd"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
)

// kernels names the instruction set as people write it.
func kernels() string {
	if k := simd.Kernels(); k != "go" {
		return strings.ToUpper(k)
	}
	return "plain Go"
}

// printResult writes what a run came to on standard output.
func printResult(u *ui, j *job, r *train.Result) error {
	dir := j.config.OutputDir
	if err := printLosses(u, r); err != nil {
		return err
	}
	if err := u.printf("adapter  %s\n", dir); err != nil {
		return err
	}
	return u.printf("try it   %s generate --adapter %s --prompt %s\n", program(), quote(dir), quote(samplePrompt(j)))
}

func printLosses(u *ui, r *train.Result) error {
	if !r.Validated {
		return u.printf("training loss %.4f at step %d (no validation rows)\n\n", r.TrainLoss, r.Steps)
	}
	after := fmt.Sprintf("best at step %d of %d", r.BestStep, r.Steps)
	if r.StoppedEarly {
		after += ", stopped early"
	}
	rows := []struct {
		what, note string
		loss       float64
	}{
		{"base", "", r.Base},
		{"after the start", "", r.Start},
		{"after training", after, r.Best},
	}
	var b strings.Builder
	b.WriteString("validation       loss    perplexity\n")
	for _, row := range rows {
		line := fmt.Sprintf("%-15s  %-6.4f  %-10s  %s", row.what, row.loss, perplexityText(row.loss), row.note)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return u.printf("%s\n", b.String())
}

func perplexity(loss float64) float64 { return math.Exp(loss) }

func perplexityText(loss float64) string {
	if p := perplexity(loss); p < 1e6 {
		return fmt.Sprintf("%.4g", p)
	}
	return fmt.Sprintf("%.2e", perplexity(loss))
}

// samplePrompt returns a prompt in the manner of the data where there is no chat
// template, else a greeting.
func samplePrompt(j *job) string {
	const longest = 120 // bytes: one line of a terminal with the command before it
	if j.data == nil || j.template != nil && j.data.Files[0].Format != data.Text {
		return "Hello"
	}
	set := j.data.Train
	if j.data.Valid != nil {
		set = j.data.Valid
	}
	for i := range min(set.Len(), 100) {
		s, err := set.Sequence(i)
		if err != nil {
			break
		}
		text := ""
		if j.data.Files[0].Format == data.Text {
			words := strings.Fields(j.tok.Decode(s.IDs, true))
			text = strings.Join(words[:min(5, len(words))], " ")
		} else if n := slices.Index(s.Learn, true); n > 0 {
			text = strings.TrimSpace(j.tok.Decode(s.IDs[:n], true))
		}
		if text != "" && len(text) <= longest && !strings.ContainsAny(text, "\n\"'") {
			return text
		}
	}
	return "Hello"
}
