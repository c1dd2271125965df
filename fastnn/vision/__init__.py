"""What image scripts need beside the library: data sets, transforms and picture files.

The names are torchvision's. Images are NumPy arrays or tensors; no imaging library is used.
"""

from . import datasets, transforms, utils

__all__ = ["datasets", "transforms", "utils"]
