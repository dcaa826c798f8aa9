// Package train fine-tunes a model's adapters on token sequences: order, batches,
// optimizer, evaluation. It prints nothing: what happens is told to the Report function
// of a [Session], and how a run ended is its [Outcome]. It knows no flags and no
// terminal, no text (train/data makes tokens of rows) and no file of the output folder:
// settings are train/recipe's, the folder is train/rundir's, cards and curves are
// train/report's.
//
// A step is one optimizer update from one batch (batch_size ×
// gradient_accumulation_steps sequences); a micro-batch is what one backward pass
// covers; an epoch is one pass over the training sequences. An epoch's last batch
// may be smaller.
//
// A run reads from top to bottom: [NewSession] checks (session.go), Run takes the
// folder (run.go), prepares from a checkpoint or from nothing (begin.go), loops (loop.go,
// evaluate.go), and finishes (finish.go). A run may begin from a finished adapter instead of
// a method's start (adapter.go), and one that has ended may be given more steps.
//
// Beside runs it has what leads to them and what judges them: settings that suit some
// rows (propose.go), the difference of two losses with its interval (interval.go), and
// what a model answers to rows that were held out, scored (answers.go). A run says such
// things too where it is asked to (speak.go), to the same bits of its adapter.
//
// Decisions:
//
//   - What a step does follows from its number alone: the order, the learning rate
//     and the batch are pure functions of (settings, step), see schedule.go. A checkpoint
//     therefore holds no stream of random numbers, and a resumed run gets the same bits.
//   - How often a run evaluates, and on how many rows, is chosen by tokens and never by a
//     clock (evaluations.go), and written down when the run begins: it is the same on
//     every machine, and when the run is given more. How long all takes is another matter
//     (pace.go).
//   - A loss is a sum of nats divided once by its tokens, never a mean of means.
//     The micro-batch, the threads and the accumulation show in no result.
//   - A step counts once it is done: an interrupted run has finished its step, and what
//     was computed from a weight file that changed is thrown away. The state has a
//     revision, so that it is saved when it must be and only then.
package train
