package safetensors

// A hintError carries advice, which a program may show below the error.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }
func (e hintError) Hint() string  { return e.hint }

const (
	pickleHint = "save the model as safetensors: save_pretrained(folder) in transformers"
	alignHint  = "save the model again with today's safetensors, which aligns the data"
)
