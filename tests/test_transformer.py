"""nn.MultiheadAttention and the Transformer: gradients, errors, and PyTorch's values."""

import copy
import itertools

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn.testing import gradcheck, gradgradcheck

# PyTorch says why it will not use nested tensors, and that it may refuse mixed masks one day.
pytestmark = [pytest.mark.filterwarnings(f"ignore:{start}:UserWarning") for start in (
    "enable_nested_tensor is True", "Support for mismatched key_padding_mask")]


def pair(torch, name, *arguments, **keywords):
    """The module here and PyTorch's, in float64 and with the same weights."""
    theirs = getattr(torch.nn, name)(*arguments, dtype=torch.float64, **keywords)
    if isinstance(keywords.get("activation"), str) or "activation" not in keywords:
        ours = getattr(nn, name)(*arguments, dtype=fastnn.float64, **keywords)
    with torch.no_grad():
        for each in theirs.parameters():
            each.add_(torch.randn_like(each) * 0.1)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({key: fastnn.tensor(value.numpy()) for key, value in state.items()})
    return ours, theirs


def compare(torch, ours, theirs, inputs, options):
    """Outputs, and gradients of inputs and parameters; masks among ``options`` are arrays."""
    def converted(convert):
        return {key: convert(value) if isinstance(value, np.ndarray) else value
                for key, value in options.items()}

    made = {}

    def with_gradient(convert, array):
        key = (convert, id(array))  # the same array is the same tensor
        if key not in made:
            made[key] = convert(array.copy()).requires_grad_()
        return made[key]

    our_inputs = [with_gradient(fastnn.from_numpy, each) for each in inputs]
    their_inputs = [with_gradient(torch.from_numpy, each) for each in inputs]
    found = ours(*our_inputs, **converted(fastnn.from_numpy))
    wanted = theirs(*their_inputs, **converted(torch.from_numpy))
    found, wanted = ([each for each in (one if isinstance(one, tuple) else (one,))
                      if each is not None] for one in (found, wanted))
    for one, other in zip(found, wanted, strict=True):
        close(array_of(one), other.detach().numpy(), 1e-10)
    random = np.random.default_rng(1)
    upstream = [random.standard_normal(tuple(each.shape)) for each in found]
    sum((one * fastnn.from_numpy(g)).sum() for one, g in zip(found, upstream, strict=True)) \
        .backward()
    sum((one * torch.from_numpy(g)).sum() for one, g in zip(wanted, upstream, strict=True)) \
        .backward()
    pairs = [*zip(our_inputs, their_inputs, strict=True),
             *zip(ours.parameters(), theirs.parameters(), strict=True)]
    for one, other in pairs:
        close(array_of(one.grad), other.grad.numpy(), 1e-9)


SETTINGS = [{}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
            {"add_bias_kv": True, "add_zero_attn": True}, {"kdim": 5, "vdim": 3},
            {"kdim": 5, "bias": False, "add_bias_kv": True}]
BATCH, ROWS, KEYS, SIZE, HEADS = 3, 5, 7, 8, 2


def masks(random, kinds, rows, keys):
    """key_padding_mask and attn_mask of the given kinds."""
    def drawn(kind, shape):
        hidden = random.random(shape) < 0.3
        hidden[..., 0] = False
        return hidden if kind == "boolean" else random.standard_normal(shape)

    padding, attention = kinds
    found = {}
    if padding:
        found["key_padding_mask"] = drawn(padding, (BATCH, keys))
    if attention:
        kind, dims = attention
        found["attn_mask"] = drawn(
            kind, (rows, keys) if dims == 2 else (BATCH * HEADS, rows, keys))
    return found


KINDS = [(None, None), ("boolean", None), ("float", None), (None, ("boolean", 2)),
         (None, ("float", 3)), ("boolean", ("boolean", 3)), ("float", ("float", 2))]


@pytest.mark.parametrize("settings, who", [
    (settings, who) for settings in SETTINGS for who in ("oneself", "another", "three")
    if who == "three" or "kdim" not in settings], ids=str)
