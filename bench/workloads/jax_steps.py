"""Training steps of JAX: one jitted function for the whole step, its state donated."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from . import WORKLOADS
from .program import Program

VERSION = jax.__version__


def prepare(threads, options):
    """The number of threads follows from the affinity of the process, which JAX honours."""
    jax.config.update("jax_cpu_enable_async_dispatch", "synchronous" not in options)


def build(name, options):
    """The step of workload `name`.

    Options: `channels_first` (default: channels last), `reduce_window` (max-pooling by
    `lax.reduce_window` instead of a maximum over reshaped blocks), `synchronous` (no asynchronous
    dispatch).
    """
    workload = WORKLOADS[name]
    layers = Layers("channels_first" in options, "reduce_window" in options)
    channels_last = not layers.channels_first
    nets = tuple(tuple(map(jnp.asarray, net)) for net in workload.start(channels_last))
    batch = [jax.device_put(array) for array in workload.inputs(channels_last)]
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


class Layers:
    """The layers' functions for one memory layout."""

    def __init__(self, channels_first, reduce_window):
        self.channels_first, self.reduce_window = channels_first, reduce_window
        self.dimensions = ("NCHW", "OIHW", "NCHW") if channels_first else ("NHWC", "HWIO", "NHWC")

    def linear(self, x, weight, bias=0.0):
        return x @ (weight.T if self.channels_first else weight) + bias

    def per_channel(self, vector):
        return vector[:, None, None] if self.channels_first else vector

    def convolution(self, x, weight, bias, padding=0, stride=1):
        y = lax.conv_general_dilated(
            x,
            weight,
            (stride, stride),
            [(padding, padding)] * 2,
            dimension_numbers=self.dimensions,
        )
        return y + self.per_channel(bias)

    def transposed_convolution(self, x, weight):
        """Kernel 4, stride 2, padding 1."""
        return lax.conv_transpose(
            x,
            weight,
            (2, 2),
            [(2, 2)] * 2,
            dimension_numbers=self.dimensions,
            transpose_kernel=True,
        )

    def max_pool(self, x):
        if self.reduce_window:
            window = (1, 1, 2, 2) if self.channels_first else (1, 2, 2, 1)
            return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        a, b, c, d = x.shape
        if self.channels_first:
            return x.reshape(a, b, c // 2, 2, d // 2, 2).max((3, 5))
        return x.reshape(a, b // 2, 2, c // 2, 2, d).max((2, 4))

    def batch_norm(self, x, scale, shift, running):
        """The normalised batch, and the running mean and variance after it."""
        axes = (0, 2, 3) if self.channels_first else (0, 1, 2)
        mean = x.mean(axes)
        variance = jnp.maximum((x * x).mean(axes) - mean * mean, 0)
        factor = scale * lax.rsqrt(variance + 1e-5)
        y = x * self.per_channel(factor) + self.per_channel(shift - mean * factor)
        size = x.size // x.shape[1 if self.channels_first else 3]
        unbiased = variance * (size / (size - 1))
        running = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * unbiased)
        return y, running


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
    shape = (128, 7, 7) if layers.channels_first else (7, 7, 128)
    x = layers.linear(noise, w).reshape(-1, *shape)
    x, first = layers.batch_norm(x, s1, t1, running[0])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k2)
    x, second = layers.batch_norm(x, s2, t2, running[1])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k3)
    return jnp.tanh(x + layers.per_channel(c3)), (first, second)


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
