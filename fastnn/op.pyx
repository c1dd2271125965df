# cython: binding=False
# Methods then check that they are called on their own kind of object.
"""The gate of elementwise operations: run, and recorded on the tape, by one class.

`Elementwise` runs a scalar formula over tensors of any shapes that broadcast; it is short and in
Cython because small networks live on its speed.
"""

cimport numpy as cnp
from libc.string cimport memcpy

from fastnn._kernels import memory

from fastnn._kernels.launch cimport (
    MAX_NUMBERS, MAX_OPERANDS, Kernel, Operands, kernel_t, launch_elementwise, launch_flat)
from fastnn._kernels.recording cimport is_noting, numbers_of, touches, witness
from fastnn._kernels.runtime cimport empty
from fastnn.changes cimport (
    begin_change, check_apart, check_castable, check_change, note_change)
from fastnn.operands cimport (
    check_target, new_output, overlap_apart, prepare, same_shape, target_tensor)
from fastnn.tape cimport Node, TensorBase, is_recording, record, requires_grad, wrap

cnp.import_array()

# From this many elements on, the memory of a gradient that is used up takes the next one.
cdef Py_ssize_t WORTH_REUSE = 16384

cdef object _promote = None
cdef object _sum_to = None
cdef object _write_over = None


def bind(promote, sum_to, write_over):
    """Give the gate the rule of type promotion, and what it runs of the operations.

    ``sum_to`` undoes broadcasting; ``write_over`` writes a result of another type over a tensor.
    """
    global _promote, _sum_to, _write_over
    _promote, _sum_to, _write_over = promote, sum_to, write_over


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

    def compile_for(self, dtype):
        """Compile the kernel, and those of the derivatives, for a type that is computed in."""
        self.kernel.for_type(cnp.dtype(dtype).num)
        if not self.boolean_result:
            for index in range(self.arity):
                if not (self.boolean_inputs >> index) & 1 and self.derivative(index)[0] is not None:
                    (<Elementwise> self.derivative(index)[0]).kernel.for_type(
                        cnp.dtype(dtype).num)

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

    def into(self, tensor, *args, **kwargs):
        """Compute in place: ``tensor`` is the first input and receives the result."""
        cdef TensorBase target = target_tensor(self.name, tensor)
        cdef double numbers[MAX_NUMBERS]
        memcpy(numbers, self.defaults, sizeof(numbers))
        check_change(self.name, target, False)
        if kwargs and self.keyword_form is not None:
            return _write_over(self.name, target, self.keyword_form(target, *args, **kwargs))
        args = (target, *args)
        if kwargs or len(args) != self.arity:
            args = self._bind(args, kwargs, numbers)
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
                    flat = cnp.PyArray_IS_C_CONTIGUOUS(array) and same_shape(first, array)
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
        """Operands whose elements lie between the target's are copied, and so is what the
        derivative reads of it; a result of another type is converted where PyTorch does."""
        cdef int result_type = cnp.NPY_BOOL if self.boolean_result else typenum
        cdef list separate = list(inputs)
        cdef int index
        begin_change(self.name, target, recorded)
        for index in range(self.arity):
            if isinstance(inputs[index], TensorBase) and inputs[index] is not target:
                if overlap_apart((<TensorBase> inputs[index]).array, target.array):
                    check_apart(self.name, target.array, (<TensorBase> inputs[index]).array)
                    separate[index] = _copy_of(<TensorBase> inputs[index])
        if result_type != cnp.PyArray_TYPE(target.array):
            check_castable(self.name, result_type, target.array)
            return _write_over(self.name, target, self._run(
                inputs, numbers, typenum, None, recorded, False, None))
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
        if is_noting():
            _witness_all(inputs, target)
        if flat and target is None and self._all_tensors(inputs):
            result = empty(cnp.PyArray_NDIM(first), cnp.PyArray_DIMS(first), result_type)
            if is_noting():
                touches(result)
            data[0] = <char*> cnp.PyArray_DATA(result)
            for index in range(self.arity):
                data[index + 1] = <char*> cnp.PyArray_DATA((<TensorBase> inputs[index]).array)
            launch_flat(kernel, data, self.arity + 1, cnp.PyArray_SIZE(result), numbers)
        else:
            broadcast = prepare(self.name, inputs, typenum, &o, itemsizes, scalars)
            if target is None:
                result = new_output(inputs, &o, result_type)
            else:
                result = target.array
                check_target(self.name, result, &o)
            if is_noting():
                touches(result)
                _keep_scalars(&o, scalars, itemsizes)
            o.data[0] = <char*> cnp.PyArray_DATA(result)
            itemsizes[0] = cnp.PyArray_ITEMSIZE(result)
            for index in range(o.ndim):
                o.strides[0][index] = cnp.PyArray_STRIDE(result, index) // itemsizes[0]
            launch_elementwise(kernel, &o, itemsizes, numbers)
        output = wrap(result) if target is None else target
        if recorded and not self.boolean_result:
            self._record(output, inputs if originals is None else originals, numbers, broadcast)
        if target is not None:
            note_change(target, recorded)
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

    def vjp(self, Node node not None, TensorBase gradient not None):
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

    def saved_name(self, Node node not None, int index):
        """What the tensor is that was saved at ``index``, for messages."""
        cdef int mask = sum([1 << i for i in range(self.arity) if node.edges[i] is not None])
        return f"input {(<_Plan> self.plans[mask]).kept[index]}"

    cdef object _input_gradient(self, Node node, TensorBase gradient, dict values, int index):
        if not node.needs[index]:
            return None
        cdef Elementwise derivative
        derivative, names = self.derivative(index)
        if derivative is not None:
            factors = [values[name] for name in names]
            if node.needs.count(True) == 1:
                gradient = chained(node, derivative, gradient, *factors, *node.plan)
            else:
                gradient = derivative(gradient, *factors, *node.plan)
        if node.input_shapes is not None:
            gradient = _sum_to(gradient, node.input_shapes[index])
        return gradient


def chained(Node node not None, Elementwise derivative not None, TensorBase gradient not None,
            *factors):
    """The last use of a node's gradient: in its memory, where nobody else holds that."""
    if node.gradient_is_free and cnp.PyArray_SIZE(gradient.array) >= WORTH_REUSE:
        return derivative.into(gradient, *factors)
    return derivative(gradient, *factors)


cdef int _witness_all(tuple inputs, TensorBase target) except -1:
    for value in inputs:
        if isinstance(value, TensorBase):
            witness(value, (<TensorBase> value).array)
            touches((<TensorBase> value).array)
    if target is not None:
        witness(target, target.array)
    return 0


cdef int _keep_scalars(Operands* o, double* scalars, cnp.npy_intp* itemsizes) except -1:
    """Let the operands that are numbers lie in memory that a noted call can go on reading."""
    cdef double* kept = numbers_of(MAX_OPERANDS)
    cdef int index
    for index in range(1, o.count):
        if itemsizes[index] == 0:
            kept[index - 1] = scalars[index - 1]
            o.data[index] = <char*> (kept + index - 1)
    return 0


cdef TensorBase _copy_of(TensorBase tensor):
    """The tensor with memory of its own, at its place on the tape."""
    cdef TensorBase copy = wrap(memory.copy(tensor.array, "K"))
    copy.node = tensor.node
    return copy


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
