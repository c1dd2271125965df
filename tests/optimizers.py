"""What the tests of optimizers and schedules share: settings, parameters, gradients."""

import numpy as np

import fastnn

SHAPES = ((3, 4), (5,), (), (0, 2), (2, 3, 2, 2))

SETTINGS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1,
               "momentum_decay": 0.01, "maximize": True}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1,
               "maximize": True}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1,
                "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.02, "centered": True, "alpha": 0.9}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.5}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 1e-4,
                 "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.01, "alpha": 0.6, "t0": 4, "weight_decay": 0.1,
              "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.05, "etas": (0.4, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}),
]
EACH = {"argnames": "name, settings", "argvalues": SETTINGS, "ids": [
    " ".join([name, *settings]) for name, settings in SETTINGS]}


def starts():
    random = np.random.default_rng(3)
    return [np.asarray(random.normal(size=shape)) for shape in SHAPES]


def parameters_of(library, dtype="float64"):
    """New leaves of a library, ours or PyTorch, all from the same numbers."""
    return [library.tensor(each, dtype=getattr(library, dtype), requires_grad=True)
            for each in starts()]


def _gradients(parameters, step):
    """Gradients that depend on the parameters, so that errors add up; now and then none."""
    random = np.random.default_rng(100 + step)
    for number, parameter in enumerate(parameters):
        noise = np.asarray(random.normal(size=tuple(parameter.shape)))
        none = (step + number) % 7 == 3
        yield None if none else parameter.detach().numpy() * 0.5 + noise


def train(library, optimizer, parameters, steps):
    for step in steps:
        for parameter, gradient in zip(parameters, _gradients(parameters, step), strict=True):
            parameter.grad = None if gradient is None else library.tensor(
                gradient, dtype=parameter.dtype)
        optimizer.step()


def rates_of(optimizer, schedule, steps):
    """The learning rates of all groups, step by step."""
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr())
        optimizer.step()
        schedule.step()
    return rates


def weight():
    return fastnn.ones(2, 2, requires_grad=True)
