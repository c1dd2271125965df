"""The runtime: arena, threads, instruction sets, forks, and the cache of compiled kernels."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn._kernels import jit, runtime

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    """Run code in a process of its own: (exit status, output, errors)."""
    variables = {key: value for key, value in os.environ.items()
                 if not key.startswith(("FASTNN_NUM", "OMP_", "FASTNN_ISA"))}
    path = os.pathsep.join(filter(None, [str(Path(fastnn.__file__).parents[1]),
                                         variables.get("PYTHONPATH")]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**variables, "PYTHONPATH": path, **environment},
                          cwd=tempfile.gettempdir())
    return done.returncode, done.stdout.strip(), done.stderr


def output(code, **environment):
    status, text, errors = python(code, **environment)
    assert status == 0, errors
    return text


# The arena


@pytest.mark.parametrize("shape", [(1025,), (64, 64), (3, 5, 7, 11, 13)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arena_arrays_are_aligned(shape, dtype):
    for _ in range(3):
        array = runtime.empty_array(shape, np.dtype(dtype))
        assert array.ctypes.data % 64 == 0 and array.flags.c_contiguous and array.flags.writeable


def test_arena_memory_is_used_again():
    array = runtime.empty_array((100, 100), np.dtype("float32"))
    place = array.ctypes.data
    del array
    assert runtime.empty_array((10_000,), np.dtype("float32")).ctypes.data == place


def test_memory_in_use_is_not_handed_out():
    arrays = [runtime.empty_array((100, 100), np.dtype("float32")) for _ in range(20)]
    for number, array in enumerate(arrays):
        array.fill(number)
    assert all((array == number).all() for number, array in enumerate(arrays))


def test_a_view_keeps_the_memory():
    array = runtime.empty_array((100, 100), np.dtype("float32"))
    array.fill(1)
    view = array[5:, ::2]
    del array
    runtime.empty_array((100, 100), np.dtype("float32")).fill(2)
    assert (view == 1).all()


def test_statistics_and_trim():
    runtime.trim()  # else a larger block may serve
    before = runtime.memory_stats()
    array = runtime.empty_array((1 << 20,), np.dtype("float32"))
    during = runtime.memory_stats()
    assert during["used"] - before["used"] == 4 << 20 and during["peak"] >= during["used"]
    assert during["allocations"] == before["allocations"] + 1
    del array
    assert runtime.memory_stats()["kept"] >= 4 << 20
    runtime.trim()
    assert runtime.memory_stats()["kept"] == 0
    assert runtime.memory_stats()["used"] == before["used"]


def test_idle_memory_of_changing_sizes_does_not_pile_up():
    runtime.trim()
    for size in range(1 << 18, 1 << 19, 1 << 13):
        runtime.empty_array((size,), np.dtype("float32"))
    stats = runtime.memory_stats()
    limit = stats["peak"] + stats["peak"] // 2 + (16 << 20)
    assert stats["kept"] + stats["used"] <= limit + (4 << 19)


def test_bad_sizes():
    for shape in ((-1,), (1,) * 65, (1 << 62, 1 << 62)):
        with pytest.raises((ValueError, MemoryError)):
            runtime.empty_array(shape, np.dtype("float32"))


# Threads

COUNT = "import fastnn; print(fastnn.get_num_threads(), '|', fastnn.threads.source())"


@pytest.mark.parametrize("environment, wanted", [
    (dict(FASTNN_NUM_THREADS="3"), "3 | FASTNN_NUM_THREADS"),
    (dict(OMP_NUM_THREADS="5,2"), "5 | OMP_NUM_THREADS"),
    (dict(FASTNN_NUM_THREADS="2", OMP_NUM_THREADS="5"), "2 | FASTNN_NUM_THREADS"),
    (dict(FASTNN_NUM_THREADS="many", OMP_NUM_THREADS="4"), "4 | OMP_NUM_THREADS"),
])
def test_thread_count_from_the_environment(environment, wanted):
    assert output(COUNT, **environment) == wanted


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_thread_count_from_affinity():
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert output(pin + COUNT).startswith("1 | ")


def test_thread_count_is_checked(threads):
    for wrong in (0, -1, 1.5, True, "2", None):
        with pytest.raises(ValueError, match="set_num_threads: expected a positive integer"):
            fastnn.set_num_threads(wrong)
    threads(3)
    assert fastnn.get_num_threads() == 3 and fastnn.threads.source() == "set_num_threads"


PARALLEL = """
import numpy as np, fastnn
fastnn.set_num_threads(2)
x = fastnn.tensor(np.random.default_rng(0).standard_normal((512, 512)), dtype=fastnn.float32)
def work():
    return (x @ x).sigmoid().sum().item()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_a_parallel_kernel():
    """Neither process may wait for threads that only the other one has."""
    text = output(PARALLEL + """
import os, sys
before = work()
child = os.fork()
if child == 0:
    same = work() == before and fastnn.get_num_threads() == 1
    os._exit(0 if same else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(status, work() == before)
""")
    assert text == "0 True"


