// Package hub finds model folders in the Hugging Face Hub's ordinary local cache. It
// does not know the network, nor what a model is made of.
//
// A model is named as users of transformers name it: by a folder, or by its id on
// the Hub. A folder of that name comes first, as there. The cache's layout is
// huggingface_hub's: models--ORG--NAME/refs/main holds a commit, and
// snapshots/COMMIT the files, as links into blobs.
package hub
