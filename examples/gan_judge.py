"""How good generated images are, in the eyes of a classifier of the real ones."""

import hashlib

import numpy
from mnist import lenet

import fastnn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.optim.lr_scheduler import OneCycleLR

EPOCHS = 8
BATCH = 128
RATE = 0.003
FEATURES = 11  # layers of the LeNet up to its 84 features


class Judge:
    """A LeNet, and what it makes of the real images of a data set.

    Images are arrays (N, 28, 28) of grey levels from -1 to 1. ``identity`` names the weights.
    """

    def __init__(self, network, training, test):
        self.network = network.eval()
        self.identity = digest(network.state_dict())
        self.training = training[0]
        self.real = moments(self.features_and_classes(training[0])[0])
        features, classes = self.features_and_classes(test[0])
        self.accuracy = float((classes.argmax(axis=1) == test[1]).mean())
        self.test = test[0]

    @classmethod
    def obtain(cls, folder, training, test):
        """The judge kept in a folder for these very images, or a new one, which is then kept.

        What was kept counts only if its weights have the hash that was written with them.
        """
        key = digest({"images": fastnn.from_numpy(training[0]),
                      "labels": fastnn.from_numpy(training[1])}, EPOCHS, BATCH, RATE)
        path = folder / f"judge-{key[:12]}.safetensors"
        network = lenet()
        if not restore(network, path):
            print(f"training the judge, which {path} will keep")
            train(network, *training)
            weights = network.state_dict()
            folder.mkdir(parents=True, exist_ok=True)
            fastnn.save({"weights": weights, "hash": digest(weights)}, path)
        return cls(network, training, test)

    @fastnn.no_grad()
    def features_and_classes(self, images):
        """The 84 features and the ten classes' probabilities of each image, as float64."""
        features, classes = [], []
        for batch in fastnn.from_numpy(images)[:, None].split(500):
            found = self.network[:FEATURES](batch)
            features.append(found.numpy())
            classes.append(self.network[FEATURES:](found).softmax(dim=1).numpy())
        return (numpy.concatenate(features).astype(numpy.float64),
                numpy.concatenate(classes).astype(numpy.float64))

    def measure(self, images, asked=None):
        """Score, Frechet distance, smallest and largest share of a class.

        With the classes ``asked`` for also the share of images that are of theirs.
        """
        features, classes = self.features_and_classes(images)
        found = classes.argmax(axis=1)
        shares = numpy.bincount(found, minlength=classes.shape[1]) / len(images)
        figures = {"score": score(classes),
                   "frechet": frechet_distance(moments(features), self.real),
                   "smallest_share": float(shares.min()), "largest_share": float(shares.max())}
        return figures if asked is None else {
            **figures, "as_asked": float((found == asked).mean())}

    def references(self):
        """The figures of the real test images, which are the best to hope for, and of noise."""
        noise = numpy.random.default_rng(0).uniform(-1, 1, self.test.shape)
        return {"real": self.measure(self.test),
                "noise": self.measure(noise.astype(numpy.float32))}


def train(network, images, labels):
    """Train a classifier; the same images give the same bits."""
    fastnn.manual_seed(0)
    network.load_state_dict(lenet().state_dict())
    images, labels = fastnn.from_numpy(images)[:, None], fastnn.from_numpy(labels)
    optimizer = Adam(network.parameters(), lr=RATE)
    schedule = OneCycleLR(optimizer, RATE, total_steps=EPOCHS * -(-len(images) // BATCH),
                          cycle_momentum=False)
    network.train()
    for _ in range(EPOCHS):
        for batch in fastnn.randperm(len(images)).split(BATCH):
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def restore(network, path):
    """Whether a file has whole weights for a network, which then has them."""
    if not path.is_file():
        return False
    try:
        kept = fastnn.load(path)
        if digest(kept["weights"]) != kept["hash"]:
            raise ValueError("the weights do not match their hash")
        network.load_state_dict(kept["weights"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        print(f"{path}: {error}; it is made anew")
        return False
    return True


def digest(tensors, *settings):
    """The SHA-256 of tensors with their names, and of settings."""
    found = hashlib.sha256(repr(settings).encode())
    for name, tensor in tensors.items():
        array = numpy.ascontiguousarray(tensor.numpy())
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array)
    return found.hexdigest()


def score(classes):
    """The classifier score of probabilities (N, classes), from 1 to the number of classes.

    High if the classifier is sure of each image and sees all classes: the exponential of the mean
    divergence between an image's distribution and that of all.

    T. Salimans et al., "Improved Techniques for Training GANs", NIPS 2016.
    """
    classes = numpy.maximum(classes, 1e-300)
    ratio = numpy.log(classes) - numpy.log(classes.mean(axis=0))
    return float(numpy.exp((classes * ratio).sum(axis=1).mean()))


def moments(features):
    """Mean and covariance of features (N, D)."""
    return features.mean(axis=0), numpy.cov(features, rowvar=False)


def frechet_distance(first, second):
    """The squared Frechet distance of two normal distributions, given by mean and covariance.

    |m - n|^2 + trace(A + B - 2 (A^(1/2) B A^(1/2))^(1/2)).

    M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", NIPS 2017.
    """
    (mean, covariance), (other_mean, other_covariance) = first, second
    values, vectors = numpy.linalg.eigh(covariance)
    root = (vectors * numpy.sqrt(values.clip(min=0))) @ vectors.T
    joint = numpy.linalg.eigvalsh(root @ other_covariance @ root)
    return float(((mean - other_mean) ** 2).sum() + numpy.trace(covariance)
                 + numpy.trace(other_covariance) - 2 * numpy.sqrt(joint.clip(min=0)).sum())


def nearest(images, others):
    """For each image the distance to the nearest of the others, and its index."""
    others = fastnn.from_numpy(others).flatten(1)
    lengths = others.square().sum(dim=1)
    distances, places = [], []
    for batch in fastnn.from_numpy(images).flatten(1).split(100):
        squares = lengths - 2 * (batch @ others.T) + batch.square().sum(dim=1, keepdim=True)
        least, place = squares.min(dim=1)
        distances.append(least.clamp(min=0).sqrt().numpy())
        places.append(place.numpy())
    return numpy.concatenate(distances), numpy.concatenate(places)
