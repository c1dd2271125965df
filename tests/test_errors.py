"""Bad input: a clear error that names operation, argument, what came and what was wanted.

No case here may compute anything before it raises, change an argument, or end the process.
"""

import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn import nn, optim
from fastnn._kernels import runtime
from fastnn.nn import functional as F


def floats(*shape, dtype="float32"):
    """A tensor of a shape, so that a case reads as what a user would write."""
    return fastnn.ones(shape, dtype=dtype)


def labels(*values):
    return fastnn.tensor(values, dtype=fastnn.int64)


DOUBLE = dict(dtype="float64")
NAN = float("nan")

SHAPES = {
    "add": (lambda: floats(2, 3) + floats(4, 3),
            r"add: shapes \(2, 3\) and \(4, 3\) do not broadcast"),
    "where": (lambda: fastnn.where(floats(2) > 0, floats(3), floats(3)), "where: shapes"),
    "in place": (lambda: floats(3).add_(floats(2, 3)), r"add: .*in place into shape \(3,\)"),
    "mm": (lambda: floats(2, 3) @ floats(4, 5),
           r"matmul: shapes \(2, 3\) and \(4, 5\) do not fit: 3 columns against 4 rows"),
    "batches": (lambda: floats(2, 3, 4) @ floats(5, 4, 3),
                r"matmul: batches of shapes \(2, 3, 4\)"),
    "product of numbers": (lambda: floats() @ floats(3), "matmul: both tensors need at least one"),
    "bmm": (lambda: fastnn.bmm(floats(2, 3, 4), floats(3, 4, 5)), "bmm: input has 2 matrices"),
    "linear": (lambda: F.linear(floats(2, 3), floats(5, 4)),
               "linear: input has 3 features, weight expects 4"),
    "linear bias": (lambda: F.linear(floats(2, 3), floats(5, 3), floats(4)),
                    r"linear: bias has shape \(4,\), weight expects \(5,\)"),
    "conv2d channels": (lambda: F.conv2d(floats(1, 3, 8, 8), floats(2, 4, 3, 3)),
                        "conv2d: x has 3 channels, weight expects 4"),
    "conv2d kernel": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 5, 5)),
                      "conv2d: kernel of 5 .*is larger than its input of 4"),
    "conv2d dilated kernel": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), dilation=2),
                              "conv2d: kernel of 5 .*is larger than its input of 4"),
    "conv2d dimensions": (lambda: F.conv2d(floats(3, 8), floats(2, 3, 3, 3)),
                          r"conv2d: .*dimensions, got shape \(3, 8\)"),
    "conv2d bias": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(2, 1, 3, 3), floats(3)),
                    r"conv2d: bias has shape \(3,\), expected \(2,\)"),
    "conv2d groups": (lambda: F.conv2d(floats(1, 4, 4, 4), floats(3, 2, 3, 3), groups=2),
                      "conv2d: 3 output channels do not divide into 2 groups"),
    "conv2d stride": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), stride=0),
                      "conv2d: stride must lie between 1 and .*, got 0"),
    "conv2d padding": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), padding=-1),
                       "conv2d: padding must lie between 0 and .*, got -1"),
    "conv2d same": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), stride=2,
                                     padding="same"), "conv2d: padding 'same' needs stride 1"),
    "conv2d triple": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), stride=(1, 2, 3)),
                      r"conv2d: stride must be an integer or a pair, got \(1, 2, 3\)"),
    "conv_transpose2d channels": (
        lambda: F.conv_transpose2d(floats(1, 3, 4, 4), floats(2, 4, 3, 3)),
        "conv_transpose2d: x has 3 channels, weight expects 2"),
    "conv_transpose2d output_padding": (
        lambda: F.conv_transpose2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), stride=2,
                                   output_padding=2),
        "conv_transpose2d: output_padding .*must be smaller than stride"),
    "max_pool2d kernel": (lambda: F.max_pool2d(floats(1, 1, 4, 4), 5),
                          "max_pool2d: kernel of 5 .*larger than its input of 4"),
    "max_pool2d padding": (lambda: F.max_pool2d(floats(1, 1, 4, 4), 2, padding=2),
                           "max_pool2d: padding .*more than half of kernel_size"),
    "avg_pool2d dimensions": (lambda: F.avg_pool2d(floats(4, 4), 2), r"avg_pool2d: .*\(4, 4\)"),
    "avg_pool2d divisor": (lambda: F.avg_pool2d(floats(1, 1, 4, 4), 2, divisor_override=0),
                           "avg_pool2d: divisor_override must lie between 1 and .*, got 0"),
    "unfold": (lambda: F.unfold(floats(1, 1, 2, 2), 3), "unfold: kernel of 3 .*input of 2"),
    "fold rows": (lambda: F.fold(floats(1, 7, 4), (3, 3), 2), "fold: 7 rows do not divide"),
    "fold columns": (lambda: F.fold(floats(1, 4, 5), (3, 3), 2), "fold: 2 x 2 windows fit"),
    "batch_norm channels": (
        lambda: F.batch_norm(floats(2, 3, 4, 4), floats(4), floats(4)),
        r"batch_norm: input has 3 channels, running_mean has shape \(4,\)"),
    "batch_norm one value": (
        lambda: F.batch_norm(floats(1, 3), floats(3), floats(3), training=True),
        r"batch_norm: training needs more than one value for each channel, got shape \(1, 3\)"),
    "batch_norm evaluation": (lambda: F.batch_norm(floats(2, 3), None, None),
                              "batch_norm: running_mean and running_var are needed"),
    "mse_loss": (lambda: F.mse_loss(floats(3), floats(4)),
                 r"mse_loss: input has shape \(3,\), target \(4,\)"),
    "cross_entropy": (lambda: F.cross_entropy(floats(3, 5), labels(0, 1)),
                      r"target must be class numbers \(int64 or uint8\) of shape \(3,\)"),
    "cross_entropy type": (lambda: F.cross_entropy(floats(1, 5), labels(0).int()),
                           r"target must be class numbers \(int64 or uint8\) .*, got int32"),
    "cross_entropy weight": (lambda: F.cross_entropy(floats(1, 5), labels(0), floats(4)),
                             r"cross_entropy: weight has shape \(4,\), input has 5 classes"),
    "cross_entropy probabilities": (
        lambda: F.cross_entropy(floats(1, 5), floats(1, 5), ignore_index=1),
        "cross_entropy: ignore_index is for class numbers, and target holds probabilities; got 1"),
    "reshape": (lambda: floats(2, 3).reshape(4, 2),
                r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(4, 2\)"),
    "two unknown sizes": (lambda: floats(2, 3).reshape(-1, -1), "reshape: .*more than one unknown"),
    "view": (lambda: floats(2, 3).t().view(6), "view: .*needs a copy.*use reshape"),
    "expand": (lambda: floats(2, 3).expand(4, 3), r"expand: shape \(2, 3\) cannot become \(4, 3\)"),
    "permute": (lambda: floats(2, 3).permute(0), "permute: 1 dimensions given, the tensor has 2"),
    "permute twice": (lambda: floats(2, 3).permute(0, 0), "permute: a dimension is named twice"),
    "t": (lambda: floats(2, 3, 4).t(), "t: expected at most 2 dimensions, got 3"),
    "cat": (lambda: fastnn.cat([floats(2, 3), floats(2, 4)]),
            r"cat: shapes \(2, 3\) and \(2, 4\) differ beyond dimension 0"),
    "cat nothing": (lambda: fastnn.cat([]), "cat: expected at least one tensor"),
    "stack": (lambda: fastnn.stack([floats(2), floats(3)]), r"stack: shapes \(2,\) and \(3,\)"),
    "split": (lambda: fastnn.split(floats(5), [2, 2]), r"split: sizes \[2, 2\] do not add up to 5"),
    "chunk": (lambda: floats(5).chunk(0), "chunk: expected a positive number of parts, got 0"),
    "narrow": (lambda: fastnn.narrow(floats(5), 0, 3, 4), "narrow: .*of size 5"),
    "max of nothing": (lambda: floats(0).max(), r"max: the tensor of shape \(0,\) is empty"),
    "argmin of nothing": (lambda: floats(2, 0).argmin(1), "argmin: dimension 1 .*is empty"),
    "negative size": (lambda: fastnn.zeros(2, -1), "zeros: negative size"),
    "item": (lambda: floats(2).item(), r"item: .*one element.*got shape \(2,\)"),
    "ragged": (lambda: fastnn.tensor([[1, 2], [3]]), "tensor: data is not a regular array"),
    "arange": (lambda: fastnn.arange(0, 5, -1), "arange: no way from 0 to 5 in steps of -1"),
    "too many dimensions": (lambda: floats(*(1,) * 40) + 1, "dimensions"),
}

