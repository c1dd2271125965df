"""Build the Cython modules, and the C micro-kernels once for every level of the instruction set."""

import os
import platform

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

CSRC = os.path.join("fastnn", "_kernels", "csrc")
C_FILES = [os.path.join(CSRC, name) for name in os.listdir(CSRC)]
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
X86 = ("FASTNN_X86", str(int(IS_X86)))
LEVELS = (2, 3, 4) if IS_X86 else (1,)
DEBUG = os.environ.get("FASTNN_DEBUG_KERNELS") == "1"
THREADS = ["-pthread"]  # glibc below 2.34 needs it, to compile and to link
OPTIMISE = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]

MODULES = {
    "fastnn._kernels.home": [],
    "fastnn._kernels.runtime": [],
    "fastnn._kernels.calls": [],
    "fastnn._kernels.recording": [],
    "fastnn._kernels.gemm": ["gemm.c", "gemm_tiles.c"],
    "fastnn._kernels.conv": ["conv.c", "winograd.c", "conv_tiles.c"],
    "fastnn._kernels.pool": ["pool.c"],
    "fastnn._kernels.layout": ["layout.c"],
    "fastnn._kernels.rnn": ["rnn.c", "rnn_tiles.c"],
    "fastnn._kernels.attention": ["attention.c"],
    "fastnn._kernels.launch": [],
    "fastnn._kernels.update": [],
    "fastnn.tape": [],
    "fastnn.walk": [],
    "fastnn.changes": [],
    "fastnn.operands": [],
    "fastnn.operation": [],
    "fastnn.op": [],
    "fastnn.optim.rows": [],
    "fastnn.compiler.checks": [],
    "fastnn.compiler.replay": [],
}


def levels_of(source):
    """The tiles of AMX come with AVX-512; the source itself is empty for who has them not."""
    return LEVELS[-1:] if source.endswith("_tiles.c") else LEVELS


class BuildKernels(build_ext):
    """Compile each micro-kernel source once per level and link all of them into its module."""

    def build_extension(self, extension):
        extension.extra_objects = [
            compiled
            for source in MODULES[extension.name]
            for level in levels_of(source)
            for compiled in self.compile_level(source, level)
        ]
        super().build_extension(extension)

    def compile_level(self, source, level):
        march = [f"-march=x86-64-v{level}"] if IS_X86 else []
        sources = [os.path.join(CSRC, source)]
        folder = os.path.join(self.build_temp, f"level{level}")
        compiled = self.compiler.object_filenames(sources, output_dir=folder)
        if not self.force and not newer_group([__file__, *C_FILES], compiled[0]):
            return compiled
        return self.compiler.compile(
            sources,
            output_dir=folder,
            macros=[("ISA", str(level)), X86],
            include_dirs=[CSRC],
            extra_postargs=[*OPTIMISE, *THREADS, *march, "-fPIC", "-std=gnu11"],
        )


def extension(name):
    return Extension(
        name,
        [name.replace(".", os.sep) + ".pyx"],
        include_dirs=[numpy.get_include(), CSRC],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), X86],
        extra_compile_args=[*OPTIMISE, *THREADS],
        extra_link_args=THREADS,
        depends=C_FILES,
    )


DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
}

setup(
    ext_modules=cythonize([extension(name) for name in MODULES], compiler_directives=DIRECTIVES),
    cmdclass={"build_ext": BuildKernels},
)
