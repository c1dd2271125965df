"""Data sets, samplers and the loader that makes batches of them, as in ``torch.utils.data``."""

from .collate import default_collate, default_convert
from .dataset import Dataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .randomness import batch_generator
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "batch_generator",
    "default_collate",
    "default_convert",
    "random_split",
]
