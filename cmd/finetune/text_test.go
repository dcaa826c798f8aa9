package main

import (
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(-1234567), "-1,234,567"},
		{count(-123), "-123"},
		{many(1, "row"), "1 row"},
		{many(2, "row"), "2 rows"},
		{bytesText(0), "0 B"},
		{bytesText(999), "999 B"},
		{bytesText(1000), "1.0 kB"},
		{bytesText(269060552), "269 MB"},
		{bytesText(999_999), "1.0 MB"},
		{bytesText(2_200_000_000), "2.2 GB"},
		{duration(1234 * time.Millisecond), "1.2 s"},
		{duration(59 * time.Second), "59 s"},
		{duration(200 * time.Second), "3 min 20 s"},
		{duration(5*time.Hour + 7*time.Minute), "5 h 07 min"},
		{duration(50 * time.Hour), "2 days 2 h"},
		{perplexityText(0), "1"},
		{perplexityText(100), "2.69e+43"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a/b-c_d.e", "a/b-c_d.e"}, {"a b", `"a b"`}, {"", `""`}, {"it's", `"it's"`}, {`a"b'c`, `'a"b'\''c'`}, {"$x", `'$x'`},
	} {
		if got := quote(c.in); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}
