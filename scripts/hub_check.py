"""finetune and huggingface_hub on one fake hub: run by hub.sh.

    hub_check.py WORK MODEL CUTS     WORK holds the program finetune; MODEL is the demo's model
"""
import hashlib, json, os, random, re, shutil, subprocess, sys, time, urllib.request

work, model, cuts = sys.argv[1], sys.argv[2], int(sys.argv[3])
program = os.path.join(work, "finetune")
here = os.path.dirname(os.path.abspath(__file__))
NEEDED = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "additional_chat_templates/*"]
failures = []


def check(what, ok, detail=""):
    print(("ok    " if ok else "FAIL  ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        failures.append(what)


class Hub:
    """A fake hub in its own process, with org/tiny and org/twin (the same weights)."""

    def __init__(self, name, **env):
        self.root, self.log = os.path.join(work, name, "repos"), os.path.join(work, name, "log")
        for repo in ("tiny", "twin"):
            to = shutil.copytree(model, os.path.join(self.root, "org", repo))
            os.makedirs(os.path.join(to, "additional_chat_templates"))
            open(os.path.join(to, "additional_chat_templates", "tool_use.jinja"), "w").write("{{ x }}")
            open(os.path.join(to, "pytorch_model.bin"), "wb").write(os.urandom(5000))
        open(os.path.join(self.root, "org", "twin", "config.json"), "a").write("\n")
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(here, "fakehub.py"), "--root", self.root, "--log", self.log],
                                        stdout=subprocess.PIPE, env={**os.environ, **env})
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def fault(self, **fault):
        urllib.request.urlopen(urllib.request.Request(self.url + "/_fault", json.dumps(fault).encode())).read()

    def requests(self, since=0):
        """What was asked of the hub; not what the Python client asks for itself, once a day."""
        return [r for r in map(json.loads, open(self.log)) if r["path"] != "/api/agent-harnesses"][since:]

    def end(self):
        self.process.terminate()
        self.process.wait()


def environment(hub, cache, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "FAKEHUB"))}
    return {**env, "HF_ENDPOINT": hub.url, "HF_HOME": os.path.join(work, "home"), "HF_HUB_CACHE": cache, "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", **more}


def go(hub, cache, *args, **env):
    r = subprocess.run([program, *args], env=environment(hub, cache, **env), capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"finetune {' '.join(args)}: {r.stderr}")
    return r.stdout


def python(hub, cache, code, **env):
    r = subprocess.run([sys.executable, "-B", "-c", "from huggingface_hub import *\n" + code], env=environment(hub, cache, **{"HF_HUB_DISABLE_XET": "1", **env}),
                       capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"python: {code}: {r.stderr}")
    return r.stdout.strip()


def snapshot(repo): return f"print(snapshot_download({repo!r}, allow_patterns={NEEDED!r}))"


def layout(cache):
    """Every file of a cache: the target of a link, else the hash of the content."""
    out = {}
    for base, _, names in os.walk(cache):
        for name in names:
            path = os.path.join(base, name)
            out[os.path.relpath(path, cache)] = "-> " + os.readlink(path) if os.path.islink(path) else hashlib.sha256(open(path, "rb").read()).hexdigest()
    return out


def same(what, a, b):
    a, b = layout(a), layout(b)
    check(f"{what}: {len(a)} files", a == b, {k: (a.get(k), b.get(k)) for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)})


