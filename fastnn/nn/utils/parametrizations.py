"""Weight and spectral normalisation, and orthogonal matrices, as parametrizations."""

from ..._kernels.program import apart
from ...ops.comparison import maximum
from ...ops.exponential import sqrt
from ..module import Module
from .orthogonal import orthogonal  # noqa: F401
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, divided, iterate, random_unit, usual_dim
from .weight_norm import joined, norm_except


class _WeightNorm(Module):

    def __init__(self, dim):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, length, direction):
        return joined(length, direction, self.dim)

    def right_inverse(self, weight):
        return norm_except(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Replace a parameter by its length ``original0`` along ``dim`` and its direction.

    Both lie in ``module.parametrizations.<name>``, the direction as ``original1``. What
    ``nn.utils.weight_norm`` has in its state can be loaded.
    Salimans and Kingma, Weight Normalization, 2016.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.parametrizations.weight_norm(fastnn.nn.Linear(3, 2))
    >>> list(layer.state_dict())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    def from_hooks(module, state_dict, prefix, *others):
        for end, part in (("g", "original0"), ("v", "original1")):
            if f"{prefix}{name}_{end}" in state_dict:
                state_dict[f"{prefix}parametrizations.{name}.{part}"] = state_dict.pop(
                    f"{prefix}{name}_{end}")

    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module.register_load_state_dict_pre_hook(from_hooks)
    return module


class _SpectralNorm(Module):

    def __init__(self, weight, n_power_iterations, dim, eps):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dimension {dim} does not exist, the weight has "
                             f"{weight.ndim}")
        if n_power_iterations <= 0:
            raise ValueError("spectral_norm: n_power_iterations must be positive, got "
                             f"{n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            rows, columns = matrix.shape
            self.register_buffer("_u", random_unit(rows, weight, eps))
            self.register_buffer("_v", random_unit(columns, weight, eps))
            apart(iterate, matrix, self._u, self._v, False, 15, eps)

    def forward(self, weight):
        if weight.ndim == 1:
            return weight / maximum(sqrt((weight * weight).sum()), self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            apart(iterate, matrix.detach(), self._u, self._v, False, self.n_power_iterations,
                  self.eps)
        return divided(weight, matrix, self._u, self._v)

    def right_inverse(self, value):
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a parameter by its largest singular value, which each training step estimates anew.

    Miyato et al., Spectral Normalization for GANs, 2018.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.parametrizations.spectral_norm(fastnn.nn.Linear(3, 2))
    >>> len(layer.state_dict())
    4
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ValueError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}")
    dim = usual_dim(module) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
