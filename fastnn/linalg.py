"""Linear algebra under PyTorch's names; the functions live in ``fastnn/ops``."""

from . import ops  # noqa: F401  fills the registry
from .registry import in_place

globals().update(in_place("linalg"))


def __getattr__(name):
    raise AttributeError(f"fastnn.linalg has no {name!r}; PyTorch's functions that fastnn does not "
                         "offer are absent, never approximated")
