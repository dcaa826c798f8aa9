// Package opened finds and opens a model for whatever is to be done with it: the
// folder, its small files, the adapter and what is known of its making, and last the
// weights. Every command and script opens models here. It does not know rows of data,
// nor what the model is for.
//
// The order is that of cost: [Open] reads small files, [Model.Load] maps the weights
// and checks them by their headers, so that a model that cannot be used is refused
// before any row is read.
package opened
