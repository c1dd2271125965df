"""Which libraries are compared, and the settings that each of them is tried with."""

from dataclasses import dataclass
from importlib.util import find_spec

OURS = "fastnn"

# Each tuple is one variant. What lost wherever it was measured is left out: compiling the optimizer
# or calling compiled code from C++ (PyTorch), XLA on images (TensorFlow), channels first (JAX).
EVERYWHERE = {
    OURS: [(), ("compile",)],
    "torch": [(), ("fused",), ("compile", "fused")],
    "tensorflow": [(), ("keras",)],
    "jax": [(), ("synchronous",)],
}
ON_IMAGES = {
    "torch": [
        ("channels_last", "fused"),
        ("channels_last", "compile", "fused"),
        ("channels_last", "fused", "malloc"),
    ],
    "tensorflow": [("malloc",)],
    "jax": [("products",)],
}
ON_VECTORS = {"tensorflow": [("xla",)]}
# Networks that are not written with Keras' layers, and a kernel that XLA does not have.
NOT_WITH = {"lstm": ("keras", "xla"), "gpt": ("keras",), "unet": ("keras",), "wgan-gp": ("keras",)}
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**31), "MALLOC_MMAP_THRESHOLD_": str(2**30)}
LIBRARIES = tuple(EVERYWHERE)


@dataclass(frozen=True)
class Variant:
    """A library with one choice of settings; `name` tells it apart in tables."""

    library: str
    options: tuple

    @property
    def name(self):
        return " ".join([self.library, "+".join(self.options) or "default"])

    @property
    def environment(self):
        """`malloc`: the C library keeps freed memory instead of giving it back and faulting anew.

        10 % of PyTorch's time on the cnn and the dcgan, at the price of memory.
        """
        return KEEP_MEMORY if "malloc" in self.options else {}

    @property
    def compiled(self):
        """Whether it takes PyTorch's compiler, and so many seconds, to build."""
        return self.library == "torch" and "compile" in self.options


def installed(library):
    return find_spec(library) is not None


def variants(workload, libraries):
    """All variants of the libraries that apply to the workload."""
    special = ON_IMAGES if workload.image else ON_VECTORS
    return [
        Variant(library, options)
        for library in libraries
        for options in EVERYWHERE[library] + special.get(library, [])
        if not set(options) & set(NOT_WITH.get(workload.name, ()))
    ]
