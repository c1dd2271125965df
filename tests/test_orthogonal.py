"""Orthogonal parametrizations beside PyTorch's: values, gradients, states, assignment, errors."""

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn._kernels import elimination
from fastnn.autograd import gradcheck, gradgradcheck
from fastnn.ops.matrices import solve

LAYERS = {
    "high": lambda nn: nn.Linear(3, 6), "wide": lambda nn: nn.Linear(6, 3),
    "square": lambda nn: nn.Linear(4, 4), "stack": lambda nn: nn.Conv2d(2, 3, (4, 3)),
    "single": lambda nn: nn.Linear(1, 1),
}
MAPS = (None, "matrix_exp", "cayley", "householder")
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
orthogonal = nn.utils.parametrizations.orthogonal


def shape_of(layer):
    return (2, 2, 8, 7) if isinstance(layer, nn.Conv2d) else (5, layer.in_features)


@each_layer
@pytest.mark.parametrize("trivialized", [True, False])
@pytest.mark.parametrize("way", MAPS)
def test_parity(torch, layer, way, trivialized):
    ours = orthogonal(layer(nn).double(), orthogonal_map=way, use_trivialization=trivialized)
    theirs = torch.nn.utils.parametrizations.orthogonal(
        layer(torch.nn).double(), orthogonal_map=way, use_trivialization=trivialized)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    random = np.random.default_rng(0)
    with torch.no_grad():
        start = theirs.parametrizations.weight.original
        off_diagonal = 1 - np.eye(*start.shape[-2:])  # of which PyTorch truncates the signs
        start.add_(torch.from_numpy(random.standard_normal(start.shape) * 0.1 * off_diagonal))
    ours.load_state_dict({key: fastnn.tensor(value.numpy())
                          for key, value in theirs.state_dict().items()})
    x = random.standard_normal(shape_of(layer(nn)))
    outputs = ours(fastnn.tensor(x)), theirs(torch.tensor(x))
    close(array_of(outputs[0]), outputs[1].detach().numpy(), 1e-10)
    for output in outputs:
        (output ** 3).sum().backward()
    for (name, one), (same, other) in zip(ours.named_parameters(), theirs.named_parameters(),
                                          strict=True):
        assert name == same
        close(one.grad.array, other.grad.numpy(), 1e-9)


@each_layer
@pytest.mark.parametrize("way", MAPS)
def test_is_orthogonal(layer, way):
    made = orthogonal(layer(nn), orthogonal_map=way)
    with fastnn.no_grad():
        made.parametrizations.weight.original.add_(
            fastnn.randn(made.weight.shape).mul_(0.1))
    weight = made.weight.detach().array
    weight = weight if weight.shape[-2] >= weight.shape[-1] else weight.swapaxes(-1, -2)
    gram = weight.swapaxes(-1, -2) @ weight
    close(gram, np.broadcast_to(np.eye(gram.shape[-1]), gram.shape), 1e-5)


@each_layer
def test_assigned(layer):
    """What is orthogonal stays as it is: by reflections, and by a base where it is square."""
    for trivialized in (True, False):
        made = orthogonal(layer(nn).double(), orthogonal_map="householder",
                          use_trivialization=trivialized)
        wanted = np.stack([np.linalg.qr(np.random.default_rng(seed).standard_normal(
            (max(made.weight.shape[-2:]),) * 2))[0][:made.weight.shape[-2], :made.weight.shape[-1]]
            for seed in range(made.weight[..., 0, 0].numel())]).reshape(made.weight.shape)
        made.weight = fastnn.tensor(wanted)
        close(made.weight.detach().array, wanted, 1e-12)


def test_not_assignable():
    made = orthogonal(nn.Linear(3, 3), use_trivialization=False)
    with pytest.raises(RuntimeError, match="no right_inverse"):
        made.weight = fastnn.eye(3)


@pytest.mark.parametrize("arguments, text", [
    (("other",), "no parameter or buffer 'other'"), (("bias",), "expected matrices"),
    (("weight", "svd"), "orthogonal_map must be one of")])
def test_errors(arguments, text):
    with pytest.raises(ValueError, match=text):
        orthogonal(nn.Linear(3, 2), *arguments)
    with pytest.raises(ValueError, match="square matrices"):
        fastnn.matrix_exp(fastnn.ones(2, 3))


def test_solve():
    random = np.random.default_rng(0)
    a = random.standard_normal((3, 20, 20))
    a = a - a.swapaxes(1, 2) + np.eye(20) * 2
    b = random.standard_normal((3, 20, 7))
    for matrix in (a, np.triu(a), np.tril(a), a.swapaxes(1, 2)):
        close(elimination.solve(matrix, b), np.linalg.solve(matrix, b), 1e-12)
    x = fastnn.tensor(a[:2, :4, :4]).requires_grad_()
    y = fastnn.tensor(b[:2, :4]).requires_grad_()
    assert gradcheck(solve, (x, y)) and gradgradcheck(solve, (x, y))
    assert elimination.solve(np.zeros((2, 0, 0)), np.zeros((2, 0, 3))).shape == (2, 0, 3)


def test_exponential_of_large_and_small():
    x = fastnn.tensor([[0.0, -100.0], [100.0, 0.0]], dtype=fastnn.float64)
    wanted = [[np.cos(100), -np.sin(100)], [np.sin(100), np.cos(100)]]
    close(fastnn.matrix_exp(x).array, np.array(wanted), 1e-12)
    assert fastnn.matrix_exp(fastnn.zeros(2, 2)).tolist() == [[1, 0], [0, 1]]
    assert fastnn.linalg.matrix_exp(fastnn.zeros(0, 0)).shape == (0, 0)