VALUES = {
    "dropout": (lambda: F.dropout(floats(3), 1.5), r"dropout: p must lie in \[0, 1\], got 1.5"),
    "reduction": (lambda: F.mse_loss(floats(3), floats(3), reduction="max"),
                  "mse_loss: reduction must be one of .*got 'max'"),
    "approximate": (lambda: F.gelu(floats(3), approximate="sine"), "gelu: approximate must be"),
    "softmax without dim": (lambda: F.softmax(floats(3)), "softmax: dim must be given"),
    "probabilities": (lambda: F.binary_cross_entropy(floats(2) * 3, floats(2)),
                      "binary_cross_entropy: input must hold probabilities"),
    "NaN probabilities": (lambda: F.binary_cross_entropy(floats(2) * NAN, floats(2)),
                          "binary_cross_entropy: input must hold probabilities"),
    "label_smoothing": (lambda: F.cross_entropy(floats(1, 2), labels(0), label_smoothing=2.0),
                        r"cross_entropy: label_smoothing must lie in \[0, 1\], got 2.0"),
    "clamp": (lambda: fastnn.clamp(floats(3)), "clamp: at least one of min and max"),
    "device": (lambda: floats(3).to("cuda"), "device: fastnn is for CPUs, got 'cuda'"),
    "device of a new tensor": (lambda: fastnn.zeros(2, device="mps"), "CPUs, got 'mps'"),
    "threads": (lambda: fastnn.set_num_threads(0), "set_num_threads: .*positive integer, got 0"),
    "randint": (lambda: fastnn.randint(5, 5, (2,)), "randint: low 5 is not below high 5"),
    "learning rate": (lambda: optim.SGD([floats(1)], lr=-1.0), "SGD: lr must be at least 0"),
    "NaN learning rate": (lambda: optim.Adam([floats(1)], lr=NAN), "Adam: lr must be at least 0"),
    "betas": (lambda: optim.Adam([floats(1)], betas=(0.9, 1.0)), "Adam: betas must be"),
    "nesterov": (lambda: optim.SGD([floats(1)], nesterov=True), "SGD: nesterov needs a momentum"),
    "no parameters": (lambda: optim.SGD([]), "SGD: no parameters given"),
    "a parameter twice": (lambda: optim.SGD([*[floats(1)] * 2]), "SGD: a parameter is in more"),
    "padding_mode": (lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"),
                     "Conv2d: padding_mode must be one of zeros, .* got 'mirror'"),
    "module groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), "Conv2d: 3 and 4 channels do not"),
    "module dropout": (lambda: nn.Dropout(-0.1), r"Dropout: p must lie in \[0, 1\], got -0.1"),
    "batch norm of lists": (lambda: nn.BatchNorm2d(3)(floats(2, 3)), "BatchNorm2d: input must"),
    "gain": (lambda: nn.init.calculate_gain("cubic"), "calculate_gain: unknown 'cubic'"),
    "fans": (lambda: nn.init.xavier_uniform_(floats(3)), "at least 2 dimensions, got 1"),
    "mode": (lambda: nn.init.kaiming_normal_(floats(3, 3), mode="fan"), "mode must be"),
}

