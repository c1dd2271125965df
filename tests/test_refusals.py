"""What PyTorch refuses is refused, and what it takes beside that is taken."""

import copy

import numpy as np
import pytest

import fastnn

F = fastnn.nn.functional


def leaf(*values):
    return fastnn.tensor(values, dtype=fastnn.float64, requires_grad=True)


OVERLAPPING = {
    "shifted": lambda x: x[:-1].add_(x[1:]),
    "one beside all": lambda x: x.mul_(x[:1]),
    "a transpose": lambda x: x.view(2, 2).add_(x.view(2, 2).t()),
    "copied": lambda x: x[:-1].copy_(x[1:]),
    "assigned": lambda x: x.__setitem__(slice(1, None), x[:-1]),
    "assigned at places": lambda x: x.__setitem__(fastnn.arange(4), x),
    "index_put_": lambda x: x.index_put_((fastnn.arange(4),), x),
    "scatter_": lambda x: x.scatter_(0, fastnn.arange(4), x),
    "scatter_add_": lambda x: x.scatter_add_(0, fastnn.arange(4), x),
    "index_add_": lambda x: x.index_add_(0, fastnn.arange(4), x),
    "index_copy_": lambda x: x[1:].index_copy_(0, fastnn.arange(3), x[:-1]),
}


@pytest.mark.parametrize("change", OVERLAPPING.values(), ids=OVERLAPPING)
def test_operands_that_share_a_part_of_their_memory(change):
    x = fastnn.arange(4.0)
    with pytest.raises(RuntimeError, match="shares a part of its memory with another operand"):
        change(x)
    assert x.tolist() == [0, 1, 2, 3]


APART = {
    "itself": lambda x: x.add_(x), "a view of all": lambda x: x.add_(x[:]),
    "halves": lambda x: x[:2].add_(x[2:]), "every second": lambda x: x[::2].add_(x[1::2]),
    "columns": lambda x: x.view(2, 2)[:, 0].add_(x.view(2, 2)[:, 1]),
    "a number of its own": lambda x: x.fill_(x[1]), "one assigned": lambda x: put(x, x[:1]),
    "masked": lambda x: x.masked_fill_(x > 1, x[1]),
    "index_fill_": lambda x: x.index_fill_(0, fastnn.tensor([0]), x[1]),
    "assigned to itself": lambda x: put(x, x), "empty": lambda x: x[:0].add_(x[1:1]),
    "a copy": lambda x: x[:-1].add_(x[1:].clone()),
}


def put(x, value):
    x[:] = value


@pytest.mark.parametrize("change", APART.values(), ids=APART)
def test_operands_that_may_share_their_memory(change):
    x = fastnn.arange(4.0)
    change(x)


def test_operands_with_gaps_that_share_memory_are_read_before_they_are_written():
    x = fastnn.arange(8.0)
    x[::2][1:].add_(x[::2][:-1])
    assert x.tolist() == [0, 1, 2, 3, 6, 5, 10, 7]


def test_an_expanded_tensor_is_filled_and_not_changed_otherwise():
    x = fastnn.zeros(2, 1)
    wide = x.expand(2, 3)
    assert wide.fill_(2.0) is wide and x.tolist() == [[2.0], [2.0]] and wide.sum().item() == 12
    assert wide.zero_() is wide and x.tolist() == [[0.0], [0.0]]
    fastnn.nn.init.constant_(wide, 3.0)
    assert x.tolist() == [[3.0], [3.0]]
    for change in (lambda t: t.add_(1), lambda t: t.copy_(fastnn.ones(2, 3)), fastnn.relu_,
                   lambda t: t.uniform_(), lambda t: t.clamp_(0, 1), lambda t: put(t, 1.0),
                   lambda t: t.fill_(fastnn.tensor(1.0)), lambda t: t.cumsum_(0),
                   lambda t: t.scatter_(0, fastnn.zeros(1, 1, dtype=fastnn.int64), 1.0)):
        with pytest.raises(RuntimeError, match="several elements of an expanded tensor are one"):
            change(wide)
    assert x.tolist() == [[3.0], [3.0]]
    assert x.expand(2, 1).add_(1).tolist() == [[4.0], [4.0]]
    wide[0].fill_(1.0)
    wide[:, 1].mul_(2)
    assert x.tolist() == [[2.0], [8.0]]