@pytest.mark.parametrize("kinds", KINDS, ids=str)
def test_multihead_attention(torch, settings, kinds, who):
    random = np.random.default_rng(2)
    kdim, vdim = settings.get("kdim", SIZE), settings.get("vdim", SIZE)
    for batch_first, weights, average in ((False, True, True), (True, True, False),
                                          (True, False, True), (False, False, True)):
        ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS, batch_first=batch_first,
                            **settings)
        query, key, value = (random.standard_normal(
            (BATCH, rows, size) if batch_first else (rows, BATCH, size))
            for rows, size in ((ROWS, SIZE), (KEYS, kdim), (KEYS, vdim)))
        inputs = {"oneself": (query,) * 3, "another": (query, key, key),
                  "three": (query, key, value)}[who]
        keys = ROWS if who == "oneself" else KEYS
        compare(torch, ours, theirs, inputs, {
            **masks(random, kinds, ROWS, keys), "need_weights": weights,
            "average_attn_weights": average})


@pytest.mark.parametrize("weights", [True, False])
def test_multihead_attention_without_batch(torch, weights):
    random = np.random.default_rng(3)
    for batch_first in (True, False):
        ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS, batch_first=batch_first)
        x, y = random.standard_normal((ROWS, SIZE)), random.standard_normal((KEYS, SIZE))
        padding = np.arange(KEYS) > 4
        compare(torch, ours, theirs, (x, y, y), {
            "need_weights": weights, "key_padding_mask": padding,
            "attn_mask": random.standard_normal((HEADS, ROWS, KEYS))})


def test_multihead_attention_told_that_its_mask_is_causal(torch):
    random = np.random.default_rng(4)
    ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS)
    x = random.standard_normal((ROWS, BATCH, SIZE))
    hidden = np.triu(np.ones((ROWS, ROWS), bool), 1)
    padding = np.zeros((BATCH, ROWS), bool)
    padding[1, 2:] = True
    for weights, mask in itertools.product((True, False), (None, padding)):
        more = {} if mask is None else {"key_padding_mask": mask}
        compare(torch, ours, theirs, (x, x, x), {
            "need_weights": weights, "attn_mask": hidden, "is_causal": True, **more})
    with pytest.raises(ValueError, match="is_causal only says what attn_mask is"):
        ours(*[fastnn.from_numpy(x)] * 3, is_causal=True)


def test_functional_multi_head_attention(torch):
    ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS, kdim=SIZE, vdim=3)
    random = np.random.default_rng(5)
    x, y, z = (random.standard_normal((rows, BATCH, size))
               for rows, size in ((ROWS, SIZE), (KEYS, SIZE), (KEYS, 3)))

    def run(functional, module, convert):
        return functional.multi_head_attention_forward(
            convert(x), convert(y), convert(z), SIZE, HEADS, None, module.in_proj_bias, None, None,
            False, 0.5, module.out_proj.weight, module.out_proj.bias, training=False,
            use_separate_proj_weight=True, q_proj_weight=module.q_proj_weight,
            k_proj_weight=module.k_proj_weight, v_proj_weight=module.v_proj_weight,
            average_attn_weights=False)

    found = run(nn.functional, ours, fastnn.from_numpy)
    wanted = run(torch.nn.functional, theirs, torch.from_numpy)
    for one, other in zip(found, wanted, strict=True):
        close(array_of(one), other.detach().numpy(), 1e-10)
    with pytest.raises(ValueError, match="static_k and static_v are not offered"):
        nn.functional.multi_head_attention_forward(
            fastnn.from_numpy(x), fastnn.from_numpy(x), fastnn.from_numpy(x), SIZE, HEADS, None,
            None, None, None, False, 0.0, None, None, static_k=fastnn.from_numpy(x))


def test_rows_without_keys_in_the_weights(torch):
    """As in PyTorch: NaN where weights are asked for, else zeros before the last projection."""
    ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS)
    x = np.random.default_rng(6).standard_normal((ROWS, BATCH, SIZE))
    hidden = np.zeros((ROWS, ROWS), bool)
    hidden[2] = True
    for weights in (True, False):
        options = {"need_weights": weights}
        found = ours(*[fastnn.from_numpy(x)] * 3, attn_mask=fastnn.from_numpy(hidden), **options)
        wanted = theirs(*[torch.from_numpy(x)] * 3, attn_mask=torch.from_numpy(hidden), **options)
        close(array_of(found[0]), wanted[0].detach().numpy(), 1e-10)


