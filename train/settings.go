package train

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ReadYAML sets the settings that the file at path names. An unknown key, a
// value of the wrong type and a key that stands twice are errors with their line.
func (c *Config) ReadYAML(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("opening the settings: %w", err)
	}
	return c.parseYAML(path, text)
}

func (c *Config) parseYAML(name string, text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return usage("", "%s%s", name, yamlError(err))
	}
	keys := Keys()
	for _, doc := range file.Docs {
		for _, v := range mapping(doc.Body) {
			key, at := v.Key.String(), v.Key.GetToken().Position
			if slices.Contains(keys, key) {
				continue
			}
			hint := ""
			if near := nearest(key, keys); near != "" {
				hint = "did you mean " + near + "?"
			}
			return usage(hint, "%s:%d: unknown setting %q", name, at.Line, key)
		}
	}
	if err := yaml.UnmarshalWithOptions(text, c, yaml.Strict()); err != nil {
		return usage("", "%s%s", name, yamlError(err))
	}
	return nil
}

// mapping returns the entries of a YAML mapping.
func mapping(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// yamlError is the text of an error without the lines of the file around it,
// ready to follow the file's name.
func yamlError(err error) string {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Sprintf(":%d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return ": " + err.Error()
}

// YAML returns the settings as a file that runs them again. The switches of one
// start (resume, resume_from, overwrite) are left out.
func (c *Config) YAML() ([]byte, error) {
	d := *c
	d.Resume, d.ResumeFrom, d.Overwrite = false, "", false
	return yaml.MarshalWithOptions(&d, yaml.CustomMarshaler(plainFloat))
}

// plainFloat writes 1e-08 as 1.0e-08: without the point YAML 1.1 reads a text.
func plainFloat(v float64) ([]byte, error) {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if e := strings.IndexByte(s, 'e'); e >= 0 && !strings.Contains(s, ".") {
		s = s[:e] + ".0" + s[e:]
	}
	return []byte(s), nil
}

// Keys lists every setting in its order.
func Keys() []string {
	text, err := yaml.Marshal(&Config{Resume: true, ResumeFrom: "x", Overwrite: true})
	if err != nil { // a constant
		panic(fmt.Sprintf("train: %v", err))
	}
	var m yaml.MapSlice
	if err := yaml.Unmarshal(text, &m); err != nil {
		panic(fmt.Sprintf("train: %v", err))
	}
	var keys []string
	for _, item := range m {
		keys = append(keys, item.Key.(string))
	}
	return keys
}

// nearest returns the candidate that a misspelling most likely meant, or "".
func nearest(word string, candidates []string) string {
	best, least := "", 1+len(word)/3
	for _, c := range candidates {
		if d := distance(word, c); d < least {
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
