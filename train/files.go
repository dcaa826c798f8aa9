package train

import (
	"encoding/json"
	"fmt"
	"os"

	"example.com/finetune/internal/files"
)

func encodeJSON(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

func writeJSON(path string, v any) error {
	text, err := encodeJSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return files.Write(path, text)
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
