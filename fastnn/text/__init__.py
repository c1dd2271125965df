"""What scripts that learn from text need beside the library: data sets."""

from . import datasets

__all__ = ["datasets"]
