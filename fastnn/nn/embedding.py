"""Embeddings and the bilinear form as modules."""

import math

from ..autograd import no_grad
from ..ops.creation import empty
from ..ops.embedding import bilinear, embedding, embedding_bag
from . import init
from .layers import count
from .module import Module
from .parameter import Parameter


class _Table(Module):
    """A table of rows that are looked up, of which one may stand for padding."""

    def __init__(self, num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                 scale_grad_by_freq, sparse, weight, frozen, device, dtype):
        super().__init__()
        name = type(self).__name__
        self.num_embeddings = count(name, "num_embeddings", num_embeddings, 0)
        self.embedding_dim = count(name, "embedding_dim", embedding_dim, 0)
        if sparse:
            raise ValueError(f"{name}: sparse gradients are not offered, only sparse=False")
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"{name}: padding_idx {padding_idx} lies outside of the "
                             f"{num_embeddings} rows")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if weight is None:
            weight = empty(num_embeddings, embedding_dim, dtype=dtype, device=device)
            self.weight = Parameter(weight, not frozen)
            self.reset_parameters()
        elif tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}, expected "
                             f"({num_embeddings}, {embedding_dim})")
        else:
            self.weight = Parameter(weight, not frozen)

    def reset_parameters(self):
        """Draw new normally distributed rows; that of ``padding_idx`` is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def _from(cls, embeddings, freeze, **settings):
        if embeddings.ndim != 2:
            raise ValueError(f"{cls.__name__}.from_pretrained: embeddings must be a matrix, got "
                             f"shape {tuple(embeddings.shape)}")
        made = cls(*embeddings.shape, _weight=embeddings, **settings)
        made.weight.requires_grad = not freeze
        return made

    def extra_repr(self):
        shown = [f"{self.num_embeddings}, {self.embedding_dim}"]
        shown += [f"{name}={getattr(self, name)}" for name, plain in (
            ("padding_idx", None), ("max_norm", None), ("norm_type", 2),
            ("scale_grad_by_freq", False)) if getattr(self, name, plain) != plain]
        return ", ".join(shown)


class Embedding(_Table):
    """``embedding`` with a weight of shape (num_embeddings, embedding_dim).

    >>> import fastnn
    >>> fastnn.nn.Embedding(10, 3)(fastnn.tensor([[1, 2], [4, 5]])).shape
    fastnn.Size([2, 2, 3])
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None,
                 norm_type=2.0, scale_grad_by_freq=False, sparse=False, _weight=None,
                 _freeze=False, device=None, dtype=None):
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, max_norm=None,
                        norm_type=2.0, scale_grad_by_freq=False, sparse=False):
        """An embedding of given rows, by default without gradients.

        >>> import fastnn
        >>> table = fastnn.nn.Embedding.from_pretrained(fastnn.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> table(fastnn.tensor([1]))
        tensor([[3., 4.]])
        """
        return cls._from(embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm,
                         norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)

    def forward(self, input):
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                         self.scale_grad_by_freq, self.sparse)


class EmbeddingBag(_Table):
    """``embedding_bag`` with a weight of shape (num_embeddings, embedding_dim).

    >>> import fastnn
    >>> bags = fastnn.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bags(fastnn.tensor([1, 2, 4, 5, 4]), offsets=fastnn.tensor([0, 2])).shape
    fastnn.Size([2, 3])
    """

    def __init__(self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0,
                 scale_grad_by_freq=False, mode="mean", sparse=False, _weight=None,
                 include_last_offset=False, padding_idx=None, device=None, dtype=None):
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, False, device, dtype)
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"EmbeddingBag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
        self.mode, self.include_last_offset = mode, include_last_offset

    def extra_repr(self):
        return f"{super().extra_repr()}, mode={self.mode!r}"

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, max_norm=None, norm_type=2.0,
                        scale_grad_by_freq=False, mode="mean", sparse=False,
                        include_last_offset=False, padding_idx=None):
        """Bags of given rows, by default without gradients."""
        return cls._from(embeddings, freeze, max_norm=max_norm, norm_type=norm_type,
                         scale_grad_by_freq=scale_grad_by_freq, mode=mode, sparse=sparse,
                         include_last_offset=include_last_offset, padding_idx=padding_idx)

    def forward(self, input, offsets=None, per_sample_weights=None):
        return embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset,
            self.padding_idx)


class Bilinear(Module):
    """``bilinear`` with a weight of shape (out_features, in1_features, in2_features).

    >>> import fastnn
    >>> fastnn.nn.Bilinear(3, 4, 2)(fastnn.ones(5, 3), fastnn.ones(5, 4)).shape
    fastnn.Size([5, 2])
    """

    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None,
                 dtype=None):
        super().__init__()
        self.in1_features = count("Bilinear", "in1_features", in1_features)
        self.in2_features = count("Bilinear", "in2_features", in2_features, 0)
        self.out_features = count("Bilinear", "out_features", out_features, 0)
        self.weight = Parameter(
            empty(out_features, in1_features, in2_features, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new values, uniform within 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1, input2):
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")
