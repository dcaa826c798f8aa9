package ollama

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// own returns a model's own template as a Render.
func own(t *testing.T, source, bos, eos string) Render {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, v any) {
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("tokenizer.json", map[string]any{"model": map[string]any{"type": "BPE", "vocab": map[string]int{bos: 0, eos: 1}, "merges": []string{}}})
	write("tokenizer_config.json", map[string]any{"bos_token": bos, "eos_token": eos, "chat_template": source})
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := chat.Load(dir, "auto", time.Unix(0, 0), tok)
	if err != nil {
		t.Fatal(err)
	}
	return func(messages []Message) (string, error) {
		var c chat.Conversation
		for _, m := range messages {
			c.Messages = append(c.Messages, chat.Message{Role: m.Role, Content: m.Content})
		}
		return tpl.Render(c, true)
	}
}

// families are templates as models carry them.
var families = map[string]struct{ source, bos, eos, begin string }{
	"chatml": {source: `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`},
	"smollm2": {source: `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`},
	"llama2":  {source: `{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}`, begin: "<s>"},
	"llama3":  {source: `{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}`, bos: "<|begin_of_text|>", begin: "<|begin_of_text|>"},
	"mistral": {source: `{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}`, begin: "<s>"},
	"zephyr":  {source: "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"},
	"qwen2":   {source: `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`},
	"gemma":   {source: `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}`, begin: "<s>"},
	"phi3":    {source: `{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}`},
}

// unproved are templates that are said to have none here, and why.
var unproved = map[string]struct{ source, want string }{
	"thoughts": {`{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and not loop.last %}{{ m.content[:3] }}{% else %}{{ m.content }}{% endif %}{% endfor %}<assistant>`, "changes what stands before it"},
	"counts":   {`{{ messages | length }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>`, "changes what stands before it"},
	"braces":   {`{% for m in messages %}<{{ m.role }}>{{ '{{' }}{{ m.content }}{% endfor %}<assistant>`, "cannot stand in a Modelfile"},
	"escapes":  {`{% for m in messages %}<{{ m.role }}>{{ m.content | e }}{% endfor %}<assistant>`, "comes out otherwise"},
	"behind":   {`{% for m in messages %}{% if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}{% endfor %}<assistant>`, "not written before"},
}

func TestFamilies(t *testing.T) {
	for name, f := range families {
		bos, eos := f.bos, f.eos
		if bos == "" {
			bos = "<s>"
		}
		if eos == "" {
			eos = "</s>"
		}
		if text, err := Template(own(t, f.source, bos, eos), f.begin); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	for name, f := range unproved {
		text, err := Template(own(t, f.source, "<s>", "</s>"), "")
		if err == nil || text != "" || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: %v, want %q", name, err, f.want)
		}
	}
}

// TestProofSees: a template that is right for some chats alone is not written.
func TestProofSees(t *testing.T) {
	base := families["smollm2"]
	render := own(t, base.source, "<s>", "</s>")
	for name, change := range map[string]func(chat []Message, text string) string{
		"escapes":     func(_ []Message, text string) string { return strings.ReplaceAll(text, "&", "&amp;") },
		"long chats":  func(chat []Message, text string) string { return text + strings.Repeat(".", len(chat)/7) },
		"system text": func(_ []Message, text string) string { return strings.ReplaceAll(text, "pirate", "Pirate") },
	} {
		_, err := Template(func(chat []Message) (string, error) {
			text, err := render(chat)
			return change(chat, text), err
		}, "")
		if err == nil || !strings.Contains(err.Error(), "comes out otherwise") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Template(render, "<s>"); err == nil || !strings.Contains(err.Error(), `does not begin with "<s>"`) {
		t.Errorf("another beginning: %v", err)
	}
	failing := errors.New("no")
	if _, err := Template(func([]Message) (string, error) { return "", failing }, ""); !errors.Is(err, failing) {
		t.Errorf("a template that fails: %v", err)
	}
}

func TestModelfile(t *testing.T) {
	got := Modelfile{From: "./base.gguf", Adapter: "./adapter.gguf", Template: "{{ .Prompt }}\n", Stops: []string{"<|im_end|>", "a\"b"}}.String()
	want := "FROM ./base.gguf\nADAPTER ./adapter.gguf\nTEMPLATE \"\"\"{{ .Prompt }}\n\"\"\"\nPARAMETER stop \"<|im_end|>\"\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
