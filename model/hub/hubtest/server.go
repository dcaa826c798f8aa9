package hubtest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Token is the one that opens private and gated repositories, and may write.
const Token = "hf_good"

// A Server is a Hub and, at another address, its storage.
type Server struct {
	URL string // the endpoint

	t       testing.TB
	storage *httptest.Server

	mu     sync.Mutex
	repos  map[string]*Repo
	large  map[string][]byte         // by sha256
	parts  map[string]map[int][]byte // of uploads under way, by sha256
	signed int                       // addresses given out
	used   map[string]bool           // addresses of the storage, which serve once
	faults []*Fault
	log    []string
}

// A Repo is a repository with one commit at a time.
type Repo struct {
	Files          map[string][]byte
	Private, Gated bool
	RenamedTo      string
	Xet            bool // its large files have names in the shared store
	commits        int
}

// A Fault is what happens in place of an answer.
type Fault struct {
	Match  string // a part of method and path, such as "GET /_storage/"
	Times  int    // how often; 0 is once
	Status int    // the answer, if not 0
	Header map[string]string
	Cut    int           // bytes of the body after which the connection is cut, if not 0
	Flip   bool          // a byte of the body
	Whole  bool          // whatever range is asked for
	Lost   bool          // the server does what it is asked, and the answer does not arrive
	Silent chan struct{} // no byte until it is closed
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, repos: map[string]*Repo{}, large: map[string][]byte{}, parts: map[string]map[int][]byte{}, used: map[string]bool{}}
	hub := httptest.NewServer(http.HandlerFunc(s.serve))
	s.storage = httptest.NewServer(http.HandlerFunc(s.serveStorage))
	s.URL = hub.URL
	t.Cleanup(func() {
		hub.CloseClientConnections()
		s.storage.CloseClientConnections()
		hub.Close()
		s.storage.Close()
	})
	return s
}

// Put makes a repository.
func (s *Server) Put(id string, r *Repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Files == nil {
		r.Files = map[string][]byte{}
	}
	r.commits++
	s.repos[id] = r
}

// Get returns a repository, nil where there is none.
func (s *Server) Get(id string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[id]
}

// Fault asks for a fault. Those that match are used up in the order they were asked for.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(1, f.Times)
	s.faults = append(s.faults, &f)
}

// Count returns how many requests had match as a part of method and path.
func (s *Server) Count(match string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.log {
		if strings.Contains(line, match) {
			n++
		}
	}
	return n
}

// Requests returns method and path of all requests.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Commit returns the hash of a repository's commit.
func (s *Server) Commit(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[id].commit(id)
}

func (r *Repo) commit(id string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d", id, r.commits))
	return hex.EncodeToString(sum[:])
}

func isLarge(name string, size int) bool {
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".bin") || size >= 1<<20
}

// SHA256 and GitSHA1 are the names of contents.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// GitSHA1 is the hash of a git blob.
func GitSHA1(data []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(sum[:])
}

// XetHash is the name of a content in the shared store, as this server has it.
func XetHash(data []byte) string { return SHA256([]byte(SHA256(data))) }