TYPES = {
    "add a string": (lambda: floats(2) + "a", "add: other must be a tensor or a number, got str"),
    "relu of a list": (lambda: F.relu([1.0]), "relu: input must be a tensor or a number, got list"),
    "matmul of types": (lambda: floats(2, 2) @ floats(2, 2, **DOUBLE),
                        "matmul: .*float32.*float64"),
    "linear of integers": (lambda: F.linear(labels(1, 2), floats(3, 2)),
                           "linear: input must be float32 or float64, got int64"),
    "conv2d of types": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3, **DOUBLE)),
                        "conv2d: .*float32.*float64"),
    "conv2d of an array": (lambda: F.conv2d(np.ones((1, 1, 4, 4)), floats(1, 1, 3, 3)),
                           "conv2d: expected a Tensor, got ndarray; use fastnn.from_numpy"),
    "stride": (lambda: F.conv2d(floats(1, 1, 4, 4), floats(1, 1, 3, 3), stride=1.5),
               "conv2d: stride must be an integer or a pair, got 1.5"),
    "mean of integers": (lambda: labels(1, 2).mean(), "mean: .*floating-point.*int64"),
    "condition": (lambda: fastnn.where(floats(2), floats(2), floats(2)),
                  "where: condition must be a boolean tensor, got float32"),
    "in place into integers": (lambda: labels(1, 2).add_(1.5), "add: .*in place into int64"),
    "slope": (lambda: F.leaky_relu(floats(2), floats(1)), "leaky_relu: negative_slope must be a "
                                                          "number, got a tensor"),
    "unknown keyword": (lambda: F.leaky_relu(floats(2), slope=0.1), "slope"),
    "complex": (lambda: fastnn.tensor(np.ones(2, complex)), "tensor: dtype complex128 is not"),
    "float16": (lambda: floats(2).to("float16"), "to: dtype float16 is not supported"),
    "from_numpy": (lambda: fastnn.from_numpy([1.0]), "from_numpy: expected a NumPy array, got"),
    "sizes": (lambda: fastnn.zeros(2.5), "zeros: sizes must be integers"),
    "dimension": (lambda: floats(2).sum(0.5), "sum: a dimension must be an integer"),
    "default dtype": (lambda: fastnn.set_default_dtype(fastnn.int64), "expected float32"),
    "length": (lambda: len(floats()), "len: a tensor without dimensions has no length"),
    "as an index": (lambda: [1, 2][floats()], "index: only an integer tensor can be an index"),
    "parameter": (lambda: optim.SGD([np.ones(1)]), "SGD: parameters must be Tensors, got nd"),
    "module setting": (lambda: nn.LeakyReLU(slope=0.2), r"LeakyReLU\(negative_slope=0.01.*=0.2"),
    "module without setting": (lambda: nn.MaxPool2d(), r"MaxPool2d\(kernel_size"),
    "registered": (lambda: nn.Linear(1, 1).register_parameter("x", floats(1)), "must be a Param"),
    "seed": (lambda: fastnn.manual_seed(1.5), "manual_seed: expected an integer, got 1.5"),
}

