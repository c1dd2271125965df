"""Gradients of products that meet where there are zeros, where parts of a tensor are reached."""

import numpy as np
import pytest

import fastnn


def reference(x, index, source, weights, include_self):
    """The products, and the gradients of x and source of their weighted sum, along dimension 1."""
    out, d_x, d_source = x.copy(), weights.copy(), np.zeros(index.shape)
    for i in range(index.shape[0]):
        for place in set(index[i].tolist()):
            reached = np.flatnonzero(index[i] == place)
            own = [x[i, place]] if include_self else []
            factors = np.array([*own, *source[i, reached]])
            out[i, place] = factors.prod()
            slopes = [weights[i, place] * np.delete(factors, k).prod() for k in range(len(factors))]
            d_x[i, place] = slopes[0] if include_self else 0
            d_source[i, reached] = slopes[len(own):]
    return out, d_x, d_source


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("create_graph", [True, False])
def test_products_with_zeros(include_self, create_graph):
    random = np.random.default_rng(0)
    x, weights = random.standard_normal((5, 4)), random.standard_normal((5, 4))
    source = random.standard_normal((4, 9)) * random.integers(0, 4, (4, 9)).clip(0, 1)
    index = random.integers(0, 3, (3, 8))
    x[0, 1] = x[2, 2] = 0
    a, b = (fastnn.tensor(each, requires_grad=True) for each in (x, source))
    y = a.scatter_reduce(1, fastnn.tensor(index), b, "prod", include_self=include_self)
    d_a, d_b = fastnn.autograd.grad((y * fastnn.tensor(weights)).sum(), [a, b],
                                    create_graph=create_graph)
    out, d_x, d_source = reference(x, index, source, weights, include_self)
    np.testing.assert_allclose(y.detach().numpy(), out, rtol=1e-12)
    np.testing.assert_allclose(d_a.detach().numpy(), d_x, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(d_b.detach().numpy()[:3, :8], d_source, rtol=1e-12, atol=1e-15)
    assert not d_b.detach().numpy()[3:].any() and not d_b.detach().numpy()[:, 8:].any()
