"""Training steps of JAX: one jitted function for the whole step, its state donated."""

from functools import partial

import jax
import jax.numpy as jnp

from . import WORKLOADS, jax_adversarial, jax_classifiers, jax_segmentation, jax_sequences
from .jax_layers import Layers, ProductLayers
from .jax_updates import adam, sgd, zero_moments
from .program import Program

VERSION = jax.__version__
_LOSSES = jax_classifiers.LOSSES | jax_sequences.LOSSES | jax_segmentation.LOSSES
_STARTS = (
    jax_classifiers.STARTS
    | jax_sequences.STARTS
    | jax_segmentation.STARTS
    | dict.fromkeys(jax_adversarial.NAMES, jax_adversarial.running)
)


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
    body = jax_adversarial.step if name in jax_adversarial.NAMES else _step
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
    """Weights, moments and count of the optimizer, and what else a step hands to the next."""
    rest = _STARTS.get(workload.name, lambda workload: ())(workload)
    state = {"nets": nets, "rest": rest}
    if workload.optimizer != "SGD":
        state["moments"] = tuple(map(zero_moments, nets))
        state["count"] = jnp.zeros((), jnp.int32)
    return state


def _step(workload, layers, state, *batch):
    (net,) = state["nets"]
    measure = partial(_LOSSES[workload.name], layers)
    differentiate = jax.value_and_grad(measure, has_aux=True)
    (loss, rest), gradients = differentiate(net, state["rest"], *batch)
    if workload.optimizer == "SGD":
        return {"nets": (sgd(workload, net, gradients),), "rest": rest}, loss
    count = state["count"] + 1
    net, moments = adam(workload, net, state["moments"][0], gradients, count)
    return {"nets": (net,), "moments": (moments,), "count": count, "rest": rest}, loss
