"""Carry weights from PyTorch to fastnn and back, and show that the outputs are equal.

    python examples/from_pytorch.py --model lstm

PyTorch trains a network for a few steps and writes its state_dict as a safetensors file; fastnn
reads it into the same network and must compute the same outputs and gradients. Then fastnn trains
the network on and writes a file that PyTorch reads.

    python examples/from_pytorch.py --model lenet --weights lenet.safetensors

takes a file of yours. Without PyTorch it is read, used and written again by fastnn alone.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy
from experiment import Parser, Problem, launch
from mnist import lenet

import fastnn

STEPS = 5         # of training on either side
TOLERANCE = 1e-4  # of the largest output or gradient; float32 rounds each at 6e-8
WORDS = 50        # that texts are made of
CLASSES = 10


# Each network is written once, for the module `nn` of either framework.

def residual(nn):
    """Convolutions with batch norm, whose running mean and variance are buffers, around a skip."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16))
            self.branch = nn.Sequential(
                nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU(),
                nn.Conv2d(16, 16, 3, padding=1, groups=4), nn.GroupNorm(4, 16))
            self.head = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))

        def forward(self, images):
            images = self.stem(images)
            return self.head(images + self.branch(images))

    return Residual()


def lstm(nn):
    """Two recurrent layers that read in both directions."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(WORDS, 24)
            self.lstm = nn.LSTM(24, 32, num_layers=2, bidirectional=True, batch_first=True,
                                dropout=0.1)
            self.head = nn.Linear(64, CLASSES)

        def forward(self, words):
            states, _ = self.lstm(self.embedding(words))
            return self.head(states.mean(1))

    return Reader()


def transformer(nn):
    """Two encoder layers with the norm in front."""

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(WORDS, 32)
            layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, activation="gelu",
                                               batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(32),
                                                 enable_nested_tensor=False)
            self.head = nn.Linear(32, CLASSES)

        def forward(self, words):
            return self.head(self.encoder(self.embedding(words)).mean(1))

    return Encoder()


MODELS = {"lenet": lenet, "residual": residual, "lstm": lstm, "transformer": transformer}
IMAGES = {"lenet", "residual"}  # those that read images; the others read texts


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/from_pytorch", trains=False)
    parser.add_argument("--model", choices=MODELS, help="default: each in turn")
    parser.add_argument("--weights", type=Path, metavar="FILE",
                        help="a safetensors file with a state_dict of the network")
    return launch(parser, load, exchange, arguments)


def load(run):
    """The state_dict of the file of --weights, or None."""
    options = run.options
    if options.weights is None:
        return None
    if options.model is None:
        raise Problem("--weights: of which network? --model says it")
    state = fastnn.load(options.weights)
    try:
        MODELS[options.model](fastnn.nn).load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise Problem(f"{options.weights} is not of the network {options.model}: {error}") from None
    return state


def exchange(run, state):
    """Carry the weights of each network over and back, with PyTorch if it is installed."""
    if find_spec("torch") is None:
        print("PyTorch is not installed: fastnn reads and writes files, and nothing is compared")
        carry = carry_alone
    else:
        carry = carry_both_ways
    names = [run.options.model] if run.options.model else list(MODELS)
    run.write_report(networks={name: carry(run, name, state) for name in names})


def carry_alone(run, name, state):
    """Read the weights, compute outputs, write them: what can be done without PyTorch."""
    network = MODELS[name](fastnn.nn)
    if state is None:
        print(f"{name} ({described(network)}): new weights, since no file was given by --weights")
    else:
        network.load_state_dict(state)
        print(f"{name} ({described(network)}): read {run.options.weights}")
    outputs, _ = results(fastnn, network, *examples(name, run.options.seed))
    print("    the first outputs for made-up input are",
          " ".join(f"{value:.4f}" for value in outputs[0, :4]))
    path = run.out / f"{name}-from-fastnn.safetensors"
    fastnn.save(network.state_dict(), path)
    print(f"    wrote {path}, which PyTorch reads by")
    print(f"    network.load_state_dict(safetensors.torch.load_file({str(path)!r}))")
    return {"file": str(path), "outputs": outputs.tolist()}


def carry_both_ways(run, name, state):
    """From PyTorch to fastnn and back; the largest differences on both ways."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(run.options.seed)
    torch.set_num_threads(fastnn.get_num_threads())
    inputs, labels = examples(name, run.options.seed)
    theirs, ours = MODELS[name](torch.nn), MODELS[name](fastnn.nn)

    print(f"{name} ({described(ours)})")
    path = run.options.weights or run.out / f"{name}-from-pytorch.safetensors"
    if state is None:
        train(torch, theirs, inputs, labels)
        save_file(theirs.state_dict(), path)
    theirs.load_state_dict(load_file(path))
    ours.load_state_dict(fastnn.load(path))
    forth = compared(f"PyTorch > {path} > fastnn", theirs, ours, inputs, labels)

    path = run.out / f"{name}-from-fastnn.safetensors"
    train(fastnn, ours, inputs, labels)
    fastnn.save(ours.state_dict(), path)
    theirs.load_state_dict(load_file(path))
    back = compared(f"fastnn > {path} > PyTorch", theirs, ours, inputs, labels)
    return {"from_pytorch": forth, "from_fastnn": back}


def examples(name, seed):
    """Made-up images (8, 1, 28, 28) or texts (8, 20) and a class for each."""
    random = numpy.random.default_rng(seed)
    images = random.standard_normal((8, 1, 28, 28), dtype=numpy.float32)
    words = random.integers(0, WORDS, (8, 20))
    return images if name in IMAGES else words, random.integers(0, CLASSES, 8)


def train(framework, network, inputs, labels):
    """A few steps of Adam; the same lines for PyTorch and fastnn."""
    inputs, labels = framework.from_numpy(inputs), framework.from_numpy(labels)
    optimizer = framework.optim.Adam(network.parameters(), lr=0.01)
    network.train()
    for _ in range(STEPS):
        loss = framework.nn.functional.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def results(framework, network, inputs, labels):
    """The outputs, and the gradient of a loss by each parameter, without dropout."""
    network.eval()
    network.zero_grad()
    outputs = network(framework.from_numpy(inputs))
    loss = framework.nn.functional.cross_entropy(outputs, framework.from_numpy(labels))
    loss.backward()
    gradients = {key: parameter.grad.numpy() for key, parameter in network.named_parameters()}
    return outputs.detach().numpy(), gradients


def compared(way, theirs, ours, inputs, labels):
    """Say how far outputs and gradients of both networks differ; a Problem where they do."""
    import torch

    their_outputs, their_gradients = results(torch, theirs, inputs, labels)
    outputs, gradients = results(fastnn, ours, inputs, labels)
    figures = {
        "outputs": difference(outputs, their_outputs),
        "gradients": max(difference(gradients[key], their_gradients[key]) for key in gradients)}
    print(f"    {way}: outputs differ by {figures['outputs']:.1e} of the largest, "
          f"gradients by {figures['gradients']:.1e}")
    for kind, value in figures.items():
        if not value <= TOLERANCE:
            raise Problem(f"{way}: {kind} differ by {value:.1e} of the largest, "
                          f"more than {TOLERANCE:.0e}")
    return figures


def difference(found, wanted):
    """The largest difference as a share of the largest wanted value."""
    return float(numpy.abs(found - wanted).max() / max(numpy.abs(wanted).max(), 1e-30))


def described(network):
    sizes = [tensor.numel() for tensor in network.state_dict().values()]
    return f"{len(sizes)} tensors, {sum(sizes):,} numbers"


if __name__ == "__main__":
    sys.exit(main())
