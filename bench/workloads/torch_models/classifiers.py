"""Networks that learn labels, and the smallest step of all."""

from .task import Task


def _mlp(library):
    nn = library.nn
    return [
        nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )
    ]


def _lenet(library):
    nn = library.nn
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
    return [nn.Sequential(*features, *classifier)]


def _cnn(library):
    nn = library.nn
    features = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    ]
    return [nn.Sequential(*features, *classifier)]


def _tiny(library):
    nn = library.nn
    return [nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))]


def cross_entropy(library, workload, network):
    measure = library.nn.functional.cross_entropy
    return [lambda inputs, labels: measure(network(inputs), labels)]


def _squared_error(library, workload, network):
    measure = library.nn.functional.mse_loss
    return [lambda inputs, targets: measure(network(inputs), targets)]


TASKS = {
    "mlp": Task(_mlp, cross_entropy),
    "lenet": Task(_lenet, cross_entropy),
    "cnn": Task(_cnn, cross_entropy),
    "tiny": Task(_tiny, _squared_error),
}
