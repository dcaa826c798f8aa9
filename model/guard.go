package model

import "example.com/finetune/model/safetensors"

// Guard calls f, which computes with the model, and turns a fault in the reading of
// a weight into an error that names it: its file was cut short while it was mapped.
// It covers the calling goroutine and every pool whose workers set PanicOnFault.
func (m *Model) Guard(f func() error) error {
	return safetensors.Guard(m.weightAt, f)
}

// weightAt names the weight that lies at an address.
func (m *Model) weightAt(address uintptr) string {
	prefix := m.Dir + ": tensor "
	for _, l := range m.Linears() {
		if safetensors.Within(l.W.Data, address) {
			return prefix + l.Name + ".weight"
		}
	}
	if safetensors.Within(m.EmbedTokens.Data, address) {
		return prefix + "model.embed_tokens.weight"
	}
	if safetensors.Within(m.LMHead.Data, address) {
		return prefix + "lm_head.weight"
	}
	return ""
}