INDICES = {
    "label": (lambda: F.cross_entropy(floats(2, 3), labels(0, 3)),
              "cross_entropy: target holds class 3, input has 3 classes"),
    "negative label": (lambda: F.nll_loss(floats(2, 3), labels(0, -1)),
                       "nll_loss: target holds class -1, input has 3 classes"),
    "index": (lambda: floats(2, 3)[2], r"index: .*\(2, 3\)"),
    "array index": (lambda: floats(2, 3)[labels(0, 5)], r"index: .*\(2, 3\)"),
    "too many": (lambda: floats(2)[0, 0], "index: too many indices"),
    "a string": (lambda: floats(2, 2)[0, "a"], "index: only integers, slices"),
    "float index": (lambda: floats(2)[floats(1)], "index: a tensor index must be integer"),
    "dimension": (lambda: floats(2, 3).sum(2), "sum: dimension 2 does not exist, the tensor has 2"),
    "softmax": (lambda: F.softmax(floats(2), dim=1), "softmax: dimension 1 does not exist"),
    "gather": (lambda: fastnn.gather(floats(2, 2), 0, fastnn.tensor([[2, 0]])),
               "gather: index out of range for dimension 0 of size 2"),
    "unsqueeze": (lambda: floats(2).unsqueeze(3), "unsqueeze: dimension 3"),
}

RUNS = {
    "module without forward": (lambda: nn.Module()(floats(1)), "Module has no forward"),
    "bool": (lambda: bool(floats(2)), r"bool: .*got shape \(2,\)"),
    "assigned before init": (lambda: setattr(nn.Module.__new__(nn.Linear), "x", nn.ReLU()),
                             r"call super\(\).__init__\(\) before"),
    "absent function": (lambda: F.ctc_loss, "functional has no 'ctc_loss'"),
    "absent name": (lambda: fastnn.fft, "fastnn has no 'fft'"),
    "sub module": (lambda: nn.Sequential().get_submodule("a"), "Sequential has no submodule 'a'"),
}

