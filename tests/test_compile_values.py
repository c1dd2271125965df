"""A compiled function must not read values of tensors: the error names the line that does."""

import numpy as np
import pytest
from compiled_refusals import assert_names_the_marked_line, assert_refused_at_second_call
from compiled_twins import bits, perceptron

import fastnn
from fastnn import nn, optim

READS = {}


def reads(function):
    READS[function.__name__] = function
    return function


@reads
def item(x):
    return x.sum().item()  # REFUSED


@reads
def as_float(x):
    return x * float(x.mean())  # REFUSED


@reads
def as_int(x):
    y = x + 1
    return y[:int(y[0])]  # REFUSED


@reads
def as_bool(x):
    return bool(x[0] > 0)  # REFUSED


@reads
def branch(x):
    y = x + 1
    if y.sum() > 0:  # REFUSED
        return y
    return -y


@reads
def loop(x):
    while x.sum() < 100:  # REFUSED
        x = x * 2
    return x


@reads
def asserted(x):
    assert (x > -99).all()  # REFUSED
    return x


@reads
def as_index(x):
    return list(range(x.long()[0]))  # REFUSED


@reads
def as_list(x):
    return (x + 1).tolist()  # REFUSED


@reads
def as_numpy(x):
    return x + (x * 2).numpy().shape[0]  # REFUSED


@reads
def as_array(x):
    return np.asarray(x * 2).sum()  # REFUSED


@reads
def detached_numpy(x):
    return (x * 2).detach().numpy()  # REFUSED


@reads
def printed(x):
    print(x * 2)  # REFUSED
    return x


@reads
def represented(x):
    return repr(x + 1)  # REFUSED


@reads
def formatted(x):
    return f"{(x + 1).sum()}"  # REFUSED


@reads
def nonzero(x):
    return fastnn.nonzero(x > 0)  # REFUSED


@reads
def masked_select(x):
    return fastnn.masked_select(x, x > 0)  # REFUSED


@reads
def unique(x):
    return x.round().unique()  # REFUSED


@reads
def unique_consecutive(x):
    return fastnn.unique_consecutive(x.round())  # REFUSED


@reads
def masked(x):
    return x[x > 0]  # REFUSED


@reads
def where(x):
    return fastnn.where(x > 0)  # REFUSED


@reads
def repeated(x):
    return x.repeat_interleave(x.long().abs())  # REFUSED


@reads
def equal(x):
    return fastnn.equal(x, x + 1)  # REFUSED


@reads
def allclose(x):
    return fastnn.allclose(x, x + 1)  # REFUSED


@reads
def largest(x):
    return max(x[0], x[1])  # REFUSED


@reads
def in_a_comprehension(x):
    return [each.item() for each in x]  # REFUSED


@pytest.mark.parametrize("name", READS)
def test_reading_a_value_is_refused(name, capsys):
    x = fastnn.tensor([1.5, 2.0, 3.0])
    assert_names_the_marked_line(assert_refused_at_second_call(READS[name], x), READS[name])


def helper(x):
    y = x.sum()
    return y.item()  # REFUSED


def test_the_line_is_that_of_the_callee():
    error = assert_refused_at_second_call(lambda x: x * helper(x), fastnn.ones(3))
    assert_names_the_marked_line(error, helper)


class Reading(nn.Module):
    def forward(self, x):
        return x / x.max().item()  # REFUSED


def test_the_line_is_that_of_a_module():
    error = assert_refused_at_second_call(nn.Sequential(nn.Tanh(), Reading()), fastnn.ones(3))
    assert_names_the_marked_line(error, Reading.forward)


def logged(net):
    optimizer = optim.SGD(net.parameters(), 0.1)

    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()  # REFUSED

    return step


def test_the_refused_call_has_run_up_to_the_line():
    fastnn.manual_seed(0)
    one, other, x = perceptron(), perceptron(), fastnn.ones(2, 5)
    other.load_state_dict(one.state_dict())
    step = logged(other)
    refused = logged(one)
    assert_names_the_marked_line(assert_refused_at_second_call(refused, x), refused)
    for _ in range(2):
        step(x)
    assert bits(one.state_dict()) == bits(other.state_dict())


ARRAY = np.ones(3, "float32")


def from_numpy(x):
    return x + fastnn.from_numpy(ARRAY)  # REFUSED


def tensor_of_array(x):
    return x + fastnn.tensor(ARRAY)  # REFUSED


def as_tensor_of_array(x):
    return x + fastnn.as_tensor(ARRAY)  # REFUSED


@pytest.mark.parametrize("function", [from_numpy, tensor_of_array, as_tensor_of_array])
def test_a_tensor_of_numpy_data_is_refused(function):
    error = assert_refused_at_second_call(function, fastnn.ones(3))
    assert_names_the_marked_line(error, function)
    assert "argument" in str(error.value)