func etagOf(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// note logs a request and returns the fault that is due.
func (s *Server) note(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + r.URL.EscapedPath()
	s.log = append(s.log, line)
	for _, f := range s.faults {
		if f.Times > 0 && strings.Contains(line, f.Match) {
			f.Times--
			return f
		}
	}
	return nil
}

// answered reports whether a fault has answered in place of the server.
func answered(w http.ResponseWriter, f *Fault) bool {
	if f == nil {
		return false
	}
	if f.Silent != nil {
		<-f.Silent
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return false
	}
	for key, value := range f.Header {
		w.Header().Set(key, value)
	}
	w.WriteHeader(f.Status)
	return true
}

func token(r *http.Request) string {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return text
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	reply(w, status, map[string]string{"error": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// find returns a repository as far as the token may see it, and answers where not.
func (s *Server) find(w http.ResponseWriter, r *http.Request, id string) *Repo {
	repo := s.repos[id]
	given := token(r)
	if given != "" && given != Token && repo != nil && (repo.Private || repo.Gated) {
		refuse(w, 401, "", "Invalid credentials in Authorization header")
		return nil
	}
	if repo != nil && (!repo.Private || given == Token) {
		return repo
	}
	if given == "" {
		refuse(w, 401, "", "Invalid username or password.")
	} else {
		refuse(w, 404, "RepoNotFound", "Repository not found")
	}
	return nil
}

var (
	infoRoute    = regexp.MustCompile(`^/api/models/([^/]+/[^/]+)(?:/revision/(.+))?$`)
	treeRoute    = regexp.MustCompile(`^/api/models/([^/]+/[^/]+)/tree/([^/]+)$`)
	resolveRoute = regexp.MustCompile(`^/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$`)
	storedRoute  = regexp.MustCompile(`^/_storage/([0-9a-f]{64})(?:/(\d+))?$`)
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	f := s.note(r)
	if answered(w, f) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f != nil && f.Lost {
		defer panic(http.ErrAbortHandler)
		w = httptest.NewRecorder()
	}
	path := r.URL.Path
	if m := treeRoute.FindStringSubmatch(path); m != nil && r.Method == "GET" {
		s.tree(w, r, m[1], m[2])
	} else if m := resolveRoute.FindStringSubmatch(path); m != nil && r.Method == "GET" {
		s.resolve(w, r, f, m)
	} else if r.Method == "POST" {
		s.post(w, r)
	} else if m := infoRoute.FindStringSubmatch(path); m != nil && r.Method == "GET" {
		s.info(w, r, m[1], m[2])
	} else {
		refuse(w, 404, "", "no such route: "+path)
	}
}

func (s *Server) info(w http.ResponseWriter, r *http.Request, id, revision string) {
	repo := s.find(w, r, id)
	if repo == nil {
		return
	}
	if repo.RenamedTo != "" {
		w.Header().Set("Location", strings.Replace(r.URL.EscapedPath(), id, repo.RenamedTo, 1))
		w.WriteHeader(307)
		return
	}
	if revision != "" && revision != "main" && revision != "refs/pr/1" && revision != repo.commit(id) {
		refuse(w, 404, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	reply(w, 200, map[string]any{"id": id, "sha": repo.commit(id), "private": repo.Private})
}

// tree answers three files at a time, so that a client which ignores Link fails.
func (s *Server) tree(w http.ResponseWriter, r *http.Request, id, revision string) {
	const perPage = 3
	repo := s.find(w, r, id)
	if repo == nil {
		return
	}
	if repo.RenamedTo != "" {
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), id, repo.RenamedTo, 1))
		w.WriteHeader(307)
		return
	}
	var names []string
	for name := range repo.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(from+perPage, len(names))
	page := []map[string]any{{"type": "directory", "path": "a-folder", "oid": strings.Repeat("0", 40), "size": 0}}
	for _, name := range names[from:to] {
		data := repo.Files[name]
		e := map[string]any{"type": "file", "oid": GitSHA1(data), "size": len(data), "path": name}
		if isLarge(name, len(data)) {
			e["lfs"] = map[string]any{"oid": SHA256(data), "size": len(data), "pointerSize": 134}
			if repo.Xet {
				e["xetHash"] = XetHash(data)
			}
		}
		page = append(page, e)
	}
	if to < len(names) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?recursive=True&expand=False&cursor=%d>; rel="next"`, s.URL, r.URL.EscapedPath(), to))
	}
	reply(w, 200, page)
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request, f *Fault, m []string) {
	id, name := m[1], m[3]
	repo := s.find(w, r, id)
	switch {
	case repo == nil:
		return
	case repo.RenamedTo != "":
		w.Header().Set("Location", strings.Replace(r.URL.EscapedPath(), id, repo.RenamedTo, 1))
		w.WriteHeader(307)
		return
	case repo.Gated && token(r) == "":
		refuse(w, 401, "GatedRepo", "Access to model "+id+" is restricted. Please log in.")
		return
	case repo.Gated && token(r) != Token:
		refuse(w, 403, "GatedRepo", "Access to model "+id+" is restricted and you are not in the authorized list.")
		return
	}
	data, ok := repo.Files[name]
	w.Header().Set("X-Repo-Commit", repo.commit(id))
	if !ok {
		refuse(w, 404, "EntryNotFound", "Entry not found")
		return
	}
	if isLarge(name, len(data)) {
		sum := SHA256(data)
		s.large[sum] = data
		w.Header().Set("X-Linked-Etag", `"`+sum+`"`)
		w.Header().Set("Location", s.sign("/_storage/"+sum))
		w.WriteHeader(302)
		return
	}
	w.Header().Set("ETag", `"`+GitSHA1(data)+`"`)
	send(w, r, data, f)
}

// sign returns an address of the storage that serves once.
func (s *Server) sign(path string) string {
	s.signed++
	return fmt.Sprintf("%s%s?Signature=%d", s.storage.URL, path, s.signed)
}

// serveStorage is the storage: a token there is a leak, and an address used twice has
// expired.
func (s *Server) serveStorage(w http.ResponseWriter, r *http.Request) {
	f := s.note(r)
	if r.Header.Get("Authorization") != "" {
		s.t.Errorf("%s %s: a token went to the storage", r.Method, r.URL.Path)
	}
	if answered(w, f) {
		return
	}
	m := storedRoute.FindStringSubmatch(r.URL.Path)
	s.mu.Lock()
	expired := s.used[r.URL.String()] || r.URL.RawQuery == ""
	s.used[r.URL.String()] = r.Method == "GET"
	s.mu.Unlock()
	switch {
	case m == nil:
		http.Error(w, "no such route", http.StatusNotFound)
	case expired:
		http.Error(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", http.StatusForbidden)
	case r.Method == "PUT":
		s.put(w, r, m)
	default:
		s.mu.Lock()
		data := s.large[m[1]]
		s.mu.Unlock()
		send(w, r, data, f)
	}
}

// send answers with a file or the range of it that was asked for, and its faults.
func send(w http.ResponseWriter, r *http.Request, data []byte, f *Fault) {
	if f == nil {
		f = &Fault{}
	}
	from := 0
	if text := r.Header.Get("Range"); text != "" && !f.Whole {
		if _, err := fmt.Sscanf(text, "bytes=%d-", &from); err != nil || from >= len(data) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(data)))
			w.WriteHeader(416)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
	}
	body := slices.Clone(data[from:])
	if f.Flip && len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if from > 0 {
		w.WriteHeader(206)
	}
	if f.Cut > 0 && f.Cut < len(body) {
		_, _ = w.Write(body[:f.Cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}
