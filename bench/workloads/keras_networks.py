"""The networks in Keras layers, for TensorFlow."""

import keras
from keras import layers

from .adversarial import JUDGE, LAYERS


def networks(workload):
    """One model for each network of the workload, with its starting weights."""
    models = [keras.Sequential(stack) for stack in _STACKS[workload.name]()]
    for model, arrays in zip(models, workload.start(channels_last=True), strict=True):
        for variable, array in zip(model.trainable_variables, arrays, strict=True):
            variable.assign(array)
    return models


def optimizers(workload, models):
    if workload.optimizer == "SGD":
        return [_built(keras.optimizers.SGD(workload.learning_rate), models[0])]
    betas = dict(zip(("beta_1", "beta_2"), workload.betas, strict=True))
    make = keras.optimizers.Adam
    return [_built(make(workload.learning_rate, **betas, epsilon=1e-8), m) for m in models]


def _built(optimizer, model):
    optimizer.build(model.trainable_variables)
    return optimizer


def _mlp():
    dense = layers.Dense
    return [[keras.Input((784,)), dense(512, "relu"), dense(512, "relu"), dense(10)]]


def _lenet():
    return [
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, "relu"),
            layers.Dense(84, "relu"),
            layers.Dense(10),
        ]
    ]


def _cnn():
    return [
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    ]


def _dcgan():
    generator = [
        keras.Input((100,)),
        layers.Dense(7 * 7 * 128, use_bias=False),
        layers.Reshape((7, 7, 128)),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(64, 4, 2, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh"),
    ]
    discriminator = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(64, 4, 2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Conv2D(128, 4, 2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        layers.Dense(1),
    ]
    return [generator, discriminator]


def _mlp_gan():
    generator = [keras.Input((LAYERS[0],))]
    for width in LAYERS[1:-1]:
        generator += [
            layers.Dense(width, use_bias=False),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            layers.LeakyReLU(0.2),
        ]
    discriminator = [keras.Input((JUDGE[0],))]
    for width in JUDGE[1:-1]:
        discriminator += [layers.Dense(width), layers.LeakyReLU(0.2)]
    return [[*generator, layers.Dense(LAYERS[-1], "tanh")], [*discriminator, layers.Dense(1)]]


def _tiny():
    return [[keras.Input((10,)), layers.Dense(32, "tanh"), layers.Dense(1)]]


_STACKS = {
    "mlp": _mlp,
    "lenet": _lenet,
    "cnn": _cnn,
    "dcgan": _dcgan,
    "mlp-gan": _mlp_gan,
    "tiny": _tiny,
}