TABLES = {ValueError: SHAPES | VALUES, TypeError: TYPES, IndexError: INDICES,
          (RuntimeError, AttributeError): RUNS}
CASES = [pytest.param(kind, *case, id=name) for kind, table in TABLES.items()
         for name, case in table.items()]


@pytest.mark.parametrize("kind, call, message", CASES)
def test_message(kind, call, message):
    with pytest.raises(kind, match=message):
        call()


LARGE = {
    "add": lambda x: x + x[1:],
    "matmul": lambda x: x @ x[1:],
    "linear": lambda x: F.linear(x, x[:, 1:]),
    "conv2d": lambda x: F.conv2d(x.view(1, 1, 96, 96), x[:4, :18].reshape(4, 2, 3, 3)),
    "max_pool2d": lambda x: F.max_pool2d(x.view(1, 1, 96, 96), 97),
    "batch_norm": lambda x: F.batch_norm(x, x[0, 1:], x[0, 1:], training=True),
    "cross_entropy": lambda x: F.cross_entropy(x, fastnn.full((96,), 96)),
    "mse_loss": lambda x: F.mse_loss(x, x[1:]),
    "cat": lambda x: fastnn.cat([x, x, x[:, 1:]]),
    "in place": lambda x: x.add_(x[1:]),
    "assignment": lambda x: x.__setitem__(slice(1, None), x),
    "reduction": lambda x: F.mse_loss(x, x, reduction="median"),
}


@pytest.mark.parametrize("call", LARGE.values(), ids=LARGE)
def test_raised_before_anything_is_computed(call):
    """Nothing was taken from the arena (from which every array of this size comes) or changed."""
    x = fastnn.rand(96, 96)
    before = x.array.copy()
    taken = runtime.memory_stats()["allocations"]
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        call(x)
    assert runtime.memory_stats()["allocations"] == taken
    np.testing.assert_array_equal(x.array, before)


def test_read_only_memory_is_not_written_to():
    array = np.ones(3)
    array.flags.writeable = False
    x = fastnn.from_numpy(array)
    with pytest.raises(ValueError, match="read-only"):
        x.add_(1)
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        x.uniform_()
    assert array.tolist() == [1, 1, 1]


EMPTY = {
    "linear": lambda: F.linear(floats(0, 3), floats(5, 3)),
    "conv2d": lambda: F.conv2d(floats(0, 3, 8, 8), floats(4, 3, 3, 3)),
    "conv_transpose2d": lambda: F.conv_transpose2d(floats(0, 3, 8, 8), floats(3, 4, 3, 3)),
    "max_pool2d": lambda: F.max_pool2d(floats(0, 3, 8, 8), 2),
    "avg_pool2d": lambda: F.avg_pool2d(floats(0, 3, 8, 8), 2),
    "unfold": lambda: F.unfold(floats(0, 3, 8, 8), 3),
    "softmax": lambda: F.softmax(floats(0, 3), dim=1),
    "batch_norm": lambda: F.batch_norm(floats(0, 3), floats(3), floats(3)),
    "dropout": lambda: F.dropout(floats(0, 3)),
    "sum": lambda: floats(0, 3).sum(0),
    "matmul": lambda: floats(0, 3) @ floats(3, 2),
    "inner size": lambda: floats(2, 0) @ floats(0, 3),
    "relu": lambda: F.relu(floats(0)),
    "cat": lambda: fastnn.cat([floats(0, 3), floats(2, 3)]),
    "mse_loss": lambda: F.mse_loss(floats(0, 3), floats(0, 3), reduction="none"),
    "nll_loss": lambda: F.nll_loss(floats(0, 3), labels(), reduction="sum"),
}


@pytest.mark.parametrize("call", EMPTY.values(), ids=EMPTY)
def test_empty_batch_gives_an_empty_result(call):
    assert np.isfinite(call().array).all()


def test_mean_loss_of_an_empty_batch_is_nan():
    assert np.isnan(F.mse_loss(floats(0), floats(0)).item())
    assert np.isnan(F.cross_entropy(floats(0, 3), labels()).item())


