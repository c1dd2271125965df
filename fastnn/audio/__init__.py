"""What scripts that learn from sound need beside the library: data sets."""

from . import datasets

__all__ = ["datasets"]