def test_kernels_from_several_python_threads():
    text = output(PARALLEL + """
from concurrent.futures import ThreadPoolExecutor
wanted = work()
with ThreadPoolExecutor(4) as pool:
    print(all(value == wanted for value in pool.map(lambda _: work(), range(16))))
""")
    assert text == "True"


# Instruction sets

STEP = """
import numpy as np, fastnn
from fastnn import nn
fastnn.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10))
x = fastnn.tensor(np.random.default_rng(0).standard_normal((8, 1, 12, 12)), dtype=fastnn.float32)
nn.functional.cross_entropy(net(x), fastnn.arange(8)).backward()
values = np.concatenate([p.grad.array.ravel() for p in net.parameters()])
print(fastnn._kernels.runtime.isa_name(), *values.astype(float).tolist())
"""


def test_instruction_sets_agree():
    results = {name: output(STEP, FASTNN_ISA=name).split()
               for name in runtime.available_isa_names()}
    best = np.array(results[runtime.available_isa_names()[-1]][1:], float)
    for name, (used, *values) in results.items():
        assert used == name
        np.testing.assert_allclose(np.array(values, float), best, rtol=1e-4, atol=1e-6)


def test_unknown_instruction_set():
    status, _, errors = python("import fastnn", FASTNN_ISA="v9")
    assert status == 1
    assert errors.strip().splitlines()[-1].startswith(
        "ImportError: FASTNN_ISA=v9: this processor can run ")


# The cache of compiled kernels

KERNEL = ("import fastnn, sys; print(fastnn.tensor([0.0]).exp().sum().item(), "
          "'numba' in sys.modules)")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache with the two kernels of KERNEL, which were compiled by a process of its own."""
    folder = tmp_path_factory.mktemp("cache")
    assert output(KERNEL, FASTNN_CACHE_DIR=str(folder)) == "1.0 True"
    return folder


@pytest.fixture
def cache(filled, tmp_path):
    return Path(shutil.copytree(filled, tmp_path / "copy"))


def test_second_start_does_not_import_numba(cache):
    assert output(KERNEL, FASTNN_CACHE_DIR=str(cache)) == "1.0 False"


DAMAGES = {
    "empty": lambda content: b"", "half": lambda content: content[:len(content) // 2],
    "short": lambda content: content[:-1], "foreign": lambda content: b"nonsense" * 100,
    "changed": lambda content: content[:60] + b"x" + content[61:],
    "changed at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1])}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_not_read(cache, damage, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(cache))
    path = next((cache / "kernels").iterdir())
    assert jit._read(path.name) is not None
    path.write_bytes(damage(path.read_bytes()))
    assert jit._read(path.name) is None


def test_damaged_file_is_compiled_anew(cache):
    for path in (cache / "kernels").iterdir():
        path.write_bytes(DAMAGES["half"](path.read_bytes()))
    assert output(KERNEL, FASTNN_CACHE_DIR=str(cache)) == "1.0 True"
    assert output(KERNEL, FASTNN_CACHE_DIR=str(cache)) == "1.0 False"


def test_cache_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert output(KERNEL, FASTNN_CACHE_DIR=str(blocked)) == "1.0 True"
    assert blocked.read_text() == "in the way"


def test_two_processes_at_once(tmp_path):
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path),
                   "PYTHONPATH": str(Path(fastnn.__file__).parents[1])}
    running = [subprocess.Popen([sys.executable, "-c", KERNEL], env=environment, text=True,
                                stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0].split()[0] for process in running] == ["1.0", "1.0"]
    assert output(KERNEL, FASTNN_CACHE_DIR=str(tmp_path)) == "1.0 False"
    assert not [path for path in (tmp_path / "kernels").iterdir() if len(path.name) != 64]


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path))
    assert jit.cache_directory() == tmp_path / "kernels"


# Importing

LIGHT = "import sys, fastnn; print([name for name in {} if name in sys.modules])"


def test_import_loads_nothing_heavy():
    heavy = ("numba", "llvmlite", "tqdm", "matplotlib", "torch", "hypothesis", "fastnn.testing")
    assert output(LIGHT.format(heavy)) == "[]"


def test_uncompiled_source_tree_says_what_to_do(tmp_path):
    shutil.copytree(ROOT / "fastnn", tmp_path / "fastnn",
                    ignore=lambda folder, names: [name for name in names if Path(
                        name).suffix in (".so", ".c", ".pyd") or name == "__pycache__"])
    status, _, errors = python("import fastnn", PYTHONPATH=str(tmp_path))
    last = errors.strip().splitlines()[-1]
    assert status == 1 and last.startswith("ImportError: fastnn's kernels are not compiled in ")
    assert "pip install ." in last and str(tmp_path) in last


def test_show_config(capsys):
    fastnn.show_config()
    text = capsys.readouterr().out
    for part in ("fastnn ", runtime.isa_name(), f"threads: {fastnn.get_num_threads()}",
                 str(jit.cache_directory())):
        assert part in text
