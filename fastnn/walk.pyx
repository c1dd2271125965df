"""The walk back over the tape that gives gradients.

It visits the nodes from the highest number down, is iterative, frees what it no longer needs as it
goes, and knows no operation: a node's operation has a rule ``vjp(node, gradient)``, itself written
with operations, so gradients of gradients exist wherever gradients do.
"""

from heapq import heappop, heappush

cimport numpy as cnp

import numpy

from fastnn._kernels import memory, program, spread

from fastnn._kernels.recording cimport is_noting, saw_gradient, set_gradient
from fastnn.tape import exchange_grad_enabled, is_grad_enabled, renew

from fastnn.tape cimport Node, TensorBase, refresh, requires_grad, set_recording, wrap

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyObject:
        Py_ssize_t ob_refcnt

cdef object _add = None
cdef object _slice = None
cdef object _inspect = None  # while anomalies are looked for


def bind(add):
    """Give the walk the operation that adds gradients."""
    global _add
    _add = add


def bind_slices(operation):
    """Name the operation that takes slices: ``forward(plan, array)`` is a view of its elements.

    Their gradients are added where they lie in that of the whole. Spread to its size first, those
    of all rows one by one would take the square of their number.
    """
    global _slice
    _slice = operation


def inspect_with(inspect):
    """Call ``inspect(node, place, gradients)`` after each rule; None ends it."""
    global _inspect
    _inspect = inspect


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

    cdef bint is_added_in_place(self, Node node, TensorBase gradient) except -1:
        """Add a slice's gradient to that of the whole, if that is ours to write to."""
        cdef TensorBase whole
        if node.edges[0] not in self.owned:
            return False
        whole = <TensorBase> self.waiting[node.edges[0]]
        _add.into(wrap(node.operation.forward(node.plan, whole.array)), gradient)
        return True

    cdef void visit(self, Node node, TensorBase gradient, bint retain_graph) except *:
        cdef int index
        cdef bint is_slice = (node.operation is _slice and not self.create_graph
                              and _inspect is None)
        if is_slice and self.is_added_in_place(node, gradient):
            if not retain_graph:
                node.free()
            return
        noting = program.noting()
        mark = None
        if noting is not None:
            if node.number < noting.first_node:
                program.refuse("backward goes on through operations from before the function")
            mark = noting.begin()
            before = [(gradient.array, gradient.array.copy())] if node.gradient_is_free else []
        try:
            gradients = self.rule(node, gradient)
        except BaseException as error:
            if noting is not None:
                noting.refuse_after(error)
            raise
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        if mark is not None and noting.end(
                mark, _Again(node, gradient, gradients),
                [each.array for each in gradients
                 if each is not None
                 and not numpy.may_share_memory(each.array, gradient.array)], before):
            retain_graph = True
        if _inspect is not None:
            _inspect(node, node.place_of_call, gradients)
        for index in range(len(node.edges)):
            target = node.edges[index]
            if target is None or gradients[index] is None:
                continue
            if self.needed is not None and target not in self.needed:
                continue
            if is_slice and target not in self.waiting:
                self.owned.add(target)
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


class _Again:
    """Calls a node's rule anew and writes its gradients where the first ones are."""

    def __init__(self, node, gradient, gradients):
        self.node, self.gradient, self.gradients = node, gradient, gradients
        self.needs, self.recorded = node.needs, is_grad_enabled()

    def __call__(self):
        node = self.node
        renew(node)
        before = exchange_grad_enabled(self.recorded)
        try:
            found = node.operation.vjp(node, self.gradient)
        finally:
            exchange_grad_enabled(before)
        found = found if isinstance(found, tuple) else (found,)
        for old, new in zip(self.gradients, found, strict=True):
            if old is not None and old.array is not new.array:
                numpy.copyto(old.array, new.array)


def _target(TensorBase tensor not None):
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


def _seed(TensorBase tensor not None, gradient, str caller):
    """The gradient to start from: ones for a single number, else what the user gave."""
    if gradient is None:
        if tensor.array.size != 1:
            raise RuntimeError(
                f"{caller}: the gradient of shape {(<object> tensor.array).shape} must be given; "
                "only that of a single number is 1 by default")
        return wrap(program.constant(numpy.ones_like(tensor.array)))
    if not isinstance(gradient, TensorBase):
        raise TypeError(f"{caller}: gradient must be a Tensor, got {type(gradient).__name__}")
    if gradient.shape != tensor.shape:
        raise RuntimeError(
            f"{caller}: gradient has shape {tuple(gradient.shape)}, "
            f"the tensor {tuple(tensor.shape)}")
    return gradient if gradient.dtype == tensor.dtype else gradient.to(tensor.dtype)


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
    if is_noting():
        saw_gradient(leaf, leaf.gradient)
    if leaf.gradient is not None:
        if create_graph:
            leaf.gradient = _add(leaf.gradient, gradient)
        else:
            _add.into(leaf.gradient, gradient)
    elif create_graph or owned:
        leaf.gradient = gradient
    else:
        leaf.gradient = wrap(
            gradient.array.copy(order="K")
            if cnp.PyArray_SIZE(gradient.array) < spread.SMALLEST and program.noting() is None
            else memory.copy(gradient.array, "K"))
    if is_noting():
        set_gradient(leaf, leaf.gradient)


def backward(list tensors, list gradients, retain_graph, bint create_graph, inputs=None):
    """Accumulate gradients of ``tensors`` in the leaves (or in ``inputs`` alone)."""
    cdef bint retain = create_graph if retain_graph is None else retain_graph
    cdef _Walk walk = _start(tensors, gradients, "backward", create_graph)
    cdef dict captured = None
    if inputs is not None:
        if not inputs:
            raise RuntimeError("backward: inputs must hold at least one tensor")
        captured = _captures(walk, inputs)
    cdef bint before = set_recording(create_graph)
    try:
        walk.run(retain, captured)
        if captured is None:
            _accumulate_leaves(walk, list(walk.waiting))
        else:
            different = list(dict.fromkeys(inputs))
            _accumulate_leaves(walk, [each for each in different if each.is_leaf])
            for tensor in different:
                if not tensor.is_leaf and captured[(<TensorBase> tensor).node] is not None:
                    _add_to_grad(tensor, captured[(<TensorBase> tensor).node], False, create_graph)
                    _has_accumulated(tensor)
    finally:
        set_recording(before)


cdef void _accumulate_leaves(_Walk walk, list leaves) except *:
    cdef TensorBase leaf, gradient
    cdef bint owned
    while leaves:
        leaf = leaves.pop()
        if leaf not in walk.waiting:
            continue
        gradient = walk.waiting.pop(leaf)
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
