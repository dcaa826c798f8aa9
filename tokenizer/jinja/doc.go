// Package jinja renders the templates that language models bring along, byte for
// byte as jinja2 does under Python: one lexer, one parser, one interpreter. It
// knows the language, its filters, tests and methods, and Python's notions of
// values; it does not know chats, tokens or models.
//
//	source ─ lex ─ parse ─ nodes ─ Render(variables) ─ Text
//
// # Decisions
//
// The environment is the one that transformers 5 sets up: an
// ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop controls and
// {% generation %}, a tojson that keeps characters and the order of keys, and the
// globals raise_exception and strftime_now. There are no files, so include, import
// and extends are errors that name themselves.
//
// A string knows where each of its bytes came from. A value read by FromJSON
// carries an origin, a number that its caller chose; concatenation, slicing,
// stripping, splitting, joining, replacing and formatting keep it byte by byte, and
// the rendered Text lists its pieces. So a caller sees in one rendering what of a
// text is a message and what is the template's.
//
// A template comes from anywhere and is not trusted. Steps, bytes and depth are
// counted against a Budget, each loop and each operation by the size of what it
// touches, so that no template hangs, fills the memory or overflows a stack; the
// count does not depend on the machine. Nothing here panics on a template's mistake.
//
// An error says what Python or jinja2 would say, with the name of the template and
// the line.
//
// # Differences to jinja2
//
// Refused by name: include, import, extends, autoescape with anything but false, lipsum,
// urlize, the methods encode, maketrans and translate, \N{...} in strings, and powers
// that are complex numbers. random gives the first item, since a rendering is to depend
// on its input alone; pprint does not break lines; blocks are rendered where they stand.
//
// Characters are classified by this Go's version of Unicode. The spelling of functions
// and generators has no addresses. Generators are run when they are first looked at, not
// item by item. Markup (safe, escape) escapes what is added to it by +, and by no other
// operation. A slice that is wrong is an error even where jinja2 folds constants and finds
// it undefined. A list that is indented is an error as in Python, which makes the list
// longer before it fails.
package jinja
