"""Run an example with PyTorch in fastnn's place: the same lines, networks, settings and steps.

    python -m bench.in_torch examples/gan.py --model mlp --out runs/gan/mlp-torch

Every ``import fastnn`` of the example gives PyTorch, but for the data sets, the writing of pictures
and the file format of weights. An example can be run so if its data become tensors by
``fastnn.from_numpy`` and nothing else.
"""

import runpy
import sys
from pathlib import Path
from types import ModuleType

import torch

# At the end of the path, so that an installed fastnn goes before the source tree.
ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [*(each for each in sys.path if Path(each).resolve() != ROOT), str(ROOT)]

import fastnn  # noqa: E402
import fastnn.audio.datasets  # noqa: E402
import fastnn.text.datasets  # noqa: E402
import fastnn.vision  # noqa: E402

OURS = ("audio", "text", "vision", "serialization")  # subpackages that stay fastnn's


def converted(value, kind, convert):
    """Nested dicts, lists and tuples with every tensor of ``kind`` converted."""
    if isinstance(value, kind):
        return convert(value)
    if isinstance(value, dict):
        return type(value)((key, converted(each, kind, convert)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(converted(each, kind, convert) for each in value)
    return value


def save(content, path):
    """Write what `fastnn.load` can read."""
    fastnn.save(converted(content, torch.Tensor,
                          lambda tensor: fastnn.tensor(tensor.detach().numpy())), path)


def load(path):
    """Read what `fastnn.save` wrote, with PyTorch's tensors."""
    return converted(fastnn.load(path), fastnn.Tensor,
                     lambda tensor: torch.from_numpy(tensor.numpy().copy()))


class Stand(ModuleType):
    """The module `fastnn` with PyTorch behind it."""

    def __getattr__(self, name):
        return getattr(torch, name)


def replace_fastnn():
    """Let imports of fastnn give PyTorch."""
    stand = Stand("fastnn")
    stand.__path__ = []
    stand.save, stand.load = save, load
    for name in OURS:
        setattr(stand, name, getattr(fastnn, name))
    for name, module in list(sys.modules.items()):
        if name.startswith("torch."):
            ours = "fastnn" + name.removeprefix("torch")
            if ours.split(".")[1] not in OURS:
                sys.modules[ours] = module
    sys.modules["fastnn"] = stand


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python -m bench.in_torch EXAMPLE [ARGUMENTS]")
    example = Path(sys.argv[1])
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(example.parent))
    replace_fastnn()
    torch.set_flush_denormal(True)  # as fastnn's kernels do
    runpy.run_path(str(example), run_name="__main__")


if __name__ == "__main__":
    main()
