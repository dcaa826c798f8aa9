// Package train fine-tunes a model's adapters on token sequences: order, batches,
// optimizer, evaluation, checkpoints and the output folder. Rows and text are the
// business of train/data; flags and terminals are the command's. It prints nothing:
// what happens is told to the Report function of a [Session].
//
// A step is one optimizer update from one batch (batch_size ×
// gradient_accumulation_steps sequences); a micro-batch is what one backward pass
// covers; an epoch is one pass over the training sequences. An epoch's last batch
// may be smaller.
//
// Decisions:
//
//   - What a step does follows from its number alone: the order, the learning rate
//     and the batch are pure functions of (settings, step). A checkpoint therefore
//     holds no stream of random numbers, and a resumed run gets the same bits.
//   - A loss is a sum of nats divided once by its tokens, never a mean of means.
//     The micro-batch, the threads and the accumulation show in no result.
//   - An adapter appears in the output folder at the end, written elsewhere and
//     verified before; one that stands there is whole until then. Everything needed
//     to go on lies in checkpoints/: whole, checked by checksums, the last one made
//     before the adapter, each with the best adapter so far. A run that is killed
//     anywhere goes on to the same bytes.
//   - One run at a time writes into a folder, held by a lock of the system that ends
//     with the process. Nothing is written through a link.
package train
