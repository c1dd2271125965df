"""What fastnn is running with."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from . import threads
from ._kernels import jit, runtime

try:
    version = installed_version("fastnn")
except PackageNotFoundError:
    version = "0.1.0+source"


def show_config():
    """Print the version, the instruction sets, the threads and the cache of compiled kernels."""
    print(f"fastnn {version}")
    print(f"instruction set: {runtime.isa_name()} "
          f"(available: {', '.join(runtime.available_isa_names())})")
    print(f"threads: {threads.get_num_threads()} (from {threads.source()})")
    print(f"cache of compiled kernels: {jit.cache_directory()}")
