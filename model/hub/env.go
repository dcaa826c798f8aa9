package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// DefaultEndpoint is where the Hub is unless HF_ENDPOINT says otherwise.
const DefaultEndpoint = "https://huggingface.co"

// A Client downloads models and uploads adapters. Its methods may be called from
// several goroutines.
type Client struct {
	Endpoint  string            // of the Hub, without a slash at its end
	Cache     string            // the folder of all repositories
	Token     string            // "" goes without
	TokenFrom string            // what Token was read from: a variable, or a file's path
	OfflineBy string            // the variable that forbids the network; "" where none does
	UserAgent string            // of every request
	Log       func(text string) // told why it takes longer, by several goroutines; may be nil

	http    *http.Client
	silence time.Duration // after which a connection without a byte is given up
	pause   time.Duration // before the second try; doubles from there
	links   bool          // snapshots link to blobs, where the file system can
	shared  bool          // blobs may link to the store that all repositories share
}

// NewClient returns a client as the environment has it, by the variables of
// huggingface_hub: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_TOKEN_PATH,
// HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT and some more; HTTPS_PROXY, NO_PROXY and
// SSL_CERT_FILE are Go's.
func NewClient(userAgent string) (*Client, error) {
	c := &Client{
		Endpoint:  strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"),
		UserAgent: userAgent,
		pause:     time.Second,
		links:     !isTrue("HF_HUB_DISABLE_SYMLINKS"),
		shared:    !isTrue("HF_HUB_DISABLE_SHARED_BLOBS") && !isTrue("HF_HUB_DISABLE_XET"),
	}
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, hint.New(fmt.Errorf("HF_ENDPOINT is %q, want a URL", c.Endpoint), "unset it to use "+DefaultEndpoint)
	}
	var err error
	if c.Cache, err = CacheDir(); err != nil {
		return nil, err
	}
	if c.Token, c.TokenFrom, err = token(); err != nil {
		return nil, err
	}
	for _, key := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		if c.OfflineBy == "" && isTrue(key) {
			c.OfflineBy = key
		}
	}
	if c.silence, err = timeout("HF_HUB_DOWNLOAD_TIMEOUT"); err != nil {
		return nil, err
	}
	c.http = newHTTP()
	return c, nil
}

// timeout returns the seconds of a variable, 10 where it is not set.
func timeout(key string) (time.Duration, error) {
	text := os.Getenv(key)
	if text == "" {
		return 10 * time.Second, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 3600 {
		return 0, fmt.Errorf("%s is %q, want seconds from 1 to 3600", key, text)
	}
	return time.Duration(n) * time.Second, nil
}

// CacheDir returns the Hub cache as huggingface_hub finds it.
func CacheDir() (string, error) {
	for _, key := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := os.Getenv(key); dir != "" {
			return expand(dir)
		}
	}
	home, err := hfHome()
	return filepath.Join(home, "hub"), err
}

// hfHome returns the folder that holds the cache and the token.
func hfHome() (string, error) {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return expand(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return expand(filepath.Join(dir, "huggingface"))
	}
	return expand(filepath.Join("~", ".cache", "huggingface"))
}

// expand replaces a leading ~, and variables that are set.
func expand(path string) (string, error) {
	path = os.Expand(path, func(key string) string {
		if value, ok := os.LookupEnv(key); ok {
			return value
		}
		return "$" + key
	})
	if path != "~" && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path, nil
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the Hub cache: %w", err)
	}
	return filepath.Join(dir, path[1:]), nil
}

// isTrue reports whether a variable holds what huggingface_hub takes for true.
func isTrue(key string) bool {
	switch strings.ToUpper(os.Getenv(key)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// token returns the user's token and where it is from, "" where there is none.
func token() (token, from string, err error) {
	for _, key := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if text := strings.TrimSpace(os.Getenv(key)); text != "" {
			return text, key, checkToken(text, key)
		}
	}
	path := os.Getenv("HF_TOKEN_PATH")
	if path == "" {
		home, err := hfHome()
		if err != nil {
			return "", "", err
		}
		path = filepath.Join(home, "token")
	} else if path, err = expand(path); err != nil {
		return "", "", err
	}
	data, err := files.Read(path, 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("reading the Hub's token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	return text, path, checkToken(text, path)
}

// checkToken refuses what cannot go into a header, without repeating it.
func checkToken(text, from string) error {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return hint.New(fmt.Errorf("%s holds no token: it has spaces or letters that a token cannot have", from),
				"a token is one word that begins with hf_")
		}
	}
	return nil
}
