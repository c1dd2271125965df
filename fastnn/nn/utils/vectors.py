"""The parameters of a network as one vector."""

from ...autograd import no_grad
from ...ops.shape import cat, split


def parameters_to_vector(parameters):
    """All parameters as one vector.

    >>> import fastnn
    >>> fastnn.nn.utils.parameters_to_vector(fastnn.nn.Linear(3, 2).parameters()).shape
    fastnn.Size([8])
    """
    return cat([parameter.reshape(-1) for parameter in parameters])


@no_grad()
def vector_to_parameters(vec, parameters):
    """Copy the parts of a vector into parameters; a ValueError unless it has just their size."""
    parameters = list(parameters)
    sizes = [parameter.numel() for parameter in parameters]
    if tuple(vec.shape) != (sum(sizes),):
        raise ValueError(f"vector_to_parameters: vec has shape {tuple(vec.shape)}, the parameters "
                         f"have {sum(sizes)} elements")
    for parameter, part in zip(parameters, split(vec, sizes), strict=True):
        parameter.copy_(part.reshape(parameter.shape))
