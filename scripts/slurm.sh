#!/usr/bin/env bash
# A sweep under a real Slurm: slurmctld, slurmd and munged on this machine, in a folder of their own, on ports of their own.
# 24 runs on the demo's model as array jobs, with a limit of a minute, so that the longer ones are warned, save and are
# requeued; one task is killed with all its processes; the array is submitted twice at once, and again for what is left. Then
# the adapters and the report are compared, byte by byte, with those of the same sweep run by finetune alone.
#
#   scripts/slurm.sh           some minutes; STEPS is the length of the longer runs, FINETUNE a program built already
#
# Linux, as root: apt-get install slurmctld slurmd slurm-client munge (tried with 22.05.8, Debian 12). Everything runs at
# nice 10, and what was started is ended and removed, however this ends (KEEP=1 keeps the folder). A requeued task waits two minutes by Slurm's own
# rule: this script tells Slurm to start it now.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh
# shellcheck source=scripts/runs24.sh
. scripts/runs24.sh

steps=${STEPS:-4000}
for program in slurmctld slurmd munged sbatch; do
	command -v $program >/dev/null || die "no $program: apt-get install slurmctld slurmd slurm-client munge"
done
[ "$(id -u)" = 0 ] || die "slurmd and munged want root"
renice -n 10 $$ >/dev/null

work=$(mktemp -d)
daemons=()
teardown() {
	local pid
	if [ ${#daemons[@]} -eq 3 ]; then
		scancel --full --signal=KILL --user=root --quiet || true
		scancel --user=root --quiet || true
		for _ in $(seq 30); do [ -n "$(squeue -h -t R,CG 2>/dev/null)" ] || break; sleep 1; done
	fi
	for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait
	[ -z "${KEEP:-}" ] || { echo "kept: $work"; return; }
	rm -rf "$work"
}
trap teardown EXIT
trap 'exit 130' INT TERM

finetune=${FINETUNE:-$work/finetune}
[ -x "$finetune" ] || go build -o "$finetune" ./cmd/finetune
cp -r cmd/finetune/demo "$work"
cd "$work"
chmod 755 .

# The cluster: one node with four CPUs, whatever the machine has.
host=$(hostname -s) port=$((20000 + RANDOM % 10000))
install -d -o munge -g munge munge
install -d state spool
dd if=/dev/urandom of=munge/key bs=128 count=1 status=none
chown munge munge/key
chmod 400 munge/key
cat >slurm.conf <<CONF
ClusterName=finetune
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
KillWait=20
MinJobAge=7200
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
setpriv --reuid=munge --regid=munge --clear-groups munged --foreground --force --socket="$work/munge/socket" --key-file="$work/munge/key" \
	--pid-file="$work/munge/pid" --seed-file="$work/munge/seed" --log-file="$work/munge/log" >munged.log 2>&1 &
daemons+=($!)
for _ in $(seq 50); do [ ! -S munge/socket ] || break; sleep 0.2; done
slurmctld -D -c >slurmctld.out 2>&1 &
daemons+=($!)
slurmd -D -N "$host" >slurmd.out 2>&1 &
daemons+=($!)
for _ in $(seq 60); do [ "$(sinfo -h -o %t 2>/dev/null)" != idle ] || break; sleep 1; done
[ "$(sinfo -h -o %t)" = idle ] || { tail slurmctld.log slurmd.log; die "the node does not become idle"; }

sweep slurm.yaml queued 'slurm: {cpus: 1, memory: 500M, time: 00:01:00}'

begun=$SECONDS
"$finetune" sweep slurm.yaml --engine slurm --print >first.sbatch
grep -q '^#SBATCH --array=0-23$' first.sbatch || die "another array than 0-23"
"$finetune" sweep slurm.yaml --engine slurm
"$finetune" sweep slurm.yaml --engine slurm >second # while the first is at work
first=1
second=$(grep -o '[0-9]*$' second)

# rush starts what waits for nothing but the two minutes after a requeue.
rush() {
	local id
	for id in $(squeue -h -r -t PD -o '%i %r' | sed -n 's/ BeginTime$//p'); do
		scontrol update "jobid=$id" starttime=now 2>/dev/null || true # it may just have started
	done
}

# drain waits until no task is left.
drain() {
	while [ -n "$(squeue -h)" ]; do
		rush
		sleep 3
		[ $((SECONDS - begun)) -lt 3600 ] || { squeue; die "tasks are left after an hour"; }
	done
}

# One task is killed, with the program and the run that it has started, in the middle of a long run.
killed=''
until [ -n "$killed" ] || [ -z "$(squeue -h)" ]; do
	rush
	for pid in $(pgrep -f 'train --config queued/settings/.*long'); do
		[ "$(readlink "/proc/$pid/cwd")" = "$work" ] || continue
		run=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n 's|.*/settings/\(.*\)\.yaml$|\1|p')
		grep -q '"step":100,' "queued/$run/metrics.jsonl" 2>/dev/null || continue
		task=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sort | sed -n 's/^SLURM_ARRAY_\(JOB_ID\|TASK_ID\)=//p' | paste -sd_)
		scancel --full --signal=KILL "$task" && killed="$task ($run)"
		break
	done
	sleep 1
done
[ -n "$killed" ] || die "no long run was seen: STEPS is too small for this machine"
drain
"$finetune" sweep slurm.yaml --status
third=0
while :; do # what the killed task has left, if the other array has not done it
	out=$("$finetune" sweep slurm.yaml --engine slurm 2>&1)
	case $out in *'nothing is left to do'*) break ;; esac
	third=$((third + 1))
	[ $third -lt 4 ] || die "three more arrays have not done it: $out"
	drain
done
took=$((SECONDS - begun))
requeues=$(scontrol -o show job | grep -o ' Restarts=[0-9]*' | cut -d= -f2 | paste -sd+ | bc)
tasks=$(scontrol -o show job | wc -l)
elsewhere=$(cat queued/logs/slurm-*.log | grep -c 'is at work in another process' || true)
[ "$requeues" -gt 0 ] || die "no task was requeued: STEPS is too small for this machine"

# The same sweep without Slurm.
compare_alone queued

printf '24 runs in %d tasks of arrays %s, %s and %d more: %d requeues, killed %s, %d found at work elsewhere; %d s, alone %d s: the same bytes of every adapter and of the report\n' \
	"$tasks" "$first" "$second" "$third" "$requeues" "$killed" "$elsewhere" "$took" "$alone"
