"""Start the processes of a run on this node; for dist_train.sh, dist_test.sh.

Like torchrun without restarts, and with exit codes: 75 after SIGTERM, SIGUSR1
or SIGHUP to this process or to any rank, with the training saved, 70 for a
diverged training, 130 after Ctrl-C, 1 for other failures. A checkpoint after a
signal may take any time; a second signal ends all ranks at once. No rank
outlives this process.

Only the standard library is imported, and so signals during the first seconds
are handled as well.
"""
import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

# Of mmvideomamba.exit_codes.
DIVERGED, PREEMPTED, INTERRUPTED = 70, 75, 130
PREEMPTIONS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
# Several senders may pass the same signal on, as in mmvideomamba.signals.
SAME_SIGNAL_SECONDS = 1.0
# Time for the other ranks to end after the first has failed.
GRACE_SECONDS = 30.0
POLL_SECONDS = 0.05
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def positive(text: str) -> int:
    """Read a number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a number of processes above 0')
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--nnodes', type=positive, default=1)
    parser.add_argument('--node-rank', type=int, default=0)
    parser.add_argument('--master-addr', default='127.0.0.1')
    parser.add_argument('--master-port', type=int, default=29500)
    parser.add_argument('processes', type=positive, help='on this node')
    parser.add_argument('script', help='path of a Python script')
    parser.add_argument('arguments', nargs=argparse.REMAINDER)
    return parser


def environments(args: argparse.Namespace) -> List[Dict[str, str]]:
    """Return the environment of each rank as set by torchrun.

    Args:
        args (argparse.Namespace): Of the command line.

    Returns:
        list[dict[str, str]]: All variables of each process.
    """
    common = dict(os.environ)
    if args.processes > 1:
        # Else each rank would take all cores.
        common.setdefault('OMP_NUM_THREADS', '1')
    common.update(
        MASTER_ADDR=args.master_addr,
        MASTER_PORT=str(args.master_port),
        WORLD_SIZE=str(args.nnodes * args.processes),
        LOCAL_WORLD_SIZE=str(args.processes))
    first = args.node_rank * args.processes
    return [
        dict(common, RANK=str(first + local), LOCAL_RANK=str(local))
        for local in range(args.processes)
    ]


def start(args: argparse.Namespace) -> List[subprocess.Popen]:
    """Start each rank in a new session, beyond the terminal's signals."""
    libc, parent = ctypes.CDLL(None), os.getpid()

    def end_with_parent() -> None:
        if sys.platform.startswith('linux'):
            libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    command = [sys.executable, '-u', args.script, *args.arguments]
    return [
        subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            preexec_fn=end_with_parent) for environment in environments(args)
    ]


def exit_code(statuses: List[int]) -> int:
    """Return the exit code of a run.

    Args:
        statuses (list[int]): Of the first failed ranks; negative numbers of
            signals for ranks ended by a signal.

    Returns:
        int: See the top of this file.
    """
    codes = [
        PREEMPTED if -one in PREEMPTIONS else
        INTERRUPTED if -one == signal.SIGINT else one for one in statuses
    ]
    known = [x for x in (DIVERGED, PREEMPTED, INTERRUPTED) if x in codes]
    return known[0] if known else int(any(codes))


class Supervisor:
    """Wait for ranks, and pass signals on."""

    def __init__(self) -> None:
        self.ranks: List[subprocess.Popen] = []
        self.failed: List[int] = []  # statuses of the first failed ranks
        self._signals: List[Tuple[int, float]] = []
        self._passed_on = False
        for number in (*PREEMPTIONS, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        self._signals.append((number, time.monotonic()))

    def running(self) -> List[subprocess.Popen]:
        """Return the running ranks."""
        return [rank for rank in self.ranks if rank.poll() is None]

    def send(self, number: int) -> None:
        """Send a signal to the running ranks, not to data-loading workers.

        Args:
            number (int): Of the signal.
        """
        for rank in self.running():
            rank.send_signal(number)

    def kill(self) -> None:
        """End the running ranks and all workers of the ranks at once."""
        for rank in self.running():
            os.killpg(rank.pid, signal.SIGKILL)
            rank.wait()

    def look_at_signals(self) -> None:
        """Pass the first signal on, end everything at the second.

        Raises:
            SystemExit: At the second signal.
        """
        signals = list(self._signals)
        if not signals:
            return
        first, then = signals[0]
        if not self._passed_on:
            self._passed_on = True
            self.send(first)
        for number, now in signals[1:]:
            if number == signal.SIGINT or now - then > SAME_SIGNAL_SECONDS:
                self.kill()
                raise SystemExit(128 + number)

    def look_at_failures(self) -> None:
        """End the other ranks when the first has failed."""
        if self.failed:
            return
        ended = [x for x in self.ranks if x.poll() not in (None, 0)]
        self.failed = [x.returncode for x in ended]
        for rank in ended:
            sys.stderr.write(f'rank {self.ranks.index(rank)} of this node '
                             f'ended with exit code {rank.returncode}\n')
        if ended:
            # Ranks ignore the signal after a save.
            self.send(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for all ranks.

        Returns:
            int: Exit code of the run.
        """
        deadline = float('inf')
        while self.running():
            self.look_at_signals()
            self.look_at_failures()
            if self.failed:
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(POLL_SECONDS)
        self.look_at_failures()
        return exit_code(self.failed)


def main() -> None:
    """Parse the command line, start the ranks and wait for them."""
    parser = build_parser()
    args = parser.parse_args()
    if not 0 <= args.node_rank < args.nnodes:
        # The ranks would wait for each other for ever.
        parser.error(f'--node-rank (NODE_RANK) is {args.node_rank}, but '
                     f'--nnodes (NNODES) is {args.nnodes}: give the nodes the '
                     f'ranks 0 to {args.nnodes - 1}')
    supervisor = Supervisor()
    supervisor.ranks = start(args)
    sys.exit(supervisor.wait())


if __name__ == '__main__':
    main()
