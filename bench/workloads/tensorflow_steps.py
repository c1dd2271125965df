"""Training steps of TensorFlow: `tf.function` over plain operations or Keras layers, NHWC."""

import tensorflow as tf

from . import WORKLOADS, tensorflow_networks
from .adversarial import PENALTY
from .program import Program

VERSION = tf.__version__


def prepare(threads, options):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def build(name, options):
    """The step of workload `name`.

    Options: `keras` (layers and optimizers of Keras instead of plain operations and the raw
    optimizer kernels), `xla` (`jit_compile=True`).
    """
    workload = WORKLOADS[name]
    if "keras" in options:
        from . import keras_networks

        nets = keras_networks.networks(workload)
        updates = keras_networks.optimizers(workload, nets)
    else:
        nets = tensorflow_networks.networks(workload)
        updates = [_Update(workload, net.trainable_variables) for net in nets]
    batch = [tf.constant(array) for array in workload.inputs(channels_last=True)]
    step = _adversarial_step(name, nets, updates) if len(nets) > 1 else _step(name, nets, updates)
    compiled = tf.function(step, jit_compile="xla" in options or None)
    parameters = sum(int(tf.size(v)) for net in nets for v in net.trainable_variables)
    return Program(lambda: compiled(*batch), float, parameters)


class _Update:
    """SGD or Adam by TensorFlow's fused kernels, one call for each variable."""

    def __init__(self, workload, variables):
        self.rate = workload.learning_rate
        self.betas = workload.betas if workload.optimizer != "SGD" else None
        self.kept = 1 - workload.learning_rate * workload.decay
        self.moments = [[tf.Variable(tf.zeros_like(v)) for _ in range(2)] for v in variables]
        self.powers = [tf.Variable(beta) for beta in workload.betas]

    def apply(self, gradients, variables):
        if self.betas is None:
            for gradient, variable in zip(gradients, variables, strict=True):
                variable.assign_sub(self.rate * gradient)
            return
        for gradient, variable, moments in zip(gradients, variables, self.moments, strict=True):
            self._adam(gradient, variable, *moments)
        for power, beta in zip(self.powers, self.betas, strict=True):
            power.assign(power * beta)

    def _adam(self, gradient, variable, first, second):
        if self.kept != 1:
            variable.assign(variable * self.kept)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=self.powers[0],
            beta2_power=self.powers[1],
            lr=self.rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            epsilon=1e-8,
            grad=tf.convert_to_tensor(gradient),  # of rows looked up it is sparse
        )


def _step(name, nets, updates):
    (net,), (update,) = nets, updates

    def measure(y, targets):
        if name == "tiny":
            return tf.reduce_mean((y - targets) ** 2)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=y)
        return tf.reduce_mean(losses)

    def step(inputs, targets):
        with tf.GradientTape() as tape:
            loss = measure(net(inputs, training=True), targets)
        update.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return loss

    return step


def _judgement(logits, target):
    targets = tf.fill(tf.shape(logits), target)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    return tf.reduce_mean(losses)


def _entropies(discriminator):
    """The losses of the generator and of the discriminator."""

    def of_discriminator(images, fakes):
        real, fake = discriminator(images, training=True), discriminator(fakes, training=True)
        return _judgement(real, 1.0) + _judgement(fake, 0.0)

    return lambda fakes: _judgement(discriminator(fakes, training=True), 1.0), of_discriminator


def _distances(critic):
    """The losses of the generator and of a critic whose slope is to be 1."""

    def of_critic(images, fakes, shares):
        mixed = fakes + shares * (images - fakes)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = tf.reduce_sum(critic(mixed, training=True))
        slopes = tape.gradient(scores, mixed)
        norms = tf.sqrt(tf.reduce_sum(slopes * slopes, (1, 2, 3)))
        real, fake = critic(images, training=True), critic(fakes, training=True)
        penalty = tf.reduce_mean((norms - 1) ** 2)
        return tf.reduce_mean(fake) - tf.reduce_mean(real) + PENALTY * penalty

    return lambda fakes: -tf.reduce_mean(critic(fakes, training=True)), of_critic


def _adversarial_step(name, nets, updates):
    """The generator's gradient continues the tape of its forward from the discriminator's."""
    generator, discriminator = nets
    own, others = generator.trainable_variables, discriminator.trainable_variables
    losses = _distances if name == "wgan-gp" else _entropies
    of_generator, of_discriminator = losses(discriminator)

    def step(images, noise, *rest):
        with tf.GradientTape() as forward:
            fakes = generator(noise, training=True)
        with tf.GradientTape() as tape:
            loss = of_discriminator(images, fakes, *rest)
        updates[1].apply(tape.gradient(loss, others), others)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fakes)
            deceit = of_generator(fakes)
        upstream = tape.gradient(deceit, fakes)
        updates[0].apply(forward.gradient(fakes, own, output_gradients=upstream), own)
        return loss

    return step
