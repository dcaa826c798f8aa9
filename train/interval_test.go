package train

import (
	"testing"

	"example.com/finetune/model"
)

// Equal differences leave no width; a mixture's interval holds its mean, and the
// seed alone decides it. Rows count by their tokens.
func TestPairedInterval(t *testing.T) {
	var base, same, mixed []model.Loss
	for i := range 50 {
		base = append(base, model.Loss{Sum: float64(10 * (i + 1)), Targets: i + 1})
		same = append(same, model.Loss{Sum: float64(8 * (i + 1)), Targets: i + 1})
		mixed = append(mixed, model.Loss{Sum: float64((5 + i%10) * (i + 1)), Targets: i + 1})
	}
	if d := PairedInterval(base, same, 1); d != (Interval{-2, -2, -2}) {
		t.Errorf("equal differences: %+v", d)
	}
	d := PairedInterval(base, mixed, 1)
	sum, targets := 0, 0
	for i := range 50 {
		sum += (i%10 - 5) * (i + 1)
		targets += i + 1
	}
	if want := float64(sum) / float64(targets); d.Mean != want || !(d.Low < want && want < d.High) {
		t.Errorf("mixed: %+v, want mean %v inside", d, want)
	}
	if width := d.High - d.Low; width < 1 || width > 3 { // ±1.96·2.87/√50, widened by the unequal rows
		t.Errorf("width %v", width)
	}
	if d != PairedInterval(base, mixed, 1) || d == PairedInterval(base, mixed, 2) {
		t.Error("the interval does not follow the seed")
	}
}
