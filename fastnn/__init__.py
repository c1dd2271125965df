"""fastnn: deep learning on CPUs, with PyTorch's interface and kernels of its own."""

try:
    from . import op as _compiled  # noqa: F401
except ImportError as error:
    if "FASTNN_ISA" in str(error):
        raise
    raise ImportError(
        f"fastnn's kernels are not compiled in {__path__[0]} ({error}). This is the source tree: "
        "run `pip install .` there and start Python in another folder, or compile in place with "
        "`python setup.py build_ext --inplace`.") from error

from . import (
    autograd,
    compiler,
    cuda,
    linalg,
    nn,
    ops,  # noqa: F401  fills the registry
    optim,
    threads,
    utils,
)
from .autograd import (
    enable_grad,
    inference_mode,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .compiler import compile
from .config import show_config
from .device import device
from .dtypes import (
    bool_ as bool,
)
from .dtypes import (
    finfo,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from .elementwise import elementwise
from .generator import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .ops.shape import FORMATS
from .printing import set_printoptions
from .registry import in_place
from .serialization import load, save
from .tape import is_grad_enabled
from .tensor import Size, Tensor
from .threads import get_num_threads, set_num_threads
from .warmup import warmup

float = float32
double = float64
long = int64
int = int32

contiguous_format, preserve_format, channels_last = FORMATS

globals().update(in_place("fastnn"))


def __getattr__(name):
    if name == "__version__":
        from .config import version

        return version()
    raise AttributeError(f"fastnn has no {name!r}; PyTorch's functions that it does not offer "
                         "are absent, never approximated")
