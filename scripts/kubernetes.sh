#!/usr/bin/env bash
# A sweep under a real control plane of Kubernetes: etcd, API server, controllers and scheduler on this machine, in a folder
# of their own, on ports of their own. A small stand-in for the kubelet (scripts/kubernetes) runs the pods' commands as
# processes, each in a root that holds the image and nothing else. The sweep is that of scripts/slurm.sh: 24 runs on the
# demo's model as one Indexed Job. The API server validates the manifest strictly; one index fails once, as if memory had
# run out, one fails for good, and one pod is evicted. Then adapters and report are compared, byte by byte, with those of the
# same sweep run by finetune alone.
#
#   scripts/kubernetes.sh      some minutes, and ten more the first time; STEPS is the length of the longer runs,
#                              FINETUNE a program built already
#
# Linux, as root, with openssl and kubectl (tried with 1.32). The control plane is built from Go modules into the cache (scripts/paths.sh). Everything runs
# at nice 10, and what was started is ended and removed, however this ends (KEEP=1 keeps the folder).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh
# shellcheck source=scripts/runs24.sh
. scripts/runs24.sh

steps=${STEPS:-3000}
for program in openssl kubectl; do
	command -v $program >/dev/null || die "no $program"
done
[ "$(uname -s)/$(id -u)" = Linux/0 ] || die "pods have roots of their own: that takes Linux and root"
renice -n 10 $$ >/dev/null

work=$(mktemp -d)
daemons=()
teardown() {
	local pid
	for pid in "${daemons[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done # pods end with their node
	wait 2>/dev/null
	[ -z "${KEEP:-}" ] || { echo "kept: $work"; return; }
	rm -rf "$work"
}
trap teardown EXIT
trap 'exit 130' INT TERM

# The programs: built once, and linked again only where the module has changed.
bin=$cache/kubernetes
mkdir -p "$bin"
(cd scripts/kubernetes && go build -ldflags='-s -w' -o "$bin/" tool .) || die "the control plane does not build"
PATH=$bin:$PATH
version=$(cd scripts/kubernetes && go list -m -f '{{.Version}}' k8s.io/kubernetes)
go build -o "$work/image/finetune" ./cmd/finetune
[ -z "${FINETUNE:-}" ] || cp "$FINETUNE" "$work/image/finetune"
mkdir "$work/image/tmp" "$work/volume" "$work/node"
cp -r cmd/finetune/demo "$work/volume"
finetune=$work/image/finetune

# The cluster.
cd "$work"
port=$((20000 + RANDOM % 10000))
export KUBECONFIG=$work/kubeconfig
token=$(openssl rand -hex 16)
echo "$token,admin,1,system:masters" >tokens.csv
openssl genrsa -out account.key 2048 2>/dev/null
openssl rsa -in account.key -pubout -out account.pub 2>/dev/null
cat >kubeconfig <<YAML
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $work/certs/apiserver.crt}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: here, context: {cluster: here, user: admin}}]
current-context: here
YAML
begin() { # NAME COMMAND... starts a daemon
	local name=$1
	shift
	"$@" >"$name.log" 2>&1 &
	daemons+=($!)
}
begin etcd server --data-dir=etcd --listen-client-urls="http://127.0.0.1:$((port + 1))" --advertise-client-urls="http://127.0.0.1:$((port + 1))" \
	--listen-peer-urls="http://127.0.0.1:$((port + 2))" --initial-advertise-peer-urls="http://127.0.0.1:$((port + 2))" \
	--initial-cluster="default=http://127.0.0.1:$((port + 2))" --unsafe-no-fsync
begin apiserver kube-apiserver --etcd-servers="http://127.0.0.1:$((port + 1))" --bind-address=127.0.0.1 --secure-port=$port --cert-dir=certs \
	--token-auth-file=tokens.csv --authorization-mode=RBAC --service-cluster-ip-range=10.0.0.0/24 --endpoint-reconciler-type=none \
	--service-account-issuer=https://kubernetes.default.svc --service-account-key-file=account.pub --service-account-signing-key-file=account.key \
	--disable-admission-plugins=ServiceAccount,TaintNodesByCondition
for _ in $(seq 120); do
	[ "$(kubectl get --raw /readyz 2>/dev/null)" != ok ] || break
	sleep 1
done
[ "$(kubectl get --raw /readyz)" = ok ] || { tail apiserver.log; die "the API server does not become ready"; }
begin controllers kube-controller-manager --kubeconfig=kubeconfig --leader-elect=false --secure-port=0 \
	--controllers=job-controller,pod-garbage-collector-controller,garbage-collector-controller,namespace-controller,persistentvolume-binder-controller
begin scheduler kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --secure-port=0
begin node kubernetes --kubeconfig=kubeconfig --image=image --dir=node --cpus=4
kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: {name: work}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], storageClassName: "", hostPath: {path: $work/volume}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: work}
spec: {accessModes: [ReadWriteMany], storageClassName: "", volumeName: work, resources: {requests: {storage: 1Gi}}}
YAML
kubectl wait --for=jsonpath='{.status.phase}'=Bound pvc/work --timeout=60s >/dev/null

cd volume
sweep cluster.yaml queued 'kubernetes: {image: "registry.example/finetune:1", claim: work}'

