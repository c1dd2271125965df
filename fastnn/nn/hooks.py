"""Hooks of modules: functions called before and after a forward, or with the gradients of one."""

from itertools import count

from .. import tape
from ..autograd.function import Function
from ..tensor import Tensor

BEFORE, AFTER, BACKWARD_BEFORE, BACKWARD = "before", "after", "before backward", "backward"

_numbers = count()


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
    after, result, done = _of(hooks, AFTER), None, []
    try:
        result = module.forward(*args, **kwargs)
        for hook in after:
            done.append(hook)
            replaced = _after(module, hook, args, kwargs, result)
            result = result if replaced is None else replaced
    except Exception:
        for hook in after:
            if isinstance(hook, Always) and hook not in done:
                _after(module, hook, args, kwargs, result)
        raise
    return result if watch is None else watch.outputs(result)


def _after(module, hook, args, kwargs, result):
    if isinstance(hook, Always):
        hook = hook.hook
    given = (args, kwargs) if isinstance(hook, _WithKeywords) else (args,)
    return hook(module, *given, result)


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


class Always:
    """A hook that is called even where the forward, or a hook before it, raised an error."""

    def __init__(self, hook):
        self.hook = hook

    def __call__(self, *arguments):
        return self.hook(*arguments)


class _Boundary(Function):
    """Hands the gradients of several tensors, together, to a function that may replace them."""

    @staticmethod
    def forward(ctx, came, fill, *tensors):
        ctx.came = came
        ctx.set_materialize_grads(fill)
        return tuple(each.detach() for each in tensors)

    @staticmethod
    def backward(ctx, *gradients):
        return None, None, *ctx.came(gradients)


class _Gradients:
    """The gradients of one call's inputs and outputs, on their way to the module's hooks.

    The outputs together, and the inputs together, pass through a node, where the tape reports
    their gradients. Of an output that was not used it is None, of such an input zeros.
    """

    def __init__(self, module, hooks, first):
        self.module, self.hooks, self.first = module, hooks, first

    def inputs(self, args):
        self.of_inputs = [None] * len(args)
        args, self.input_places = _watched(self._inputs_came, True, args)
        return args

    def outputs(self, result):
        several = isinstance(result, (tuple, list))
        values = result if several else (result,)
        self.of_outputs = [None] * len(values)
        self.outputs_given = tuple(self.of_outputs)
        values, self.output_places = _watched(self._outputs_came, False, values)
        if not several:
            return values[0]
        return type(result)(*values) if hasattr(result, "_fields") else type(result)(values)

    def _outputs_came(self, gradients):
        given = _placed(gradients, self.output_places, self.of_outputs)
        for hook in self.first:
            given = self._replaced("pre hook", given, hook(self.module, given))
        self.outputs_given = given
        if not self.input_places:
            self._run(tuple(self.of_inputs))
        return [given[place] for place in self.output_places]

    def _inputs_came(self, gradients):
        found = self._run(_placed(gradients, self.input_places, self.of_inputs))
        return [found[place] for place in self.input_places]

    def _run(self, given):
        """Call the hooks; return the gradients of the inputs, which they may have replaced."""
        for hook in self.hooks:
            given = self._replaced(
                "hook", given, hook(self.module, given, self.outputs_given))
        return given

    def _replaced(self, kind, given, replaced):
        if replaced is None:
            return given
        replaced = tuple(replaced) if isinstance(replaced, (tuple, list)) else (replaced,)
        if len(replaced) != len(given):
            raise RuntimeError(f"full backward {kind} of {type(self.module).__name__}: got "
                               f"{len(replaced)} gradients back for {len(given)}")
        return replaced


def _watched(came, fill, values):
    """The values, those on the tape behind a node of theirs; and the places of those."""
    places = [place for place, each in enumerate(values) if _on_tape(each)]
    passed = dict(zip(places, _Boundary.apply(came, fill, *[values[place] for place in places])
                      if places else (), strict=True))
    return tuple(passed.get(place, each) for place, each in enumerate(values)), places


def _placed(gradients, places, empty):
    """The gradients at their places, None elsewhere."""
    result = list(empty)
    for place, gradient in zip(places, gradients, strict=True):
        result[place] = gradient
    return tuple(result)


def _on_tape(value):
    return isinstance(value, Tensor) and value.requires_grad
