"""Compile kernels with Numba once, and keep their machine code on disk.

A kernel is the source text of a Python function ``kernel(...)`` over C pointers and numbers.
Numba compiles it to a C function without Python in it; the object code is stored under a key of
all that it came from (source, signature, mathematics, versions, processor). A later process loads
that object by LLVM alone: 2 ms, against 110 ms for compiling and 400 ms for importing Numba.
"""

import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import FunctionType

from . import runtime

MAGIC = b"fastnn-kernel-1\n"
DIGEST_BYTES = 32
FLOATS = ("f32", "f64")

# Functions of Numba's own that only kernels which can raise or allocate call.
NUMBA_SYMBOLS = (b"numba_gil_ensure", b"NRT_")

# Contraction to FMA and signless zeros leave every tail right; NaN and infinity are kept.
FAST = {"contract", "nsz"}


def cache_directory():
    """Folder of the compiled kernels: ``FASTNN_CACHE_DIR``, else the user's cache directory."""
    named = os.environ.get("FASTNN_CACHE_DIR")
    if named:
        return Path(named) / "kernels"
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fastnn" / "kernels"


def kernel_address(source, dtype):
    """Address of the C function ``kernel(start, stop, arguments, numbers)`` in ``source``.

    ``dtype`` names the type ``T`` of its arithmetic, such as ``"f32"``, for which the functions of
    ``vmath`` are bound. ``arguments`` are 64-bit integers, addresses among them, which
    ``pointer_f32`` and its kin turn into pointers; ``numbers`` are float64.
    """
    key = _key(source, dtype)
    stored = _read(key)
    if stored is None:
        stored = _compile(source, dtype, key)
        _write(key, stored)
    name, code = stored
    return _load(name, code)


@cache
def _target():
    """LLVM's binding, and the processor it compiles for: (binding, name, features)."""
    import llvmlite.binding as llvm

    if sys.platform != "emscripten":
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    level = runtime.vectors_name()
    if not runtime.has_best_vectors():
        return llvm, level, ""
    # LLVM prefers 256-bit vectors even where 512 are there: exp 34 against 45 GB/s a core.
    features = llvm.get_host_cpu_features().flatten()
    wide = ",-prefer-256-bit" if level == "x86-64-v4" else ""
    return llvm, llvm.get_host_cpu_name(), features + wide


def _machine():
    """The processor, with constants beside the code.

    Numba's own may lie anywhere, so that each use loads an address before: where the registers do
    not suffice for all constants, as for GELU on AVX2, that doubles the instructions.
    """
    llvm, name, features = _target()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=name, features=features, opt=3, reloc="pic", codemodel="small")


@cache
def _engine():
    llvm = _target()[0]
    # The memory manager of llvmlite puts the parts of an object beside each other.
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(), use_lmm=True)


@cache
def _environment():
    """What every kernel's code depends on beside its own source."""
    from importlib.metadata import version

    _, name, features = _target()
    folder = Path(__file__).parent
    written = [*sorted(folder.glob("vmath*.py")), folder / "intrinsics.py", Path(__file__)]
    versions = (version("numba"), version("llvmlite"), sys.version, name, features)
    return "\0".join((*versions, *(path.read_text() for path in written)))


def _key(source, dtype):
    text = "\0".join((source, dtype, _environment()))
    return hashlib.sha256(text.encode()).hexdigest()


def _read(key):
    """The stored (name, code), or None where there is none that is whole."""
    try:
        content = (cache_directory() / key).read_bytes()
    except OSError:
        return None
    body = content[len(MAGIC) + DIGEST_BYTES:]
    if content[: len(MAGIC) + DIGEST_BYTES] != MAGIC + hashlib.sha256(body).digest():
        return None
    name, _, code = body.partition(b"\n")
    return name.decode(), code


