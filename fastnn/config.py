"""What fastnn is running with."""

from . import threads
from ._kernels import jit, runtime


def version():
    """The installed version, or ``source`` for a tree that was compiled in place."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("fastnn")
    except PackageNotFoundError:
        return "source"


def show_config():
    """Print the version, the instruction sets, the threads and the cache of compiled kernels."""
    print(f"fastnn {version()}")
    print(f"instruction set: {runtime.isa_name()} "
          f"(available: {', '.join(runtime.available_isa_names())})")
    print(f"threads: {threads.get_num_threads()} (from {threads.source()})")
    print(f"cache of compiled kernels: {jit.cache_directory()}")
