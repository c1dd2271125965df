"""The parent's side of a worker process."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import machine

_SCRIPT = Path(__file__).with_name("worker.py")


class WorkerError(Exception):
    """A worker died, fell silent or reported an exception."""


class Worker:
    """A fresh process for one variant; it sleeps, stopped by a signal, between its turns.

    A stopped process cannot spin: the thread pools of some libraries would otherwise go on using
    a core for a while after their last step, at the cost of whoever is measured next.
    """

    def __init__(self, threads, environment):
        self.log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, **_environment(threads), **environment},
        )

    def ask(self, timeout, **request):
        """Send a request and return the answer."""
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise WorkerError(f"no answer to {request['do']!r} within {timeout:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def _last_words(self):
        status = self.process.wait()
        self.log.seek(0)
        lines = [line for line in self.log.read().splitlines() if line.strip()]
        return f"exit status {status}: {' | '.join(lines[-2:])}"

    def pin(self, cores):
        machine.pin(self.process.pid, cores)

    def suspend(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        """End the process, by force if it does not end by itself."""
        self.resume()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()


def _environment(threads):
    pools = ("OMP", "MKL", "OPENBLAS", "NUMBA", "FASTNN")
    return {
        **{f"{pool}_NUM_THREADS": str(threads) for pool in pools},
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no helper processes left behind
    }
