"""The gate: every operation is run, and recorded on the tape, by one of two classes here.

`Elementwise` runs a scalar formula over tensors of any shapes that broadcast; it is short and in
Cython because small networks live on its speed. `Operation` runs everything else: a forward
function over arrays and a derivative rule over tensors, written in ``fastnn/ops``.
"""

cimport numpy as cnp
from libc.string cimport memcpy

from fastnn._kernels.launch cimport (
    MAX_AXES, MAX_NUMBERS, MAX_OPERANDS, Kernel, Operands, kernel_t, launch_elementwise,
    launch_flat)
from fastnn._kernels.runtime cimport empty, empty_strided
from fastnn.tape cimport (
    Node, TensorBase, Version, is_recording, note_view, record, refresh, requires_grad, version_of,
    wrap)

cnp.import_array()

# From this many elements on, the memory of a gradient that is used up takes the next one.
cdef Py_ssize_t WORTH_REUSE = 16384

cdef object _promote = None
cdef object _sum_to = None
cdef object _write_through = None
cdef object _write_over = None


def bind(promote, sum_to, write_through, write_over):
    """Give the gate the rule of type promotion, and what it runs of the operations.

    ``sum_to`` undoes broadcasting; ``write_through`` is recorded for a tensor a view of which was
    changed in place; ``write_over`` writes a result of another type over a tensor.
    """
    global _promote, _sum_to, _write_through, _write_over
    _promote, _sum_to, _write_through, _write_over = promote, sum_to, write_through, write_over


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

    def __call__(self, plan, *inputs):
        cdef list arrays = [plan]
        cdef bint recorded = False
        cdef TensorBase output
        for value in inputs:
            if isinstance(value, TensorBase):
                arrays.append((<TensorBase> value).array)
                recorded = recorded or requires_grad(value)
            else:
                arrays.append(value)
        result = self.forward(*arrays)
        if type(result) is tuple:
            output = wrap(result[0])
            plan = (plan, *result[1:])
        else:
            output = wrap(result)
        if self.shares_memory and _starts_within(output.array, (<TensorBase> inputs[0]).array):
            note_view(output, <TensorBase> inputs[0], self, plan)
        if recorded and self.rule is not None and is_recording():
            record(output, self, plan, inputs, tuple([inputs[i] for i in self.saves]),
                   self.saves_output)
        return output

    def into(self, plan, TensorBase target, *inputs):
        """Compute in place: ``target`` is the first input and receives the result."""
        cdef bint recorded = requires_grad(target)
        cdef list arrays = [plan, target.array]
        for value in inputs:
            recorded = recorded or requires_grad(value)
            arrays.append((<TensorBase> value).array if isinstance(value, TensorBase) else value)
        recorded = recorded and is_recording()
        _begin_change(self.name, target, recorded)
        self.write(*arrays)
        inputs = (target, *inputs)
        if recorded:
            record(target, self, plan, inputs, tuple([inputs[i] for i in self.saves]), False)
        _note_change(target, recorded)
        return target