@pytest.mark.parametrize("fill", [lambda t: t.fill_(5.0), lambda t: t.zero_()])
def test_an_expanded_tensor_is_filled_beside_the_tape_alone(fill):
    x = leaf(1.0, 2.0)
    y = x * 1
    with pytest.raises(RuntimeError, match="several elements of an expanded tensor are one"):
        fill(y[:1].expand(3))
    assert y.tolist() == [1.0, 2.0]
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    with fastnn.no_grad():
        fill(x[:1].expand(3))
    fill(x.detach()[1:].expand(3))
    assert x.tolist()[0] == x.tolist()[1] != 1


def test_memory_that_is_only_read_is_not_filled_through_an_expanded_tensor():
    array = np.ones(1)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fastnn.from_numpy(array).expand(3).fill_(2.0)
    assert array.tolist() == [1]


PARTS = {
    "split": lambda y: y.split(2), "of sizes": lambda y: y.split([1, 3]),
    "split_with_sizes": lambda y: y.split_with_sizes([1, 3]), "chunk": lambda y: y.chunk(2),
    "unbind": lambda y: y.reshape(2, 2).unbind(), "walked": lambda y: list(y.reshape(2, 2)),
    "one": lambda y: y.split(4),
}


@pytest.mark.parametrize("cut", PARTS.values(), ids=PARTS)
def test_parts_are_not_changed_on_the_tape(cut):
    x = leaf(1.0, 2.0, 3.0, 4.0)
    for change in (lambda part: part.mul_(2), lambda part: part[:1].mul_(2),
                   lambda part: put(part, 0.0)):
        with pytest.raises(RuntimeError, match="a part made by split, chunk or unbind cannot be"):
            change(cut(x * 1)[0])
    with pytest.raises(RuntimeError, match="a part made by split, chunk or unbind cannot be"):
        cut(fastnn.ones(4))[0].mul_(x.sum())
    y = x * 1
    part = cut(y)[0]
    y.mul_(2)
    with pytest.raises(RuntimeError, match="used after its tensor was changed in place"):
        part.sum()


@pytest.mark.parametrize("cut", PARTS.values(), ids=PARTS)
def test_parts_are_changed_beside_the_tape(cut):
    plain = fastnn.ones(4)
    part = cut(plain)[0]
    part.mul_(2)
    plain.mul_(2)
    assert part.sum().item() == 4 * part.numel()
    x = leaf(1.0, 2.0, 3.0, 4.0)
    with fastnn.no_grad():
        cut(x)[0].mul_(2)
    assert x.tolist()[0] == 2
    cut(x * 1)[0].detach().mul_(2)


@pytest.mark.parametrize("name", ["tensor_split", "hsplit"])
def test_other_parts_are_changed_on_the_tape(name):
    x = leaf(1.0, 2.0)
    y = x * 1
    getattr(y, name)(2)[0].mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 1.0]


def test_a_view_of_a_tensor_on_the_tape_made_beside_it():
    x = leaf(1.0, 2.0)
    for tensor in (x, x * 1):
        with fastnn.no_grad():
            view = tensor[:1]
        for change in (lambda v: v.mul_(2), lambda v: v[:1].mul_(2), lambda v: put(v, 0.0)):
            with pytest.raises(RuntimeError, match=r"a view that was made under no_grad\(\)"):
                change(view)
        view.detach().mul_(1)
        with fastnn.no_grad():
            view.mul_(1)
    with fastnn.no_grad():
        view = x.detach()[:1]
    view.mul_(1)


@pytest.mark.parametrize("index", [
    fastnn.tensor([0, 1]), fastnn.tensor([True, True, False]), [0, 1]])
def test_values_of_another_type_at_places(index):
    x, values = fastnn.zeros(3), fastnn.ones(2, dtype=fastnn.float64)
    with pytest.raises(TypeError, match="the tensor is float32, the value float64"):
        x[index] = values
    with pytest.raises(TypeError, match="index_put_: the tensor is float32, the value int64"):
        x.index_put_((fastnn.tensor([0]),), fastnn.tensor(1))
    x[:2] = values * 2
    x[0] = fastnn.tensor(3)
    x[fastnn.tensor(2)] = fastnn.tensor(4)
    assert x.tolist() == [3, 2, 4]
    x[x > 2] = fastnn.tensor(1)
    x.index_put_((x > 1,), fastnn.tensor([5]))
    assert x.tolist() == [1, 5, 1]


