"""Training steps of JAX: one jitted function for the whole step, its state donated."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from . import WORKLOADS
from .jax_layers import Layers, ProductLayers
from .program import Program

VERSION = jax.__version__


def prepare(threads, options):
    """The number of threads follows from the affinity of the process, which JAX honours."""
    jax.config.update("jax_cpu_enable_async_dispatch", "synchronous" not in options)


def build(name, options):
    """The step of workload `name`.

    Options: `products` (convolutions as matrix products), `synchronous` (no asynchronous dispatch).
    """
    workload = WORKLOADS[name]
    layers = ProductLayers() if "products" in options else Layers()
    nets = tuple(tuple(map(jnp.asarray, net)) for net in workload.start(channels_last=True))
    batch = [jax.device_put(array) for array in workload.inputs(channels_last=True)]
    parameters = sum(array.size for net in nets for array in net)
    state = _start(workload, nets)
    body = _adversarial_step if name == "dcgan" else _step
    compiled = jax.jit(partial(body, workload, layers), donate_argnums=0)
    return Program(_Loop(compiled, state, batch), float, parameters)


class _Loop:
    """Calls the compiled step with the state that the last call returned."""

    def __init__(self, compiled, state, batch):
        self.compiled, self.state, self.batch = compiled, state, batch

    def __call__(self):
        self.state, loss = self.compiled(self.state, *self.batch)
        return loss


def _start(workload, nets):
    state = {"nets": nets}
    if workload.optimizer == "Adam":
        state["moments"] = tuple(_zero_moments(net) for net in nets)
        state["count"] = jnp.zeros((), jnp.int32)
    if workload.random:
        state["key"] = jax.random.key(0, impl="unsafe_rbg")  # threefry is slow on a CPU
    if workload.name == "dcgan":
        state["running"] = tuple((jnp.zeros(c), jnp.ones(c)) for c in (128, 64))
    return state


def _zero_moments(net):
    return tuple((jnp.zeros_like(array), jnp.zeros_like(array)) for array in net)


def _flatten(x):
    return x.reshape(len(x), -1)


def _dropout(x, key, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def _mlp(layers, net, x, key):
    w1, b1, w2, b2, w3, b3 = net
    x = jax.nn.relu(layers.linear(x, w1, b1))
    x = jax.nn.relu(layers.linear(x, w2, b2))
    return layers.linear(x, w3, b3)


def _lenet(layers, net, x, key):
    k1, c1, k2, c2, *classifier = net
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k1, c1, padding=2)))
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k2, c2)))
    return _mlp(layers, classifier, _flatten(x), key)


def _cnn(layers, net, x, key):
    k1, c1, k2, c2, w1, b1, w2, b2 = net
    first, second = jax.random.split(key)
    x = jax.nn.relu(layers.convolution(x, k1, c1))
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k2, c2)))
    x = _flatten(_dropout(x, first, 0.25))
    x = _dropout(jax.nn.relu(layers.linear(x, w1, b1)), second, 0.5)
    return layers.linear(x, w2, b2)


def _tiny(layers, net, x, key):
    w1, b1, w2, b2 = net
    return layers.linear(jnp.tanh(layers.linear(x, w1, b1)), w2, b2)


_FORWARD = {"mlp": _mlp, "lenet": _lenet, "cnn": _cnn, "tiny": _tiny}


def _cross_entropy(logits, labels):
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
    return -chosen.mean()


def _squared_error(y, targets):
    return ((y - targets) ** 2).mean()


def _loss(workload, layers, net, x, targets, key):
    measure = _squared_error if workload.name == "tiny" else _cross_entropy
    return measure(_FORWARD[workload.name](layers, net, x, key), targets)


def _step(workload, layers, state, x, targets):
    (net,), key, rest = state["nets"], None, {}
    if workload.random:
        rest["key"], key = jax.random.split(state["key"])
    loss, gradients = jax.value_and_grad(partial(_loss, workload, layers))(net, x, targets, key)
    if workload.optimizer == "SGD":
        rate = workload.learning_rate
        net = tuple(p - rate * g for p, g in zip(net, gradients, strict=True))
        return {"nets": (net,)}, loss
    count = state["count"] + 1
    net, moments = _adam(workload, net, state["moments"][0], gradients, count)
    return {"nets": (net,), "moments": (moments,), "count": count, **rest}, loss


def _adam(workload, net, moments, gradients, count):
    first, second = workload.betas
    rate = workload.learning_rate / (1 - first**count)
    correction = lax.rsqrt(1 - second**count)

    def update(parameter, moment, gradient):
        m = first * moment[0] + (1 - first) * gradient
        v = second * moment[1] + (1 - second) * gradient * gradient
        return parameter - rate * m / (jnp.sqrt(v) * correction + 1e-8), (m, v)

    return tuple(zip(*map(update, net, moments, gradients), strict=True))


def _generate(layers, running, net, noise):
    w, s1, t1, k2, s2, t2, k3, c3 = net
    x = layers.linear(noise, w).reshape(-1, 7, 7, 128)
    x, first = layers.batch_norm(x, s1, t1, running[0])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k2)
    x, second = layers.batch_norm(x, s2, t2, running[1])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k3)
    return jnp.tanh(x + c3), (first, second)


def _judge(layers, net, x):
    k1, c1, k2, c2, w, b = net
    x = jax.nn.leaky_relu(layers.convolution(x, k1, c1, padding=1, stride=2), 0.2)
    x = jax.nn.leaky_relu(layers.convolution(x, k2, c2, padding=1, stride=2), 0.2)
    return layers.linear(_flatten(x), w, b)


def _adversarial_step(workload, layers, state, images, noise):
    """Both losses share one forward of the generator, whose gradient is taken by `vjp`."""
    generator, discriminator = state["nets"]
    count = state["count"] + 1
    generate = partial(_generate, layers, state["running"])
    fakes, backward, running = jax.vjp(lambda net: generate(net, noise), generator, has_aux=True)

    def discriminator_loss(net):
        real, fake = _judge(layers, net, images), _judge(layers, net, fakes)
        return jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()

    loss, gradients = jax.value_and_grad(discriminator_loss)(discriminator)
    discriminator, others = _adam(workload, discriminator, state["moments"][1], gradients, count)
    upstream = jax.grad(lambda x: jax.nn.softplus(-_judge(layers, discriminator, x)).mean())(fakes)
    (gradients,) = backward(upstream)
    generator, own = _adam(workload, generator, state["moments"][0], gradients, count)
    nets, moments = (generator, discriminator), (own, others)
    return {"nets": nets, "moments": moments, "count": count, "running": running}, loss
