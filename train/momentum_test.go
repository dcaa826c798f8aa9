package train

import (
	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
)

// Gradient descent with momentum is another optimizer in one file and one row.
func init() {
	optim.Kinds = append(optim.Kinds, &optim.Kind{
		Name: "momentum", Title: "gradient descent with momentum", Beta1: 0.9, Beta2: 0.9,
		Rate: func(int, float64) float64 { return 0.1 },
		New: func(s optim.Settings, modules []loraone.Module) (optim.Rule, error) {
			o := &momentum{beta: float32(s.Beta1)}
			for _, m := range modules {
				var list []*loraone.Param
				for _, p := range m.Params() {
					list = append(list, &loraone.Param{Name: "velocity." + p.Name, Rows: p.Rows, Cols: p.Cols, Value: make([]float32, len(p.Value))})
				}
				o.params, o.velocity = append(o.params, m.Params()), append(o.velocity, list)
			}
			return o, nil
		},
	})
}

type momentum struct {
	beta, rate       float32
	params, velocity [][]*loraone.Param // of each module
}

func (o *momentum) Begin(_ int, rate float64) { o.rate = float32(rate) }

func (o *momentum) Prepare(int) error { return nil }

func (o *momentum) Update(module int) {
	for i, p := range o.params[module] {
		v := o.velocity[module][i].Value
		simd.Scale(v, o.beta)
		simd.Scale(p.Grad, -o.rate)
		simd.Add(v, p.Grad)
		simd.Add(p.Value, v)
	}
}

func (o *momentum) State() []*loraone.Param {
	var list []*loraone.Param
	for _, v := range o.velocity {
		list = append(list, v...)
	}
	return list
}
