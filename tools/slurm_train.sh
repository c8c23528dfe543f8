#!/usr/bin/env bash
set -e
if [ $# -lt 3 ]; then
    cat >&2 <<'END'
Train with several processes on a SLURM cluster.
Usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 GRES=gpu:8 SRUN_ARGS= \
    MASTER_PORT= MAX_RESTARTS=20] slurm_train.sh PARTITION JOB_NAME CONFIG \
    [options of train.py]
GPUS is the number of processes; with an empty GRES they run on the CPU.
A preempted training (exit code 75) is saved and goes on: in a job of sbatch
by `scontrol requeue`, else by another srun, at most MAX_RESTARTS times.
END
    exit 2
fi
PARTITION=$1 JOB_NAME=$2 CONFIG=$3
shift 3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
GRES=${GRES-gpu:$GPUS_PER_NODE}
MAX_RESTARTS=${MAX_RESTARTS:-20}
TOOLS=$(dirname "$0")
PREEMPTED=75  # of mmvideomamba/exit_codes.py
INTERRUPTED=130

say() { echo "slurm_train.sh: $*" >&2; }

# Pass any signal on as SIGUSR1: srun kills the tasks at SIGTERM and SIGHUP, and
# answers SIGINT with a report.
SIGNAL= SRUN= WOKEN=
pass_on() {
    SIGNAL=$1 WOKEN=yes
    [ -z "$SRUN" ] || kill -s USR1 "$SRUN" 2>/dev/null || true
}
for name in TERM USR1 HUP INT; do
    trap "pass_on $name" "$name"
done

# Train, and leave the exit code in CODE. Tasks save together and may end some
# seconds after each other; a task that waits for a dead one is ended by
# --wait. A terminal does not signal another session. SRUN_ARGS is split on
# purpose.
train() {
    # Two jobs on one node must not share a port.
    MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))} \
    PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
    setsid srun -p "$PARTITION" \
        --job-name="$JOB_NAME" \
        ${GRES:+--gres="$GRES"} \
        --ntasks="$GPUS" \
        --ntasks-per-node="$GPUS_PER_NODE" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=0 \
        --wait=60 \
        ${SRUN_ARGS:-} \
        python -u "$TOOLS/train.py" "$CONFIG" --launcher slurm "$@" &
    SRUN=$!
    [ -z "$SIGNAL" ] || pass_on "$SIGNAL"
    CODE=127 WOKEN=yes
    while [ -n "$WOKEN" ]; do  # a signal ends wait before srun has ended
        WOKEN=
        wait "$SRUN" && status=0 || status=$?
        [ $status -eq 127 ] || CODE=$status
    done
    SRUN=
}

# Tell whether the job was cancelled or has run out of time.
job_is_ending() {
    scontrol show job "$SLURM_JOB_ID" 2>/dev/null |
        grep -Eq 'JobState=(CANCELLED|COMPLETING|TIMEOUT)'
}

# Tell SLURM to start the job again, and end; return where SLURM refuses.
requeue() {
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "$MAX_RESTARTS" ]; then
        say "saved, and not requeued after MAX_RESTARTS=$MAX_RESTARTS"
        exit $PREEMPTED
    elif job_is_ending; then
        say 'saved, and not requeued, as SLURM is ending the job'
        exit $PREEMPTED
    elif scontrol requeue "$SLURM_JOB_ID"; then
        say "saved, and job $SLURM_JOB_ID is requeued"
        exit $PREEMPTED
    fi
    say "scontrol does not requeue job $SLURM_JOB_ID"
}

resume() {
    case " $* " in
    *' --resume'*) train "$@" ;;
    *) train "$@" --resume ;;
    esac
}

restarts=0
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then resume "$@"; else train "$@"; fi
while [ "$CODE" -eq $PREEMPTED ]; do
    if [ "$SIGNAL" = INT ]; then
        say 'interrupted, and saved for --resume'
        exit $INTERRUPTED
    fi
    [ -z "${SLURM_JOB_ID:-}" ] || requeue
    # A user ends the script by these; a scheduler signals the tasks.
    if [ "$SIGNAL" = TERM ] || [ "$SIGNAL" = HUP ]; then
        say "SIG$SIGNAL, and saved for --resume"
        exit $PREEMPTED
    fi
    if [ "$restarts" -ge "$MAX_RESTARTS" ]; then
        say "saved, and not started again after MAX_RESTARTS=$MAX_RESTARTS"
        exit $PREEMPTED
    fi
    restarts=$((restarts + 1)) SIGNAL=
    say "saved, and started again ($restarts of at most $MAX_RESTARTS)"
    resume "$@"
done
exit "$CODE"
