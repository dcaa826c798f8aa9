package rundir

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"time"
)

// EventsFile holds the figures of metrics.jsonl once more, for TensorBoard, which takes
// files with tfevents in their names.
const EventsFile = "events.out.tfevents.finetune"

// TensorBoard begins the events with the figures that are there, which a resumed run has
// cut back to its checkpoint, and has [Dir.Record] append to them. started is when the
// run's first second was.
func (d *Dir) TensorBoard(started time.Time) (err error) {
	list, err := ReadMetrics(d.Path(MetricsFile))
	if err != nil {
		return err
	}
	if err := removeUnlessFile(d.Path(EventsFile)); err != nil {
		return err
	}
	text := event(started, 0, bytesField(nil, fieldVersion, []byte("brain.Event:2")))
	for _, m := range list {
		text = append(text, m.events(started)...)
	}
	if err := d.Write(EventsFile, text); err != nil {
		return err
	}
	d.started = started
	d.events, err = os.OpenFile(d.Path(EventsFile), os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// addEvents appends a line of the figures to the events, where there are any.
func (d *Dir) addEvents(m *Metric) error {
	if d.events == nil {
		return nil
	}
	if _, err := d.events.Write(m.events(d.started)); err != nil {
		return fmt.Errorf("%s: %w", EventsFile, err)
	}
	return nil
}

// events returns a line of the figures as one record, with the names that transformers
// gives them.
func (m *Metric) events(started time.Time) []byte {
	var summary []byte
	for _, v := range []struct {
		tag   string
		value *float64
	}{
		{"train/loss", m.Loss},
		{"train/learning_rate", m.LearningRate},
		{"train/grad_norm", m.GradNorm},
		{"eval/loss", m.EvalLoss},
		{"eval/base_loss", m.BaseEvalLoss},
	} {
		if v.value != nil {
			summary = bytesField(summary, fieldValue, scalar(v.tag, *v.value))
		}
	}
	at := started.Add(time.Duration(m.Seconds * float64(time.Second)))
	return event(at, m.Step, bytesField(nil, fieldSummary, summary))
}

// Fields of TensorFlow's protocol buffers (event.proto, summary.proto), and the wire
// types of their encoding.
const (
	fieldTime    = 1 // Event, a double
	fieldStep    = 2 // Event, a varint
	fieldVersion = 3 // Event
	fieldSummary = 5 // Event
	fieldValue   = 1 // Summary
	fieldTag     = 1 // Summary.Value
	fieldSimple  = 2 // Summary.Value, a float

	wireVarint, wire64, wireBytes, wire32 = 0, 1, 2, 5
)

func field(b []byte, number, wire uint64) []byte { return binary.AppendUvarint(b, number<<3|wire) }

func bytesField(b []byte, number uint64, v []byte) []byte {
	b = binary.AppendUvarint(field(b, number, wireBytes), uint64(len(v)))
	return append(b, v...)
}

// scalar returns one value with its name.
func scalar(tag string, v float64) []byte {
	b := field(bytesField(nil, fieldTag, []byte(tag)), fieldSimple, wire32)
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
}

// event returns an event with its frame: what it holds is a field of it.
func event(at time.Time, step int, holds []byte) []byte {
	b := binary.LittleEndian.AppendUint64(field(nil, fieldTime, wire64), math.Float64bits(float64(at.UnixNano())/1e9))
	if step != 0 {
		b = binary.AppendUvarint(field(b, fieldStep, wireVarint), uint64(step))
	}
	return record(append(b, holds...))
}

// record frames data as a TFRecord: its length and itself, each with its checksum.
func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, checksum(data))
}

// checksum is CRC-32C as TFRecord masks it.
func checksum(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
