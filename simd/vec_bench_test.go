package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkVectors runs the functions on operands that stay as they are: what
// writes to its input is given numbers that it leaves in their range. The sizes
// are a head, the hidden size, the MLP and the vocabulary of SmolLM2-135M, and a
// row of attention with a tail.
func BenchmarkVectors(b *testing.B) {
	still := AdamW{LR: 1e-9, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Correction1: 0.271, Correction2: 0.0029}
	for _, f := range []struct {
		name string
		run  func(x [][]float32)
	}{
		{"Add", func(x [][]float32) { Add(x[0], x[4]) }},
		{"Scale", func(x [][]float32) { Scale(x[0], 1) }},
		{"Max", func(x [][]float32) { Max(x[0]) }},
		{"Dot", func(x [][]float32) { Dot(x[0], x[1]) }},
		{"ExpSum", func(x [][]float32) { ExpSum(x[0], x[1], 0.25) }},
		{"Softmax", func(x [][]float32) { Softmax(x[0]) }},
		{"SiLUMul", func(x [][]float32) { SiLUMul(x[0], x[1], x[2]) }},
		{"SiLUMulBackward", func(x [][]float32) { SiLUMulBackward(x[0], x[1], x[2], x[3], x[5]) }},
		{"RMSNorm", func(x [][]float32) { RMSNorm(x[0], x[1], x[2], 1e-5) }},
		{"RMSNormBackward", func(x [][]float32) { RMSNormBackward(x[0], x[4], x[2], x[3], 0.7) }},
		{"Rotate", func(x [][]float32) {
			h := len(x[0]) / 2
			Rotate(x[0][:2*h], x[5][:h], x[4][:h])
		}},
		{"AdamW", func(x [][]float32) { still.Step(x[0], x[1], x[2], x[5]) }},
		{"Convert BF16", func(x [][]float32) { Convert(x[0], bytesOf(x[1])[:2*len(x[0])], BF16) }},
		{"Transpose", func(x [][]float32) {
			rows := len(x[0]) / 64
			Transpose(Dense(x[0], 64, rows), Dense(x[1], rows, 64))
		}},
	} {
		for _, n := range []int{64, 201, 576, 1536, 49152} {
			x, _ := operands(rand.New(rand.NewPCG(1, 1)), 6, n, false)
			clear(x[4]) // what is added again and again
			for i := range x[5] {
				x[5][i] = 1
			}
			b.Run(fmt.Sprintf("%s/n=%d", f.name, n), func(b *testing.B) {
				benchEachImpl(b, func(b *testing.B) {
					for b.Loop() {
						f.run(x)
					}
					b.ReportMetric(float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "values/ns")
				})
			})
		}
	}
}