def _write(key, stored):
    """Store atomically; a cache that cannot be written costs only time."""
    name, code = stored
    body = name.encode() + b"\n" + code
    folder = cache_directory()
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            temporary = file.name
            file.write(MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(temporary, folder / key)
    except OSError:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _load(name, code):
    llvm = _target()[0]
    if any(symbol in code for symbol in NUMBA_SYMBOLS):
        _register_numba_symbols()
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine.get_function_address(name)


def _compile(source, dtype, key):
    numba = _numba()
    from numba import types

    namespace = {**_namespace(dtype)}
    exec(compile(source, "<fastnn kernel>", "exec"), namespace)  # generated by the library
    function = namespace["kernel"]
    # The name becomes the symbol, which must differ between objects loaded side by side.
    function.__name__ = function.__qualname__ = f"kernel_{key}"
    integers, numbers = types.CPointer(types.int64), types.CPointer(types.float64)
    signature = types.void(types.int64, types.int64, integers, numbers)
    compiled = numba.cfunc(signature, error_model="numpy", fastmath=FAST)(function)
    module = _target()[0].parse_assembly(compiled._library.get_llvm_str())
    return compiled._wrapper_name, _machine().emit_object(module)


@cache
def _register_numba_symbols():
    """Make Numba's helper functions known to LLVM, which cannot recover from a missing one."""
    from numba.core.registry import cpu_target

    _numba()
    return cpu_target.target_context


@cache
def _numba():
    """Numba, told to compile for the same processor as `_target`."""
    import numba

    _, name, features = _target()
    numba.core.config.CPU_NAME, numba.core.config.CPU_FEATURES = name, features
    return numba


def _integer_power(base, exponent):
    """Of integers, by repeated squaring; a negative power is 0, but for 1 and -1."""
    if exponent < 0:
        return base if base == 1 or (base == -1 and exponent % 2) else base * base if base == -1 \
            else base - base
    result = base ** 0
    while exponent > 0:
        if exponent % 2:
            result = result * base
        base = base * base
        exponent = exponent // 2
    return result


def _integer_floor_divide(a, b):
    """Division by 0 gives 0; the smallest number by -1, which traps the processor, itself."""
    if b == 0 or (b < 0 and b + 1 == 0):
        return -a * (b != 0)
    return a // b


def _integer_remainder(a, b):
    return a - _integer_floor_divide(a, b) * b


def _integer_trunc_divide(a, b):
    quotient = _integer_floor_divide(a, b)
    return quotient + (quotient * b != a and (a < 0) != (b < 0))


def _integer_fmod(a, b):
    return a - _integer_trunc_divide(a, b) * b


def _itself(a):
    return a


def _of_integers(jitted):
    """The functions that integers have too."""
    divide = jitted(_integer_floor_divide)
    names = {"_integer_floor_divide": divide}
    trunc_divide = jitted(FunctionType(_integer_trunc_divide.__code__, names))
    names["_integer_trunc_divide"] = trunc_divide
    itself = jitted(_itself)
    return {"pow": jitted(_integer_power), "floor_divide": divide, "trunc_divide": trunc_divide,
            "remainder": jitted(FunctionType(_integer_remainder.__code__, names)),
            "fmod": jitted(FunctionType(_integer_fmod.__code__, names)),
            **dict.fromkeys(("floor", "ceil", "trunc", "rint"), itself)}


def _least(a, b):
    """Python's min, whose compiled form may raise and so needs the interpreter, for two numbers."""
    return a if a < b else b


@cache
def _namespace(dtype):
    """The names that a kernel's source may use, bound for arithmetic in ``dtype``."""
    from . import intrinsics, vmath

    jitted = _numba().njit(error_model="numpy", fastmath=FAST, forceinline=True)
    summing = _numba().njit(error_model="numpy", fastmath=FAST | {"reassoc"}, forceinline=True)
    functions = _of_integers(jitted)
    if dtype in FLOATS:
        functions = vmath.bind(dtype, jitted)
    stored = "u8" if dtype == "b1" else dtype  # booleans are bytes of 0 or 1
    return {**intrinsics.NAMES, **functions, "min": jitted(_least), "jitted": jitted,
            "summing": summing, "T": intrinsics.NAMES[stored],
            "pointer": intrinsics.NAMES[f"pointer_{stored}"],
            "wide": intrinsics.NAMES["f64" if dtype in FLOATS else "i64"]}
