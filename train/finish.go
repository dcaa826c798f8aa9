package train

import (
	"fmt"

	"example.com/finetune/loraone/peft"
	"example.com/finetune/model/atomicfile"
)

// finish writes the output folder: what describes the adapter first, the adapter
// last, so that a folder with an adapter is whole.
func (r *run) finish() (*Result, error) {
	st := &r.st
	if st.Validated {
		r.restoreBest()
		if st.BestStep == 0 {
			r.s.Report(Warning{"no step made the validation loss lower than the start: the start itself is saved; a lower learning_rate may help"})
		}
	} else {
		st.BestStep = st.Step
	}
	lines, err := ReadMetrics(r.path(metricsFile))
	if err != nil {
		return nil, err
	}
	p := r.provenance()
	if err := atomicfile.WriteFile(r.path(plotFile), Plot(lines, r.st.BestStep)); err != nil {
		return nil, err
	}
	if has(r.c.OutputDir, cardFile) && !ownCard(r.c.OutputDir) {
		r.s.Report(Warning{fmt.Sprintf("%s is not of a run and stays as it is: no model card is written", r.path(cardFile))})
	} else if err := atomicfile.WriteFile(r.path(cardFile), card(r.c, p, r.s.Data)); err != nil {
		return nil, err
	}
	if err := writeJSON(r.path(provenanceFile), p); err != nil {
		return nil, err
	}
	if err := peft.Save(r.c.OutputDir, r.adapters); err != nil {
		return nil, fmt.Errorf("saving the adapter: %w", err)
	}
	return p.result(r.c.OutputDir), nil
}

// restoreBest puts the best adapter so far back into the layers.
func (r *run) restoreBest() {
	for i, x := range parameters(r.opt.layers) {
		copy(x, r.best[i])
	}
	for _, l := range r.opt.layers {
		l.Sync()
	}
}