def downloads():
    hub = Hub("downloads")
    ours, theirs, both = (os.path.join(work, c) for c in ("ours", "theirs", "both"))
    go(hub, ours, "download", "org/tiny")
    theirs_dir = python(hub, theirs, snapshot("org/tiny"))
    same("a cache of ours is one of theirs", ours, theirs)
    got = python(hub, ours, snapshot("org/tiny"), HF_HUB_OFFLINE="1")
    check("Python finds ours offline", os.path.relpath(got, ours) == os.path.relpath(theirs_dir, theirs), got)
    got = python(hub, ours, "info = scan_cache_dir()\nprint(len(info.repos), len(info.warnings), sum(r.nb_files for r in info.repos))")
    check("scan_cache_dir of ours has no warnings", got.split()[:2] == ["1", "0"], got)
    got = python(hub, ours, "print(len(get_cached_repo_tree('org/tiny')))")
    check("get_cached_repo_tree of ours", int(got) == len(layout(os.path.join(hub.root, "org", "tiny"))), got)
    before = len(hub.requests())
    go(hub, theirs, "download", "org/tiny")
    check("of theirs we fetch nothing", len(hub.requests(before)) == 1, hub.requests(before))
    go(hub, theirs, "download", "org/tiny", HF_HUB_OFFLINE="1")
    before = len(hub.requests())
    python(hub, ours, snapshot("org/tiny"))
    check("of ours Python fetches nothing", len(hub.requests(before)) == 1, hub.requests(before))

    # Both at once on one cache.
    before = len(hub.requests())
    processes = [subprocess.Popen(c, env=environment(hub, both, HF_HUB_DISABLE_XET="1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for c in ([program, "download", "org/tiny"], [sys.executable, "-B", "-c", "from huggingface_hub import *\n" + snapshot("org/tiny")]) * 3]
    check("six at once", [p.wait() for p in processes] == [0] * 6)
    same("six at once", both, theirs)
    weights = [r for r in hub.requests(before) if r["m"] == "GET" and "/_cdn/" in r["path"]]
    check("the weights were fetched once", len(weights) == 1, len(weights))

    # The bearer, as both have sent it in everything above and below.
    shutil.rmtree(ours)
    go(hub, ours, "download", "org/tiny", HF_TOKEN="hf_good")
    leaks = [r["path"] for r in hub.requests() if "/_cdn/" in r["path"] and "authorization" in r["h"]]
    check("no bearer at the CDN", not leaks, leaks)

    # A part of ours, which Python finishes, and the other way round.
    for name, rest in (("Python", lambda c: python(hub, c, snapshot("org/tiny"))), ("finetune", lambda c: go(hub, c, "download", "org/tiny"))):
        part = os.path.join(work, "part-" + name)
        hub.fault(path="/_cdn/", method="GET", kind="truncate", times=1, at=200_000)
        p = subprocess.Popen([program, "download", "org/tiny"], env=environment(hub, part), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "trying again" not in p.stderr.readline():
            pass
        p.kill()
        p.wait()
        rest(part)
        go(hub, part, "download", "org/tiny")
        same(f"a part of ours, finished by {name}", part, theirs)
    ranges = [r["h"]["range"] for r in hub.requests() if "range" in r["h"]]
    check("which went on from byte 200000", "bytes=200000-" in ranges, ranges)
    hub.end()


def shared():
    """The store that repositories share: Python puts tiny's weights there, both link twin's."""
    hub = Hub("shared", FAKEHUB_XET="1")
    ours, theirs = os.path.join(work, "store-ours"), os.path.join(work, "store-theirs")
    sha = hashlib.sha256(open(os.path.join(model, "model.safetensors"), "rb").read()).hexdigest()
    xet, size = hashlib.sha256(sha.encode()).hexdigest(), os.path.getsize(os.path.join(model, "model.safetensors"))
    for cache in (ours, theirs):
        python(hub, cache, snapshot("org/tiny") + f"""
from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store
assert publish_blob_to_shared_store(blob_path={os.path.join(cache, "models--org--tiny", "blobs", sha)!r}, xet_hash={xet!r}, cache_dir={cache!r}, expected_size={size})""")
    out = go(hub, ours, "download", "org/tiny", HF_HUB_OFFLINE="1")
    check("a model in the shared store is found", "model   org/tiny" in out, out)
    go(hub, ours, "generate", "--model", "org/tiny", "--prompt", "Once", "--max-tokens", "2")
    go(hub, ours, "download", "org/twin")
    python(hub, theirs, snapshot("org/twin"), HF_HUB_DISABLE_XET="")
    same("linked from the shared store", ours, theirs)
    fetched = [r for r in hub.requests() if r["m"] == "GET" and "/_cdn/org/twin" in r["path"]]
    check("without a byte of the weights", not fetched, fetched)
    got = python(hub, ours, f"print(*sorted(scan_cache_dir().delete_revisions(*[r.commit_hash for p in scan_cache_dir().repos for r in p.revisions]).expected_freed_size_str))")
    check("scan_cache_dir knows the links", got != "", got)
    hub.end()


def uploads():
    ours, theirs = Hub("up-ours"), Hub("up-theirs")
    folder = os.path.join(work, "adapter")
    os.makedirs(folder)
    open(os.path.join(folder, "README.md"), "w").write("---\nlibrary_name: peft\nbase_model: org/tiny\n---\n# An adapter\n")
    open(os.path.join(folder, "adapter_config.json"), "w").write('{"base_model_name_or_path": "org/tiny"}')
    data = random.Random(1).randbytes(7_300_000)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    header = json.dumps({name: {"dtype": "F32", "shape": [1, len(data) // 4], "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    open(os.path.join(folder, "adapter_model.safetensors"), "wb").write(len(header).to_bytes(8, "little") + header + data)
    cache = os.path.join(work, "up-cache")
    push = f"api = HfApi(token='hf_good')\napi.create_repo('me/adapter', repo_type='model', private=True, exist_ok=True)\napi.upload_folder(repo_id='me/adapter', folder_path={folder!r})"
    go(ours, cache, "upload", folder, "me/adapter", "--private", HF_TOKEN="hf_good")
    python(theirs, cache, push)
    same("an upload of ours is one of theirs", *(os.path.join(h.root, "me", "adapter") for h in (ours, theirs)))

    def sent(hub):
        """Method, route and body of what was sent, without addresses, keys in order."""
        out = {}
        for r in hub.requests():
            route = re.sub(r"[0-9a-f]{64}", "SHA", r["path"])
            if r["m"] in ("POST", "PUT") and not route.startswith("/api/validate"):
                body = [json.loads(l) for l in r["body"].splitlines()] if r["m"] == "POST" else None
                if "/commit/" in route:
                    body[0] = {**body[0], "value": "…"}  # the message is its own
                    body.sort(key=lambda l: (l["key"] != "header", l["value"]["path"] if l["key"] != "header" else ""))
                if "/preupload/" in route:
                    body[0]["files"].sort(key=lambda f: f["path"])
                out.setdefault(f"{r['m']} {route}", []).append(body)
        return out

    a, b = sent(ours), sent(theirs)
    for route in sorted(set(a) | set(b)):
        check(f"sent alike: {route}", a.get(route) == b.get(route), (a.get(route), b.get(route)))
    leaks = [r["path"] for r in ours.requests() if "/_s3/" in r["path"] and "authorization" in r["h"]]
    check("no bearer at the storage", not leaks, leaks)
    before = len(ours.requests())
    python(ours, cache, push)
    check("after ours Python sends nothing", not [r for r in ours.requests(before) if r["m"] == "PUT" or "/commit/" in r["path"]])
    out = go(theirs, cache, "upload", folder, "me/adapter", HF_TOKEN="hf_good")
    check("after theirs we send nothing", "nothing: all of it is there already" in out, out)
    back = python(ours, cache, "print(snapshot_download('me/adapter', token='hf_good'))")
    check("Python brings ours back", {k: hashlib.sha256(open(os.path.join(back, k), "rb").read()).hexdigest() for k in os.listdir(folder)} == layout(folder))
    ours.end()
    theirs.end()


def cut():
    """One download, cut at random places and killed now and then."""
    hub = Hub("cut")
    seed = int(time.time())
    r = random.Random(seed)
    path = os.path.join(hub.root, "org", "tiny", "model.safetensors")
    open(path, "wb").write(r.randbytes(cuts * 40_000 + 1_000_000))
    want = hashlib.sha256(open(path, "rb").read()).hexdigest()
    for _ in range(cuts):
        hub.fault(path="/_cdn/", method="GET", kind="truncate", times=1, at=r.randrange(1, 60_000))
    cache, code, kills, start = os.path.join(work, "cut-cache"), None, 0, time.time()
    while code is None:
        p = subprocess.Popen([program, "download", "org/tiny", "-q"], env=environment(hub, cache), stdout=subprocess.DEVNULL)
        try:
            code = p.wait(timeout=r.uniform(0.1, 1.5))
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            kills += 1
    seen = sum(q["note"] == "truncated" for q in hub.requests())
    check(f"cut {seen} times and killed {kills} times in {time.time() - start:.0f} s (seed {seed})", code == 0 and seen == cuts, code)
    files = layout(cache)
    check(f"the same {os.path.getsize(path)} bytes", files.get(f"models--org--tiny/blobs/{want}") == want, files)
    whole = os.path.join(work, "cut-whole")
    go(hub, whole, "download", "org/tiny")
    same("as in one go", cache, whole)
    hub.end()


if __name__ == "__main__":
    import huggingface_hub

    print(f"huggingface_hub {huggingface_hub.__version__}, Python {sys.version.split()[0]}")
    downloads()
    shared()
    uploads()
    cut()
    raise SystemExit(f"{len(failures)} of the comparisons failed" if failures else 0)
