package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// lacking is what settings were before they existed: the value that a saved recipe
// without them has. A setting that is new belongs here wherever its default is not what
// was done before.
var lacking = map[string]string{
	"use_rslora":   string(Auto), // α/√r for every method there was
	"eval_steps":   "0",
	"eval_samples": "100",
}

// UnmarshalJSON reads a recipe that was saved, by this version or an earlier one. Those
// held all settings; what is no part of the recipe is skipped.
func (r *Recipe) UnmarshalJSON(text []byte) error {
	var saved map[string]json.RawMessage
	if err := json.Unmarshal(text, &saved); err != nil {
		return err
	}
	c := Default()
	for key, value := range lacking {
		if err := c.set(key, value); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		value, err := savedValue(saved[key])
		if err == nil && value != nil { // null is an empty list or map
			err = c.set(key, value)
		}
		if err != nil {
			return hint.New(fmt.Errorf("settings: %w", err), "another version of finetune may know it")
		}
	}
	*r = c.Recipe
	return nil
}

// savedValue returns what set takes for a value of JSON.
func savedValue(raw json.RawMessage) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		list := make([]string, len(v))
		for i := range v {
			list[i] = fmt.Sprint(v[i])
		}
		return list, nil
	case map[string]any:
		m := map[string]string{}
		for key, text := range v {
			m[key] = fmt.Sprint(text)
		}
		return m, nil
	}
	return fmt.Sprint(v), nil
}

// byDigest are the settings of a recipe that a resumed run may spell differently: what
// they do is held by digests of the sequences.
var byDigest = []string{"map", "chat_template", "date"}

// Resumes returns an error for the first setting in which a recipe differs from that
// of the run it is to resume.
func (r *Recipe) Resumes(then *Recipe) error {
	a, b := Config{Recipe: *then}, Config{Recipe: *r}
	for _, key := range keysOf[Recipe]() {
		was, _ := a.value(key)
		is, _ := b.value(key)
		if slices.Contains(byDigest, key) || reflect.DeepEqual(was.Interface(), is.Interface()) {
			continue
		}
		return hint.Newf(fmt.Errorf("%s was %s when this run started and is %s now", key, a.Text(key), b.Text(key)),
			"resume with --%s %s, or begin again with --overwrite", strings.ReplaceAll(key, "_", "-"), a.Text(key))
	}
	return nil
}
