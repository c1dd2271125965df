"""Derivative rules of fused operations, from the composition that they replace."""

from .. import tape, walk
from ..operation import Operation
from ..tensor import Tensor

_itself = Operation("composition_input", lambda plan, x: x, lambda node, gradient: gradient,
                    shares_memory=True)


def rule_of_composition(function):
    """A rule that runs ``function(plan, *inputs)``, written with operations, and differentiates it.

    The operation must save all of its inputs. This serves the gradients of fused gradients, where
    a kernel of its own would be used by nobody.
    """

    def rule(node, gradient):
        recording = tape.exchange_grad_enabled(True)
        try:
            # Also what needs no gradient now stays on the tape: the others' gradients depend on
            # it. Each input gets a node of its own, at which the walk ends: one input may be made
            # of another, or be the same tensor.
            inputs = [_itself(None, each) if isinstance(each, Tensor) else each
                      for each in node.saved]
            ends = [each.grad_fn or each for each, needed in zip(inputs, node.needs, strict=True)
                    if needed]
            output = function(node.plan, *inputs)
            found = iter(walk.gradients_at([output], [gradient], ends, recording))
        finally:
            tape.exchange_grad_enabled(recording)
        return tuple(next(found) if needed else None for needed in node.needs)

    return rule
