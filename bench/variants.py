"""Which libraries are compared, and the settings that each of them is tried with."""

from dataclasses import dataclass
from importlib.util import find_spec

OURS = "fastnn"

# Each tuple is one variant. Those not listed lost wherever they were measured.
EVERYWHERE = {
    OURS: [()],
    "torch": [(), ("fused",), ("compile", "fused"), ("compile", "compile_update")],
    "tensorflow": [(), ("keras",), ("xla",)],
    "jax": [(), ("synchronous",)],
}
ON_IMAGES = {
    "torch": [("channels_last", "fused"), ("channels_last", "compile", "fused")],
    "jax": [("products",)],
}
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
    def compiled(self):
        """Whether it takes PyTorch's compiler, and so many seconds, to build."""
        return "compile" in self.options


def installed(library):
    return find_spec(library) is not None


def variants(workload, libraries):
    """All variants of the libraries that apply to the workload."""
    return [
        Variant(library, options)
        for library in libraries
        for options in EVERYWHERE[library] + ON_IMAGES.get(library, []) * workload.image
    ]