def test_the_saved_input_that_was_changed_is_named_by_its_own_place():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0).detach()
    y = x * w
    w.add_(1)
    with pytest.raises(RuntimeError, match="mul had saved its input 1 of shape"):
        y.sum().backward()
    rows, weight = leaf(1.0, 2.0).reshape(1, 2), fastnn.ones(3, 2, dtype=fastnn.float64)
    y = F.linear(rows, weight)
    weight.add_(1)
    with pytest.raises(RuntimeError, match="had saved its input 1 of shape"):
        y.sum().backward()


ONES = fastnn.ones(2, 3)
OF_ARGUMENTS = {
    **{f"{name} with keepdim alone": (lambda name=name: getattr(ONES, name)(keepdim=True),
                                      f"{name}: keepdim needs dim")
       for name in ("sum", "mean", "prod", "max", "min", "median")},
    **{f"{name} of None": (lambda name=name: getattr(ONES, name)(None), "must be an integer")
       for name in ("prod", "max", "min", "median")},
    "logsumexp of None": (lambda: ONES.logsumexp(None), "logsumexp: dim must be"),
    **{f"{name} keepdim": (lambda name=name: getattr(ONES, name)(0, keepdim=1),
                           "keepdim must be True or False, got 1")
       for name in ("sum", "amax", "max", "argmin", "std", "all", "nansum", "median")},
    "unbiased": (lambda: ONES.var(0, 1), "var: unbiased must be True or False"),
    "descending": (lambda: ONES.sort(0, 1), "sort: descending must be True or False"),
    "flip": (lambda: fastnn.flip(ONES, 0), "flip: dims must be a tuple or a list, got 0"),
    "permute": (lambda: fastnn.permute(ONES, 1, 0), "permute: dims must be a tuple or a list"),
    "reshape": (lambda: fastnn.reshape(ONES, 6), "reshape: shape must be a tuple or a list"),
    "tile": (lambda: fastnn.tile(ONES, 2), "tile: dims must be a tuple or a list"),
    "broadcast_to": (lambda: fastnn.broadcast_to(ONES[:1, :1], 3), "broadcast_to: size must be"),
    "full": (lambda: fastnn.full(2, 1), "full: size must be a tuple or a list, got int"),
    "new_full": (lambda: ONES.new_full(2, 1), "full: size must be a tuple or a list"),
    "randint": (lambda: fastnn.randint(3, 2), "randint: size must be a tuple or a list"),
    "normal": (lambda: fastnn.normal(0.0, 1.0, 2), "normal: size must be a tuple or a list"),
    "unflatten": (lambda: ONES.unflatten(1, 3), "unflatten: sizes must be a tuple or a list"),
    "size by name": (lambda: fastnn.zeros(size=2), "zeros: the sizes must be a tuple or a list"),
    **{f"{name} of no size": (lambda name=name: getattr(fastnn.tensor(1.0), name)(),
                              f"{name}: sizes must be given")
       for name in ("view", "reshape", "expand", "permute", "broadcast_to")},
    "no size": (lambda: fastnn.zeros(), "zeros: sizes must be given"),
    "a truth as size": (lambda: fastnn.zeros(True), "zeros: sizes must be integers"),
    "chunks": (lambda: ONES.chunk(True), "chunk: chunks must be an integer, got bool"),
    "turns": (lambda: fastnn.rot90(ONES, 1.0), "rot90: k must be an integer, got float"),
    "diagonal": (lambda: ONES.tril(True), "tril: diagonal must be an integer, got bool"),
    "eye": (lambda: fastnn.eye(True), "eye: n must be an integer"),
    "randperm": (lambda: fastnn.randperm(2.0), "randperm: n must be an integer"),
    "steps": (lambda: fastnn.linspace(0, 1, True), "linspace: steps must be an integer"),
    "movedim": (lambda: ONES.movedim(0, (1,)), "movedim: source and destination"),
    "a generator": (lambda: fastnn.cat(each for each in (ONES,)), "cat: tensors must be a tuple"),
}


