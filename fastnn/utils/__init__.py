"""Helpers around training: `fastnn.utils.data` feeds batches, `files` writes whole files."""

from . import data

__all__ = ["data"]
