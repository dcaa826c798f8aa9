package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxTries = 5
	maxPause = 8 * time.Second
	maxWait  = 330 * time.Second // that the Hub may ask for: its limits count over 300 s
)

// A lostError is a connection that broke: another try may fare better.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// lost says that the connection to host broke, unless the user's own context ended it.
// It leaves out the address, which may be signed.
func lost(ctx context.Context, host string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if !errors.Is(cause, errSilent) {
			return cause
		}
		err = cause
	}
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("the connection was cut")
	}
	err = fmt.Errorf("%s: %w", host, err)
	if e := new(tls.CertificateVerificationError); errors.As(err, &e) {
		return err // will not be another one the next time
	}
	return lostError{err}
}

// A refusal is an answer that is no success.
type refusal struct {
	status        int
	host          string
	code, message string        // X-Error-Code and X-Error-Message, which the Hub sends
	hub           bool          // from the Hub itself
	signed        bool          // from a storage that the Hub had redirected to
	body          []byte        // the beginning of it
	wait          time.Duration // that it asks for; 0 where it does not say
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%s answers %d %s", r.host, r.status, http.StatusText(r.status))
	if r.message != "" {
		text += ": " + r.message
	}
	return text
}

// refusal reads an answer that is no success, and closes it.
func (c *Client) refusal(asked request, resp *http.Response) *refusal {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what of it has arrived
	r := &refusal{
		body:   body,
		status: resp.StatusCode, host: resp.Request.URL.Host, hub: c.isHub(resp.Request.URL),
		code: resp.Header.Get("X-Error-Code"), message: oneLine(resp.Header.Get("X-Error-Message")),
		wait: waitOf(resp.Header),
	}
	r.signed = !r.hub && asked.url != resp.Request.URL.String()
	return r
}

// oneLine makes a server's text fit for a terminal.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return text[:min(len(text), 300)]
}

// rateLimit matches the header ratelimit: "api";r=0;t=55 (draft-ietf-httpapi-ratelimit-headers).
var rateLimit = regexp.MustCompile(`"[^"]*"\s*;\s*r=(\d+)\s*;\s*t=(\d+)`)

// waitOf returns how long the answer asks to wait.
func waitOf(h http.Header) time.Duration {
	after := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(after); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(at))
	}
	if m := rateLimit.FindStringSubmatch(h.Get("ratelimit")); m != nil && m[1] == "0" {
		n, _ := strconv.Atoi(m[2]) // 0 where it does not fit
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	return 0
}

// mayPass reports whether the same request may be answered differently the next time.
func mayPass(err error) bool {
	if r := new(refusal); errors.As(err, &r) {
		switch r.status {
		case 408, 429, 500, 502, 503, 504:
			return true
		}
		return r.signed // an address that has expired: the Hub signs another
	}
	return errors.As(err, new(lostError))
}

// again returns nil when it is time for the next try after err, and otherwise the
// error to end with.
func (c *Client) again(ctx context.Context, try int, err error) error {
	if !mayPass(err) || try >= maxTries {
		return err
	}
	pause := min(c.pause<<(try-1), maxPause)
	if r := new(refusal); errors.As(err, &r) && r.wait > pause {
		if r.wait > maxWait {
			return err
		}
		pause = r.wait
	}
	c.log("%v; trying again in %v", err, pause.Round(time.Millisecond))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pause):
		return nil
	}
}

func (c *Client) log(format string, args ...any) {
	if c.Log != nil {
		c.Log(fmt.Sprintf(format, args...))
	}
}
