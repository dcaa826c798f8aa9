package recipe

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// Keys lists every setting: where things are, the recipe, the machine, the start.
func Keys() []string {
	return slices.Concat(keysOf[Where](), keysOf[Recipe](), keysOf[Machine](), keysOf[Start]())
}

func keysOf[T any]() []string {
	t := reflect.TypeFor[T]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("json")
	}
	return keys
}

// fieldOf says where in a Config the field of each key is.
var fieldOf = func() map[string][]int {
	m := map[string][]int{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if key := f.Tag.Get("json"); key != "" {
			m[key] = f.Index
		}
	}
	return m
}()

// value returns the field that a key names.
func (c *Config) value(key string) (reflect.Value, bool) {
	index, ok := fieldOf[key]
	if !ok {
		return reflect.Value{}, false
	}
	return reflect.ValueOf(c).Elem().FieldByIndex(index), true
}

// Text returns the value of a setting as Set takes it. It panics for what is no key.
func (c *Config) Text(key string) string {
	v, ok := c.value(key)
	if !ok {
		panic(fmt.Sprintf("recipe: no setting %q", key))
	}
	return fmt.Sprint(v.Interface())
}

// Name returns the setting that a key names: underscores for hyphens, and ours for a name
// that other programs have. What no setting has comes back as it is.
func Name(key string) string {
	name := strings.ReplaceAll(key, "-", "_")
	if own, ok := aliasOf[name]; ok {
		return own
	}
	return name
}

// Decides reports whether a setting is part of the recipe: whether it may change the
// result of a run.
func Decides(key string) bool { return slices.Contains(keysOf[Recipe](), key) }

// Whole reports whether a setting is a whole number.
func Whole(key string) bool {
	v, ok := new(Config).value(key)
	return ok && (v.CanInt() || v.CanUint()) && v.Kind() != reflect.Bool
}

// Known returns the error of Set for a key that nobody knows, nil for any other.
func Known(key string) error {
	name := Name(key)
	if _, ok := foreign[name]; ok {
		return nil
	}
	if _, ok := new(Config).value(name); !ok {
		return unknown(key)
	}
	return nil
}

// Switches reports whether a setting is on or off and nothing else.
func Switches(key string) bool {
	v, ok := new(Config).value(key)
	return ok && v.Kind() == reflect.Bool
}

// Set gives a setting the value that a text stands for. key is its name, or one that
// other programs have for it, with underscores or hyphens. Its errors are mistakes of
// usage, see [hint.IsUsage]; what is taken and needs a remark adds to Notes.
func (c *Config) Set(key, text string) error { return c.set(key, text) }

// set is Set for a text, a list of texts, a map of texts or another node of a file.
func (c *Config) set(key string, value any) error {
	name := Name(key)
	if word, ok := foreign[name]; ok {
		return c.setForeign(key, word, value)
	}
	field, ok := c.value(name)
	if !ok {
		return unknown(key)
	}
	if text, ok := value.(string); ok {
		if own, ok := synonyms[name][text]; ok {
			value = own
		}
	}
	if err := assign(field, value); err != nil {
		text := name + " is "
		if _, ok := field.Interface().(Columns); ok {
			text = name + ": "
		}
		return hint.New(hint.Usagef("%s%w", text, err), hint.Of(err))
	}
	if slices.Contains(pathKeys, name) {
		field.SetString(files.Home(field.String()))
	}
	return nil
}

// unknown is the error for a key that nobody knows.
func unknown(key string) error {
	err := hint.Usagef("unknown setting %.60q", key)
	words := append(Keys(), Foreign()...)
	for alias := range aliasOf {
		words = append(words, alias)
	}
	near := Nearest(strings.ReplaceAll(key, "-", "_"), words)
	if near == "" {
		return err
	}
	if own, ok := aliasOf[near]; ok {
		near = own
	}
	return hint.Newf(err, "did you mean %s?", near)
}

// pathKeys are the settings where ~ is the home folder.
var pathKeys = []string{"model", "data", "output_dir", "chat_template", "resume_from", "adapter", "sample_prompts"}

// assign gives a field a value. The text counts as it is typed: 8.5 is no whole
// number, and 010 and 0x10 are none of those that YAML's versions make of them.
func assign(v reflect.Value, value any) (err error) {
	switch value := value.(type) {
	case string:
		return assignText(v, value)
	case []string:
		if names, ok := v.Addr().Interface().(*Names); ok {
			return names.UnmarshalText([]byte(strings.Join(value, ",")))
		}
		return fmt.Errorf("a list, want %s", wanted(v))
	case map[string]string:
		if columns, ok := v.Addr().Interface().(*Columns); ok {
			*columns = value
			return columns.check()
		}
		return fmt.Errorf("a map, want %s", wanted(v))
	}
	return fmt.Errorf("not a plain value, want %s", wanted(v))
}

func assignText(v reflect.Value, text string) (err error) {
	switch p := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	case *string:
		*p = text
	case *int:
		if octal(text) {
			return fmt.Errorf("%.60q, want a whole number without leading zeros", text)
		}
		*p, err = strconv.Atoi(text)
	case *uint64:
		*p, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*p, err = parseFloat(text)
	case *bool:
		*p, err = parseBool(text)
	default:
		panic(fmt.Sprintf("recipe: a setting of type %v", v.Type()))
	}
	if err != nil {
		return fmt.Errorf("%.60q, want %s", text, wanted(v))
	}
	return nil
}

// octal reports whether some version of YAML reads a number as octal.
func octal(text string) bool {
	return len(text) > 1 && text[0] == '0' && !strings.ContainsAny(text, ".eE")
}

// parseFloat takes finite decimal numbers.
func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(text, "xX_")) {
		err = strconv.ErrSyntax
	}
	return x, err
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// wanted says in words what a setting takes.
func wanted(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *Names:
		return "names"
	case *Columns:
		return "field: column pairs"
	case *int:
		return "a whole number"
	case *uint64:
		return "a whole number of at least 0"
	case *float64:
		return "a number"
	case *bool:
		return "true or false"
	}
	return "a plain value"
}

// Nearest returns the candidate that a misspelling most likely meant, or "".
func Nearest(word string, candidates []string) string {
	best, least := "", 1+len(word)/3
	for _, c := range candidates {
		if d := distance(word, c); d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// distance returns how many bytes must be put in, left out or changed to turn a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
