package hub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"example.com/finetune/internal/hint"
)

// explain puts a refusal in the words of what was wanted, with what to do. Without a
// token the Hub does not say whether a model is missing, private or gated.
func (c *Client) explain(id, revision string, err error) error {
	r := new(refusal)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return c.explainRefusal(id, revision, r)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return hint.New(fmt.Errorf("%s: %w", id, err), "SSL_CERT_FILE names a file with the certificates to trust")
	case errors.As(err, new(lostError)):
		return hint.New(fmt.Errorf("%s: %w", id, err), "check the connection"+behindProxy()+"; what was fetched stays for the next try")
	}
	return err
}

// behindProxy names the proxy's variable where one is set.
func behindProxy() string {
	for _, key := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if os.Getenv(key) != "" {
			return " and the proxy of " + key
		}
	}
	return ""
}

// credentials is what the Hub says of a token it does not know.
const credentials = "Invalid credentials in Authorization header"

func (c *Client) explainRefusal(id, revision string, r *refusal) error {
	page := c.Endpoint + "/" + id
	known := "the token of " + c.TokenFrom
	switch {
	case r.code == "RevisionNotFound":
		return hint.New(fmt.Errorf("%s has no revision %s", id, revision), "without @"+revision+" it is main; the page lists branches and tags: "+page)
	case r.code == "EntryNotFound":
		return fmt.Errorf("%s: a file it lists is not there: %w", id, r)
	case r.code == "GatedRepo" && c.Token == "":
		return hint.New(fmt.Errorf("%s is gated: its terms have to be accepted", id),
			"accept them at "+page+", make a token at "+c.Endpoint+"/settings/tokens, and give it as HF_TOKEN")
	case r.code == "GatedRepo":
		return hint.New(fmt.Errorf("%s is gated, and %s has no access", id, known), "accept its terms at "+page+", as the user of that token")
	case r.message == "Access to this resource is disabled.":
		return fmt.Errorf("%s is disabled on the Hub", id)
	case r.message == credentials && c.Token != "":
		return hint.New(fmt.Errorf("%s: the Hub does not know %s: it is wrong or expired", id, known),
			"make a new one at "+c.Endpoint+"/settings/tokens, or take it away to go without")
	case c.Token == "" && (r.code == "RepoNotFound" || r.hub && (r.status == 401 || r.status == 404)):
		return hint.New(fmt.Errorf("%s: no such model on the Hub, or one that needs a token", id),
			"check the spelling; for a private or gated model give a token as HF_TOKEN, or log in with hf auth login")
	case r.code == "RepoNotFound" || r.hub && r.status == 404:
		return hint.New(fmt.Errorf("%s: no such model on the Hub, or one that %s may not see", id, known), "check the spelling, and what the token may do")
	case r.hub && (r.status == 403 || r.status == 401):
		return hint.New(fmt.Errorf("%s: %w", id, r), "a token needs the right for this: see "+c.Endpoint+"/settings/tokens")
	case r.status == 429 && r.wait > 0:
		return hint.New(fmt.Errorf("%s: the Hub's rate limit is reached", id), fmt.Sprintf("try again in %v; with a token the limit is higher", r.wait))
	case r.status == 429:
		return hint.New(fmt.Errorf("%s: the Hub's rate limit is reached", id), "try again in some minutes; with a token the limit is higher")
	case r.status >= 500:
		return hint.New(fmt.Errorf("%s: %w", id, r), "try again later: what was fetched stays")
	}
	return fmt.Errorf("%s: %w", id, r)
}

// notHub says that something else answers in the Hub's place.
func notHub(host string) error {
	text := "a proxy or a login page answers in its place"
	if endpoint := os.Getenv("HF_ENDPOINT"); endpoint != "" {
		text = "HF_ENDPOINT is " + endpoint
	}
	return hint.New(fmt.Errorf("%s does not answer as the Hub does", host), text)
}
