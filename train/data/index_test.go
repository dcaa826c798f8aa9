package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/model"
)

// rowsOf makes n rows of up to most tokens, as they come from a reader.
func rowsOf(n, most int) (rows []Row, list []encoded) {
	r := rand.New(rand.NewPCG(1, 2))
	rows, list = make([]Row, n), make([]encoded, n)
	for i := range rows {
		rows[i].Line = 3*i + 1
		binary.LittleEndian.PutUint64(rows[i].Digest[:], r.Uint64())
		for range r.IntN(most + 1) {
			list[i].IDs = append(list[i].IDs, int32(r.IntN(1<<31-1)))
			list[i].Mask = append(list[i].Mask, r.IntN(2) == 0)
		}
		list[i].tally = tally{len(list[i].IDs), list[i].Targets(), r.IntN(3), r.IntN(3), r.IntN(2) * 5000, oddity(r.IntN(8)), r.Uint64()}
	}
	return rows, list
}

// unreadNames are names that nothing reads.
var unreadNames = []Unread{{columnKey, "id \u00e9", 7, 3}, {turnKey, "x", 1, 1}}

func written(t testing.TB, rows []Row, list []encoded, key indexKey) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := newIndexWriter(&buf)
	for i := range rows {
		w.add(&rows[i], &list[i], i%5 > 0)
	}
	if err := w.finish(key, Alpaca, unreadNames); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestIndexGivesBackWhatWasWritten(t *testing.T) {
	for _, n := range []int{0, 1, groupRows - 1, groupRows, groupRows + 1, 2*groupRows + 7} {
		rows, list := rowsOf(n, 9)
		key := indexKey{1, 2, 3}
		text := written(t, rows, list, key)
		x, err := newIndex(bytes.NewReader(text), int64(len(text)), key)
		if err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if !slices.Equal(x.unread, unreadNames) {
			t.Errorf("%d rows: names %v", n, x.unread)
		}
		most, seen := int32(-1), 0
		err = x.records(func(i int, r *record) error {
			seen++
			e, kept := &list[i], i%5 > 0
			want := e.tally
			if !kept {
				want.tokens = 0
			}
			if r.tally != want || r.line != rows[i].Line || r.digest != rows[i].Digest {
				t.Fatalf("row %d: %+v, want %+v", i, r, want)
			}
			one, err := x.record(i)
			if err != nil || one != *r {
				t.Fatalf("row %d: %+v alone, %+v among all; %v", i, one, r, err)
			}
			q, err := x.sequence(r)
			if err != nil || kept && (!slices.Equal(q.IDs, e.IDs) || !slices.Equal(q.Mask, e.Mask)) || !kept && len(q.IDs) > 0 {
				t.Fatalf("row %d: %v, want %v; %v", i, q, e.Sequence, err)
			}
			for _, id := range q.IDs {
				most = max(most, id)
			}
			return nil
		})
		if err != nil || seen != n || x.rows != n || x.format != Alpaca || x.maxID != most {
			t.Errorf("%d rows: %d seen, %v, largest id %d, want %d; %v", n, seen, x.format, x.maxID, most, err)
		}
	}
}

func TestIndexRefusesAnotherKey(t *testing.T) {
	rows, list := rowsOf(3, 3)
	text := written(t, rows, list, indexKey{1})
	_, err := newIndex(bytes.NewReader(text), int64(len(text)), indexKey{2})
	expect(t, "another key", err, "of other rows or settings", "")
}

// Each flipped bit and each missing byte is noticed.
func TestIndexNoticesDamage(t *testing.T) {
	rows, list := rowsOf(7, 5)
	good := written(t, rows, list, indexKey{1})
	for i := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := newIndex(bytes.NewReader(bad), int64(len(bad)), indexKey{1}); err == nil {
			t.Errorf("bit %d of %d bytes was not noticed", i, len(good))
		}
	}
	for n := range good {
		if _, err := newIndex(bytes.NewReader(good[:n]), int64(n), indexKey{1}); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(good))
		}
	}
}

// FuzzIndex reads files whose checksum is right and whose content is not.
func FuzzIndex(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		rows, list := rowsOf(n, 3)
		f.Add(written(f, rows, list, indexKey{}))
	}
	f.Add(make([]byte, footerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= footerSize {
			foot := b[len(b)-footerSize:]
			copy(foot, indexMagic)
			clear(foot[8:40])
			binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
		}
		x, err := newIndex(bytes.NewReader(b), int64(len(b)), indexKey{})
		if err != nil {
			return
		}
		_ = x.records(func(i int, r *record) error {
			var q model.Sequence
			if q, err = x.sequence(r); err == nil && len(q.IDs) != r.tokens {
				t.Errorf("row %d: %d tokens of %d", i, len(q.IDs), r.tokens)
			}
			_ = x.format.String()
			return nil
		})
	})
}
