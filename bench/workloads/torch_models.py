"""The five training steps in PyTorch's interface, written once and run by PyTorch and by fastnn.

Each function takes `library`, the module `torch` or `fastnn`.
"""

from . import WORKLOADS


def networks(library, name):
    """The untrained networks of a workload, in the order of `Workload.networks`."""
    nn = library.nn
    return [nn.Sequential(*layers) for layers in _LAYERS[name](nn)]


def _mlp(nn):
    return [
        [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)],
    ]


def _lenet(nn):
    features = [
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    ]
    classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return [features + classifier]


def _cnn(nn):
    features = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    ]
    return [features + classifier]


def _dcgan(nn):
    generator = [
        nn.Linear(100, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    ]
    discriminator = [
        nn.Conv2d(1, 64, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    ]
    return [generator, discriminator]


def _tiny(nn):
    return [[nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1)]]


_LAYERS = {"mlp": _mlp, "lenet": _lenet, "cnn": _cnn, "dcgan": _dcgan, "tiny": _tiny}


def load(library, network, arrays):
    """Put `arrays`, in the order of `network.parameters()`, into the network."""
    state = dict(network.state_dict())
    names = [name for name, _ in network.named_parameters()]
    state.update((name, library.tensor(a)) for name, a in zip(names, arrays, strict=True))
    network.load_state_dict(state)


def optimizers(library, name, nets, **options):
    """One optimizer for each network."""
    workload = WORKLOADS[name]
    if workload.optimizer == "Adam":
        options["betas"] = workload.betas
    kind = getattr(library.optim, workload.optimizer)
    return [kind(net.parameters(), lr=workload.learning_rate, **options) for net in nets]


def losses(library, name, nets):
    """The functions that turn a batch into the loss that each optimizer lowers."""
    functional = library.nn.functional
    if name == "dcgan":
        return _adversarial_losses(library, *nets)
    (network,) = nets
    measure = functional.mse_loss if name == "tiny" else functional.cross_entropy
    return [lambda inputs, targets: measure(network(inputs), targets)]


def _adversarial_losses(library, generator, discriminator):
    judge = library.nn.functional.binary_cross_entropy_with_logits
    ones = library.ones(WORKLOADS["dcgan"].batch, 1)
    zeros = library.zeros(WORKLOADS["dcgan"].batch, 1)

    def discriminator_loss(images, fakes):
        return judge(discriminator(images), ones) + judge(discriminator(fakes), zeros)

    def generator_loss(fakes):
        return judge(discriminator(fakes), ones)

    return [generator_loss, discriminator_loss]


def training_step(name, nets, loss_functions, updates, batch):
    """A function without arguments that runs one step and returns its loss."""
    if name == "dcgan":
        return _adversarial_step(nets, loss_functions, updates, batch)
    (loss_function,), (update,), (inputs, targets) = loss_functions, updates, batch

    def step():
        update.zero_grad()
        loss = loss_function(inputs, targets)
        loss.backward()
        update.step()
        return loss

    return step


def _adversarial_step(nets, loss_functions, updates, batch):
    """One step of the discriminator, then one of the generator, from the same fake images.

    The generator's turn asks for its own gradients alone, as the other libraries do.
    """
    generator, discriminator = nets
    generator_loss, discriminator_loss = loss_functions
    images, noise = batch
    own, others = list(generator.parameters()), list(discriminator.parameters())

    def learn(loss, parameters, update):
        update.zero_grad()
        # Not `autograd.grad`: gradients assigned by hand may have other strides than their
        # parameters, and PyTorch's fused Adam then pairs the wrong elements without a word.
        loss.backward(inputs=parameters)
        update.step()

    def step():
        fakes = generator(noise)
        loss = discriminator_loss(images, fakes.detach())
        learn(loss, others, updates[1])
        learn(generator_loss(fakes), own, updates[0])
        return loss

    return step