def test_nan_labels_reach_the_loss():
    """NaN in a floating-point target is not an error: the loss says it, as PyTorch's does."""
    target = fastnn.tensor([0.0, NAN])
    assert np.isnan(F.mse_loss(floats(2), target).item())
    assert np.isnan(F.binary_cross_entropy_with_logits(floats(2), target).item())
    with pytest.raises(ValueError, match="target must be class numbers"):
        F.cross_entropy(floats(2, 3), target)


CRASHES = """
import numpy as np, fastnn
from fastnn.nn import functional as F
huge, limit = 1 << 40, (1 << 31) - 1
image, kernel = fastnn.ones(1, 1, 4, 4), fastnn.ones(1, 1, 3, 3)
unmade = fastnn.Tensor.__new__(fastnn.Tensor)
calls = [
    lambda: fastnn.zeros(huge, huge),
    lambda: fastnn.empty(1 << 62),
    lambda: fastnn.empty((1 << 32) + 1, 1 << 32),
    lambda: fastnn.ones(2)[huge],
    lambda: fastnn.tensor([1 << 70]),
    lambda: fastnn.ones(3).reshape(-1, 0),
    lambda: fastnn.ones(3).view(1 << 63),
    lambda: fastnn.ones(4).expand(huge, huge, 4) + 1,
    lambda: fastnn.randint(0, 1 << 80, (2,)),
    lambda: unmade.sum(),
    lambda: unmade + 1,
    lambda: unmade.ndim,
    lambda: unmade.shape,
    lambda: unmade.backward(),
    lambda: fastnn.operation.Operation("x", None)(None, image),
]
for size in (huge, limit, 1 << 70):
    calls += [
        lambda size=size: F.conv2d(image, kernel, padding=size),
        lambda size=size: F.conv2d(image, kernel, dilation=size),
        lambda size=size: F.conv2d(image, kernel, dilation=size, padding=size),
        lambda size=size: F.conv2d(image, kernel, stride=size),
        lambda size=size: F.conv_transpose2d(image, kernel, stride=size),
        lambda size=size: F.conv_transpose2d(image, kernel, padding=size),
        lambda size=size: F.max_pool2d(image, size),
        lambda size=size: F.max_pool2d(image, size, padding=size // 2),
        lambda size=size: F.max_pool2d(image, 2, dilation=size),
        lambda size=size: F.avg_pool2d(image, size, padding=size // 2),
        lambda size=size: F.avg_pool2d(image, 2, divisor_override=size),
        lambda size=size: F.unfold(image, size),
        lambda size=size: F.unfold(image, 3, padding=size),
        lambda size=size: F.fold(fastnn.ones(1, 9, 4), (size, size), 3),
    ]
def step(parameter, state=None):
    parameter.requires_grad_()
    parameter.grad = fastnn.ones(*parameter.shape)
    optimizer = fastnn.optim.Adam([parameter])
    if state is not None:
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": {0: {"step": 1, **state}}, "param_groups": groups})
    optimizer.step()

def replaced_gradient(function):
    x = fastnn.rand(1000, 1000, requires_grad=True)
    y = function(x)
    y.register_hook(lambda gradient: fastnn.ones(1, 1))
    y.sum().backward()

many = 20_000_000
calls += [
    lambda: step(fastnn.zeros(1).expand(many)),
    lambda: step(fastnn.zeros(many), {"exp_avg": fastnn.zeros(2), "exp_avg_sq": fastnn.zeros(2)}),
    lambda: step(fastnn.zeros(many), {"exp_avg": [1], "exp_avg_sq": None}),
    lambda: replaced_gradient(lambda x: F.batch_norm(x, None, None, training=True)),
    lambda: replaced_gradient(lambda x: F.softmax(x, 1)),
    lambda: replaced_gradient(lambda x: F.max_pool2d(x.view(1, 1, 1000, 1000), 2)),
    lambda: replaced_gradient(lambda x: x @ x),
    lambda: replaced_gradient(lambda x: F.cross_entropy(x, fastnn.arange(1000))),
]
for number, call in enumerate(calls):
    try:
        call()
    except Exception as error:
        print(number, type(error).__name__, str(error)[:80], flush=True)
    else:
        print(number, "no error", flush=True)
print("alive")
"""


def test_nothing_ends_the_process():
    done = subprocess.run([sys.executable, "-c", CRASHES], capture_output=True, text=True)
    assert done.stdout.endswith("alive\n"), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