# What the API server says of the manifest, and of three wrong ones.
"$finetune" sweep cluster.yaml --engine kubernetes --print >"$work/job.yaml"
validate() { kubectl create --dry-run=server --validate=strict -v=6 -f - 2>&1; }
validate <"$work/job.yaml" >"$work/right.log" || { cat "$work/right.log"; die "the manifest is refused"; }
grep -q 'dryRun=All.*fieldValidation=Strict' "$work/right.log" || { cat "$work/right.log"; die "the manifest was not validated strictly"; }
refused() { # FROM TO WHY
	sed "s/$1/$2/" "$work/job.yaml" | validate >"$work/wrong.log" && die "taken: $2"
	grep -q "$3" "$work/wrong.log" || { cat "$work/wrong.log"; die "another reason against $2"; }
}
refused 'completionMode: Indexed' 'completionMode: Indexd' 'Unsupported value: "Indexd"'
refused backoffLimitPerIndex backofLimitPerIndex 'unknown field "spec.backofLimitPerIndex"'
refused 'restartPolicy: Never' 'restartPolicy: OnFailure' 'only "Never" is supported when podFailurePolicy is specified'

# One run cannot be done: something else is in its folder.
broken=$("$finetune" sweep cluster.yaml --list | grep -o 'queued/loraone,lora_r=8,seed=4-[0-9a-f]*')
mkdir -p "$broken"
for file in adapter_config.json adapter_model.safetensors finetune.json; do echo none >"$broken/$file"; done

begun=$SECONDS
"$finetune" sweep cluster.yaml --engine kubernetes >"$work/submitted"
job=$(sed -n 's|^job.batch/\(.*\) created$|\1|p' "$work/submitted")
[ -n "$job" ] || { cat "$work/submitted"; die "no job was made"; }
if "$finetune" sweep cluster.yaml --engine kubernetes 2>"$work/again"; then die "the same job was taken twice"; fi
grep -q 'is there already' "$work/again" || { cat "$work/again"; die "another reason against a second submission"; }

# at NAME waits until a run has done a hundred steps and prints its pod.
at() {
	local index
	index=$("$finetune" sweep cluster.yaml --list | awk -v name="queued/$1-" 'index($NF, name) == 1 { print $1 }')
	for _ in $(seq 600); do
		if grep -q '"step":100,' queued/"$1"-*/metrics.jsonl 2>/dev/null; then
			kubectl get pods -l "job-name=$job,batch.kubernetes.io/job-completion-index=$index" --field-selector=status.phase=Running -o name | grep . ||
				die "$1 is done already: STEPS is too small for this machine"
			return
		fi
		sleep 1
	done
	die "$1 does not get on"
}
index() { kubectl get "$1" -o jsonpath='{.metadata.labels.batch\.kubernetes\.io/job-completion-index}'; }

# One run is killed, as the kernel does when memory runs out: its pod fails, and is tried again.
pod=$(at long,seed=1)
killed=$(index "$pod")
for pid in $(pgrep -f 'train --config queued/settings/long,seed=1-'); do
	[[ "$(readlink "/proc/$pid/root")" != "$work"/node/roots/* ]] || kill -KILL "$pid"
done
# Another is evicted: it saves, and nothing is counted against it.
pod=$(at long,seed=2)
evicted=$(index "$pod")
kubectl create --raw "/api/v1/namespaces/default/${pod/pod\//pods/}/eviction" -f - >/dev/null <<JSON
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "${pod#pod/}", "namespace": "default"}}
JSON

kubectl wait --for=condition=Failed "job/$job" --timeout=3600s >/dev/null || { kubectl describe "job/$job"; die "the job does not end"; }
status() { kubectl get "job/$job" -o jsonpath="{.status.$1}"; }
failed=$(status failedIndexes)
[ "$(status succeeded)" = 23 ] || { kubectl describe "job/$job"; die "$(status succeeded) runs succeeded, want 23"; }
ended() { grep -c "^.\{8\} $job-$1-[a-z0-9]* ended with $2\$" "$work/node.log" || true; } # INDEX CODE
[ "$(ended "$failed" 1)" = 3 ] || { cat "$work/node.log"; die "index $failed, want three failures of it"; }
[ "$(ended "$killed" 1)/$(ended "$killed" 0)" = 1/1 ] || { cat "$work/node.log"; die "index $killed, want one failure and one success"; }
[ "$(ended "$evicted" 130)/$(ended "$evicted" 0)" = 1/1 ] || { cat "$work/node.log"; die "index $evicted, want one interruption and one success"; }
"$finetune" sweep cluster.yaml --status >"$work/status"
grep -q '^24 runs: 23 finished, 1 failed$' "$work/status" || { cat "$work/status"; die "another status"; }

# What was broken is mended: a second job does what is left, and then nothing is.
rm -r "$broken"
"$finetune" sweep cluster.yaml --engine kubernetes --retry >"$work/submitted"
job=$(sed -n 's|^job.batch/\(.*\) created$|\1|p' "$work/submitted")
kubectl wait --for=condition=Complete "job/$job" --timeout=600s >/dev/null || { kubectl describe "job/$job"; die "the second job does not complete"; }
"$finetune" sweep cluster.yaml --engine kubernetes 2>&1 | grep -q 'nothing is left to do' || die "something is left to do"
took=$((SECONDS - begun))

# The same sweep without Kubernetes.
compare_alone queued

printf '24 runs as an Indexed Job of %s: index %s killed and tried again, %s failed three times, %s evicted, saved and resumed; the one that failed done by a second job; %d s, alone %d s: the same bytes of every adapter and of the report\n' \
	"Kubernetes $version" "$killed" "$failed" "$evicted" "$took" "$alone"
