"""Spectral normalisation: a weight divided by its largest singular value."""

from ..._kernels.program import apart
from ...autograd import no_grad
from ...ops.creation import empty
from ...ops.exponential import sqrt
from ...ops.linear import product
from ...ops.shape import permute
from .. import init
from ..convolution import ConvTranspose2d
from ..parameter import Parameter
from .weight_norm import parameter_of, registered, taken_out


def usual_dim(module):
    """The dimension of a weight's outputs."""
    return 1 if "ConvTranspose" in type(module).__name__ or isinstance(module, ConvTranspose2d) \
        else 0


def as_matrix(weight, dim):
    """The weight with ``dim`` as rows and all else as columns."""
    if dim:
        weight = permute(weight, dim, *(i for i in range(weight.ndim) if i != dim))
    return weight.reshape((weight.shape[0], -1))


def _times(matrix, vector, turned):
    """The matrix, or the transposed one, times a vector."""
    return product((turned, False), matrix, vector.reshape((-1, 1))).reshape((-1,))


def unit(vector, eps):
    """The vector divided by its length, or by ``eps`` if that is larger."""
    length = sqrt((vector * vector).sum())
    return vector / max(length.item(), eps)


def random_unit(size, like, eps):
    """A random direction."""
    return unit(init.normal_(empty(size, dtype=like.dtype)), eps)


@no_grad()
def iterate(matrix, first, second, turned, times, eps):
    """Turn a pair of vectors towards the first singular ones, in place. Power iteration.

    ``first`` is made anew from ``second``, with the transposed matrix if ``turned``; then the
    other way round.
    """
    for _ in range(times):
        first.copy_(unit(_times(matrix, second, turned), eps))
        second.copy_(unit(_times(matrix, first, not turned), eps))


def divided(weight, matrix, left, right):
    """The weight divided by ``left' matrix right``; the vectors are copied for the tape."""
    left, right = left.detach().clone(), right.detach().clone()
    return weight / (left * _times(matrix, right, False)).sum()


class SpectralNorm:
    """Makes a module's weight before each forward, as a hook."""

    def __init__(self, name, n_power_iterations, eps, dim):
        if n_power_iterations <= 0:
            raise ValueError("spectral_norm: n_power_iterations must be positive, got "
                             f"{n_power_iterations}")
        self.name, self.times, self.eps, self.dim = name, n_power_iterations, eps, dim

    def weight(self, module, iterating):
        """The weight, on the tape; ``iterating`` improves the singular vectors first."""
        original, left, right = (getattr(module, f"{self.name}_{end}") for end in (
            "orig", "u", "v"))
        matrix = as_matrix(original, self.dim)
        if iterating:
            apart(iterate, matrix.detach(), right, left, True, self.times, self.eps)
        return divided(original, matrix, left, right)

    def __call__(self, module, args):
        setattr(module, self.name, self.weight(module, module.training))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a parameter by its largest singular value, which each training step estimates anew.

    The parameter becomes ``name_orig``, the singular vectors are the buffers ``name_u`` and
    ``name_v``. Miyato et al., Spectral Normalization for GANs, 2018.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.spectral_norm(fastnn.nn.Linear(3, 2))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if registered(module, SpectralNorm, name):
        raise RuntimeError(f"spectral_norm: {type(module).__name__} has one for {name!r} already")
    weight = parameter_of("spectral_norm", module, name)
    hook = SpectralNorm(name, n_power_iterations, eps, usual_dim(module) if dim is None else dim)
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    object.__setattr__(module, name, weight.detach())
    module.register_buffer(f"{name}_u", random_unit(rows, weight, eps))
    module.register_buffer(f"{name}_v", random_unit(columns, weight, eps))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module, name="weight"):
    """Turn the weight of a module with ``spectral_norm`` into a plain parameter again."""
    hook = taken_out("remove_spectral_norm", module, SpectralNorm, name)
    weight = hook.weight(module, False).detach()
    for end in ("", "_orig", "_u", "_v"):
        delattr(module, name + end)
    module.register_parameter(name, Parameter(weight))
    return module
