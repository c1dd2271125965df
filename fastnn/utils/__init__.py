"""Helpers around training: `data` feeds batches, `checkpoint` saves memory."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
