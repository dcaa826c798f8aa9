package loraone

// LoRA is the ordinary start: A uniform, B zero (arXiv 2106.09685). Its scale here is
// α/√r.
var LoRA = &Method{
	Name: "lora", Title: "ordinary LoRA start",
	LeavesBase: true,
	Optimizer:  "preconditioned-adamw",
	Scale:      ByRoot,
	New:        newLayer, Size: LayerSize,
	Start: func(m Module, g *Given) (int, error) {
		m.(*Layer).ordinaryStart(g.Seed, 0)
		return 0, nil
	},
}

// LoRAPlus is LoRA with a rate for B that is a multiple of A's (arXiv 2402.12354): PEFT's
// loraplus_lr_ratio, 16 as in the paper. The rate is lower for it: B's is twice that of adamw.
var LoRAPlus = &Method{
	Name: "loraplus", Title: "ordinary LoRA start, LoRA+ (arXiv 2402.12354)",
	LeavesBase: true,
	Optimizer:  "adamw", Rate: 5e-4, Rates: map[string]float64{"B": 16},
	Scale: LoRA.Scale,
	New:   newLayer, Size: LayerSize,
	Start: LoRA.Start,
}
