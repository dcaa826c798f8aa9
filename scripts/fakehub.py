#!/usr/bin/env python3
"""A fake Hugging Face Hub on loopback, strict about what it is sent, with faults on request.

    fakehub.py --root DIR [--port PORT] [--log requests.jsonl]     prints the port

DIR/<org>/<name>/ holds the files of one revision; files >= --lfs-bytes (default 1 MiB) or ending in
.safetensors/.bin/.gguf are "LFS". Uploads go to memory + DIR. Faults: POST /_fault {"path":regex,"method":"GET",
"kind":"status|truncate|ignore-range|drop|flip","status":503,"times":2,"headers":{},"at":BYTES}.
"""
import argparse, base64, hashlib, json, os, re, socket, sys, threading, time, traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse, unquote, parse_qs

LFS_EXT = (".safetensors", ".bin", ".gguf", ".parquet")

class Hub:
    def __init__(self, root, lfs_bytes, log):
        self.root, self.lfs_bytes, self.log = root, lfs_bytes, log
        self.lock = threading.Lock()
        self.commits = {}   # repo id -> [commit sha, ...]
        self.lfs = {}       # oid -> bytes
        self.parts = {}     # oid -> {n: bytes}
        self.faults = []
        self.digests = {}   # (path, time, size) -> digests
        self.private = {"org/private": "hf_good"}
        self.gated = {"org/gated": "hf_good"}
        self.renamed = {"org/old-name": "org/tiny"}
        for org in sorted(os.listdir(root)) if os.path.isdir(root) else []:
            for name in sorted(os.listdir(os.path.join(root, org))):
                self.commits[f"{org}/{name}"] = [self.sha(f"{org}/{name}")]
    def dir(self, repo): return os.path.join(self.root, *repo.split("/"))
    def sha(self, repo):
        h = hashlib.sha1()
        for p in self.files(repo): h.update(p.encode()); h.update(open(os.path.join(self.dir(repo), p), "rb").read(1 << 16))
        return h.hexdigest()
    def files(self, repo):
        d = self.dir(repo); out = []
        for base, dirs, fs in os.walk(d):
            dirs[:] = [x for x in dirs if not x.startswith(".")]
            for f in fs: out.append(os.path.relpath(os.path.join(base, f), d))
        return sorted(out)
    def is_lfs(self, repo, p):
        return p.endswith(LFS_EXT) or os.path.getsize(os.path.join(self.dir(repo), p)) >= self.lfs_bytes
    def digest(self, repo, p):
        path = os.path.join(self.dir(repo), p); stat = os.stat(path); key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self.digests: self.digests[key] = self.hash(path)
        return self.digests[key]
    def hash(self, path):
        data = open(path, "rb").read()
        return (hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(), len(data))

