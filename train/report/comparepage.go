package report

import "errors"

func (c *Comparison) HTML() ([]byte, error) { return nil, errors.New("not yet") }
