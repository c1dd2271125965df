"""The oracle of products, in plain NumPy; see `reference`."""

import numpy as np

mm = bmm = matmul = np.matmul


def linear(x, weight, bias=0.0):
    return x @ weight.T + bias
dot = vdot = mv = np.dot
outer = ger = np.outer
inner, kron, einsum = np.inner, np.kron, np.einsum


def addmm(x, a, b, beta=1, alpha=1):
    return beta * x + alpha * (a @ b)


addmv = baddbmm = addmm


def addr(x, a, b, beta=1, alpha=1):
    return beta * x + alpha * np.outer(a, b)


def addbmm(x, a, b, beta=1, alpha=1):
    return beta * x + alpha * (a @ b).sum(0)


def tensordot(a, b, dims=2):
    return np.tensordot(a, b, dims)


def cross(x, y, dim=-1):
    return np.cross(*np.broadcast_arrays(x, y), axis=dim)


def cdist(x, y, p=2.0):
    apart = np.abs(x[..., :, None, :] - y[..., None, :, :])
    return apart.max(-1) if p == np.inf else (apart ** p).sum(-1) ** (1 / p)
