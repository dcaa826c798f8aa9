package hubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// partSize is the length of the parts of a large upload, which one above it comes in.
const partSize = 1 << 20

var (
	preuploadRoute = regexp.MustCompile(`^/api/models/([^/]+/[^/]+)/preupload/main$`)
	commitRoute    = regexp.MustCompile(`^/api/models/([^/]+/[^/]+)/commit/main$`)
	batchRoute     = regexp.MustCompile(`^/([^/]+/[^/]+)\.git/info/lfs/objects/batch$`)
	completeRoute  = regexp.MustCompile(`^/_complete/([0-9a-f]{64})$`)
)

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("%s: %v", r.URL.Path, err)
		return
	}
	path := r.URL.Path
	if m := completeRoute.FindStringSubmatch(path); m != nil {
		s.complete(w, m[1], body)
		return
	}
	if token(r) != Token {
		refuse(w, 401, "", "Invalid credentials in Authorization header")
		return
	}
	switch {
	case path == "/api/validate-yaml":
		s.validate(w, body)
	case path == "/api/repos/create":
		s.create(w, body)
	case path == "/_verify":
		s.verify(w, body)
	default:
		if m := preuploadRoute.FindStringSubmatch(path); m != nil {
			s.preupload(w, r, m[1], body)
		} else if m := batchRoute.FindStringSubmatch(path); m != nil {
			s.batch(w, r, body)
		} else if m := commitRoute.FindStringSubmatch(path); m != nil {
			s.commit(w, r, m[1], body)
		} else {
			refuse(w, 404, "", "no such route: "+path)
		}
	}
}

// read parses a request's JSON. What is wrong with it fails the test.
func (s *Server) read(body []byte, v any) {
	if err := json.Unmarshal(body, v); err != nil {
		s.t.Errorf("a request's body: %v", err)
	}
}

func (s *Server) validate(w http.ResponseWriter, body []byte) {
	var in struct{ Content, RepoType string }
	s.read(body, &in)
	if in.RepoType != "model" || in.Content == "" {
		s.t.Errorf("validate-yaml: repoType %q, %d bytes", in.RepoType, len(in.Content))
	}
	if strings.Contains(in.Content, "base_model: /") {
		reply(w, 400, map[string]any{"errors": []map[string]string{{"message": `"base_model" with value "/…" is not valid`}}, "warnings": []string{}})
		return
	}
	reply(w, 200, map[string]any{"errors": []string{}, "warnings": []string{}})
}

func (s *Server) create(w http.ResponseWriter, body []byte) {
	var in struct{ Name, Organization, Type, Visibility string }
	s.read(body, &in)
	id := in.Organization + "/" + in.Name
	switch {
	case in.Type != "model" || in.Name == "" || in.Organization == "":
		s.t.Errorf("create: %s", body)
	case s.repos[id] != nil:
		refuse(w, 409, "", "You already created this model repo")
		return
	case in.Organization == "forbidden":
		refuse(w, 403, "", "You don't have the rights to create a model under the namespace \"forbidden\"")
		return
	}
	s.repos[id] = &Repo{Files: map[string][]byte{".gitattributes": []byte("*.safetensors filter=lfs\n")}, Private: in.Visibility == "private", commits: 1}
	reply(w, 200, map[string]string{"url": s.URL + "/" + id, "name": id})
}

func (s *Server) preupload(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	repo := s.find(w, r, id)
	if repo == nil {
		return
	}
	var in struct {
		Files []struct {
			Path   string
			Sample []byte
			Size   int
		}
	}
	s.read(body, &in)
	out := []map[string]any{}
	for _, f := range in.Files {
		if f.Path == "" || len(f.Sample) != min(512, f.Size) {
			s.t.Errorf("preupload: %s: %d bytes of sample", f.Path, len(f.Sample))
		}
		e := map[string]any{"path": f.Path, "uploadMode": "regular", "shouldIgnore": false, "oid": nil}
		there, ok := repo.Files[f.Path]
		if ok {
			e["oid"] = GitSHA1(there)
		}
		if isLarge(f.Path, f.Size) {
			e["uploadMode"] = "lfs"
			if ok {
				e["oid"] = SHA256(there)
			}
		}
		out = append(out, e)
	}
	reply(w, 200, map[string]any{"files": out})
}

