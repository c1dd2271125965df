"""Kernels: loops over memory that know arrays and sizes, never a tensor or the tape."""

import os

# How long GNU OpenMP's threads spin before they sleep; it reads this when it is loaded. Beside one
# to three other busy programs, steps of 2 and 3 ms on two threads took 6 to 304 ms (median) with
# its own 300,000 turns, 10 to 40 with 10,000; on an idle machine they take 0 to 3 % longer. What
# the user has set stays.
SPINNING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
if not any(name in os.environ for name in SPINNING):
    os.environ[SPINNING[0]] = "10000"
    from . import launch  # noqa: F401  loads OpenMP

    del os.environ[SPINNING[0]]
