// Package hub finds model folders in the Hugging Face Hub's ordinary local cache,
// fetches them into it, and uploads adapters. It does not know what a model is made
// of, beyond the names of its files.
//
// A model is named as users of transformers name it: by a folder, or by its id on
// the Hub. A folder of that name comes first, as there.
//
// # The cache
//
// Its layout is huggingface_hub's (2.4.0), so that Python finds what is fetched here
// and the other way round:
//
//	CACHEDIR.TAG
//	.locks/models--ORG--NAME/ETAG.lock          held while ETAG is fetched
//	models--ORG--NAME/refs/main                 a commit
//	models--ORG--NAME/snapshots/COMMIT/…        links into blobs
//	models--ORG--NAME/blobs/ETAG                contents, or links into the shared store
//	models--ORG--NAME/trees/COMMIT.json         all files of the commit
//	blobs/HH/HASH                               the store that all repositories share
//
// ETAG is the sha256 of a large file and git's sha1 of a small one, so that every file
// is verified by its own name. It is written as ETAG.incomplete, which stays when a
// download ends early, and is gone on with by the next one. The reference is written
// last: what it leads to is whole.
//
// # The network
//
// No other package of the module imports net/http, and only [Client] opens
// connections. Its token goes to the Hub's own host and never along a redirect to
// another. An answer that may be different the next time is asked for again, after a
// pause or when the Hub says; others become errors with a hint.
package hub
