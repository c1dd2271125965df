"""Generators against those who judge them."""

from itertools import pairwise

from ..adversarial import JUDGE, LAYERS, NOISE, PENALTY
from .task import Task


def _convolutional(library):
    nn = library.nn
    generator = nn.Sequential(
        nn.Linear(NOISE, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    return [generator, discriminator]


def _dense(library):
    nn = library.nn
    generator = []
    for inputs, outputs in pairwise(LAYERS[:-1]):
        generator += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)]
        generator += [nn.LeakyReLU(0.2)]
    generator += [nn.Linear(*LAYERS[-2:]), nn.Tanh()]
    judge = []
    for inputs, outputs in pairwise(JUDGE):
        judge += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return [nn.Sequential(*generator), nn.Sequential(*judge[:-1])]


def _entropies(library, workload, generator, discriminator):
    judge = library.nn.functional.binary_cross_entropy_with_logits
    ones = library.ones(workload.batch, 1)
    zeros = library.zeros(workload.batch, 1)

    def discriminator_loss(images, fakes):
        return judge(discriminator(images), ones) + judge(discriminator(fakes), zeros)

    def generator_loss(fakes):
        return judge(discriminator(fakes), ones)

    return [generator_loss, discriminator_loss]


def _distances(library, workload, generator, critic):
    """Wasserstein losses; the critic's slope between images and fakes is to be 1."""

    def slopes(mixed):
        mixed = mixed.requires_grad_()
        scores = critic(mixed).sum()
        (gradient,) = library.autograd.grad(scores, mixed, create_graph=True)
        return gradient.flatten(1).norm(dim=1)

    def critic_loss(images, fakes, shares):
        mixed = fakes + shares * (images - fakes)
        penalty = ((slopes(mixed) - 1) ** 2).mean()
        return critic(fakes).mean() - critic(images).mean() + PENALTY * penalty

    def generator_loss(fakes):
        return -critic(fakes).mean()

    return [generator_loss, critic_loss]


def _alternate_step(library, nets, loss_functions, updates, batch):
    """One step of the discriminator, then one of the generator, from the same fake images.

    The generator's turn asks for its own gradients alone, as the other libraries do.
    """
    generator, discriminator = nets
    generator_loss, discriminator_loss = loss_functions
    images, noise, *rest = batch
    own, others = list(generator.parameters()), list(discriminator.parameters())

    def learn(loss, parameters, update):
        update.zero_grad()
        # Not `autograd.grad`: gradients assigned by hand may have other strides than their
        # parameters, and PyTorch's fused Adam then pairs the wrong elements without a word.
        loss.backward(inputs=parameters)
        update.step()

    def step():
        fakes = generator(noise)
        loss = discriminator_loss(images, fakes.detach(), *rest)
        learn(loss, others, updates[1])
        learn(generator_loss(fakes), own, updates[0])
        return loss

    return step


TASKS = {
    "dcgan": Task(_convolutional, _entropies, _alternate_step),
    "mlp-gan": Task(_dense, _entropies, _alternate_step),
    "wgan-gp": Task(_convolutional, _distances, _alternate_step),
}
