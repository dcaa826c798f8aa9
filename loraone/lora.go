package loraone

import "example.com/finetune/model"

// LoRA is the ordinary start: A uniform, B zero (arXiv 2106.09685). Its scale here is
// α/√r.
var LoRA = &Method{
	Name: "lora", Title: "Ordinary LoRA start", Optimizer: "adamw",
	LeavesBase: true,
	Scale:      ByRoot,
	New:        newLayer, Size: LayerSize,
	Start: func(m Module, g *Given) (int, error) {
		m.(*Layer).ordinaryStart(g.Seed, 0)
		return 0, nil
	},
}

func newLayer(at model.Projection, r int, scale float64) Module { return NewLayer(at, r, scale) }
