// Package chat turns conversations into the text that a model reads, with the model's
// own chat template as transformers 5 renders it, and says which of that text the
// model is to learn to write. It does not know token ids, files of rows, or training.
//
// # What is trained
//
// What the model itself has to write: everything from the end of the generation prompt
// to the end of the message. So an empty <think></think> block, a channel or recipient
// header and white space at an answer's beginning are trained, and every marker that
// closes the message, whether a special token or plain text; the prompt is not, nor is
// white space behind the last marker.
//
//   - {% generation %} blocks win where a template writes any;
//   - a message starts where the rendering of the messages before it, with the
//     generation prompt, ends, if that is a prefix of the whole. Where it is none, since
//     a template writes earlier messages in another way later, it starts with what the
//     template made of the message itself, which the origins of package jinja tell;
//   - it ends where the pass of the template's loop over messages that wrote it ends,
//     which the pieces of the rendering tell; in a template without such a loop, where
//     the rendering up to and with the message ends. A generation prompt that a template
//     appends to every rendering is not part of it.
//
// Where a template writes what tools answered into the assistant's message, as Gemma 4's
// does with the messages behind it and with a key tool_responses, that is left out: the
// message is trained up to where it ends without those answers, and again from where its
// own text goes on behind them.
//
// A message whose text cannot be told apart is not trained, and reported.
//
// # Decisions
//
// A template that takes no notice of add_generation_prompt and writes a header before
// each message has that header trained: at generation the model must write it too.
//
// Keys of messages whose value is null are dropped before rendering, and a conversation
// without messages is an error, both as in transformers.
package chat
