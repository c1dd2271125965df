# cython: binding=False
# Methods then check that they are called on their own kind of object.
"""The tape: nodes that remember how tensors were made.

A node is made for each recorded operation. It carries a running number, so that the walk back
(``walk.pyx``) meets every node after all that used its output. A tensor knows the node that made
it, the count of changes of its memory, and, where it is a view, the tensor that it shows.
"""

from weakref import ref

cimport cython
cimport numpy as cnp

from fastnn.hooks import AccumulateGrad, HookHandle

from fastnn._kernels.recording cimport (
    born, changed_beside, is_noting, saw_gradient, set_gradient, witness)

cnp.import_array()

cdef extern from *:
    """
    static _Thread_local int fastnn_recording = 1;
    """
    int fastnn_recording

cdef long long _next_number = 0
cdef type _tensor_type = None
cdef object _place_of_call = None  # while anomalies are looked for: gives what a node notes


def bind(type tensor_type):
    """Give the tape the Tensor class."""
    global _tensor_type
    _tensor_type = tensor_type


def note_places(place_of_call):
    """Let each new node keep what ``place_of_call()`` returns; None ends it."""
    global _place_of_call
    _place_of_call = place_of_call


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
    output.is_part = source.is_part
    output.is_untaped = source.is_untaped or (not fastnn_recording and requires_grad(source))
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
    if tensor.is_part and requires_grad(tensor.base):
        raise RuntimeError(
            "a part made by split, chunk or unbind was used after its tensor was changed in "
            "place; use narrow() for parts that are to follow changes")
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
        if is_noting():
            saw_gradient(self, self.gradient)
        return self.gradient

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, TensorBase):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            if value.array.shape != (<object> self.array).shape:
                raise ValueError(
                    f"grad: expected shape {(<object> self.array).shape}, got {value.array.shape}")
            if value.array.dtype != (<object> self.array).dtype:
                raise TypeError(
                    f"grad: expected {(<object> self.array).dtype}, got {value.array.dtype}")
        self.gradient = value
        if is_noting():
            set_gradient(self, value)

    @property
    def _version(self):
        return 0 if self.version is None else self.version.count

    def _bump_version(self):
        """Tell the tape that the memory was changed in place."""
        cdef Version version = version_of(self)
        version.count += 1
        if is_noting():
            changed_beside(version)

    def _share_version(self, TensorBase other not None, bint view=False):
        """Count in-place changes together with ``other``, whose memory this tensor shares."""
        self.version = version_of(other)
        self.is_view = view

    def _set_array(self, cnp.ndarray array not None):
        if is_noting():
            born(array)
        self.array = array

    def _become_part(self):
        """One of the views that split, chunk or unbind return; and the tensor itself."""
        self.is_part = True
        return self

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


cdef TensorBase wrap(cnp.ndarray array):
    if is_noting():
        born(array)
    cdef TensorBase tensor = <TensorBase> _tensor_type.__new__(_tensor_type)
    tensor.array = array
    return tensor


def alias(TensorBase tensor not None):
    """A tensor on the same array, without a history."""
    if is_noting():
        witness(tensor, tensor.array)
    return wrap(tensor.array)


def used(TensorBase tensor not None):
    """The array of a tensor, for what uses it beside the operations on tensors."""
    if is_noting():
        witness(tensor, tensor.array)
    return tensor.array


def renew(Node node not None):
    """Let a node's rule read what it kept, whatever was changed in place since."""
    node.freed = False
    node.kept_versions = tuple([
        (<TensorBase> each).version.count if isinstance(each, TensorBase) else 0
        for each in node.kept])
    if node.output_version is not None:
        node.kept_output_version = node.output_version.count


def from_array(cnp.ndarray array not None):
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
                    _changed(self, self.operation.saved_name(self, index), tensor.array)
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


def record_operation(TensorBase output not None, operation, plan, tuple inputs, tuple kept,
                     bint keep_output):
    """Record for operations written in Python."""
    record(output, operation, plan, inputs, kept, keep_output)


def next_number():
    """The number that the next recorded node will have."""
    return _next_number
