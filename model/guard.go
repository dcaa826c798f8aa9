package model

import "example.com/finetune/model/safetensors"

// Guard calls f, which computes with the model, and turns a fault in the reading of
// a weight into an error that names its file and tensor: the file was cut short while
// it was mapped. It covers the calling goroutine and every pool whose workers set
// PanicOnFault. A weight file that was written to meanwhile is an error as well.
func (m *Model) Guard(f func() error) error {
	if m.files == nil {
		return f()
	}
	return m.files.GuardAs(m.weightAt, f)
}

// Unchanged returns an error if a weight file was written to since [Load].
func (m *Model) Unchanged() error {
	if m.files == nil {
		return nil
	}
	return m.files.Unchanged()
}

// weightAt names the file and the weight that lie at an address.
func (m *Model) weightAt(address uintptr) string {
	path := m.files.At(address)
	if path == "" {
		return ""
	}
	for _, l := range m.Linears() {
		if safetensors.Within(l.W.Data, address) {
			return path + ": tensor " + l.Stored + ".weight"
		}
	}
	if safetensors.Within(m.EmbedTokens.Data, address) {
		return path + ": tensor " + m.Config.embedName()
	}
	if safetensors.Within(m.LMHead.Data, address) {
		return path + ": tensor " + m.Config.headName()
	}
	return path
}
