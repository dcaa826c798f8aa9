// Package peft reads and writes LoRA adapters as Hugging Face PEFT keeps them:
// adapter_config.json and adapter_model.safetensors. It does not know training.
//
// # What is written
//
// The smallest configuration that every PEFT since 0.6 loads, and vLLM, TGI and
// llama.cpp with it: no use_rslora (unknown before 0.8, overlooked by llama.cpp),
// no key of our own (fatal in 0.6 to 0.13). The scale s goes into B instead:
// lora_alpha = r, and B' = s·B rounded once. Modules of lower rank than the largest are
// padded with zeros: PEFT knows a rank_pattern, but llama.cpp scales such modules wrongly
// and says nothing, and TGI refuses them.
//
// # What is read
//
// Every configuration that means a plain low-rank adapter, patterns by name included.
// The modules have the scale that the file gives them. Their tensors are checked against
// the projections of a model's configuration; no weights are needed.
//
// # Replacing an adapter
//
// Both files are written into a hidden folder, flushed and read back first: until
// then nothing of the old adapter changes ([Prepare]). Where the
// configuration stays the same, the new weights then take their name in one step.
// Where it changes, the old configuration is removed before and the new one put in
// place after: two names cannot change in one step, and a folder that for a moment
// holds no adapter is better than one whose configuration and weights disagree.
package peft
