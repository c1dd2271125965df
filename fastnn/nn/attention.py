"""Attention with several heads as a module."""

from ..ops.creation import empty
from ..ops.multihead import Weights, attend
from . import init
from .layers import count
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """Several attentions side by side, each over its share of the projected features.

    Inputs are (L, N, embed_dim), (S, N, kdim) and (S, N, vdim), with the batch first if
    ``batch_first``, or without a batch. In masks true marks what does not count, and floats are
    added to the scores: ``key_padding_mask`` is (N, S), ``attn_mask`` (L, S) or (N * num_heads,
    L, S). ``is_causal`` only says that ``attn_mask`` is the causal one, and makes it quicker.

    Returns the output and, with ``need_weights``, the weights (N, L, S), or for each head
    (N, num_heads, L, S) with ``average_attn_weights=False``; else None. Without the weights it
    runs ``scaled_dot_product_attention``, which never keeps all scores. Vaswani et al., Attention
    Is All You Need, 2017.

    >>> import fastnn
    >>> attention = fastnn.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = fastnn.rand(3, 5, 8)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    (fastnn.Size([3, 5, 8]), fastnn.Size([3, 5, 5]))
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False,
                 add_zero_attn=False, kdim=None, vdim=None, batch_first=False, device=None,
                 dtype=None):
        super().__init__()
        self.embed_dim = count("MultiheadAttention", "embed_dim", embed_dim)
        self.num_heads = count("MultiheadAttention", "num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim {embed_dim} does not divide into "
                             f"{num_heads} heads")
        self.kdim = embed_dim if kdim is None else count("MultiheadAttention", "kdim", kdim)
        self.vdim = embed_dim if vdim is None else count("MultiheadAttention", "vdim", vdim)
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self.head_dim = embed_dim // num_heads

        def parameter(wanted, *shape):
            return Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None

        packed = self.kdim == self.vdim == embed_dim
        self.register_parameter("in_proj_weight", parameter(packed, 3 * embed_dim, embed_dim))
        self.register_parameter("q_proj_weight", parameter(not packed, embed_dim, embed_dim))
        self.register_parameter("k_proj_weight", parameter(not packed, embed_dim, self.kdim))
        self.register_parameter("v_proj_weight", parameter(not packed, embed_dim, self.vdim))
        self.register_parameter("in_proj_bias", parameter(bias, 3 * embed_dim))
        self.register_parameter("bias_k", parameter(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", parameter(add_bias_kv, 1, 1, embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self._reset_parameters()

    def _reset_parameters(self):
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight,
                       self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True,
                attn_mask=None, average_attn_weights=True, is_causal=False):
        inner = self.in_proj_weight
        if inner is None:
            inner = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        weights = Weights(inner, self.in_proj_bias, self.bias_k, self.bias_v,
                          self.out_proj.weight, self.out_proj.bias)
        return attend(
            (query, key, value), self.embed_dim, self.num_heads, weights, key_padding_mask,
            attn_mask, batch_first=self.batch_first, add_zero_attn=self.add_zero_attn,
            dropout_p=self.dropout if self.training else 0.0, need_weights=need_weights,
            average=average_attn_weights, is_causal=is_causal)
