"""Second derivatives of fused operations whose gradient depends on their output."""

import pytest

import fastnn
from fastnn.autograd import grad, gradcheck
from fastnn.nn import functional as F


def attention_to_itself(x):
    return F.scaled_dot_product_attention(x, x, x)


def attention_of_parts_made_of_others(x):
    return F.scaled_dot_product_attention(x, x * 2, x[:, :3].exp(), x @ x.T)


def normalised_by_its_own_rows(x):
    return F.layer_norm(x, (4,), x[0], x.sum(0))


def recurrent_from_its_own_inputs(x):
    fastnn.manual_seed(0)
    lstm = fastnn.nn.LSTM(4, 4, dtype=fastnn.float64)
    state = x[:1] * x[1:2]
    return lstm(x, (state, state.tanh()))[0]


FUNCTIONS = {
    "softmax": lambda x: fastnn.softmax(x, -1),
    "softmax of a sum": lambda x: fastnn.softmax(x + x.exp(), -1) @ x,
    "log_softmax": lambda x: fastnn.log_softmax(x, -1),
    "glu": lambda x: F.glu(x),
    "cross_entropy": lambda x: F.cross_entropy(
        x, fastnn.tensor([0, 1, 2, 3]), reduction="none") * x[:, 0],
    "layer_norm": normalised_by_its_own_rows,
    "batch_norm": lambda x: F.batch_norm(x, None, None, x[0], x.sum(0), True),
    "attention": attention_to_itself,
    "attention of parts": attention_of_parts_made_of_others,
    "lstm": recurrent_from_its_own_inputs,
}


@pytest.fixture(name="x")
def _x():
    return fastnn.rand(4, 4, dtype=fastnn.float64, generator=fastnn.Generator().manual_seed(1)
                       ).requires_grad_()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_of_a_gradient_that_depends_on_the_output(name, x):
    def slope(x):
        y = FUNCTIONS[name](x)
        return grad((y * y).sum(), x, create_graph=True)[0]

    assert gradcheck(slope, x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recording_does_not_change_a_gradient(name, x):
    def slope(create_graph):
        y = FUNCTIONS[name](x)
        return grad(y, x, y, create_graph=create_graph)[0]

    assert fastnn.allclose(slope(True), slope(False), rtol=1e-10)
