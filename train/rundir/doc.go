// Package rundir is the folder of a run: what lies in it, who may write there, and in
// what order files come and go. It does not know the loop or the optimizer: a state is
// a value to be written as JSON, tensors come as named entries.
//
//	adapter_config.json  adapter_model.safetensors   the adapter, as PEFT loads it
//	README.md  loss.svg  finetune.json               what describes it
//	heldout.jsonl                                    the loss that it has on each validation row
//	run.yaml  metrics.jsonl                          the run's settings and figures
//	events.out.tfevents.finetune                     the figures for TensorBoard, where they are asked for
//	checkpoints/step-000120/                         what a run is resumed from
//
// Decisions:
//
//   - [Look] alone answers what a folder holds. It writes nothing and needs no lock.
//   - [Open] gives the folder to one process, by a lock of the system's that ends with
//     it. Nothing is written through a link.
//   - Whatever is replaced stays whole until what replaces it is whole: a checkpoint
//     takes its name in one step, an adapter of an earlier run stands until the new one
//     has been written elsewhere and verified. A process killed anywhere leaves a folder
//     that can be resumed from.
package rundir
