"""Changes in place: what may be changed, and what the tape is told of it."""

cimport numpy as cnp

from fastnn._kernels.recording cimport changed, is_noting
from fastnn.operands cimport fills_a_block, may_repeat, overlap_apart, same_memory
from fastnn.tape cimport (
    TensorBase, Version, is_recording, record, refresh, requires_grad, version_of)

cnp.import_array()

cdef object _write_through = None


def bind(write_through):
    """Give the operation that is recorded for a tensor a view of which was changed in place."""
    global _write_through
    _write_through = write_through


cdef void begin_change(str name, TensorBase target, bint recorded) except *:
    """Check, and bring the history up to date that the change is to be added to."""
    check_change(name, target, recorded)
    if recorded:
        refresh(target)


cdef void note_change(TensorBase target, bint recorded) except *:
    """Count a change in place; one of a view is, on the tape, one of the tensor it shows."""
    cdef Version version = version_of(target)
    if recorded and target.base is not None:
        record(target.base, _write_through, target.path, (target.base, target), (), False)
    version.count += 1
    if is_noting():
        changed(version)
    if target.node is not None and recorded:
        target.node.kept_output_version = version.count


cdef void check_change(str name, TensorBase target, bint recorded) except *:
    """Raise where a tensor cannot be changed in place, on the tape or beside it."""
    if not cnp.PyArray_ISWRITEABLE(target.array):
        _make_writeable(name, target)
    if not is_recording():
        return
    if target.is_untaped:
        raise RuntimeError(
            f"{name}: a view that was made under no_grad(), of a tensor on the tape, cannot be "
            "changed in place outside of it; do both under no_grad(), or none")
    if target.leaf_requires_grad or (target.base is not None and target.base.leaf_requires_grad):
        raise RuntimeError(
            f"{name}: a leaf that requires gradients cannot be changed in place, nor can a view "
            "of one; use no_grad() around it")
    if recorded and target.is_part:
        raise RuntimeError(
            f"{name}: a part made by split, chunk or unbind cannot be changed in place on the "
            "tape; use narrow(), or an operation that is not in place")
    if recorded and target.is_view and target.base is None:
        raise RuntimeError(
            f"{name}: a view that was made under no_grad() cannot be changed in place on the "
            "tape; change the tensor it views, or clone() it first")


cdef void _make_writeable(str name, TensorBase target) except *:
    """Allow a part of an expanded tensor to be changed that holds each of its elements once."""
    if may_repeat(target.array):
        raise RuntimeError(
            f"{name}: several elements of an expanded tensor are one in memory and cannot be "
            "changed apart; clone() it first")
    cdef bint possible = target.is_view and (
        target.base is None or cnp.PyArray_ISWRITEABLE(target.base.array))
    try:
        if possible:  # where the memory itself is for reading, NumPy raises
            (<object> target.array).flags.writeable = True
    except ValueError:
        possible = False
    if not possible:
        raise ValueError(f"{name}: the tensor's memory is read-only")


cdef void check_castable(str name, int source, cnp.ndarray target) except *:
    """Floating point does not fit into integers, nor anything but booleans into booleans."""
    cdef int wanted = cnp.PyArray_TYPE(target)
    cdef bint floating = source == cnp.NPY_FLOAT32 or source == cnp.NPY_FLOAT64
    if ((floating and wanted != cnp.NPY_FLOAT32 and wanted != cnp.NPY_FLOAT64)
            or (wanted == cnp.NPY_BOOL and source != cnp.NPY_BOOL)):
        raise TypeError(
            f"{name}: the result does not fit in place into {(<object> target).dtype}")


cdef void check_apart(str name, cnp.ndarray target, cnp.ndarray source) except *:
    """Raise where two arrays are known to share elements, at different places."""
    if fills_a_block(target) and fills_a_block(source):
        raise RuntimeError(
            f"{name}: the tensor that is changed shares a part of its memory with another operand; "
            "clone() one of them first")


def check_source(str name, cnp.ndarray target not None, cnp.ndarray source not None,
                 bint may_be_same):
    """Raise where what is written to ``target`` shares its memory.

    As PyTorch does, this looks at arrays without gaps alone; ``may_be_same`` allows an array to be
    written over itself, element by element.
    """
    if overlap_apart(source, target) or (not may_be_same and same_memory(source, target)):
        check_apart(name, target, source)


def check_in_place(str name, TensorBase target not None, TensorBase result=None):
    """Raise where a tensor cannot be changed in place, or not receive ``result``."""
    check_change(name, target, is_recording() and requires_grad(target))
    if result is not None:
        check_castable(name, cnp.PyArray_TYPE(result.array), target.array)
