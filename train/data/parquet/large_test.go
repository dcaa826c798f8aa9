package parquet

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// BenchmarkLarge reads the file that PARQUET_FILE names (testdata/large.py writes one):
// text and file in MB/s, and the most memory that the process ever had.
func BenchmarkLarge(b *testing.B) {
	path := os.Getenv("PARQUET_FILE")
	if path == "" {
		b.Skip("PARQUET_FILE names no file")
	}
	in, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		b.Fatal(err)
	}
	var text, rows int64
	start := time.Now()
	for b.Loop() {
		f, err := Open(path, in, info.Size())
		if err != nil {
			b.Fatal(err)
		}
		for row, err := range f.Rows() {
			if err != nil || row.Err != nil {
				b.Fatal(err, row.Err)
			}
			text += int64(len(row.Text))
			rows++
		}
	}
	seconds := time.Since(start).Seconds()
	b.ReportMetric(float64(text)/1e6/seconds, "text-MB/s")
	b.ReportMetric(float64(info.Size())*float64(b.N)/1e6/seconds, "file-MB/s")
	b.ReportMetric(float64(rows)/seconds, "rows/s")
	b.ReportMetric(peakMB(), "peak-MB")
}

// peakMB returns the most resident memory so far, 0 where the system does not say.
func peakMB() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kB float64
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			if _, err := fmt.Sscan(rest, &kB); err == nil {
				return kB / 1e3
			}
		}
	}
	return 0
}
