"""Hooks of modules: functions called before and after a forward, or with the gradients of one."""

from itertools import count

from .. import tape
from ..op import Operation
from ..tensor import Tensor

BEFORE, AFTER, BACKWARD_BEFORE, BACKWARD = "before", "after", "before backward", "backward"

_numbers = count()
_passed = Operation("module_boundary", lambda plan, x: x, lambda node, gradient: gradient,
                    shares_memory=True)


class RemovableHandle:
    """Takes back the hook that it was returned for; ``with handle:`` does so at the end.

    >>> import fastnn
    >>> net = fastnn.nn.Identity()
    >>> with net.register_forward_hook(lambda module, args, output: output * 2):
    ...     net(fastnn.ones(2))
    tensor([2., 2.])
    >>> net(fastnn.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, hooks, kind, hook, prepend=False):
        if not callable(hook):
            raise TypeError(f"hook: expected a function, got {type(hook).__name__}")
        self.id = next(_numbers)
        self._hooks = hooks
        later = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[self.id] = kind, hook
        hooks.update(later)

    def remove(self):
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()


def call(module, args, kwargs):
    """Run a module that has hooks."""
    hooks = list(module._hooks.values())
    for hook in _of(hooks, BEFORE):
        args, kwargs = _before(module, hook, args, kwargs)
    backward, first = _of(hooks, BACKWARD), _of(hooks, BACKWARD_BEFORE)
    watch = None
    if (backward or first) and tape.is_grad_enabled():
        watch = _Gradients(module, backward, first)
        args = watch.inputs(args)
    result = module.forward(*args, **kwargs)
    for hook in _of(hooks, AFTER):
        given = (args, kwargs) if isinstance(hook, _WithKeywords) else (args,)
        replaced = hook(module, *given, result)
        result = result if replaced is None else replaced
    return result if watch is None else watch.outputs(result)


def _before(module, hook, args, kwargs):
    """The arguments that a hook leaves for the forward."""
    if not isinstance(hook, _WithKeywords):
        replaced = hook(module, args)
        if replaced is None:
            return args, kwargs
        return replaced if isinstance(replaced, tuple) else (replaced,), kwargs
    replaced = hook(module, args, kwargs)
    if replaced is None:
        return args, kwargs
    if not isinstance(replaced, tuple) or len(replaced) != 2:
        raise RuntimeError(f"forward pre hook of {type(module).__name__}: a hook with keywords "
                           f"must return None or (args, kwargs), got {replaced!r}")
    return replaced


def _of(hooks, kind):
    return [hook for each, hook in hooks if each == kind]


def with_keywords(hook):
    """A hook that is to be called with the keyword arguments too."""
    if not callable(hook):
        raise TypeError(f"hook: expected a function, got {type(hook).__name__}")
    return _WithKeywords(hook)


class _WithKeywords:

    def __init__(self, hook):
        self.hook = hook

    def __call__(self, *arguments):
        return self.hook(*arguments)


class _Gradients:
    """The gradients of one call's inputs and outputs, on their way to the module's hooks.

    Inputs and outputs pass through a node of their own, where the tape reports their gradients;
    when all of the inputs' have come, the hooks are called.
    """

    def __init__(self, module, hooks, first):
        self.module, self.hooks, self.first = module, hooks, first

    def inputs(self, args):
        self.of_inputs = [None] * len(args)
        places = [i for i, value in enumerate(args) if _on_tape(value)]
        self.awaited, self.waiting = len(places), len(places)
        return tuple(self._watched(value, self._input_came, i) if i in places else value
                     for i, value in enumerate(args))

    def outputs(self, result):
        several = isinstance(result, (tuple, list))
        values = list(result) if several else [result]
        self.of_outputs = [None] * len(values)
        self.outputs_waiting = sum(map(_on_tape, values))
        values = [self._watched(value, self._output_came, i) if _on_tape(value) else value
                  for i, value in enumerate(values)]
        return type(result)(values) if several else values[0]

    def _watched(self, tensor, came, place):
        watched = _passed(None, tensor)
        watched.register_hook(lambda gradient: came(place, gradient))
        return watched

    def _output_came(self, place, gradient):
        self.of_outputs[place] = gradient
        self.outputs_waiting -= 1
        if not self.outputs_waiting and self.first:
            gradient = self._run_first(place, gradient)
        if not self.awaited and not self.outputs_waiting:
            self._run()
        return gradient

    def _input_came(self, place, gradient):
        self.of_inputs[place] = gradient
        self.waiting -= 1
        if not self.waiting:
            self.waiting = self.awaited
            return self._run()[place]

    def _run_first(self, place, gradient):
        """Call the hooks on the outputs' gradients; return that of ``place``."""
        for hook in self.first:
            replaced = hook(self.module, tuple(self.of_outputs))
            if replaced is None:
                continue
            replaced = replaced if isinstance(replaced, tuple) else (replaced,)
            if len(replaced) != 1 or len(self.of_outputs) != 1:
                raise RuntimeError(
                    f"full backward pre hook of {type(self.module).__name__}: gradients can be "
                    f"replaced for modules of one output, got {len(replaced)} for "
                    f"{len(self.of_outputs)}")
            self.of_outputs = list(replaced)
        return self.of_outputs[place]

    def _run(self):
        """Call the hooks; return the gradients of the inputs, which they may have replaced."""
        for hook in self.hooks:
            replaced = hook(self.module, tuple(self.of_inputs), tuple(self.of_outputs))
            if replaced is not None:
                self._replace(replaced)
        return self.of_inputs

    def _replace(self, gradients):
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        if self.awaited != 1 or len(gradients) != len(self.of_inputs):
            raise RuntimeError(
                f"full backward hook of {type(self.module).__name__}: gradients can be replaced "
                f"for modules of one differentiable input, got {len(gradients)} for "
                f"{self.awaited}")
        self.of_inputs = list(gradients)


def _on_tape(value):
    return isinstance(value, Tensor) and value.requires_grad