def test_a_learned_mask(torch):
    random = np.random.default_rng(7)
    ours, theirs = pair(torch, "MultiheadAttention", SIZE, HEADS)
    x, mask = random.standard_normal((ROWS, BATCH, SIZE)), random.standard_normal((ROWS, ROWS))
    found = []
    for module, convert in ((ours, fastnn.from_numpy), (theirs, torch.from_numpy)):
        learned = convert(mask.copy()).requires_grad_()
        y = convert(x)
        (module(y, y, y, attn_mask=learned, need_weights=False)[0] ** 2).sum().backward()
        found.append(np.asarray(learned.grad))
    close(*found, 1e-10)


@pytest.mark.parametrize("options", [{}, {"need_weights": False},
                                     {"need_weights": False, "is_causal": True}], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_gradients_of_both_orders(options, batch_first):
    layer = nn.MultiheadAttention(4, 2, batch_first=batch_first, dtype=fastnn.float64)
    x = fastnn.randn(2, 3, 4, dtype=fastnn.float64).requires_grad_()
    rows = x.shape[1 if batch_first else 0]
    mask = fastnn.from_numpy(np.triu(np.ones((rows, rows), bool), 1))

    def function(x):
        return layer(x, x, x, attn_mask=mask, **options)[0]

    gradcheck(function, [x])
    gradgradcheck(function, [x])


def test_dropout_of_attention_is_for_training_alone():
    layer = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = fastnn.rand(6, 2, 8)
    for weights in (True, False):
        layer.train()
        one, other = (layer(x, x, x, need_weights=weights)[0].detach().numpy() for _ in range(2))
        assert (one != other).any()
        layer.eval()
        one, other = (layer(x, x, x, need_weights=weights)[0].detach().numpy() for _ in range(2))
        assert (one == other).all()


def test_initial_values():
    layer = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = np.sqrt(6 / (64 + 192))
    weight = array_of(layer.in_proj_weight)
    assert 0.95 * bound < np.abs(weight).max() <= bound
    assert abs(weight.std() / (bound / np.sqrt(3)) - 1) < 0.05
    assert (array_of(layer.in_proj_bias) == 0).all()
    assert (array_of(layer.out_proj.bias) == 0).all()
    assert abs(array_of(layer.bias_k).std() * 8 - 1) < 0.4
    model = nn.Transformer(32, 2, 1, 1, 48)
    for name, each in model.named_parameters():
        if each.ndim > 1:
            bound = np.sqrt(6 / sum(each.shape))
            assert 0.9 * bound < np.abs(array_of(each)).max() <= bound, name


BAD_ATTENTIONS = [
    ((7, 2), "embed_dim 7 does not divide into 2 heads"), ((0, 1), "embed_dim must be at least 1"),
    ((4, 0), "num_heads must be at least 1")]


@pytest.mark.parametrize("arguments, message", BAD_ATTENTIONS)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match="MultiheadAttention: " + message):
        nn.MultiheadAttention(*arguments)


X = fastnn.zeros(5, 3, 8)
BAD_CALLS = [
    ((X, X[:4], X), {}, ValueError, "lengths and batches of shapes"),
    ((X, X[:, :2], X[:, :2]), {}, ValueError, "lengths and batches of shapes"),
    ((X[..., :6], X, X), {}, ValueError, "query has 6 features, expected 8"),
    ((X, X[0], X), {}, ValueError, "must all have 3 dimensions"),
    ((X, X, X.double()), {}, TypeError, "value is float64"),
    ((X, [1.0], X), {}, TypeError, "key must be a Tensor, got list"),
    ((X[0], X, X), {}, ValueError, "must all have 3 dimensions"),
    ((X, X, X), {"attn_mask": fastnn.zeros(5, 4)}, ValueError, r"attn_mask has shape \(5, 4\)"),
    ((X, X, X), {"key_padding_mask": fastnn.zeros(5, 3)}, ValueError, "key_padding_mask has"),
    ((X, X, X), {"attn_mask": fastnn.zeros(5, 5).int()}, TypeError, "attn_mask must be boolean"),
]


@pytest.mark.parametrize("arguments, keywords, kind, message", BAD_CALLS)
def test_errors(arguments, keywords, kind, message):
    with pytest.raises(kind, match="multi_head_attention_forward: .*" + message):
        nn.MultiheadAttention(8, 2)(*arguments, **keywords)


LAYERS = [{}, {"norm_first": True}, {"activation": "gelu", "batch_first": True}, {"bias": False},
          {"layer_norm_eps": 0.1, "norm_first": True, "batch_first": True, "bias": False}]