@pytest.mark.parametrize("call, message", OF_ARGUMENTS.values(), ids=OF_ARGUMENTS)
def test_arguments_of_another_kind(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_arguments_that_are_taken():
    for name in ("sum", "mean", "nansum", "amax", "all", "std", "argmax"):
        assert getattr(ONES, name)(None, keepdim=True).ndim == 2
    for name in ("amax", "all", "any", "std", "nansum", "argmax"):
        assert getattr(ONES, name)(keepdim=True).ndim == 2
    assert ONES.flip(0).shape == ONES.flip((0, 1)).shape == fastnn.flip(ONES, [0]).shape == (2, 3)
    assert ONES[:1, :1].broadcast_to(2, 3).shape == ONES.reshape(2, 3).shape == (2, 3)
    assert fastnn.zeros(()).shape == fastnn.reshape(ONES[0, 0], ()).shape == ()
    with pytest.raises(ValueError, match="triu_indices: sizes must be at least 0"):
        fastnn.triu_indices(-1, 2)


@pytest.mark.parametrize("options", [
    {}, {"label_smoothing": 0.1}, {"weight": fastnn.tensor([1.0, 2.0], dtype=fastnn.float64)}])
def test_a_loss_of_ignored_targets_is_nan_and_its_gradients_are_zero(options):
    x = fastnn.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=fastnn.float64, requires_grad=True)
    loss = F.cross_entropy(x, fastnn.tensor([-100, -100]), **options)
    first, = fastnn.autograd.grad(loss, x, create_graph=True)
    second, = fastnn.autograd.grad(first.sum(), x)
    assert loss.isnan() and not first.any() and not second.any()


def test_tensors_carry_attributes_of_their_own():
    for tensor in (fastnn.ones(2), fastnn.nn.Parameter(fastnn.ones(2))):
        tensor.note = ["kept"]
        assert copy.copy(tensor).note is tensor.note
        assert copy.deepcopy(tensor).note == ["kept"]
        assert copy.deepcopy(tensor).note is not tensor.note
        assert not hasattr(tensor.detach(), "note") and not hasattr(tensor + 1, "note")
        with pytest.raises(AttributeError):
            tensor.dtype = fastnn.float64


nn = fastnn.nn
MADE = {
    "Hardtanh": (lambda: nn.Hardtanh(2, 1), ValueError, "Hardtanh: min_val 2 is not below max_val"),
    "Hardtanh of one": (lambda: nn.Hardtanh(1, 1), ValueError, "min_val 1 is not below max_val 1"),
    "TripletMarginLoss": (lambda: nn.TripletMarginLoss(0), ValueError,
                          "TripletMarginLoss: margin must be positive, got 0"),
    "TripletMarginWithDistanceLoss": (lambda: nn.TripletMarginWithDistanceLoss(margin=-1),
                                      ValueError, "margin must be positive, got -1"),
    "MultiMarginLoss": (lambda: nn.MultiMarginLoss(3), ValueError, "p must be 1 or 2, got 3"),
    "Unflatten": (lambda: nn.Unflatten(0, (3.0,)), TypeError, "sizes must be integers"),
    "Unflatten dim": (lambda: nn.Unflatten(0.5, (3,)), TypeError, "dim must be an integer"),
    "Parameter": (lambda: nn.Parameter([1.0]), TypeError, "Parameter: expected a Tensor, got list"),
    "Parameter of a number": (lambda: nn.Parameter(2), TypeError, "expected a Tensor, got int"),
    "SGD": (lambda: fastnn.optim.SGD(fastnn.ones(2, requires_grad=True)), TypeError,
            "SGD: parameters must be several, or dicts of them, got one tensor"),
}


