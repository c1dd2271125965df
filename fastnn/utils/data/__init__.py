"""Data sets, samplers and the loader that makes batches of them, as in ``torch.utils.data``."""

from .collate import default_collate, default_convert
from .combined import ChainDataset, ConcatDataset, StackDataset, Subset, random_split
from .dataset import Dataset, IterableDataset, TensorDataset
from .loader import DataLoader
from .randomness import batch_generator
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .worker import get_worker_info

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset",
    "RandomSampler", "Sampler", "SequentialSampler", "StackDataset", "Subset",
    "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler", "batch_generator",
    "default_collate", "default_convert", "get_worker_info", "random_split",
]
