"""Derivative rules of fused operations, from the composition that they replace."""

from .. import tape
from ..op import Operation

_alias = Operation("alias", lambda plan, x: x, lambda node, gradient: gradient)


def rule_of_composition(function):
    """A rule that runs ``function(plan, *inputs)``, written with operations, and differentiates it.

    The operation must save all of its inputs. This serves the gradients of fused gradients, where
    a kernel of its own would be used by nobody. The function gets aliases of the inputs: one input
    may come from another, and only what is between the aliases and the output is differentiated.
    """

    def rule(node, gradient):
        recording = tape.exchange_grad_enabled(True)
        try:
            # Also what needs no gradient now stays on the tape: the others' gradients depend on it.
            inputs = [_alias(None, tensor) if needed else tensor
                      for tensor, needed in zip(node.saved, node.needs, strict=True)]
            output = function(node.plan, *inputs)
            wanted = [tensor for tensor, needed in zip(inputs, node.needs, strict=True) if needed]
            found = iter(tape.grad([output], wanted, [gradient], None, recording, True))
        finally:
            tape.exchange_grad_enabled(recording)
        return tuple(next(found) if needed else None for needed in node.needs)

    return rule
