"""OpenMP is loaded with a short time of spinning, and the environment stays as it was."""

import os
import subprocess
import sys

import pytest

SCRIPT = "import os, fastnn; print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize("given", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "passive"}],
                         ids=str)
def test_environment_stays(given):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    found = subprocess.run([sys.executable, "-P", "-c", SCRIPT], env={**environment, **given},
                           capture_output=True, text=True, check=True)
    assert found.stdout.strip() == given.get("GOMP_SPINCOUNT", "None")


@pytest.mark.skipif(sys.platform != "linux", reason="OpenMP is used on Linux alone")
def test_openmp_reads_it():
    shown = subprocess.run(
        [sys.executable, "-P", "-c", "import fastnn"], capture_output=True, text=True, check=True,
        env={**{name: value for name, value in os.environ.items()
                if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")},
             "OMP_DISPLAY_ENV": "verbose"})
    assert "GOMP_SPINCOUNT = '10000'" in shown.stderr
