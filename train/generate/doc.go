// Package generate makes text with a model: a prompt becomes tokens, the tokens go
// through the engine, and what the model says is handed on as it comes. It does not
// know where the model was found, nor who reads the text.
//
// A [Generator] belongs to one engine. A [Prompt] is what the model is to go on from,
// with the tokens that end its answer, which train/data knows: every eos_token_id of
// generation_config.json or config.json, the tokenizer's EOS, and what a chat template
// puts behind an answer. A [Conversation] holds what was said, and renders it anew for
// each question.
//
// Decisions:
//
//   - The keys and values of the last text stay. A prompt that begins with the same
//     tokens computes the others alone: a conversation is rendered anew for each
//     message, since templates write earlier messages differently later, and shares
//     what stayed the same. No bit depends on it.
//   - Many prompts are answered together, in the order of their tokens: each one shares
//     with the one before it all that it shares with any, and goes on from there. A text
//     joins when there is room for its keys and values, and leaves when it ends. Every
//     answer is the one that its prompt has alone, to the bit.
//   - Logits that are not numbers end the text with an error: a damaged model is not to
//     babble.
package generate
