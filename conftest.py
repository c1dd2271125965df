"""Which files a run of pytest collects, and how long Hypothesis tries.

`pytest` runs the tests and no benchmark; `pytest --benchmark-only` the benchmarks and no test.
"""

import os
from pathlib import Path

from hypothesis import settings

BENCHMARKS = Path(__file__).parent / "bench"

# A change must not fail for what it did not cause: where it is judged (.ci/run and every service
# set CI), each test draws the same examples in every run, from a seed made of its own source. The
# search for new ones goes on at the desks: each run of `pytest` draws others, a failure prints what
# repeats it, and the example goes into the test (`@example`) together with the repair.
# `HYPOTHESIS=search pytest` looks longer.
settings.register_profile("dev", deadline=None, max_examples=25, print_blob=True)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_ignore_collect(collection_path, config):
    wanted = config.getoption("benchmark_only", default=False)
    is_benchmark = BENCHMARKS in (collection_path, *collection_path.parents)
    is_test = collection_path.name.startswith("test_") or collection_path.name == "tests"
    return True if (is_benchmark and not wanted) or (is_test and wanted) else None
