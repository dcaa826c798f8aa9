package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/tokenizer/chat"
)

// A Question is what a file asks a model: a prompt, or messages.
type Question struct {
	Origin
	Prompt   string
	Messages []chat.Message // none for a prompt
}

// ReadQuestions reads a file of prompts: one a line of a .txt file; elsewhere rows with
// "prompt", or with "messages", of which a last one of the assistant's is left out, and
// so is everything else of a row. Blank lines are skipped. All mistakes are counted.
func ReadQuestions(path string) (list []Question, err error) {
	if err := checkExtension(path); err != nil {
		return nil, err
	}
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the prompts: %w", err)
	}
	defer f.Close()
	mistakes := Mistakes{file: path}
	read := func(row raw) error {
		q := Question{Origin: Origin{path, row.line}}
		err := row.err
		if err == nil {
			err = row.advise(q.read(row.text))
		}
		if err != nil {
			mistakes.add(hint.New(fmt.Errorf("%v: %w", q.Origin, err), hint.Of(err)))
			return nil
		}
		list = append(list, q)
		return nil
	}
	if extension(path) == ".txt" {
		list, err = linesOf(path, f, &mistakes)
	} else {
		err = scan(path, f, read)
	}
	switch {
	case err != nil:
		return nil, err
	case mistakes.Total > 0:
		return nil, &mistakes
	case len(list) == 0:
		return nil, fmt.Errorf("%s: no prompts", path)
	}
	return list, nil
}

// linesOf reads the lines of a text, each of them a prompt.
func linesOf(path string, in io.Reader, mistakes *Mistakes) (list []Question, err error) {
	s := &source{name: path, in: bufio.NewReader(in)}
	if err := s.skipMark(); err != nil {
		return nil, err
	}
	for line := 1; ; line++ {
		text, err := s.line()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		switch prompt := strings.TrimRight(string(text), "\r\n"); {
		case !utf8.ValidString(prompt):
			mistakes.add(fmt.Errorf("%s:%d: not valid UTF-8", path, line))
		case strings.TrimSpace(prompt) != "":
			list = append(list, Question{Origin: Origin{path, line}, Prompt: prompt})
		}
		if err != nil {
			return list, nil
		}
	}
}

// read reads a row.
func (q *Question) read(text string) error {
	v, err := jsontree.Parse(text)
	switch {
	case err != nil:
		return err
	case v.Kind() != jsontree.Object:
		return v.Wrong("an object")
	case v.Has("messages"):
		return q.readMessages("messages", v.Get("messages"))
	case v.Get("prompt").Kind() == jsontree.List:
		return q.readMessages("prompt", v.Get("prompt"))
	case v.Has("prompt"):
		q.Prompt, err = stringOf("prompt", v.Get("prompt"))
		return err
	}
	return errors.New(`neither "prompt" nor "messages"; found ` + names(v))
}

func (q *Question) readMessages(name string, v jsontree.Value) error {
	row := new(Row)
	list, err := row.list(name, v, row.message)
	if err != nil {
		return err
	}
	if n := len(list); list[n-1].assistant() {
		list = list[:n-1]
	}
	if len(list) == 0 {
		return fmt.Errorf("%q has no message to answer", name)
	}
	for _, m := range list {
		q.Messages = append(q.Messages, m.Message)
	}
	return nil
}
