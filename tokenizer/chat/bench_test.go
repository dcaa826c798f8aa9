package chat

import "testing"

// BenchmarkSpans renders a row of GSM8K, and one with tools, with their spans.
func BenchmarkSpans(b *testing.B) {
	row := chat("user", "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did Natalia sell altogether in April and May?",
		"assistant", "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nNatalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72")
	tok := loadStories(b)
	for _, c := range []struct {
		template, name string
		conv           Conversation
	}{{"chatml", "row", row}, {"llama3", "row", row}, {"llama3", "tools", toolChat}, {"qwen", "row", row}, {"qwen", "tools", toolChat}} {
		tpl := testTemplate(b, tok, c.template+".jinja")
		b.Run(c.template+"/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tpl.RenderSpans(c.conv, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
