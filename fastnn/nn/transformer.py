"""The Transformer and its layers. Vaswani et al., Attention Is All You Need, 2017."""

import copy

import numpy

from .. import dtypes
from .._kernels import program
from ..device import check_device
from ..ops import activation as activations
from ..ops.creation import new
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropouts import Dropout
from .linear import Linear
from .module import Module
from .norms import LayerNorm

ACTIVATIONS = {"relu": activations.relu, "gelu": activations.gelu}


def _activation(layer, value):
    if isinstance(value, str) and value not in ACTIVATIONS:
        raise ValueError(f"{layer}: activation must be 'relu', 'gelu' or a function, got {value!r}")
    return ACTIVATIONS[value] if isinstance(value, str) else value


def _causal_mask(size, dtype=None):
    """An array (size, size) of -infinity above the diagonal and 0 elsewhere."""
    dtype = dtypes.get_default_dtype() if dtype is None else \
        dtypes.check("generate_square_subsequent_mask", dtype)
    return numpy.triu(numpy.full((size, size), -numpy.inf, dtype), 1)


def _is_causal(mask, told):
    """Whether a mask of floats, or of booleans, is the causal one; unless that is told."""
    if told is not None or mask is None or mask.requires_grad:
        return bool(told)
    array = mask.array
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        return False
    hidden = numpy.tri(len(array), k=-1, dtype=bool).T
    return numpy.array_equal(array, hidden if array.dtype == bool else
                             numpy.where(hidden, -numpy.inf, 0))


class _Layer(Module):
    """What both layers share: attention to oneself, the feed-forward part, norms, dropouts."""

    attentions = ("self_attn",)

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1,
                 activation=activations.relu, layer_norm_eps=1e-5, batch_first=False,
                 norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        made = {"device": device, "dtype": dtype}
        for name in self.attentions:
            self.add_module(name, MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, **made))
        self.linear1 = Linear(d_model, dim_feedforward, bias, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **made)
        self.norm_first = norm_first
        numbers = range(1, len(self.attentions) + 2)
        for number in numbers:
            self.add_module(f"norm{number}", LayerNorm(d_model, layer_norm_eps, bias=bias, **made))
        for number in numbers:
            self.add_module(f"dropout{number}", Dropout(dropout))
        self.activation = _activation(type(self).__name__, activation)

    def _attended(self, number, attention, x, memory, mask, padding, is_causal):
        """x after the attention of that number, its dropout, the sum with x, and its norm."""
        dropout, norm = getattr(self, f"dropout{number}"), getattr(self, f"norm{number}")
        query = norm(x) if self.norm_first else x
        other = query if memory is None else memory
        found, _ = attention(query, other, other, padding, False, mask, is_causal=is_causal)
        x = x + dropout(found)
        return x if self.norm_first else norm(x)

    def _fed_forward(self, number, x):
        """x after the feed-forward part, likewise."""
        dropout, norm = getattr(self, f"dropout{number}"), getattr(self, f"norm{number}")
        y = norm(x) if self.norm_first else x
        y = x + dropout(self.linear2(self.dropout(self.activation(self.linear1(y)))))
        return y if self.norm_first else norm(y)


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then two linear layers, each added to what it read.

    ``norm_first`` puts the layer norms before both parts instead of behind their sums.

    >>> import fastnn
    >>> layer = fastnn.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(fastnn.rand(3, 5, 8)).shape
    fastnn.Size([3, 5, 8])
    """

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        x = self._attended(1, self.self_attn, src, None, src_mask, src_key_padding_mask, is_causal)
        return self._fed_forward(2, x)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, to ``memory``, then two linear layers.

    >>> import fastnn
    >>> layer = fastnn.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(fastnn.rand(3, 5, 8), fastnn.rand(3, 7, 8)).shape
    fastnn.Size([3, 5, 8])
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False):
        x = self._attended(1, self.self_attn, tgt, None, tgt_mask, tgt_key_padding_mask,
                           tgt_is_causal)
        x = self._attended(2, self.multihead_attn, x, memory, memory_mask,
                           memory_key_padding_mask, memory_is_causal)
        return self._fed_forward(3, x)


class _Stack(Module):
    """Copies of a layer, of the same initial values, and a norm behind them or None."""

    def __init__(self, layer, num_layers, norm=None):
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def _finished(self, x):
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """``num_layers`` copies of an encoder layer in a row.

    Nested tensors are not offered: ``enable_nested_tensor`` and ``mask_check`` change nothing.
    """

    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True,
                 mask_check=True):
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        is_causal = _is_causal(mask, is_causal)
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask,
                        is_causal=is_causal)
        return self._finished(src)


class TransformerDecoder(_Stack):
    """``num_layers`` copies of a decoder layer in a row."""

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=None, memory_is_causal=False):
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal)
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                        tgt_key_padding_mask=tgt_key_padding_mask,
                        memory_key_padding_mask=memory_key_padding_mask,
                        tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
        return self._finished(tgt)


class Transformer(Module):
    """An encoder of the source sequence, and a decoder of the target that attends to it.

    >>> import fastnn
    >>> model = fastnn.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> mask = model.generate_square_subsequent_mask(5)
    >>> model(fastnn.rand(3, 7, 8), fastnn.rand(3, 5, 8), tgt_mask=mask).shape
    fastnn.Size([3, 5, 8])
    """

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6,
                 dim_feedforward=2048, dropout=0.1, activation=activations.relu,
                 custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype)

        def norm():
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*settings), num_encoder_layers, norm())
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*settings), num_decoder_layers, norm())
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self._reset_parameters()

    def _reset_parameters(self):
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """The causal mask (sz, sz): -infinity where the key lies behind the query, else 0."""
        check_device(device)
        return new(program.constant(_causal_mask(sz, dtype)))

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None,
                src_key_padding_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None,
                memory_is_causal=False):
        for name, x in (("src", src), ("tgt", tgt)):
            if x.shape[-1] != self.d_model:
                raise ValueError(f"Transformer: {name} has {x.shape[-1]} features, expected "
                                 f"{self.d_model}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask,
                              is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal)
