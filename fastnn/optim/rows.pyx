"""The arrays that an optimizer's step updates, which the next step need not look up again."""

cimport numpy as cnp

from fastnn._kernels.launch cimport Kernel
from fastnn._kernels.update cimport Table, table_of
from fastnn.tape cimport TensorBase, Version, version_of

cnp.import_array()

BESIDE = ("params", "param_names")  # what a group has beside settings


cdef class Repeated:
    """`Optimizer.step` of a `Fused` optimizer for the replays of a recording.

    It keeps what the groups look up, where the gradients are those of the recording, of which
    ``made(tensor, array)`` tells; others it would keep alive. ``step`` is the same with its hooks.
    """
    cdef object optimizer, step, made
    cdef bint keeps
    cdef list kept
    cdef readonly str name

    def __init__(self, optimizer, step, made):
        self.optimizer, self.step, self.made, self.kept = optimizer, step, made, []
        self.name = f"{type(optimizer).__name__}.step"

    def __call__(self):
        cdef Py_ssize_t index
        groups = self.optimizer.param_groups
        if self.made is not None:  # the call that is recorded
            self.keeps, self.made = self.are_all_made(groups), None
        if not self.keeps or self.optimizer._pre_hooks or self.optimizer._post_hooks:
            self.step()
            return
        if len(self.kept) != len(groups):
            self.kept = [None] * len(groups)
        for index in range(len(groups)):
            self.kept[index] = step_group(self.optimizer, groups[index], self.kept[index])

    cdef bint are_all_made(self, groups) except -1:
        cdef TensorBase gradient
        for group in groups:
            for parameter in group["params"]:
                gradient = _checked(self.optimizer, parameter).gradient
                if gradient is not None and not self.made(gradient, gradient.array):
                    return False
        return True


def step_group(optimizer, group, Rows kept=None):
    """Do a step of a `Fused` optimizer for one group, and return what it has looked up.

    Given as ``kept`` to the next step, this is used again where nothing is new by then.
    """
    if kept is None or not kept.are_still(optimizer, group):
        kept = Rows(optimizer, group)
    kept.update(optimizer, group)
    return kept


def update_rows(Kernel kernel, list rows, tuple numbers):
    """Update rows of arrays; False, with nothing done, if they fit into no `Table`."""
    cdef Table table = table_of(rows)
    if table is None:
        return False
    table.update(kernel, numbers)
    return True


cdef class Row:
    """A parameter with a gradient: its array, the gradient's and those of its states."""
    cdef TensorBase parameter
    cdef list arrays
    cdef object state  # None where the optimizer has no states
    cdef bint fresh    # whether its states had to be started

    cdef bint is_still(self, tuple names, states) except -1:
        """Whether the arrays are those of the parameter, which has a gradient, to be written."""
        cdef Py_ssize_t index
        if names and states.get(self.parameter) is not self.state:
            return False
        if (self.arrays[0] is not self.parameter.array
                or not cnp.PyArray_ISWRITEABLE(self.parameter.array)
                or self.arrays[1] is not self.parameter.gradient.array):
            return False
        for index in range(len(names)):
            tensor = self.state.get(names[index])
            if not isinstance(tensor, TensorBase) or (
                    (<TensorBase> tensor).array is not self.arrays[2 + index]
                    or not cnp.PyArray_ISWRITEABLE((<TensorBase> tensor).array)):
                return False
        return True


cdef bint _is_fixed(value) except -1:
    """Whether a setting cannot change in place."""
    if isinstance(value, tuple):
        for each in value:
            if not _is_fixed(each):
                return False
        return True
    return value is None or isinstance(value, (float, int, str))


cdef TensorBase _checked(optimizer, parameter):
    if not isinstance(parameter, TensorBase):
        raise TypeError(f"{type(optimizer).__name__}: parameters must be Tensors, got "
                        f"{type(parameter).__name__}")
    return parameter


cdef class Rows:
    """The rows of a group, with what its settings say: kernel, names of states, numbers."""
    cdef list settings
    cdef object parameters  # of the group: its own list or tuple,
    cdef list tensors       # and what that held
    cdef Kernel kernel
    cdef tuple names
    cdef list rows     # None for a parameter without gradient
    cdef list arrays   # of the others
    cdef Table table   # of all arrays
    cdef object position, numbers

    def __init__(self, optimizer, group):
        self.parameters, self.settings = group["params"], list(group.values())
        self.kernel, self.names = optimizer._kernel(group), tuple(optimizer._states(group))
        self.tensors = [_checked(optimizer, parameter) for parameter in self.parameters]
        self.rows = [self.row_of(optimizer, group, tensor) for tensor in self.tensors]
        self.arrays = [(<Row> row).arrays for row in self.rows if row is not None]

    cdef Row row_of(self, optimizer, group, TensorBase parameter):
        cdef Row row = Row()
        if parameter.gradient is None:
            return None
        row.parameter, row.arrays = parameter, [parameter.array, parameter.gradient.array]
        if self.names:
            row.state = optimizer.state[parameter]
            row.fresh = row.state.get(self.names[-1]) is None
            if row.fresh:
                optimizer._start(group, row.state, parameter)
            for name in self.names:
                row.arrays.append((<TensorBase?> row.state[name]).array)
        return row

    cdef bint are_still(self, optimizer, group) except -1:
        """Whether the settings and all arrays are what they were."""
        cdef Py_ssize_t index = 0
        cdef Row row
        cdef TensorBase tensor
        for key, value in group.items():
            if index == len(self.settings) or value is not self.settings[index] or not (
                    key in BESIDE or _is_fixed(value)):
                return False
            index += 1
        if index != len(self.settings) or len(self.parameters) != len(self.tensors):
            return False
        states = optimizer.state
        for index in range(len(self.tensors)):
            row, tensor = self.rows[index], <TensorBase> self.tensors[index]
            if (self.parameters[index] is not tensor
                    or (row is None) != (tensor.gradient is None)):
                return False
            if row is not None and not row.is_still(self.names, states):
                return False
        return True

    cdef int update(self, optimizer, group) except -1:
        """Update the arrays, by one launch for the parameters that are at one position."""
        cdef Version version
        for row in self.rows:
            if row is not None:
                version = version_of((<Row> row).parameter)
                version.count += 1
        if not self.names:
            if self.arrays:
                self.update_at(optimizer, group, None, self.arrays)
            return 0
        for position, arrays in self.by_position(optimizer, group).items():
            self.update_at(optimizer, group, position, arrays)
        return 0

    cdef int update_at(self, optimizer, group, position, list arrays) except -1:
        cdef Table table = self.table_for(arrays)
        if self.numbers is None or position != self.position:
            self.position, self.numbers = position, optimizer._numbers(group, position)
        if table is None:
            optimizer._update_copies(self.kernel, arrays, self.numbers)
        else:
            table.update(self.kernel, self.numbers)
        return 0

    cdef Table table_for(self, list arrays):
        if len(arrays) < len(self.arrays):
            return table_of(arrays)
        if self.table is None:
            self.table = table_of(arrays)
        return self.table

    cdef dict by_position(self, optimizer, group):
        """The arrays by the position that their parameters are at, which is a step further."""
        cdef dict found = {}
        cdef Row row
        for row in self.rows:
            if row is not None:
                position = optimizer._position(group, row.state, row.fresh)
                row.fresh = False
                found.setdefault(position, []).append(row.arrays)
        return found