class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub = None
    def log_message(self, *a): pass
    # ---- plumbing
    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            out = b""
            while True:
                n = int(self.rfile.readline().strip(), 16)
                chunk = self.rfile.read(n); self.rfile.readline(); out += chunk
                if n == 0: return out
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))
    def record(self, status, note=""):
        if not self.hub.log: return
        h = {k.lower(): v for k, v in self.headers.items() if k.lower() in ("authorization", "range", "content-type", "accept", "user-agent", "accept-encoding", "content-length", "x-hf-download-counter")}
        if "authorization" in h: h["authorization"] = h["authorization"][:10] + "…"
        with self.hub.lock:
            self.hub.log.write(json.dumps({"m": self.command, "path": self.path, "status": status, "h": h, "body": self._body[:60000].decode("utf8", "replace") if getattr(self, "_body", None) else "", "note": note}) + "\n"); self.hub.log.flush()
    def send(self, status, body=b"", headers=None, head=False):
        if isinstance(body, (dict, list)): body = json.dumps(body).encode(); headers = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        self.record(status)
        self.send_response(status)
        headers = dict(headers or {})
        headers.setdefault("Content-Length", str(len(body)))
        for k, v in headers.items(): self.send_header(k, v)
        self.end_headers()
        if not head and self.command != "HEAD": self.wfile.write(body)
    def error(self, status, code, message):
        self.send(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message} if code else {"X-Error-Message": message})
    def token(self):
        a = self.headers.get("Authorization", "")
        return a[7:] if a.startswith("Bearer ") else None
    def fault(self):
        for f in list(self.hub.faults):
            if f["times"] > 0 and re.search(f["path"], self.path) and f.get("method", self.command) == self.command:
                f["times"] -= 1; return f
        return None
    # ---- access as the Hub answers: 401 RepoNotFound without token for private/missing; 403 GatedRepo when gated
    def access(self, repo):
        if repo in self.hub.renamed: return repo
        if repo in self.hub.private and self.token() != self.hub.private[repo]:
            self.error(401 if not self.token() else 404, "RepoNotFound", "Repository not found"); return None
        if repo not in self.hub.commits:
            if self.token(): self.error(404, "RepoNotFound", "Repository not found")
            else: self.send(401, {"error": "Invalid username or password."}, {"X-Error-Message": "Invalid username or password.", "WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"'})
            return None
        return repo
    def gate(self, repo):
        if repo in self.hub.gated and self.token() != self.hub.gated[repo]:
            if self.token(): self.error(403, "GatedRepo", f"Access to model {repo} is restricted and you are not in the authorized list. Visit its page to ask for access.")
            else: self.error(401, "GatedRepo", f"Access to model {repo} is restricted. You must have access to it and be authenticated to access it. Please log in.")
            return False
        return True
    def rev(self, repo, rev):
        c = self.hub.commits[repo]
        if rev in ("main", c[-1]): return c[-1]
        if rev in c: return rev
        self.error(404, "RevisionNotFound", f"Invalid rev id: {rev}"); return None
    def do(self):
        self._body = None
        u = urlparse(self.path); p = u.path; q = parse_qs(u.query)
        if p == "/_fault":
            self.hub.faults.append(json.loads(self.body())); return self.send(200, {})
        if p == "/_faults_clear":
            self.hub.faults.clear(); return self.send(200, {})
        f = self.fault()
        self._f = f
        if f and f["kind"] == "status":
            self.body()
            return self.send(f["status"], {"error": "fault"}, f.get("headers"))
        if f and f["kind"] == "drop":
            self.record(-1, "dropped"); self.connection.shutdown(socket.SHUT_RDWR); return
        if m := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?", p):
            repo = self.access(m[2]);
            if not repo: return
            if repo in self.hub.renamed:
                return self.send(307, b"", {"Location": f"/api/models/{self.hub.renamed[repo]}" + (f"/revision/{m[3]}" if m[3] else "")})
            sha = self.rev(repo, unquote(m[3]) if m[3] else "main")
            if not sha: return
            sib = []
            for name in self.hub.files(repo):
                e = {"rfilename": name}
                if "blobs" in q:
                    s256, s1, n = self.hub.digest(repo, name); e |= {"size": n, "blobId": s1}
                    if self.hub.is_lfs(repo, name): e["lfs"] = {"sha256": s256, "size": n, "pointerSize": 134}
                sib.append(e)
            return self.send(200, {"_id": "0" * 24, "id": repo, "modelId": repo, "sha": sha, "private": repo in self.hub.private, "gated": "manual" if repo in self.hub.gated else False, "disabled": False, "tags": [], "siblings": sib, "createdAt": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z", "downloads": 0, "likes": 0})
        if m := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(/.*)?", p):
            repo = self.access(m[1])
            if not repo: return
            sha = self.rev(repo, unquote(m[2]))
            if not sha: return
            out = []
            for name in self.hub.files(repo):
                s256, s1, n = self.hub.digest(repo, name)
                e = {"type": "file", "oid": s1, "size": n, "path": name}
                if self.hub.is_lfs(repo, name):
                    e["lfs"] = {"oid": s256, "size": n, "pointerSize": 134}
                    if os.environ.get("FAKEHUB_XET"): e["xetHash"] = hashlib.sha256(s256.encode()).hexdigest()
                out.append(e)
            page = int(q.get("cursor", ["0"])[0]); per = 3   # small pages, so that a client that ignores Link fails
            nxt = {}
            if page + per < len(out):
                nxt = {"Link": f'<http://{self.headers["Host"]}{p}?recursive=True&expand=False&cursor={page+per}>; rel="next"'}
            return self.send(200, out[page:page + per], nxt)
        if m := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", p):
            repo = self.access(m[1])
            if not repo: return
            if repo in self.hub.renamed:   # the real Hub: relative 307
                return self.send(307, b"", {"Location": f"/{self.hub.renamed[repo]}/resolve/{m[2]}/{m[3]}"})
            if not self.gate(repo): return
            sha = self.rev(repo, unquote(m[2]))
            if not sha: return
            name = unquote(m[3]); path = os.path.join(self.hub.dir(repo), name)
            common = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "Access-Control-Expose-Headers": "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash"}
            if not os.path.isfile(path):
                self.record(404)
                b = b"Entry not found"; self.send_response(404)
                for k, v in {**common, "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", "Content-Length": str(len(b))}.items(): self.send_header(k, v)
                self.end_headers()
                if self.command != "HEAD": self.wfile.write(b)
                return
            s256, s1, n = self.hub.digest(repo, name)
            if self.hub.is_lfs(repo, name):
                loc = f"http://{self.headers['Host'].replace('127.0.0.1', 'localhost')}/_cdn/{repo}/{s256}/{name}?Expires=1&Signature=x"
                b = f"Found. Redirecting to {loc}".encode()
                # X-Xet-Hash as on today's Hub (Xet-backed LFS) when asked for
                x = {"X-Xet-Hash": hashlib.sha256(s256.encode()).hexdigest(), "Link": f'<http://{self.headers["Host"]}/api/models/{repo}/xet-read-token/{sha}>; rel="xet-auth"'} if os.environ.get("FAKEHUB_XET") else {}
                return self.send(302, b, {**common, "Location": loc, "X-Linked-Size": str(n), "X-Linked-ETag": f'"{s256}"', "ETag": f'"{hashlib.md5(s256.encode()).hexdigest()}"', "Content-Type": "text/plain; charset=utf-8", **x})
            return self.blob(open(path, "rb").read(), {**common, "ETag": f'"{s1}"', "Content-Type": "text/plain; charset=utf-8"})
        if m := re.fullmatch(r"/_cdn/([^/]+/[^/]+)/([0-9a-f]{64})/(.+)", p):
            if self.token(): return self.send(400, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>")  # what S3 does when a bearer leaks
            name = unquote(m[3])
            return self.blob(open(os.path.join(self.hub.dir(m[1]), name), "rb").read(), {"ETag": f'"{hashlib.md5(m[2].encode()).hexdigest()}-17"', "Content-Type": "application/octet-stream"})
        if p == "/api/whoami-v2":
            if self.token() != "hf_good": return self.error(401, None, "Invalid credentials in Authorization header")
            return self.send(200, {"type": "user", "name": "me", "fullname": "Me", "orgs": [{"name": "org"}], "auth": {"type": "access_token", "accessToken": {"displayName": "t", "role": "write"}}})
        if self.command == "POST": return self.post(p, q)
        if self.command == "PUT":
            data = self.body(); m = re.fullmatch(r"/_s3/([0-9a-f]{64})(?:/(\d+))?", p)
            if not m: return self.send(404)
            if self.token(): return self.send(400, b"<Error>bearer leaked to storage</Error>")
            if m[2]:
                self.hub.parts.setdefault(m[1], {})[int(m[2])] = data
                return self.send(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})
            if hashlib.sha256(data).hexdigest() != m[1]: return self.send(400, b"sha mismatch")
            self.hub.lfs[m[1]] = data
            return self.send(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})
        self.body(); self.send(404, {"error": "no route"})
    def blob(self, data, headers):
        n = len(data); rng = self.headers.get("Range"); f = self._f
        if rng and not (f and f["kind"] == "ignore-range"):
            m = re.fullmatch(r"bytes=(\d+)-(\d*)", rng)
            a = int(m[1]); b = int(m[2]) if m[2] else n - 1
            if a >= n: return self.send(416, b"", {"Content-Range": f"bytes */{n}"})
            status, part = 206, data[a:b + 1]; headers["Content-Range"] = f"bytes {a}-{b}/{n}"
        else: status, part = 200, data
        if f and f["kind"] == "truncate":
            self.record(status, "truncated")
            self.send_response(status)
            for k, v in headers.items(): self.send_header(k, v)
            self.send_header("Content-Length", str(len(part))); self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(part[: f.get("at", len(part) // 2)]); self.wfile.flush(); self.connection.shutdown(socket.SHUT_RDWR)
            return
        if f and f["kind"] == "flip" and self.command == "GET" and len(part) > 10:
            part = bytes([part[0] ^ 1]) + part[1:]
        self.send(status, part, headers)
    def post(self, p, q):
        hub = self.hub; raw = self._body = self.body(); host = self.headers["Host"]
        need = self.token() == "hf_good"
        if p == "/api/validate-yaml": return self.send(200, {"errors": [], "warnings": []})
        if m := re.fullmatch(r"/_complete/([0-9a-f]{64})", p):
            j = json.loads(raw); parts = hub.parts.pop(m[1]); data = b"".join(parts[i] for i in sorted(parts))
            assert j["oid"] == m[1] and [x["partNumber"] for x in j["parts"]] == list(range(1, len(parts) + 1)), j
            for x in j["parts"]: assert x["etag"].strip('"') == hashlib.md5(parts[x["partNumber"]]).hexdigest()
            if hashlib.sha256(data).hexdigest() != m[1]: return self.send(400, b"sha mismatch")
            hub.lfs[m[1]] = data; return self.send(200, {})
        if not need: return self.error(401, None, "Invalid credentials in Authorization header")
        if p == "/api/repos/create":
            j = json.loads(raw); repo = (j.get("organization") or "me") + "/" + j["name"]
            if repo in hub.commits: return self.send(409, {"error": "You already created this model repo", "url": f"http://{host}/{repo}"})
            os.makedirs(hub.dir(repo), exist_ok=True); hub.commits[repo] = ["0" * 40]
            if j.get("visibility") == "private" or j.get("private"): hub.private[repo] = "hf_good"
            return self.send(200, {"url": f"http://{host}/{repo}", "name": repo, "id": "0" * 24})
        if m := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", p):
            j = json.loads(raw); out = []
            for f in j["files"]:
                base64.b64decode(f["sample"], validate=True); assert set(f) >= {"path", "sample", "size"}
                lfs = f["path"].endswith(LFS_EXT) or f["size"] >= hub.lfs_bytes
                path = os.path.join(hub.dir(m[1]), f["path"]); oid = None
                if os.path.isfile(path): s256, s1, _ = hub.digest(m[1], f["path"]); oid = s256 if lfs else s1
                out.append({"path": f["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid})
            return self.send(200, {"files": out, "commitOid": hub.commits[m[1]][-1]})
        if m := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", p):
            j = json.loads(raw); assert self.headers["Accept"] == "application/vnd.git-lfs+json" and self.headers["Content-Type"] == "application/vnd.git-lfs+json", dict(self.headers)
            assert j["operation"] == "upload" and j["hash_algo"] == "sha256", j
            objs = []
            for o in j["objects"]:
                if o["oid"] in hub.lfs: objs.append({"oid": o["oid"], "size": o["size"]}); continue   # already there: no actions
                if o["size"] > 5_000_000 and "multipart" in j["transfers"]:
                    chunk = 2_000_000; n = -(-o["size"] // chunk)
                    up = {"href": f"http://{host}/_complete/{o['oid']}", "header": {"chunk_size": str(chunk), **{f"{i+1:05d}": f"http://localhost:{host.split(':')[1]}/_s3/{o['oid']}/{i+1}" for i in range(n)}}}
                else: up = {"href": f"http://localhost:{host.split(':')[1]}/_s3/{o['oid']}"}
                objs.append({"oid": o["oid"], "size": o["size"], "authenticated": True, "actions": {"upload": up, "verify": {"href": f"http://{host}/_verify", "header": {}}}})
            return self.send(200, {"transfer": "multipart" if any("chunk_size" in o.get("actions", {}).get("upload", {}).get("header", {}) for o in objs) else "basic", "objects": objs}, {"Content-Type": "application/vnd.git-lfs+json"})
        if p == "/_verify":
            j = json.loads(raw); return self.send(200 if len(hub.lfs.get(j["oid"], b"")) == j["size"] else 404, {})
        if m := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", p):
            if self.headers["Content-Type"] != "application/x-ndjson": return self.send(400, {"error": "want ndjson"})
            lines = [json.loads(l) for l in raw.splitlines() if l.strip()]; head = lines[0]; assert head["key"] == "header" and head["value"]["summary"], head
            repo = m[1]
            if repo not in hub.commits: return self.error(404, "RepoNotFound", "Repository not found")
            pc = head["value"].get("parentCommit")
            if pc and pc != hub.commits[repo][-1]: return self.send(412, {"error": "A commit has happened since. Please refresh and try again."}, {"X-Error-Message": "A commit has happened since. Please refresh and try again."})
            for l in lines[1:]:
                v = l["value"]; path = os.path.join(hub.dir(repo), v["path"])
                if l["key"] in ("file", "lfsFile"):
                    if l["key"] == "file": assert v["encoding"] == "base64"; data = base64.b64decode(v["content"], validate=True)
                    else:
                        assert v["algo"] == "sha256"; data = hub.lfs.get(v["oid"])
                        if data is None: return self.send(400, {"error": f"LFS pointer pointed to a file that does not exist: {v['path']}"})
                    os.makedirs(os.path.dirname(path), exist_ok=True); open(path, "wb").write(data)
                elif l["key"] == "deletedFile":
                    if not os.path.exists(path): return self.error(404, "EntryNotFound", "A file with this name doesn't exist")
                    os.remove(path)
                else: return self.send(400, {"error": "bad key " + l["key"]})
            oid = hashlib.sha1(raw + str(time.time()).encode()).hexdigest(); hub.commits[repo].append(oid)
            return self.send(200, {"success": True, "commitOid": oid, "commitUrl": f"http://{host}/{repo}/commit/{oid}", "hookOutput": "", "pullRequestUrl": None})
        self.send(404, {"error": "no route"})
    do_GET = do_HEAD = do_POST = do_PUT = do

if __name__ == "__main__":
    a = argparse.ArgumentParser(); a.add_argument("--root", required=True); a.add_argument("--port", type=int, default=0); a.add_argument("--lfs-bytes", type=int, default=1 << 20); a.add_argument("--log")
    a = a.parse_args()
    H.hub = Hub(a.root, a.lfs_bytes, open(a.log, "a") if a.log else None)
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer.handle_error = lambda self, *_: None if isinstance(sys.exc_info()[1], OSError) else traceback.print_exc()  # clients may leave
    server = ThreadingHTTPServer(("127.0.0.1", a.port), H)
    print(server.server_port, flush=True)
    server.serve_forever()