@pytest.mark.parametrize("make, kind, message", MADE.values(), ids=MADE)
def test_settings_refused_when_a_module_is_made(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


IMAGE = fastnn.ones(1, 4, 4, 4)
ROWS = fastnn.ones(4, 3)
AT = fastnn.zeros(4, 3, dtype=fastnn.int64)
OF_TYPES = {
    "a number alone": (lambda: fastnn.exp(2.5), TypeError, "exp: input must be a tensor, got fl"),
    "numbers alone": (lambda: fastnn.maximum(1, 2), TypeError, "maximum: input must be a tensor"),
    "a truth as stride": (lambda: F.max_pool2d(IMAGE, 2, True), TypeError, "stride must be"),
    "no output size": (lambda: F.adaptive_avg_pool2d(IMAGE, None), TypeError,
                       "adaptive_avg_pool2d: output_size must be given"),
    "gather at uint8": (lambda: ROWS.gather(0, AT.byte()), ValueError, "int32 or int64"),
    "take at int32": (lambda: ROWS.take(AT.int()), TypeError, "take: index must be int64"),
    "along at int32": (lambda: fastnn.take_along_dim(ROWS, AT.int(), 0), TypeError, "be int64"),
    "softshrink": (lambda: F.softshrink(AT), TypeError, "softshrink: not defined for int64"),
    "threshold": (lambda: F.threshold(ROWS > 0, 1, 1), TypeError, "threshold: not defined"),
    "heaviside": (lambda: ROWS.heaviside(AT), TypeError, "heaviside: the tensors must have one"),
    "median": (lambda: (ROWS > 0).median(), TypeError, "median: not defined for boolean"),
    "trace": (lambda: (ROWS > 0).trace(), TypeError, "trace: not defined for boolean"),
    "several factors": (lambda: F.pixel_shuffle(IMAGE, (2,)), TypeError, "upscale_factor must be"),
    "groups": (lambda: F.group_norm(IMAGE, 2.0), TypeError, "num_groups must be an integer"),
    "several dims": (lambda: F.cosine_similarity(ROWS, ROWS, (0,)), TypeError, "be an integer"),
    "eps": (lambda: F.cosine_similarity(ROWS, ROWS, eps=-1.0), ValueError, "eps must be at"),
    "upper": (lambda: F.rrelu(ROWS, upper=float("inf")), ValueError, "not finite"),
    "a list in isin": (lambda: fastnn.isin(AT, [1]), TypeError, "expected tensors or a number"),
    "a list of repeats": (lambda: ROWS.repeat_interleave([2], 1), TypeError, "repeats must be"),
    "int32 labels": (lambda: F.multilabel_margin_loss(ROWS, AT.int()), ValueError, "be int64"),
    "ignore_index": (lambda: F.nll_loss(ROWS, AT[:, 0], ignore_index=1.0), TypeError,
                     "nll_loss: ignore_index must be an integer"),
    "conv2d to 0 channels": (lambda: F.conv2d(IMAGE, fastnn.ones(0, 4, 3, 3)), ValueError,
                             r"conv2d: weight of shape \(0, 4, 3, 3\) has no channels"),
    "conv_transpose2d to 0 channels": (lambda: F.conv_transpose2d(
        IMAGE, fastnn.ones(4, 0, 3, 3)), ValueError, "conv_transpose2d: weight .* no channels"),
    "conv_transpose2d of 0 channels": (lambda: F.conv_transpose2d(
        IMAGE[:, :0], fastnn.ones(0, 4, 3, 3)), ValueError, "weight .* no channels"),
    "soft margins": (lambda: F.soft_margin_loss(ROWS[0], ROWS), ValueError,
                     r"soft_margin_loss: input has shape \(3,\), target \(4, 3\)"),
}


@pytest.mark.parametrize("call, kind, message", OF_TYPES.values(), ids=OF_TYPES)
def test_types_and_shapes(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_what_pytorch_takes_beside_the_usual():
    assert fastnn.add(3.5, 1.5).item() == 5
    one = fastnn.tensor(1.0)
    assert one.T.shape == one.view(()).shape == one.expand(()).shape == one.permute(()).shape == ()
    assert F.dropout(AT, training=False) is AT and F.dropout(AT, 0.0) is AT
    first = fastnn.take_along_dim(ROWS.cumsum(0), AT[:1] - 1, 0)
    assert first.tolist() == [[4, 4, 4]]
    assert ROWS.index_fill(1, fastnn.tensor([-1]), 0.0).sum(0).tolist() == [4, 4, 0]
    assert fastnn.tensor([float("nan")]).nan_to_num(None).tolist() == [0]
    labels, weight = fastnn.tensor([1, 0, 2, 1], dtype=fastnn.uint8), fastnn.tensor([1.0, 2, 3])
    assert F.nll_loss(-ROWS, labels, weight).item() == F.nll_loss(-ROWS, labels.long(), weight)
    assert len(fastnn.meshgrid(ROWS[0], ROWS[0], indexing=None)) == 2
