package rundir

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// readEvents reads a file of events by the format's description, and returns the steps
// of each tag and their values.
func readEvents(t *testing.T, path string) (values map[string]map[int]float32, times []float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]map[int]float32{}
	sum := func(data []byte) uint32 {
		c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
		return (c>>15 | c<<17) + 0xa282ead8
	}
	for first := true; len(b) > 0; first = false {
		n := binary.LittleEndian.Uint64(b)
		data := b[12 : 12+n]
		if binary.LittleEndian.Uint32(b[8:]) != sum(b[:8]) || binary.LittleEndian.Uint32(b[12+n:]) != sum(data) {
			t.Fatal("a checksum is wrong")
		}
		b = b[16+n:]
		step := 0
		fields(t, data, func(number int, v uint64, text []byte) {
			switch number {
			case 1:
				times = append(times, math.Float64frombits(v))
			case 2:
				step = int(v)
			case 3:
				if !first || string(text) != "brain.Event:2" {
					t.Errorf("version %q", text)
				}
			case 5:
				fields(t, text, func(_ int, _ uint64, value []byte) {
					tag, simple := "", float32(0)
					fields(t, value, func(number int, v uint64, text []byte) {
						if number == 1 {
							tag = string(text)
						} else {
							simple = math.Float32frombits(uint32(v))
						}
					})
					if values[tag] == nil {
						values[tag] = map[int]float32{}
					}
					if _, twice := values[tag][step]; twice {
						t.Errorf("%s has step %d twice", tag, step)
					}
					values[tag][step] = simple
				})
			}
		})
	}
	return values, times
}

// fields calls a function for each field of a protocol buffer.
func fields(t *testing.T, b []byte, each func(number int, v uint64, text []byte)) {
	t.Helper()
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		b = b[n:]
		var v uint64
		var text []byte
		switch key & 7 {
		case 0:
			v, n = binary.Uvarint(b)
		case 1:
			v, n = binary.LittleEndian.Uint64(b), 8
		case 2:
			length, m := binary.Uvarint(b)
			text, n = b[m:m+int(length)], m+int(length)
		case 5:
			v, n = uint64(binary.LittleEndian.Uint32(b)), 4
		default:
			t.Fatalf("wire type %d", key&7)
		}
		each(int(key>>3), v, text)
		b = b[n:]
	}
}

// The events are the figures, and a resumed run has no step twice: they are cut where
// the figures are.
func TestEvents(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Begin([]byte("model: m\n")); err != nil {
		t.Fatal(err)
	}
	started := time.Unix(1_700_000_000, 0)
	loss := func(x float64) *float64 { return &x }
	add := func(d *Dir, step int) {
		t.Helper()
		m := Metric{Step: step, Loss: loss(1 / float64(step+1)), LearningRate: loss(0.5), Seconds: float64(step)}
		if step == 0 {
			m = Metric{EvalLoss: loss(2), BaseEvalLoss: loss(3)}
		}
		if err := d.Record(m); err != nil {
			t.Fatal(err)
		}
	}
	add(d, 0)
	if err := d.TensorBoard(started); err != nil { // asked for later: what was before is there too
		t.Fatal(err)
	}
	var cut int64
	for step := 1; step < 6; step++ {
		add(d, step)
		if step == 3 {
			if cut, err = d.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, EventsFile)
	values, times := readEvents(t, file)
	if len(values["train/loss"]) != 5 || values["train/loss"][3] != 0.25 || values["eval/loss"][0] != 2 || values["eval/base_loss"][0] != 3 || values["train/learning_rate"][5] != 0.5 || len(values) != 4 {
		t.Errorf("%v", values)
	}
	if len(times) != 7 || times[0] != 1.7e9 || times[6] != 1.7e9+5 {
		t.Errorf("times %v", times)
	}

	d = &Dir{path: path}
	if _, err = d.openMetrics(cut); err == nil {
		err = d.TensorBoard(started)
	}
	if err != nil {
		t.Fatal(err)
	}
	add(d, 4)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if values, _ := readEvents(t, file); len(values["train/loss"]) != 4 || values["eval/loss"][0] != 2 {
		t.Errorf("cut back: %v", values)
	}
}

// The frame is the one that TensorFlow writes: the checksum of RFC 3720's 32 bytes of
// zero, masked, and a record of a length that is known.
func TestRecord(t *testing.T) {
	if zeros := uint32(0x8a9136aa); checksum(make([]byte, 32)) != (zeros>>15|zeros<<17)+0xa282ead8 {
		t.Errorf("%#x", checksum(make([]byte, 32)))
	}
	if got := hex.EncodeToString(record([]byte("x"))[:8]); got != "0100000000000000" {
		t.Error(got)
	}
}
