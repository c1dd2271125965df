"""Which files a run of pytest collects, and how long Hypothesis tries.

`pytest` runs the tests and no benchmark; `pytest --benchmark-only` the benchmarks and no test.
"""

import os
from pathlib import Path

from hypothesis import settings

BENCHMARKS = Path(__file__).parent / "bench"

settings.register_profile("dev", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_ignore_collect(collection_path, config):
    wanted = config.getoption("benchmark_only", default=False)
    is_benchmark = BENCHMARKS in (collection_path, *collection_path.parents)
    is_test = collection_path.name.startswith("test_") or collection_path.name == "tests"
    return True if (is_benchmark and not wanted) or (is_test and wanted) else None