def data(settings, rows, seed=0):
    shape = (BATCH, rows, SIZE) if settings.get("batch_first") else (rows, BATCH, SIZE)
    return np.random.default_rng(seed).standard_normal(shape)


def padding_of(keys):
    return np.arange(keys) >= np.array([keys, keys - 1, 2])[:, None]


@pytest.mark.parametrize("settings", LAYERS, ids=str)
def test_layers(torch, settings):
    hidden = np.triu(np.ones((ROWS, ROWS), bool), 1)
    added = np.random.default_rng(1).standard_normal((ROWS, KEYS))
    x, memory = data(settings, ROWS), data(settings, KEYS, 1)
    for options in ({}, {"src_mask": hidden, "is_causal": True},
                    {"src_mask": hidden, "src_key_padding_mask": padding_of(ROWS)}):
        ours, theirs = pair(torch, "TransformerEncoderLayer", SIZE, HEADS, 16, 0.0, **settings)
        compare(torch, ours, theirs, (x,), options)
    for options in ({}, {"tgt_mask": hidden, "tgt_is_causal": True, "memory_mask": added},
                    {"tgt_key_padding_mask": padding_of(ROWS),
                     "memory_key_padding_mask": padding_of(KEYS)}):
        ours, theirs = pair(torch, "TransformerDecoderLayer", SIZE, HEADS, 16, 0.0, **settings)
        compare(torch, ours, theirs, (x, memory), options)


@pytest.mark.parametrize("settings", LAYERS, ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_transformer(torch, settings, training):
    ours, theirs = pair(torch, "Transformer", SIZE, HEADS, 2, 2, 16, 0.0, **settings)
    ours.train(training), theirs.train(training)
    source, target = data(settings, KEYS), data(settings, ROWS, 1)
    mask = array_of(nn.Transformer.generate_square_subsequent_mask(ROWS, dtype=fastnn.float64))
    theirs_mask = torch.nn.Transformer.generate_square_subsequent_mask(ROWS, dtype=torch.float64)
    np.testing.assert_array_equal(mask, theirs_mask.numpy())
    compare(torch, ours, theirs, (source, target), {"tgt_mask": mask})
    boolean_mask = np.isinf(mask)
    for each in (ours, theirs):
        each.zero_grad()
    compare(torch, ours, theirs, (source, target), {
        "tgt_mask": boolean_mask, "src_key_padding_mask": padding_of(KEYS),
        "memory_key_padding_mask": padding_of(KEYS), "tgt_key_padding_mask": padding_of(ROWS)})


def test_stacks(torch):
    """Of a layer that one has made, without a norm; copies start alike and are apart."""
    layer = nn.TransformerEncoderLayer(SIZE, HEADS, 16, 0.0, dtype=fastnn.float64)
    encoder = nn.TransformerEncoder(layer, 2)
    x = fastnn.from_numpy(data({}, ROWS))
    close(array_of(encoder(x)), array_of(layer(layer(x))), 1e-12)
    theirs = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(
        SIZE, HEADS, 16, 0.0, dtype=torch.float64), 2)
    assert list(theirs.state_dict()) == list(encoder.state_dict())
    encoder(x).sum().backward()
    assert layer.linear1.weight.grad is None
    assert encoder.layers[0].linear1.weight.grad is not encoder.layers[1].linear1.weight.grad
    again = copy.deepcopy(encoder)
    assert again.layers[1].activation is layer.activation


def test_an_activation_may_be_any_function():
    layer = nn.TransformerEncoderLayer(SIZE, HEADS, 16, activation=lambda x: x * 0)
    x = fastnn.rand(ROWS, BATCH, SIZE)
    layer.eval()
    attended = layer.norm1(x + layer.self_attn(x, x, x)[0])
    close(array_of(layer(x)), array_of(layer.norm2(attended + layer.linear2.bias)), 1e-5)
    with pytest.raises(ValueError, match="activation must be 'relu', 'gelu' or a function"):
        nn.TransformerDecoderLayer(SIZE, HEADS, activation="tanh")


def test_transformer_checks_features():
    model = nn.Transformer(8, 2, 1, 1, 16)
    with pytest.raises(ValueError, match="Transformer: tgt has 6 features, expected 8"):
        model(X, X[..., :6])
