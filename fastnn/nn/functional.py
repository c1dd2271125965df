"""The functions that modules are made of, under PyTorch's names; they live in ``fastnn/ops``."""

from .. import ops  # noqa: F401  fills the registry
from ..registry import in_place

globals().update(in_place("functional"))


def __getattr__(name):
    raise AttributeError(f"fastnn.nn.functional has no {name!r}; PyTorch's functions that fastnn "
                         "does not offer are absent, never approximated")
