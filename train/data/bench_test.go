package data

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/finetune/simd"
)

// BenchmarkOpen reads a file of rows to its index in memory, in bytes of the file.
func BenchmarkOpen(b *testing.B) {
	const words = "the bat and the ball were thrown at the wall by the other one"
	for _, c := range []struct{ name, row string }{
		{"prompts", `{"prompt": "%d ` + words + `", "completion": "` + words + ` ` + words + `"}`},
		{"chats", `{"messages": [{"role": "user", "content": "%d ` + words + `"}, {"role": "assistant", "content": "` + words + `"}, {"role": "user", "content": "` + words + `"}, {"role": "assistant", "content": "` + words + `"}]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			var rows strings.Builder
			for i := range 4000 {
				fmt.Fprintf(&rows, c.row+"\n", i)
			}
			path := b.TempDir() + "/a.jsonl"
			if err := os.WriteFile(path, []byte(rows.String()), 0o644); err != nil {
				b.Fatal(err)
			}
			tok, template := load(b)
			p := simd.NewPool(1)
			defer p.Close()
			b.SetBytes(int64(rows.Len()))
			b.ReportAllocs()
			for b.Loop() {
				set, err := Open(path, nil, tok, Options{Template: template, TrainOn: "assistant", MaxLength: 1000}, p, nil)
				if err != nil {
					b.Fatal(err)
				}
				_ = set.Close()
			}
		})
	}
}
