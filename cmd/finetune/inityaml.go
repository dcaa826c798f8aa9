package main

import (
	"strings"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

// yaml writes the settings in the groups of the help page: those that were chosen
// with their reasons, and below them the others as comments, with their defaults.
func (p *proposal) yaml() ([]byte, error) {
	all, err := p.config.YAML()
	if err != nil {
		return nil, err
	}
	values, words := splitKeys(string(all)), settings()
	var b strings.Builder
	b.WriteString(indent("Settings for "+report.OneLine(p.title)+", written by finetune init. Each key is a flag of finetune train too; a flag goes over this file.", "# ", 100))
	for _, group := range []string{groupFiles, groupRows, groupLength, groupLora, groupOptim, groupReport} {
		b.WriteString("\n# ── " + strings.TrimSuffix(group, ":") + "\n")
		var rest []string
		for _, key := range recipe.Keys() {
			value, written := values[key]
			why, chosen := p.why[key]
			switch {
			case words[key].group != group || !written:
			case chosen || p.given[key]:
				b.WriteString("\n" + indent(strings.TrimSpace(words[key].help+" "+report.OneLine(why)), "# ", 100) + value)
			default:
				rest = append(rest, "\n"+indent(words[key].help, "# ", 100)+"# "+strings.ReplaceAll(strings.TrimSuffix(value, "\n"), "\n", "\n# ")+"\n")
			}
		}
		b.WriteString(strings.Join(rest, ""))
	}
	return []byte(b.String()), nil
}

// splitKeys cuts a YAML mapping into its entries, by key.
func splitKeys(text string) map[string]string {
	entries, key := map[string]string{}, ""
	for line := range strings.Lines(text) {
		if !strings.ContainsAny(line[:1], " -}]") {
			key, _, _ = strings.Cut(line, ":")
		}
		entries[key] += line
	}
	return entries
}
