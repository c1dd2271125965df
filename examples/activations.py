"""Compare activations: shallow and deep networks, dense and convolutional, with each of them.

    python examples/activations.py --custom 'x * tanh(x)'

Every network is trained for a few hundred steps on a part of MNIST, with and without batch norm.
One picture and one JSON file show how the losses fall, how well each network does on the test
images, how many of its units are dead, how the gradient changes on its way through the layers, and
what a step takes. Beside ReLU with batch norm stands the self-normalising network: SELU, weights
after LeCun, alpha dropout.
"""

import sys
import time
from dataclasses import dataclass

import numpy
from activations_report import write_report
from experiment import Parser, Problem, launch, positive
from mnist import DATASETS, digits

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.vision.datasets import Digits

DEPTHS = {"shallow": 2, "deep": 20}  # hidden layers
UNITS = 100          # of a dense layer
CHANNELS = 16        # of a convolution
ALPHA_DROPOUT = 0.05  # G. Klambauer et al., "Self-normalizing neural networks", NIPS (2017)
LEARNING_RATE = 0.001
BATCH = 64
STEPS_AT_A_TIME = 10  # whose mean loss is a point of the curve
DEAD = 0.001          # a unit whose slope is nowhere above this learns nothing


@dataclass(frozen=True)
class Activation:
    """A layer, and the rule for initial weights that it goes with.

    "relu" stands for weights of variance 2 / inputs, which keep the signal's size where half of the
    units are silent (K. He et al., 2015); "linear" for 1 / inputs (Y. LeCun et al., 1998).
    """

    layer: object
    weights: str = "relu"


ACTIVATIONS = {
    "relu": Activation(nn.ReLU),
    "leaky relu": Activation(nn.LeakyReLU),
    "elu": Activation(nn.ELU),
    "selu": Activation(nn.SELU, "linear"),
    "swish": Activation(nn.SiLU),
    "mish": Activation(nn.Mish),
    "gelu": Activation(nn.GELU),
    "softsign": Activation(nn.Softsign, "linear"),
    "softplus": Activation(nn.Softplus, "linear"),
    "tanh": Activation(nn.Tanh, "linear"),
    "sigmoid": Activation(nn.Sigmoid, "linear"),
    "linear": Activation(nn.Identity, "linear"),
}
SMOKE_ACTIVATIONS = ["relu", "selu", "sigmoid"]


class Custom(nn.Module):
    """The user's own."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def dense(depth, block):
    layers = [nn.Flatten()]
    for inputs in [784] + [UNITS] * (depth - 1):
        layers += [nn.Linear(inputs, UNITS), *block(nn.BatchNorm1d, UNITS)]
    return nn.Sequential(*layers, nn.Linear(UNITS, 10))


def convolutional(depth, block):
    """The first two convolutions halve the image's sides, to 7 x 7."""
    layers = []
    for number in range(depth):
        layers += [nn.Conv2d(CHANNELS if number else 1, CHANNELS, 3, padding=1,
                             stride=2 if number < 2 else 1),
                   *block(nn.BatchNorm2d, CHANNELS)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(49 * CHANNELS, 10))


NETWORKS = {"dense": dense, "convolutional": convolutional}


def make(configuration, activations):
    """The network of a configuration with initial weights, and its activations."""
    activation = activations[configuration["activation"]]
    used = []

    def block(norm, width):
        """What follows a linear layer or a convolution."""
        used.append(activation.layer())
        norms = [norm(width)] if configuration["batch_norm"] else []
        dropouts = [nn.AlphaDropout(ALPHA_DROPOUT)] if configuration["alpha_dropout"] else []
        return [*norms, used[-1], *dropouts]

    model = NETWORKS[configuration["network"]](DEPTHS[configuration["depth"]], block)
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity=activation.weights)
            nn.init.zeros_(layer.bias)
    return model, used


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/activations")
    parser.add_argument("--smoke", action="store_true", help="few activations, images and steps")
    parser.add_argument("--dataset", choices=DATASETS, default="mnist")
    parser.add_argument("--activations", nargs="+", choices=ACTIVATIONS, metavar="NAME",
                        help=f"default: all of {', '.join(ACTIVATIONS)}")
    parser.add_argument("--custom", metavar="EXPRESSION",
                        help="one more, such as 'x * tanh(x)'")
    parser.add_argument("--steps", type=positive, help="of training; default: 300")
    return launch(parser, load, train, arguments)


def load(run):
    """The activations to compare, and training and test images with their labels."""
    options = run.options
    options.steps = options.steps or (6 if options.smoke else 300)
    options.activations = options.activations or (
        SMOKE_ACTIVATIONS if options.smoke else list(ACTIVATIONS))
    activations = {name: ACTIVATIONS[name] for name in options.activations}
    if options.custom is not None:
        operation = custom(options.custom)
        activations[options.custom] = Activation(lambda: Custom(operation))
    kind = DATASETS[options.dataset]
    parts = digits() if kind is Digits else [
        kind(options.data_dir, train=is_training, download=True) for is_training in (True, False)]
    counts = (500, 200) if options.smoke else (10_000, 2000)
    images = [part.data.numpy()[:count, None].astype(numpy.float32)
              for part, count in zip(parts, counts, strict=True)]
    mean, deviation = images[0].mean(), images[0].std()
    return activations, [((each - mean) / deviation, part.targets.numpy()[:len(each)])
                         for each, part in zip(images, parts, strict=True)]


