"""Helpers around training: `fastnn.utils.data` feeds batches."""

from . import data

__all__ = ["data"]
