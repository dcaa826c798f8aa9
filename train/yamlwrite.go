package train

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML returns the settings as a file that runs them again. The switches of one
// start (resume, resume_from, overwrite) are left out.
func (c *Config) YAML() ([]byte, error) {
	d := *c
	d.Resume, d.ResumeFrom, d.Overwrite = false, "", false
	return yaml.MarshalWithOptions(&d, yaml.CustomMarshaler(plainFloat), yaml.CustomMarshaler(quoted))
}

// plainFloat writes 1e-08 as 1.0e-08: without the point YAML 1.1 reads a text.
func plainFloat(v float64) ([]byte, error) {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if e := strings.IndexByte(s, 'e'); e >= 0 && !strings.Contains(s, ".") {
		s = s[:e] + ".0" + s[e:]
	}
	return []byte(s), nil
}

// plainText are the texts that no version of YAML takes for anything but a text.
var plainText = regexp.MustCompile(`^(\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./-]*$`)

// yamlWords are those that some version of YAML takes for something else.
var yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// quoted writes a text in quotes where it needs them. The library's own choice loses
// line breaks.
func quoted(s string) ([]byte, error) {
	if plainText.MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return []byte(s), nil
	}
	return json.Marshal(s)
}
