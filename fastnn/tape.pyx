"""The tape: nodes that remember how tensors were made, and the walk back that gives gradients.

A node is made for each recorded operation. It carries a running number, so that walking the nodes
from the highest number down meets every node after all that used its output. The walk is
iterative, frees what it no longer needs as it goes, and knows no operation: a node's operation
has a rule ``vjp(node, gradient)``, itself written with operations, so gradients of gradients
exist wherever gradients do.
"""

from heapq import heappop, heappush
from weakref import ref

cimport cython
cimport numpy as cnp

import numpy

from fastnn._kernels import memory, spread

cnp.import_array()

cdef extern from *:
    """
    static _Thread_local int fastnn_recording = 1;
    """
    int fastnn_recording

cdef extern from "Python.h":
    ctypedef struct PyObject:
        Py_ssize_t ob_refcnt

cdef long long _next_number = 0
cdef type _tensor_type = None
cdef object _add = None
cdef object _place_of_call = None  # while anomalies are looked for: gives what a node notes
cdef object _inspect = None        # and looks at the gradients that its rule gave


def bind(type tensor_type, add):
    """Give the tape the Tensor class, and the operation that adds gradients."""
    global _tensor_type, _add
    _tensor_type, _add = tensor_type, add


def watch(place_of_call, inspect):
    """Call ``place_of_call()`` for each new node, ``inspect(node, place, gradients)`` after a rule.

    None ends it.
    """
    global _place_of_call, _inspect
    _place_of_call, _inspect = place_of_call, inspect


cdef bint is_recording() noexcept:
    return fastnn_recording


cdef bint set_recording(bint on) noexcept:
    global fastnn_recording
    cdef bint before = fastnn_recording
    fastnn_recording = on
    return before


def is_grad_enabled():
    """Whether operations are recorded on this thread.

    >>> import fastnn
    >>> fastnn.is_grad_enabled()
    True
    """
    return bool(fastnn_recording)


def exchange_grad_enabled(bint on):
    """Switch recording on this thread, and tell what it was."""
    return bool(set_recording(on))


cdef class Version:
    """How often the memory behind a tensor and its views was changed in place."""


cdef Version version_of(TensorBase tensor):
    if tensor.version is None:
        tensor.version = Version.__new__(Version)
    return tensor.version


cdef bint requires_grad(object value) noexcept:
    cdef TensorBase tensor
    if not isinstance(value, TensorBase):
        return False
    tensor = <TensorBase> value
    return (tensor.leaf_requires_grad or tensor.node is not None
            or (tensor.base is not None and requires_grad(tensor.base)))


cdef void note_view(TensorBase output, TensorBase source, object operation, object plan):
    """``output`` is a view of ``source``: changes of either count and, on the tape, are both's."""
    output.version = version_of(source)
    output.is_view = True
    if fastnn_recording:
        step = ((operation, plan),)
        output.base = source if source.base is None else source.base
        output.path = step if source.base is None else source.path + step
        output.view_version = output.version.count


cdef int refresh(TensorBase tensor) except -1:
    """Give a view whose memory was changed since the history of what it shows now."""
    cdef TensorBase view
    cdef bint before
    if tensor.base is None or tensor.view_version == tensor.version.count:
        return 0
    tensor.view_version = tensor.version.count
    before = set_recording(True)
    try:
        view = tensor.base
        for operation, plan in tensor.path:
            view = operation(plan, view)
    finally:
        set_recording(before)
    tensor.node = view.node
    return 0


