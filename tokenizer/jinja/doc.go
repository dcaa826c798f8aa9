// Package jinja renders the templates that language models bring along, byte for
// byte as jinja2 does under Python: a lexer, and a parser that gives functions to run,
// so that each rule of the language stands beside its meaning. It knows the language,
// its filters, tests and methods, and Python's notions of values; it does not know
// chats, tokens or models.
//
//	source ─ lex ─ parse ─ functions ─ Render(variables) ─ Text
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
// count does not depend on the machine.
//
// Errors are thrown inside of the package, as in text/template, and come out of Parse
// and Render as an *Error: the kind by Python's name, the line, and a message. The
// message is jinja2's own for syntax errors, for what is undefined, unsafe or unknown,
// and for raise_exception; for wrong types and values it is ours.
//
// # Differences to jinja2
//
// Refused by name: include, import, extends, autoescape with anything but false, lipsum,
// urlize, the methods encode, expandtabs, format_map, isidentifier, maketrans and
// translate, \N{...} in strings, and powers that are complex numbers. There are no
// methods and attributes of integers and ranges, and no dict.fromkeys. % knows no * for
// sizes and no %a, format no types c and n and no !a, strftime_now no %U, %W, %V, %G, %C,
// %f, %g, %k, %l and %s. wordwrap does not cut words at hyphens, batch wants a positive number, pprint
// does not break lines, random gives the first item, since a rendering is to depend on its
// input alone, and blocks are rendered where they stand.
//
// Nothing is escaped by itself: there is no Markup, safe gives the text as it is, and
// escape escapes again what was escaped. Generators are run at once. An unknown filter is
// an error of Parse, anywhere inside of an if one of Render. A value of a wrong type is a
// TypeError where Python misses a method, and an undefined one is always an
// UndefinedError. Every name of the form __name__ is unsafe if it is no key.
//
// Characters are classified by this Go's version of Unicode. The spelling of functions
// and generators has no addresses. Powers of floats are those of Go's math.Pow, quotients
// of integers beyond 2^53 and roundings of them to tens are those of floats.
package jinja