def custom(text):
    """The operation that an expression of one variable describes."""
    try:
        operation = fastnn.elementwise(text, name="custom")
        x = fastnn.linspace(-3, 3, 7, requires_grad=True)
        if len(operation.formula.inputs) != 1:
            raise TypeError(f"there is more than one variable in {text!r}")
        result = operation(x)
        if result.dtype != x.dtype:
            raise TypeError(f"{text!r} is true or false, not a number")
        result.sum().backward()
    except (TypeError, RecursionError) as error:
        raise Problem(f"--custom: {error}") from None
    return operation


def configurations(activations):
    """Every network with every activation, and the self-normalising ones."""
    shapes = [{"network": network, "depth": depth} for network in NETWORKS for depth in DEPTHS]
    plain = [{"activation": name, **shape, "batch_norm": batch_norm, "alpha_dropout": False}
             for name in activations for shape in shapes for batch_norm in (False, True)]
    normalising = [{"activation": "selu", **shape, "batch_norm": False, "alpha_dropout": True}
                   for shape in shapes if "selu" in activations]
    return plain + normalising


def train(run, data):
    """Train and measure one network after the other; each is an "epoch" of the run."""
    activations, (training, test) = data
    todo = configurations(activations)
    run.options.epochs = min(run.options.epochs or len(todo), len(todo))
    run.keep()
    for number in run.epochs():
        configuration = todo[number - 1]
        fastnn.manual_seed(run.options.seed)  # the same for all, in whatever order they come
        model, used = make(configuration, activations)
        before = gradient_norms(model, training)
        losses, middles, milliseconds = fit(run, model, training)
        run.record(**configuration, loss=losses[-1], accuracy=accuracy(model, test),
                   **of_units(model, used, test[0][:500]),
                   milliseconds_per_step=milliseconds,
                   losses=losses, steps=middles,
                   gradients_at_start=before, gradients_at_end=gradient_norms(model, training))
    write_report(run, activations)


def fit(run, model, training):
    """Train; the mean losses of every few steps, the middles of these, and the least step time."""
    options, (images, labels) = run.options, training
    random = numpy.random.default_rng(options.seed)
    optimizer = Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()
    losses, seconds = [], []
    for _ in run.progress(range(options.steps), unit=" steps"):
        chosen = random.integers(0, len(images), BATCH)
        inputs, targets = fastnn.from_numpy(images[chosen]), fastnn.from_numpy(labels[chosen])
        start = time.perf_counter()
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    parts = [numpy.arange(options.steps)[start:start + STEPS_AT_A_TIME]
             for start in range(0, options.steps, STEPS_AT_A_TIME)]
    return ([finite(numpy.mean([losses[step] for step in part])) for part in parts],
            [float(part.mean() + 1) for part in parts],
            1000 * min(seconds))


def accuracy(model, test):
    """The share of test images whose class is found."""
    images, labels = test
    model.eval()
    with fastnn.no_grad():
        outputs = model(fastnn.from_numpy(images)).numpy()
    return float((outputs.argmax(1) == labels).mean())


def gradient_norms(model, training):
    """The norm of the loss's gradient by the weights of each hidden layer, first to last."""
    images, labels = (fastnn.from_numpy(each[:256]) for each in training)
    model.train()
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return [finite(layer.weight.grad.norm().item()) for layer in layers[:-1]]


def of_units(model, used, images):
    """The share of dead units, and the mean and deviation of what each layer gives out.

    A unit (of a convolution: a channel) is dead if the slope of its activation is at no image and
    no place above a thousandth: what a ReLU gets is never positive, a sigmoid is at its ends.
    """
    inputs = []
    hooks = [layer.register_forward_hook(lambda layer, given, result: inputs.append(given[0]))
             for layer in used]
    model.eval()
    with fastnn.no_grad():
        model(fastnn.from_numpy(images))
    for hook in hooks:
        hook.remove()
    dead, means, deviations = [], [], []
    for layer, given in zip(used, inputs, strict=True):
        given = given.detach().requires_grad_()
        result = layer(given)
        result.sum().backward()
        slopes = abs(given.grad.numpy())
        others = tuple(axis for axis in range(slopes.ndim) if axis != 1)
        dead.append(~(slopes.max(axis=others) > DEAD))
        means.append(finite(result.detach().numpy().mean()))
        deviations.append(finite(result.detach().numpy().std()))
    return {"dead_units": float(numpy.concatenate(dead).mean()),
            "means": means, "deviations": deviations}


def finite(value):
    """The number, or None for what JSON has no number for."""
    return float(value) if numpy.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(main())