cdef class TensorBase:
    """An array and its place on the tape; the public class is ``fastnn.Tensor``."""

    @property
    def ndim(self):
        """The number of dimensions."""
        return cnp.PyArray_NDIM(self.array)

    @property
    def dtype(self):
        """The type of the elements."""
        return (<object> self.array).dtype

    @property
    def requires_grad(self):
        """Whether gradients flow to this tensor."""
        return requires_grad(self)

    @requires_grad.setter
    def requires_grad(self, bint wanted):
        if self.node is not None and not wanted:
            raise RuntimeError(
                "requires_grad: only a leaf can be switched off; use detach() on a result")
        if wanted and self.array.dtype.kind != "f":
            raise RuntimeError(
                f"requires_grad: only floating-point tensors have gradients, got "
                f"{self.array.dtype}")
        if self.node is None:
            self.leaf_requires_grad = wanted

    @property
    def is_leaf(self):
        """Whether this tensor was made by the user, not by a recorded operation."""
        refresh(self)
        return self.node is None

    @property
    def grad_fn(self):
        """The node that made this tensor, or None for a leaf."""
        refresh(self)
        return self.node

    @property
    def grad(self):
        """The gradient accumulated by ``backward()``, or None."""
        return self.gradient

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, TensorBase):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            if value.array.shape != (<object> self.array).shape:
                raise ValueError(
                    f"grad: expected shape {(<object> self.array).shape}, got {value.array.shape}")
        self.gradient = value

    @property
    def _version(self):
        return 0 if self.version is None else self.version.count

    def _bump_version(self):
        """Tell the tape that the memory was changed in place."""
        cdef Version version = version_of(self)
        version.count += 1

    def _share_version(self, TensorBase other, bint view=False):
        """Count in-place changes together with ``other``, whose memory this tensor shares."""
        self.version = version_of(other)
        self.is_view = view

    def _set_array(self, cnp.ndarray array):
        self.array = array

    def detach_(self):
        """Forget the history: the tensor is a leaf that does not require gradients."""
        if self.base is not None and requires_grad(self):
            raise RuntimeError("detach_: a view cannot forget its history; use detach()")
        self.node = None
        self.leaf_requires_grad = False
        return self

    def register_hook(self, hook):
        """Call ``hook(gradient)`` when this tensor's gradient is known; it may return another.

        >>> import fastnn
        >>> x = fastnn.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 3)
        >>> x.sum().backward()
        >>> x.grad
        tensor([3., 3.])
        """
        if not requires_grad(self):
            raise RuntimeError("register_hook: the tensor does not require gradients")
        refresh(self)
        cdef list hooks
        if self.node is not None:
            if self.node.hooks is None:
                self.node.hooks = []
            hooks = self.node.hooks
        else:
            if self.hooks is None:
                self.hooks = []
            hooks = self.hooks
        hooks.append(hook)
        return HookHandle(hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(tensor)`` whenever ``backward()`` has added to this leaf's ``.grad``."""
        if self.node is not None or not self.leaf_requires_grad:
            raise RuntimeError(
                "register_post_accumulate_grad_hook: only for leaves that require gradients")
        if self.accumulated_hooks is None:
            self.accumulated_hooks = []
        self.accumulated_hooks.append(hook)
        return HookHandle(self.accumulated_hooks, hook)

    @property
    def retains_grad(self):
        """Whether ``retain_grad()`` was called on this result."""
        return self.node is not None and self.node.retained is not None

    def retain_grad(self):
        """Keep the gradient of this non-leaf tensor in ``.grad`` after ``backward()``."""
        if not requires_grad(self):
            raise RuntimeError("retain_grad: the tensor does not require gradients")
        refresh(self)
        if self.node is not None:
            self.node.retained = ref(self)


class HookHandle:
    """Removes the hook it was returned for."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


cdef TensorBase wrap(cnp.ndarray array):
    cdef TensorBase tensor = <TensorBase> _tensor_type.__new__(_tensor_type)
    tensor.array = array
    return tensor


def from_array(cnp.ndarray array):
    """A tensor around ``array``, without a copy and without a history."""
    return wrap(array)


@cython.trashcan(True)
cdef class Node:
    """One recorded operation: its inputs' nodes, and what its derivative rule reads."""

    def name(self):
        """Name of the operation."""
        return self.operation.name

    @property
    def next_functions(self):
        """For each input the node that made it, an `AccumulateGrad` for a leaf, and 0.

        The node of an input without gradients is None.
        """
        return tuple([(AccumulateGrad(edge) if isinstance(edge, TensorBase) else edge, 0)
                      for edge in self.edges])

    @property
    def shapes(self):
        """Shapes of the inputs."""
        return self.input_shapes

    @property
    def saved(self):
        """The inputs that the rule asked to keep, in their order."""
        return self.saved_inputs()

    @property
    def output(self):
        """The output, where the rule asked to keep it."""
        return self.saved_output()

    def __repr__(self):
        return f"<{self.operation.name} node {self.number}>"

    cdef tuple saved_inputs(self):
        cdef int index
        cdef TensorBase tensor
        if self.freed:
            raise RuntimeError(
                f"backward: the graph through {self.operation.name} was already used and freed; "
                "pass retain_graph=True the first time to go through it again")
        for index in range(len(self.kept)):
            if isinstance(self.kept[index], TensorBase):
                tensor = <TensorBase> self.kept[index]
                if tensor.version.count != <long> self.kept_versions[index]:
                    _changed(self, f"input {index}", tensor.array)
        return self.kept

    cdef TensorBase saved_output(self):
        if self.freed:
            self.saved_inputs()
        if self.output_version.count != self.kept_output_version:
            _changed(self, "output", self.kept_output)
        cdef TensorBase tensor = wrap(self.kept_output)
        tensor.version = self.output_version
        tensor.node = self
        return tensor

    cdef void free(self):
        self.freed = True
        self.kept = None
        self.kept_output = None


class AccumulateGrad:
    """The end of a graph in ``next_functions``: the leaf ``variable``, whose ``.grad`` grows."""

    next_functions = ()

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """The name of this kind of node."""
        return "AccumulateGrad"


cdef _changed(Node node, str what, cnp.ndarray array):
    raise RuntimeError(
        f"backward: {node.operation.name} had saved its {what} of shape "
        f"{(<object> array).shape}, which was changed in place since")


cdef void record(
        TensorBase output, object operation, object plan, tuple inputs, object kept,
        bint keep_output):
    """Make the node of ``output``; ``kept`` are what the rule reads of the inputs.

    A node in the place of an input stands for the tensor that it made.
    """
    global _next_number
    cdef Node node = Node.__new__(Node)
    cdef TensorBase tensor
    cdef int index, count = len(inputs)
    cdef list edges = [None] * count
    cdef list needs = [False] * count
    for index in range(count):
        if isinstance(inputs[index], TensorBase):
            tensor = <TensorBase> inputs[index]
            refresh(tensor)
            if tensor.node is not None:
                edges[index] = tensor.node
                needs[index] = True
            elif tensor.leaf_requires_grad:
                edges[index] = tensor
                needs[index] = True
        elif isinstance(inputs[index], Node):
            edges[index] = inputs[index]
            needs[index] = True
    if _place_of_call is not None:
        node.place_of_call = _place_of_call()
    node.number = _next_number
    _next_number += 1
    node.operation = operation
    node.plan = plan
    node.edges = tuple(edges)
    node.needs = tuple(needs)
    node.kept = kept
    cdef list versions = []
    for item in kept:
        versions.append(version_of(<TensorBase> item).count
                        if isinstance(item, TensorBase) else 0)
    node.kept_versions = tuple(versions)
    if keep_output:
        node.kept_output = output.array
        node.output_version = version_of(output)
        node.kept_output_version = node.output_version.count
    if output.node is not None:  # changed in place: who kept its gradient wants the new one's
        node.retained, output.node.retained = output.node.retained, None
    output.node = node


def record_operation(TensorBase output, operation, plan, tuple inputs, tuple kept,
                     bint keep_output):
    """Record for operations written in Python."""
    record(output, operation, plan, inputs, kept, keep_output)


cdef TensorBase _apply_hooks(list hooks, TensorBase gradient):
    for hook in list(hooks):
        replaced = hook(gradient)
        if replaced is not None:
            if not isinstance(replaced, TensorBase):
                raise TypeError(
                    f"hook: expected a Tensor or None back, got {type(replaced).__name__}")
            if (replaced.array.shape != (<object> gradient.array).shape
                    or replaced.array.dtype != (<object> gradient.array).dtype):
                raise ValueError(
                    f"hook: expected a gradient of shape {(<object> gradient.array).shape} and "
                    f"type {(<object> gradient.array).dtype} back, got "
                    f"{replaced.array.shape} and {replaced.array.dtype}")
            gradient = replaced
    return gradient


cdef bint _is_ours_alone(TensorBase gradient):
    """Whether the caller's variable alone holds the tensor, it its array, and that its memory.

    Memory that an expanded tensor repeats is read-only.
    """
    cdef cnp.ndarray array = gradient.array
    if (<PyObject*> gradient).ob_refcnt != 1 or not cnp.PyArray_ISWRITEABLE(array):
        return False
    cdef Py_ssize_t holders = 2  # the tensor and the variable `array`
    while (<PyObject*> array).ob_refcnt == holders:
        base = (<object> array).base
        if not isinstance(base, cnp.ndarray):
            return True
        array, holders = base, 3  # its view, `array` and `base`
    return False


cdef class _Walk:
    """One backward pass: gradients that wait for their node, and where they are to go."""
    cdef dict waiting     # node or leaf -> its gradient so far
    cdef set owned        # those whose gradient is ours to write to
    cdef list heap
    cdef set needed       # nodes on a way to a wanted tensor; None where all are
    cdef set stops        # nodes to be treated as leaves, or None
    cdef bint create_graph

    cdef void give(self, object target, TensorBase gradient) except *:
        """Add ``gradient`` to what waits for ``target``, a node or a leaf."""
        cdef TensorBase present = <TensorBase> self.waiting.get(target)
        if present is None:
            self.waiting[target] = gradient
            if isinstance(target, Node) and (self.stops is None or target not in self.stops):
                heappush(self.heap, (-(<Node> target).number, target))
        elif not self.create_graph and target in self.owned:
            _add.into(present, gradient)
        else:
            self.waiting[target] = _add(present, gradient)
            self.owned.add(target)

    cdef object rule(self, Node node, TensorBase gradient):
        """The rule's gradients; of those that nobody wants it is told that they are not needed."""
        if self.needed is None:
            return node.operation.vjp(node, gradient)
        cdef tuple needs = node.needs
        node.needs = tuple([edge is not None and edge in self.needed for edge in node.edges])
        try:
            return node.operation.vjp(node, gradient)
        finally:
            node.needs = needs

    cdef TensorBase arrive(self, Node node, TensorBase gradient):
        """Hand the finished gradient of a node's output to whoever asked to see it."""
        cdef TensorBase tensor
        if node.hooks is not None:
            gradient = _apply_hooks(node.hooks, gradient)
        if node.retained is not None:
            tensor = node.retained()
            if tensor is not None:
                tensor.gradient = gradient
        return gradient

    cdef void visit(self, Node node, TensorBase gradient, bint retain_graph) except *:
        cdef int index
        gradients = self.rule(node, gradient)
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        if _inspect is not None:
            _inspect(node, node.place_of_call, gradients)
        for index in range(len(node.edges)):
            target = node.edges[index]
            if target is None or gradients[index] is None:
                continue
            if self.needed is not None and target not in self.needed:
                continue
            self.give(target, <TensorBase?> gradients[index])
        if not retain_graph:
            node.free()

    cdef bint ends_at(self, Node node) except -1:
        """Whether nothing that is wanted lies beyond this node."""
        return self.needed is not None and not any(
            [edge in self.needed for edge in node.edges if edge is not None])

    cdef void run(self, bint retain_graph, dict captured) except *:
        cdef Node node
        cdef TensorBase gradient
        while self.heap:
            node = <Node> heappop(self.heap)[1]
            gradient = self.arrive(node, self.waiting.pop(node))
            self.owned.discard(node)
            if captured is not None and node in captured:
                captured[node] = gradient
            if not self.ends_at(node):
                node.gradient_is_free = not self.create_graph and _is_ours_alone(gradient)
                self.visit(node, gradient, retain_graph)


def _target(TensorBase tensor):
    refresh(tensor)
    return tensor if tensor.node is None else tensor.node


def _needed_for(list roots, set wanted):
    """All nodes and leaves on a way from ``roots`` to one of ``wanted``."""
    cdef set needed = set(wanted)
    cdef dict reached = {}
    for root in roots:
        reached[root] = None
    cdef list stack = list(roots)
    cdef list nodes = []
    while stack:
        target = stack.pop()
        if not isinstance(target, Node):
            continue
        nodes.append(target)
        for edge in (<Node> target).edges:
            if edge is not None and edge not in reached:
                reached[edge] = None
                stack.append(edge)
    nodes.sort(key=_number)
    for node in nodes:
        if any(edge in needed for edge in (<Node> node).edges if edge is not None):
            needed.add(node)
    return needed


def _number(Node node):
    return node.number


def _seed(TensorBase tensor, gradient, str caller):
    """The gradient to start from: ones for a single number, else what the user gave."""
    if gradient is None:
        if tensor.array.size != 1:
            raise RuntimeError(
                f"{caller}: the gradient of shape {(<object> tensor.array).shape} must be given; "
                "only that of a single number is 1 by default")
        return wrap(numpy.ones_like(tensor.array))
    if not isinstance(gradient, TensorBase):
        raise TypeError(f"{caller}: gradient must be a Tensor, got {type(gradient).__name__}")
    if gradient.shape != tensor.shape:
        raise RuntimeError(
            f"{caller}: gradient has shape {tuple(gradient.shape)}, "
            f"the tensor {tuple(tensor.shape)}")
    if gradient.dtype != tensor.dtype:
        raise RuntimeError(
            f"{caller}: gradient is {gradient.dtype}, the tensor {tensor.dtype}")
    return gradient


cdef _Walk _start(list tensors, list gradients, str caller, bint create_graph):
    cdef _Walk walk = _Walk.__new__(_Walk)
    walk.waiting, walk.owned, walk.heap = {}, set(), []
    walk.create_graph = create_graph
    for tensor, gradient in zip(tensors, gradients, strict=True):
        if not requires_grad(tensor):
            raise RuntimeError(
                f"{caller}: the tensor does not require gradients and has no history")
        walk.give(_target(tensor), _seed(tensor, gradient, caller))
    return walk


cdef void _add_to_grad(TensorBase leaf, TensorBase gradient, bint owned,
                       bint create_graph) except *:
    """Add to ``leaf.grad``; a gradient that something else may hold is copied first."""
    if leaf.gradient is not None:
        if create_graph:
            leaf.gradient = _add(leaf.gradient, gradient)
        else:
            _add.into(leaf.gradient, gradient)
    elif create_graph or owned:
        leaf.gradient = gradient
    else:
        leaf.gradient = wrap(
            gradient.array.copy(order="K") if cnp.PyArray_SIZE(gradient.array) < spread.SMALLEST
            else memory.copy(gradient.array, "K"))


def backward(list tensors, list gradients, retain_graph, bint create_graph, inputs=None):
    """Accumulate gradients of ``tensors`` in the leaves (or in ``inputs`` alone)."""
    cdef bint retain = create_graph if retain_graph is None else retain_graph
    cdef _Walk walk = _start(tensors, gradients, "backward", create_graph)
    cdef dict captured = None
    if inputs is not None:
        captured = _captures(walk, inputs)
    cdef bint before = set_recording(create_graph)
    try:
        walk.run(retain, captured)
        if captured is None:
            _accumulate_leaves(walk)
        else:
            for tensor in inputs:
                gradient = _captured(walk, captured, tensor)
                if gradient is not None:
                    _add_to_grad(tensor, gradient, False, create_graph)
                    _has_accumulated(tensor)
    finally:
        set_recording(before)


cdef void _accumulate_leaves(_Walk walk) except *:
    cdef TensorBase leaf, gradient
    cdef bint owned
    while walk.waiting:
        leaf, gradient = walk.waiting.popitem()
        owned = leaf in walk.owned or _is_ours_alone(gradient)
        if leaf.hooks is not None:
            gradient = _apply_hooks(leaf.hooks, gradient)
            owned = False
        _add_to_grad(leaf, gradient, owned, walk.create_graph)
        gradient = None
        _has_accumulated(leaf)


cdef void _has_accumulated(TensorBase leaf) except *:
    if leaf.accumulated_hooks is not None:
        for hook in list(leaf.accumulated_hooks):
            hook(leaf)


def _captures(_Walk walk, inputs):
    cdef set wanted = {_target(tensor) for tensor in inputs}
    walk.needed = _needed_for(list(walk.waiting), wanted)
    return {target: None for target in wanted if isinstance(target, Node)}


def _captured(_Walk walk, dict captured, TensorBase tensor):
    """What arrived at a wanted tensor; the hooks of a leaf have still to see it."""
    if tensor.node is not None:
        return captured[tensor.node]
    gradient = walk.waiting.get(tensor)
    if gradient is not None and tensor.hooks is not None:
        gradient = _apply_hooks(tensor.hooks, gradient)
    return gradient


def grad(list outputs, list inputs, list grad_outputs, retain_graph, bint create_graph,
         bint allow_unused):
    """Gradients of ``outputs`` with respect to ``inputs``, as a tuple; ``.grad`` is not touched."""
    cdef bint retain = create_graph if retain_graph is None else retain_graph
    for tensor in inputs:
        if not requires_grad(tensor):
            raise RuntimeError("grad: an input does not require gradients")
    cdef _Walk walk = _start(outputs, grad_outputs, "grad", create_graph)
    cdef dict captured = _captures(walk, inputs)
    cdef bint before = set_recording(create_graph)
    try:
        walk.run(retain, captured)
    finally:
        set_recording(before)
    results = []
    for index, tensor in enumerate(inputs):
        gradient = _captured(walk, captured, tensor)
        if gradient is None and not allow_unused:
            raise RuntimeError(
                f"grad: input {index} was not used to compute the outputs; "
                "pass allow_unused=True to get None for it")
        results.append(gradient)
    return tuple(results)


def gradients_at(list outputs, list gradients, list ends, bint create_graph):
    """Gradients of ``outputs`` at nodes and leaves, not counting what comes by way of another end.

    No hook of an end is called; None where nothing arrives.
    """
    cdef _Walk walk = _start([], [], "backward", create_graph)
    walk.stops = set(ends)
    for tensor, gradient in zip(outputs, gradients, strict=True):
        walk.give(_target(tensor), gradient)
    cdef bint before = set_recording(create_graph)
    try:
        walk.run(create_graph, None)
    finally:
        set_recording(before)
    return tuple([walk.waiting.get(end) for end in ends])


def next_number():
    """The number that the next recorded node will have."""
    return _next_number
