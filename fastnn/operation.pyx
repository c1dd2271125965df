# cython: binding=False
# Methods then check that they are called on their own kind of object.
"""The gate of operations that are not elementwise: run, and recorded on the tape, by one class.

An `Operation` is a forward function over arrays and a derivative rule over tensors, written in
``fastnn/ops``.
"""

cimport numpy as cnp

from fastnn._kernels.recording cimport is_noting, noted_unit, witness
from fastnn.changes cimport begin_change, note_change
from fastnn.operands cimport starts_within, target_tensor
from fastnn.tape cimport TensorBase, is_recording, note_view, record, requires_grad, wrap

cnp.import_array()


def are_floating_alike(*tensors):
    """Whether all (None apart) are tensors of one floating-point type: the quick check."""
    cdef int typenum = -1, code
    for value in tensors:
        if value is None:
            continue
        if not isinstance(value, TensorBase):
            return False
        code = cnp.PyArray_TYPE((<TensorBase> value).array)
        if code != cnp.NPY_FLOAT32 and code != cnp.NPY_FLOAT64:
            return False
        if typenum != -1 and code != typenum:
            return False
        typenum = code
    return True


cdef class Operation:
    """An operation that is not elementwise.

    ``forward(plan, *arrays)`` returns the output array, or a tuple of it and of what else the rule
    shall find in ``node.plan`` (which is then ``(plan, *those)``). ``rule(node, gradient)`` returns
    the gradient of each input, or None; it finds in ``node.saved`` the inputs that ``saves`` names
    by position, and in ``node.output`` the output if ``saves_output``.

    With ``shares_memory`` the output may be a view of the first input. ``write(plan, *arrays)``
    does the same as ``forward`` in the memory of the first array, for ``into``.
    """
    cdef readonly str name
    cdef readonly object forward
    cdef object rule
    cdef object write
    cdef tuple saves
    cdef bint saves_output
    cdef bint shares_memory

    def __init__(self, str name, forward, rule=None, *, tuple saves=(), bint saves_output=False,
                 bint shares_memory=False, write=None):
        self.name = name
        self.forward = forward
        self.rule = rule
        self.write = write
        self.saves = saves
        self.saves_output = saves_output
        self.shares_memory = shares_memory

    def __repr__(self):
        return f"<operation {self.name}>"

    def vjp(self, node, gradient):
        """The gradients of the inputs, given that of the output."""
        return self.rule(node, gradient)

    def saved_name(self, node, int index):
        """What the tensor is that was saved at ``index``, for messages."""
        return f"input {self.saves[index]}"

    def __call__(self, plan, *inputs):
        cdef list arrays = [plan]
        cdef bint recorded = False
        cdef TensorBase output
        cdef bint noting = is_noting()
        for value in inputs:
            if isinstance(value, TensorBase):
                if noting:
                    witness(value, (<TensorBase> value).array)
                arrays.append((<TensorBase> value).array)
                recorded = recorded or requires_grad(value)
            else:
                arrays.append(value)
        result = (noted_unit(self.forward, tuple(arrays), None) if noting
                  else self.forward(*arrays))
        if type(result) is tuple:
            output = wrap(result[0])
            plan = (plan, *result[1:])
        else:
            output = wrap(result)
        if self.shares_memory and starts_within(output.array, (<TensorBase> inputs[0]).array):
            note_view(output, <TensorBase> inputs[0], self, plan)
        if recorded and self.rule is not None and is_recording():
            record(output, self, plan, inputs, tuple([inputs[i] for i in self.saves]),
                   self.saves_output)
        return output

    def into(self, plan, tensor, *inputs):
        """Compute in place: ``tensor`` is the first input and receives the result."""
        cdef TensorBase target = target_tensor(self.name, tensor)
        cdef bint recorded = requires_grad(target)
        cdef list arrays = [plan, target.array]
        cdef bint noting = is_noting()
        if noting:
            witness(target, target.array)
        for value in inputs:
            if noting and isinstance(value, TensorBase):
                witness(value, (<TensorBase> value).array)
            recorded = recorded or requires_grad(value)
            arrays.append((<TensorBase> value).array if isinstance(value, TensorBase) else value)
        recorded = recorded and is_recording()
        begin_change(self.name, target, recorded)
        if noting:
            noted_unit(self.write, tuple(arrays), target.array)
        else:
            self.write(*arrays)
        inputs = (target, *inputs)
        if recorded:
            record(target, self, plan, inputs, tuple([inputs[i] for i in self.saves]), False)
        note_change(target, recorded)
        return target
