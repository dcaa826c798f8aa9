package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxRedirects = 10
	maxAnswer    = 64 << 20         // bytes of JSON; a page of a tree has 1000 files
	writing      = 60 * time.Second // of silence while the Hub works on what it was sent
)

// A request is sent to the Hub, or to a storage whose address the Hub has given.
type request struct {
	method, url string
	header      map[string]string
	body        func() io.Reader // a new one for each try; nil for none
	size        int64            // of the body
	anonymous   bool             // without the token, wherever it goes
}

// newHTTP returns a client that follows no redirects, see [Client.send].
func newHTTP() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = atOnce
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes a request once. Redirects are followed one by one: net/http would take
// the token along to subdomains, where the Hub's storages are.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	for range maxRedirects {
		resp, err := c.once(ctx, r)
		if err != nil {
			return nil, err
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode < 301 || resp.StatusCode > 308 || location == "" {
			return resp, nil
		}
		resp.Body.Close()
		next, err := resp.Request.URL.Parse(location)
		if err != nil {
			return nil, fmt.Errorf("%s redirects to no address", resp.Request.URL.Host)
		}
		if r.method != http.MethodGet && resp.StatusCode < 307 {
			return nil, fmt.Errorf("%s redirects a %s to %s", resp.Request.URL.Host, r.method, next.Host)
		}
		r.url = next.String()
	}
	return nil, fmt.Errorf("%s: more than %d redirects", hostOf(r.url), maxRedirects)
}

// errSilent ends a connection without a byte for too long.
var errSilent = errors.New("no byte for too long")

// once makes a request once and follows no redirect. The connection is given up when
// no byte has gone either way for some time: there is no limit to the whole.
func (c *Client) once(ctx context.Context, r request) (*http.Response, error) {
	limit := c.silence
	if r.method != http.MethodGet {
		limit = max(limit, writing)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{host: hostOf(r.url), limit: limit, ctx: ctx, cancel: cancel}
	w.timer = time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w (%v)", errSilent, limit)) })
	var body io.Reader
	if r.body != nil {
		body = io.NopCloser(&watchedReader{r.body(), w})
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		w.end()
		return nil, fmt.Errorf("%s: not an address", hostOf(r.url))
	}
	req.ContentLength = r.size
	if r.body != nil && r.size == 0 {
		req.Body = http.NoBody
	}
	for key, value := range r.header {
		req.Header.Set(key, value)
	}
	req.Header.Set("User-Agent", c.UserAgent)
	if c.Token != "" && !r.anonymous && c.isHub(req.URL) {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = lost(ctx, w.host, err)
		w.end()
		return nil, err
	}
	w.timer.Reset(limit)
	w.Reader, w.Closer = resp.Body, resp.Body
	resp.Body = w
	return resp, nil
}

// A watch is a body that is given up after too long a silence.
type watch struct {
	io.Reader
	io.Closer
	host   string
	limit  time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (w *watch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.timer.Reset(w.limit)
	if err != nil && err != io.EOF {
		err = lost(w.ctx, w.host, err)
	}
	return n, err
}

func (w *watch) Close() error {
	w.end()
	return w.Closer.Close()
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// A watchedReader is a request's body: each byte that goes out shows life.
type watchedReader struct {
	io.Reader
	w *watch
}

func (r *watchedReader) Read(p []byte) (int, error) {
	r.w.timer.Reset(r.w.limit)
	return r.Reader.Read(p)
}

// isHub reports whether an address is the Hub's own: the only ones that get the token.
func (c *Client) isHub(u *url.URL) bool {
	for _, endpoint := range []string{c.Endpoint, DefaultEndpoint} {
		if e, err := url.Parse(endpoint); err == nil && origin(e) == origin(u) {
			return true
		}
	}
	return false
}

// origin is scheme, host and port of an address.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// hostOf returns the part of an address that may be shown: the rest of a signed one
// is a key.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the Hub"
	}
	return u.Host
}

// atHome is an address the Hub gave as its own, at the endpoint that is used for it.
func (c *Client) atHome(address string) string {
	if rest, ok := strings.CutPrefix(address, DefaultEndpoint+"/"); ok {
		return c.Endpoint + "/" + rest
	}
	return address
}

// call makes a request until it is answered with success, or it is of no use to go on.
// The body is for the caller to close.
func (c *Client) call(ctx context.Context, r request) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := c.send(ctx, r)
		if err == nil && resp.StatusCode < 300 {
			return resp, nil
		}
		if err == nil {
			err = c.refusal(r, resp)
		}
		if err := c.again(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

// ask makes a request whose answer is JSON and reads it into v. It returns the address
// of the next page, "" where there is none.
func (c *Client) ask(ctx context.Context, r request, v any) (next string, err error) {
	resp, err := c.call(ctx, r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxAnswer {
		return "", fmt.Errorf("%s sends more than %d MB of JSON", resp.Request.URL.Host, maxAnswer>>20)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			return "", notHub(resp.Request.URL.Host)
		}
	}
	return nextPage(resp), nil
}

// post returns a request with v as JSON.
func post(address string, v any) (request, error) {
	data, err := json.Marshal(v)
	return request{
		method: http.MethodPost, url: address, size: int64(len(data)),
		body:   func() io.Reader { return bytes.NewReader(data) },
		header: map[string]string{"Content-Type": "application/json"},
	}, err
}

// nextPage reads the header Link: <address>; rel="next".
func nextPage(resp *http.Response) string {
	for _, link := range strings.Split(resp.Header.Get("Link"), ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(params, `rel="next"`) {
			continue
		}
		if u, err := resp.Request.URL.Parse(target[1:]); err == nil {
			return u.String()
		}
	}
	return ""
}