cdef bint _starts_within(cnp.ndarray view, cnp.ndarray array) noexcept:
    """Whether the first element of ``view`` lies in the memory that ``array`` spans."""
    cdef char* low = <char*> cnp.PyArray_DATA(array)
    cdef char* high = low
    cdef int axis
    if cnp.PyArray_SIZE(array) == 0 or cnp.PyArray_SIZE(view) == 0:
        return True
    for axis in range(cnp.PyArray_NDIM(array)):
        if cnp.PyArray_STRIDE(array, axis) < 0:
            low += (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
        else:
            high += (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
    return low <= <char*> cnp.PyArray_DATA(view) <= high


cdef void _begin_change(str name, TensorBase target, bint recorded) except *:
    """Check, and bring the history up to date that the change is to be added to."""
    _check_in_place(name, target, recorded)
    if recorded:
        refresh(target)


cdef void _note_change(TensorBase target, bint recorded) except *:
    """Count a change in place; one of a view is, on the tape, one of the tensor it shows."""
    cdef Version version = version_of(target)
    if recorded and target.base is not None:
        record(target.base, _write_through, target.path, (target.base, target), (), False)
    version.count += 1
    if target.node is not None and recorded:
        target.node.kept_output_version = version.count


cdef class _Plan:
    """What the rule of an elementwise node needs, for one set of inputs that need gradients."""
    cdef tuple kept         # positions of the inputs that the derivatives read
    cdef bint keeps_output


cdef class Elementwise:
    """A scalar formula, run over tensors that broadcast; gradients come from its derivatives."""
    cdef readonly str name
    cdef readonly object formula
    cdef readonly int arity
    cdef readonly int parameter_count
    cdef readonly bint boolean_result
    cdef readonly bint float_only
    cdef readonly bint has_inplace
    cdef readonly object keyword_form
    cdef double defaults[MAX_NUMBERS]
    cdef Kernel kernel
    cdef int boolean_inputs
    cdef dict derivatives
    cdef dict plans

    def __init__(self, formula, kernel_source):
        self.name = formula.name
        self.formula = formula
        self.arity = len(formula.inputs)
        self.parameter_count = len(formula.parameters)
        if self.arity + 1 > MAX_OPERANDS or self.parameter_count > MAX_NUMBERS:
            raise TypeError(
                f"elementwise {formula.name}: at most {MAX_OPERANDS - 1} inputs and "
                f"{MAX_NUMBERS} parameters")
        for index, value in enumerate(formula.parameters.values()):
            self.defaults[index] = value
        self.kernel = Kernel(formula.name, kernel_source)
        self.boolean_result = formula.boolean_result
        self.float_only = formula.float_only
        self.has_inplace = formula.has_inplace
        self.boolean_inputs = sum(
            1 << i for i, name in enumerate(formula.inputs) if name in formula.boolean_inputs)
        self.derivatives = {}
        self.plans = {}

    def __repr__(self):
        return f"<elementwise {self.name}>"

    def __deepcopy__(self, memo):
        return self  # a function, such as the activation that a copied module keeps

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return _Method(self, instance)

    def _set_keyword_form(self, function):
        self.keyword_form = function

    def derivative(self, int index):
        """(operation, names of its inputs) of the derivative by input ``index``.

        The operation is None where the derivative is 1.
        """
        if index not in self.derivatives:
            self.derivatives[index] = self.formula.derivative(index, Elementwise)
        return self.derivatives[index]

    def __call__(self, *args, **kwargs):
        cdef double numbers[MAX_NUMBERS]
        cdef Py_ssize_t given = len(args)
        memcpy(numbers, self.defaults, sizeof(numbers))
        if given != self.arity or kwargs:
            if self.has_inplace:
                if given == self.arity + self.parameter_count + 1:
                    kwargs["inplace"], args = args[given - 1], args[:given - 1]
                if kwargs.pop("inplace", False):
                    return self.into(*args, **kwargs)
            if kwargs and self.keyword_form is not None:
                return self.keyword_form(*args, **kwargs)
            args = self._bind(args, kwargs, numbers)
        return self._apply(args, numbers, None)

    def into(self, TensorBase target, *args, **kwargs):
        """Compute in place: ``target`` is the first input and receives the result."""
        cdef double numbers[MAX_NUMBERS]
        memcpy(numbers, self.defaults, sizeof(numbers))
        _check_in_place(self.name, target, False)
        if kwargs and self.keyword_form is not None:
            return _write_over(self.name, target, self.keyword_form(target, *args, **kwargs))
        args = self._bind((target, *args), kwargs, numbers)
        return self._apply(args, numbers, target)

    cdef tuple _bind(self, tuple args, dict kwargs, double* numbers):
        """Split arguments in inputs (returned) and numeric parameters (written to ``numbers``)."""
        bound = self.formula.signature.bind(*args, **kwargs).arguments
        cdef int position = 0
        for name in self.formula.parameters:
            if name in bound:
                if isinstance(bound[name], TensorBase):
                    raise TypeError(f"{self.name}: {name} must be a number, got a tensor")
                try:
                    numbers[position] = bound[name]
                except TypeError:
                    raise TypeError(f"{self.name}: {name} must be a number, got "
                                    f"{type(bound[name]).__name__}") from None
            position += 1
        return tuple([bound[name] for name in self.formula.inputs])

    cdef TensorBase _apply(self, tuple inputs, double* numbers, TensorBase target):
        cdef cnp.ndarray array, first = None
        cdef int index, typenum = -1, code
        cdef bint recorded = False, uniform = True, flat = True
        for index in range(self.arity):
            value = inputs[index]
            if isinstance(value, TensorBase):
                array = (<TensorBase> value).array
                recorded = recorded or requires_grad(value)
                if (self.boolean_inputs >> index) & 1:
                    uniform = uniform and cnp.PyArray_TYPE(array) == cnp.NPY_BOOL
                else:
                    code = cnp.PyArray_TYPE(array)
                    uniform = uniform and (typenum == -1 or typenum == code)
                    typenum = code
                if first is None:
                    first = array
                    flat = cnp.PyArray_IS_C_CONTIGUOUS(array)
                elif flat:
                    flat = cnp.PyArray_IS_C_CONTIGUOUS(array) and _same_shape(first, array)
            elif type(value) is not float and type(value) is not int:
                uniform = False
        if (not uniform or (typenum != cnp.NPY_FLOAT32 and typenum != cnp.NPY_FLOAT64)):
            inputs, typenum = _promote(self, inputs, target)
            flat = False
            first = None
        recorded = recorded and is_recording()
        if target is not None:
            return self._run_in_place(inputs, numbers, typenum, target, recorded)
        return self._run(inputs, numbers, typenum, None, recorded, flat, first)

    cdef TensorBase _run_in_place(self, tuple inputs, double* numbers, int typenum,
                                  TensorBase target, bint recorded):
        """Operands that overlap the target are copied, and so is what the derivative reads of it;
        a result of another type is converted where PyTorch does."""
        cdef int result_type = cnp.NPY_BOOL if self.boolean_result else typenum
        cdef list separate = list(inputs)
        cdef int index
        _begin_change(self.name, target, recorded)
        if result_type != cnp.PyArray_TYPE(target.array):
            _check_castable(self.name, result_type, target.array)
            return _write_over(self.name, target, self._run(
                inputs, numbers, typenum, None, recorded, False, None))
        for index in range(self.arity):
            if isinstance(inputs[index], TensorBase) and inputs[index] is not target:
                if _overlap_apart((<TensorBase> inputs[index]).array, target.array):
                    separate[index] = _copy_of(<TensorBase> inputs[index])
        if recorded and inputs[0] is target and 0 in self._plan_of(inputs).kept:
            inputs = (_copy_of(target), *inputs[1:])
        return self._run(tuple(separate), numbers, typenum, target, recorded, False, None, inputs)

    cdef TensorBase _run(self, tuple inputs, double* numbers, int typenum, TensorBase target,
                         bint recorded, bint flat, cnp.ndarray first, tuple originals=None):
        """Run the kernel on inputs of proper types, and record the result.

        ``originals`` are the inputs for the tape where the kernel reads others.
        """
        cdef Operands o
        cdef cnp.npy_intp itemsizes[MAX_OPERANDS]
        cdef double scalars[MAX_OPERANDS]
        cdef char* data[MAX_OPERANDS]
        cdef cnp.ndarray result
        cdef TensorBase output
        cdef int index
        cdef int result_type = cnp.NPY_BOOL if self.boolean_result else typenum
        cdef kernel_t kernel = self.kernel.for_type(typenum)
        cdef bint broadcast = False
        if flat and target is None and self._all_tensors(inputs):
            result = empty(cnp.PyArray_NDIM(first), cnp.PyArray_DIMS(first), result_type)
            data[0] = <char*> cnp.PyArray_DATA(result)
            for index in range(self.arity):
                data[index + 1] = <char*> cnp.PyArray_DATA((<TensorBase> inputs[index]).array)
            launch_flat(kernel, data, self.arity + 1, cnp.PyArray_SIZE(result), numbers)
        else:
            broadcast = _prepare(self.name, inputs, typenum, &o, itemsizes, scalars)
            if target is None:
                result = _new_output(inputs, &o, result_type)
            else:
                result = target.array
                _check_target(self.name, result, &o)
            o.data[0] = <char*> cnp.PyArray_DATA(result)
            itemsizes[0] = cnp.PyArray_ITEMSIZE(result)
            for index in range(o.ndim):
                o.strides[0][index] = cnp.PyArray_STRIDE(result, index) // itemsizes[0]
            launch_elementwise(kernel, &o, itemsizes, numbers)
        output = wrap(result) if target is None else target
        if recorded and not self.boolean_result:
            self._record(output, inputs if originals is None else originals, numbers, broadcast)
        if target is not None:
            _note_change(target, recorded)
        return output

    cdef bint _all_tensors(self, tuple inputs):
        for value in inputs:
            if not isinstance(value, TensorBase):
                return False
        return True

    cdef void _record(self, TensorBase output, tuple inputs, double* numbers,
                      bint broadcast) except *:
        cdef _Plan plan = self._plan_of(inputs)
        cdef list parameters
        cdef Node node
        parameters = [numbers[index] for index in range(self.parameter_count)]
        record(output, self, parameters, inputs, tuple([inputs[i] for i in plan.kept]),
               plan.keeps_output)
        node = output.node
        if broadcast:
            node.input_shapes = tuple(
                [(<object> (<TensorBase> value).array).shape
                 if isinstance(value, TensorBase) else () for value in inputs])

    cdef _Plan _plan_of(self, tuple inputs):
        cdef int index, mask = 0
        cdef _Plan plan
        for index in range(self.arity):
            if requires_grad(inputs[index]):
                mask |= 1 << index
        plan = self.plans.get(mask)
        if plan is None:
            plan = self.plans[mask] = self._plan(mask)
        return plan

    cdef _Plan _plan(self, int mask):
        names = set()
        for index in range(self.arity):
            if mask >> index & 1:
                names.update(self.derivative(index)[1])
        cdef _Plan plan = _Plan.__new__(_Plan)
        plan.kept = tuple([i for i, name in enumerate(self.formula.inputs) if name in names])
        plan.keeps_output = self.formula.output_name in names
        return plan

    def vjp(self, Node node, TensorBase gradient):
        """The gradients of the inputs that need one, given that of the output."""
        cdef dict values = {}
        cdef int mask = 0, index, position
        cdef _Plan plan
        for index in range(self.arity):
            if node.edges[index] is not None:
                mask |= 1 << index
        plan = <_Plan> self.plans[mask]
        if plan.kept:
            saved = node.saved_inputs()
            for position in range(len(plan.kept)):
                values[self.formula.inputs[plan.kept[position]]] = saved[position]
        if plan.keeps_output:
            values[self.formula.output_name] = node.saved_output()
        return tuple([self._input_gradient(node, gradient, values, index)
                      for index in range(self.arity)])

    cdef object _input_gradient(self, Node node, TensorBase gradient, dict values, int index):
        if not node.needs[index]:
            return None
        cdef Elementwise derivative
        derivative, names = self.derivative(index)
        if derivative is not None:
            factors = [values[name] for name in names]
            if (node.gradient_is_free and node.needs.count(True) == 1
                    and cnp.PyArray_SIZE(gradient.array) >= WORTH_REUSE):
                gradient = derivative.into(gradient, *factors, *node.plan)
            else:
                gradient = derivative(gradient, *factors, *node.plan)
        if node.input_shapes is not None:
            gradient = _sum_to(gradient, node.input_shapes[index])
        return gradient


cdef TensorBase _copy_of(TensorBase tensor):
    """The tensor with memory of its own, at its place on the tape."""
    cdef TensorBase copy = wrap(cnp.PyArray_NewCopy(tensor.array, cnp.NPY_KEEPORDER))
    copy.node = tensor.node
    return copy


cdef bint _overlap_apart(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two arrays share memory, element by element at different places."""
    cdef char* low[2]
    cdef char* high[2]
    cdef int axis, which
    cdef cnp.npy_intp extent
    cdef cnp.ndarray array
    if cnp.PyArray_SIZE(a) == 0 or cnp.PyArray_SIZE(b) == 0:
        return False
    for which in range(2):
        array = a if which == 0 else b
        low[which] = <char*> cnp.PyArray_DATA(array)
        high[which] = low[which] + cnp.PyArray_ITEMSIZE(array)
        for axis in range(cnp.PyArray_NDIM(array)):
            extent = (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
            if extent < 0:
                low[which] += extent
            else:
                high[which] += extent
    if low[0] >= high[1] or low[1] >= high[0]:
        return False
    if cnp.PyArray_DATA(a) != cnp.PyArray_DATA(b) or not _same_shape(a, b):
        return True
    for axis in range(cnp.PyArray_NDIM(a)):
        if (cnp.PyArray_DIM(a, axis) > 1
                and cnp.PyArray_STRIDE(a, axis) != cnp.PyArray_STRIDE(b, axis)):
            return True
    return False


cdef class _Method:
    """An elementwise operation bound to its first input."""
    cdef Elementwise operation
    cdef object instance

    def __cinit__(self, Elementwise operation, instance):
        self.operation = operation
        self.instance = instance

    def __call__(self, *args, **kwargs):
        return self.operation(self.instance, *args, **kwargs)

    @property
    def __doc__(self):
        return self.operation.__doc__


cdef bint _same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int axis
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b):
        return False
    for axis in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, axis) != cnp.PyArray_DIM(b, axis):
            return False
    return True


cdef void _store_scalar(double* place, object value, int typenum) except *:
    if typenum == cnp.NPY_FLOAT32:
        (<float*> place)[0] = value
    elif typenum == cnp.NPY_FLOAT64:
        (<double*> place)[0] = value
    elif typenum == cnp.NPY_INT64:
        (<long long*> place)[0] = value
    elif typenum == cnp.NPY_INT32:
        (<int*> place)[0] = value
    elif typenum == cnp.NPY_INT16:
        (<short*> place)[0] = value
    else:
        (<signed char*> place)[0] = value


cdef bint _prepare(str name, tuple inputs, int typenum, Operands* o, cnp.npy_intp* itemsizes,
                   double* scalars) except -1:
    """Fill in the inputs' addresses and strides; tell whether one of them is broadcast."""
    cdef int index, axis, shift
    cdef cnp.ndarray array
    cdef cnp.npy_intp size
    cdef bint broadcast = False
    o.count = len(inputs) + 1
    o.ndim = 0
    for value in inputs:
        if isinstance(value, TensorBase):
            o.ndim = max(o.ndim, cnp.PyArray_NDIM((<TensorBase> value).array))
    if o.ndim > MAX_AXES:
        raise ValueError(f"{name}: at most {MAX_AXES} dimensions, got {o.ndim}")
    for axis in range(o.ndim):
        o.shape[axis] = 1
    for value in inputs:
        if isinstance(value, TensorBase):
            array = (<TensorBase> value).array
            shift = o.ndim - cnp.PyArray_NDIM(array)
            for axis in range(shift, o.ndim):
                size = cnp.PyArray_DIM(array, axis - shift)
                if size != o.shape[axis] and size != 1:
                    if o.shape[axis] != 1:
                        _shapes_differ(name, inputs)
                    o.shape[axis] = size
    for index in range(len(inputs)):
        if isinstance(inputs[index], TensorBase):
            array = (<TensorBase> inputs[index]).array
            o.data[index + 1] = <char*> cnp.PyArray_DATA(array)
            itemsizes[index + 1] = cnp.PyArray_ITEMSIZE(array)
            shift = o.ndim - cnp.PyArray_NDIM(array)
            broadcast = broadcast or shift > 0
            for axis in range(o.ndim):
                if axis < shift or (cnp.PyArray_DIM(array, axis - shift) == 1
                                    and o.shape[axis] != 1):
                    o.strides[index + 1][axis] = 0
                    broadcast = True
                else:
                    o.strides[index + 1][axis] = (
                        cnp.PyArray_STRIDE(array, axis - shift) // itemsizes[index + 1])
        else:
            _store_scalar(&scalars[index], inputs[index], typenum)
            o.data[index + 1] = <char*> &scalars[index]
            itemsizes[index + 1] = 0
            for axis in range(o.ndim):
                o.strides[index + 1][axis] = 0
    return broadcast


cdef _shapes_differ(str name, tuple inputs):
    shapes = " and ".join(
        str(tuple((<object> (<TensorBase> value).array).shape)) for value in inputs
        if isinstance(value, TensorBase))
    raise ValueError(f"{name}: shapes {shapes} do not broadcast")


cdef cnp.ndarray _new_output(tuple inputs, Operands* o, int typenum):
    """An output in the memory order of the first input that has the full shape and is dense."""
    cdef cnp.npy_intp strides[MAX_AXES]
    cdef cnp.ndarray array
    cdef int axis, itemsize
    for value in inputs:
        if isinstance(value, TensorBase):
            array = (<TensorBase> value).array
            if cnp.PyArray_NDIM(array) != o.ndim or cnp.PyArray_IS_C_CONTIGUOUS(array):
                continue
            if _dense(array, o):
                itemsize = cnp.PyArray_DescrFromType(typenum).itemsize
                for axis in range(o.ndim):
                    strides[axis] = (cnp.PyArray_STRIDE(array, axis)
                                     // cnp.PyArray_ITEMSIZE(array) * itemsize)
                return empty_strided(o.ndim, o.shape, strides, typenum)
    return empty(o.ndim, o.shape, typenum)


cdef bint _dense(cnp.ndarray array, Operands* o) noexcept:
    """Whether the array has the full shape and fills one block of memory once."""
    cdef int axis, other
    cdef cnp.npy_intp expected
    for axis in range(o.ndim):
        if cnp.PyArray_DIM(array, axis) != o.shape[axis]:
            return False
        expected = cnp.PyArray_ITEMSIZE(array)
        for other in range(o.ndim):
            if (cnp.PyArray_STRIDE(array, other) < cnp.PyArray_STRIDE(array, axis)
                    or (cnp.PyArray_STRIDE(array, other) == cnp.PyArray_STRIDE(array, axis)
                        and other > axis)):
                expected *= o.shape[other]
        if o.shape[axis] != 1 and cnp.PyArray_STRIDE(array, axis) != expected:
            return False
    return True


cdef void _check_in_place(str name, TensorBase target, bint recorded) except *:
    if not cnp.PyArray_ISWRITEABLE(target.array):
        raise ValueError(f"{name}: the tensor's memory is read-only")
    if not is_recording():
        return
    if target.leaf_requires_grad or (target.base is not None and target.base.leaf_requires_grad):
        raise RuntimeError(
            f"{name}: a leaf that requires gradients cannot be changed in place, nor can a view "
            "of one; use no_grad() around it")
    if recorded and target.is_view and target.base is None:
        raise RuntimeError(
            f"{name}: a view that was made under no_grad() cannot be changed in place on the "
            "tape; change the tensor it views, or clone() it first")


cdef void _check_castable(str name, int source, cnp.ndarray target) except *:
    """Floating point does not fit into integers, nor anything but booleans into booleans."""
    cdef int wanted = cnp.PyArray_TYPE(target)
    cdef bint floating = source == cnp.NPY_FLOAT32 or source == cnp.NPY_FLOAT64
    if ((floating and wanted != cnp.NPY_FLOAT32 and wanted != cnp.NPY_FLOAT64)
            or (wanted == cnp.NPY_BOOL and source != cnp.NPY_BOOL)):
        raise TypeError(
            f"{name}: the result does not fit in place into {(<object> target).dtype}")


def check_in_place(str name, TensorBase target, TensorBase result=None):
    """Raise where a tensor cannot be changed in place, or not receive ``result``."""
    _check_in_place(name, target, is_recording() and requires_grad(target))
    if result is not None:
        _check_castable(name, cnp.PyArray_TYPE(result.array), target.array)


cdef void _check_target(str name, cnp.ndarray target, Operands* o) except *:
    cdef int axis
    cdef bint fits = cnp.PyArray_NDIM(target) == o.ndim
    if fits:
        for axis in range(o.ndim):
            fits = fits and cnp.PyArray_DIM(target, axis) == o.shape[axis]
    if not fits:
        raise ValueError(
            f"{name}: the result does not fit in place into shape {(<object> target).shape}")
