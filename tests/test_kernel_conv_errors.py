"""What the convolution kernels refuse, and parameters so large that no tap falls inside."""

import numpy as np
import pytest
from test_kernel_conv import Case

from fastnn._kernels import conv


def _valid():
    x, weight, y = Case(2, 4, 5, 5, 6, (3, 3)).arrays(np.float32)
    return {"x": x, "weight": weight, "bias": None, "out": y, "stride": (1, 1),
            "padding": (0, 0), "dilation": (1, 1), "groups": 1}


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"x": np.zeros((2, 5, 5, 3), "f4")}, ValueError, "x has 3 channels, wanted 4"),
    ({"x": np.zeros((5, 5, 4), "f4")}, ValueError, "x has 3 dimensions, wanted 4"),
    ({"x": np.zeros((2, 5, 5, 4))}, TypeError, "x has dtype float64, wanted float32"),
    ({"x": np.zeros((2, 4, 5, 5), "f4").transpose(0, 2, 3, 1)}, ValueError, "C-contiguous"),
    ({"weight": np.zeros((6, 4, 3, 3), "i4")}, TypeError, "weight has dtype int32"),
    ({"out": np.zeros((3, 3, 3, 6), "f4")}, ValueError, "out has 3 images, wanted 2"),
    ({"bias": np.zeros(5, "f4")}, ValueError, "bias has 5 channels, wanted 6"),
    ({"stride": (0, 1)}, ValueError, "stride is 0"),
    ({"stride": (1,)}, ValueError, "stride"),
    ({"padding": (-1, 0)}, ValueError, "padding is -1"),
    ({"dilation": (1 << 40, 1)}, ValueError, "dilation"),
    ({"groups": 3}, ValueError, "do not divide into 3 groups"),
    ({"below": "swish"}, TypeError, "must be real number, not str"),
])
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        conv.forward(**(_valid() | change))


def test_read_only_output_is_refused():
    arguments = _valid()
    arguments["out"].flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        conv.forward(**arguments)


@pytest.mark.parametrize("parameters", [
    ((1 << 30, 1 << 30), (0, 0), (1, 1)),
    ((1, 1), (1 << 30, 5), (1, 1)),
    ((1, 1), (0, 0), (1 << 30, 1 << 30)),
])
def test_huge_parameters_are_harmless(parameters):
    x, weight, y = Case(2, 4, 5, 5, 6, (3, 3)).arrays(np.float32)
    conv.forward(x, weight, None, y, *parameters, 1)
    conv.data_gradient(y, weight, None, x, *parameters, 1)
    conv.weight_gradient(x, y, weight, None, *parameters, 1)
    assert all(np.isfinite(array).all() for array in (x, weight, y))
