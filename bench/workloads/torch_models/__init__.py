"""The training steps in PyTorch's interface, written once and run by PyTorch and by fastnn.

Functions take `library`, the module `torch` or `fastnn`.
"""

from .. import WORKLOADS
from . import adversarial, classifiers, segmentation, sequences

_TASKS = adversarial.TASKS | classifiers.TASKS | segmentation.TASKS | sequences.TASKS


def load(library, network, arrays):
    """Put `arrays`, in the order of `network.parameters()`, into the network."""
    state = dict(network.state_dict())
    names = [name for name, _ in network.named_parameters()]
    state.update((name, library.tensor(a)) for name, a in zip(names, arrays, strict=True))
    network.load_state_dict(state)


def networks(library, name):
    """The networks of a workload with their starting weights, in the order of `Workload`."""
    nets = _TASKS[name].networks(library)
    for net, arrays in zip(nets, WORKLOADS[name].start(), strict=True):
        load(library, net, arrays)
    return nets


def optimizers(library, name, nets, **options):
    """One optimizer for each network."""
    workload = WORKLOADS[name]
    if workload.optimizer != "SGD":
        options["betas"] = workload.betas
    if workload.decay:
        options["weight_decay"] = workload.decay
    kind = getattr(library.optim, workload.optimizer)
    return [kind(net.parameters(), lr=workload.learning_rate, **options) for net in nets]


def losses(library, name, nets):
    """The functions that turn a batch into the loss that each optimizer lowers."""
    return _TASKS[name].losses(library, WORKLOADS[name], *nets)


def training_step(library, name, nets, loss_functions, updates, batch):
    """A function without arguments that runs one step and returns its loss."""
    return _TASKS[name].step(library, nets, loss_functions, updates, batch)