func (s *Server) batch(w http.ResponseWriter, r *http.Request, body []byte) {
	const lfs = "application/vnd.git-lfs+json"
	if r.Header.Get("Accept") != lfs || r.Header.Get("Content-Type") != lfs {
		s.t.Errorf("batch: Accept %q, Content-Type %q", r.Header.Get("Accept"), r.Header.Get("Content-Type"))
	}
	var in struct {
		Operation string
		HashAlgo  string `json:"hash_algo"`
		Transfers []string
		Objects   []struct {
			OID  string
			Size int
		}
	}
	s.read(body, &in)
	if in.Operation != "upload" || in.HashAlgo != "sha256" {
		s.t.Errorf("batch: %s", body)
	}
	out := []map[string]any{}
	for _, o := range in.Objects {
		e := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := s.large[o.OID]; !ok {
			up := map[string]any{"href": s.sign("/_storage/" + o.OID)}
			if o.Size > partSize {
				header := map[string]any{"chunk_size": strconv.Itoa(partSize)}
				for i := 0; i*partSize < o.Size; i++ {
					header[fmt.Sprintf("%05d", i+1)] = s.sign(fmt.Sprintf("/_storage/%s/%d", o.OID, i+1))
				}
				up = map[string]any{"href": s.URL + "/_complete/" + o.OID, "header": header}
			}
			e["actions"] = map[string]any{"upload": up, "verify": map[string]any{"href": s.URL + "/_verify"}}
		}
		out = append(out, e)
	}
	w.Header().Set("Content-Type", lfs)
	_ = json.NewEncoder(w).Encode(map[string]any{"objects": out})
}

// put takes a file, or a part of one, at the storage.
func (s *Server) put(w http.ResponseWriter, r *http.Request, m []string) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client's connection broke
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m[2] != "" {
		n, _ := strconv.Atoi(m[2])
		if s.parts[m[1]] == nil {
			s.parts[m[1]] = map[int][]byte{}
		}
		s.parts[m[1]][n] = data
	} else if SHA256(data) != m[1] {
		http.Error(w, "another sha256", http.StatusBadRequest)
		return
	} else {
		s.large[m[1]] = data
	}
	w.Header().Set("ETag", etagOf(data))
}

// complete puts the parts of a file together.
func (s *Server) complete(w http.ResponseWriter, sum string, body []byte) {
	var in struct {
		OID   string
		Parts []struct {
			PartNumber int
			ETag       string
		}
	}
	s.read(body, &in)
	var data []byte
	for i, p := range in.Parts {
		part := s.parts[sum][i+1]
		if p.PartNumber != i+1 || p.ETag != etagOf(part) {
			s.t.Errorf("complete: part %d is %+v", i+1, p)
		}
		data = append(data, part...)
	}
	if in.OID != sum || SHA256(data) != sum {
		http.Error(w, "another sha256", http.StatusBadRequest)
		return
	}
	s.large[sum] = data
	reply(w, 200, map[string]string{})
}

func (s *Server) verify(w http.ResponseWriter, body []byte) {
	var in struct {
		OID  string
		Size int
	}
	s.read(body, &in)
	if data, ok := s.large[in.OID]; !ok || len(data) != in.Size {
		refuse(w, 404, "", "not uploaded")
		return
	}
	reply(w, 200, map[string]string{})
}

func (s *Server) commit(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	repo := s.find(w, r, id)
	if repo == nil {
		return
	}
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Errorf("commit: Content-Type %q", r.Header.Get("Content-Type"))
	}
	for i, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
		var in struct {
			Key   string
			Value struct {
				Summary, Path, Encoding, Algo, OID string
				Content                            []byte
			}
		}
		s.read([]byte(line), &in)
		v := in.Value
		switch {
		case i == 0 && in.Key == "header" && v.Summary != "":
		case i > 0 && in.Key == "file" && v.Encoding == "base64":
			repo.Files[v.Path] = v.Content
		case i > 0 && in.Key == "lfsFile" && v.Algo == "sha256" && s.large[v.OID] != nil:
			repo.Files[v.Path] = s.large[v.OID]
		default:
			s.t.Errorf("commit, line %d: %.200s", i+1, line)
			refuse(w, 400, "", "a bad line")
			return
		}
	}
	repo.commits++
	reply(w, 200, map[string]any{"success": true, "commitOid": repo.commit(id), "commitUrl": s.URL + "/" + id + "/commit/" + repo.commit(id)})
}
