// Package mlx writes adapters as mlx-lm reads them: adapters.safetensors and
// adapter_config.json, of the same name as PEFT's and with other content, so that the
// files have a folder of their own. It does not know how they are trained.
//
// The format is that of mlx_lm/tuner/utils.py (load_adapters) and lora.py at d78bf58:
// y += scale·(x·a)·b, so a and b are PEFT's A and B transposed, and one rank, one scale
// and one list of modules hold for all of the last num_layers blocks. A module that is
// listed and not in the file would keep a random a; all are written, with zeros where an
// adapter has none.
package mlx
