"""Write what a training run of mnist.py gave: figures as JSON and a picture of them as PNG."""

import io
import json
from dataclasses import asdict, dataclass

import numpy

import fastnn
from fastnn.serialization import write_atomically

MISTAKES = 16  # shown in the picture


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch: seconds of training alone, outputs for the test set."""

    loss: float
    training_accuracy: float
    test_accuracy: float
    seconds: float
    images_per_second: float
    logits: numpy.ndarray

    def __str__(self):
        return (f"loss {self.loss:.4f}, training accuracy {self.training_accuracy:.4f}, "
                f"test accuracy {self.test_accuracy:.4f}, {self.images_per_second:,.0f} images/s")


def write_report(options, history, test):
    """Put report.json and report.png beside the weights."""
    logits, labels = history[-1].logits, test.targets.numpy()
    confusion = confusion_matrix(logits, labels)
    settings = {name: str(value) if name in ("out", "data_dir") and value else value
                for name, value in vars(options).items()}
    settings.update(epochs=len(history), threads=fastnn.get_num_threads())
    content = {
        "version": fastnn.__version__,
        "settings": settings,
        "test_accuracy": history[-1].test_accuracy,
        "epochs": [figures(epoch) for epoch in history],
        "confusion": confusion.tolist(),
    }
    write_atomically(options.out / "report.json", json.dumps(content, indent=2).encode())
    write_atomically(options.out / "report.png", picture(options, history, test, confusion))


def figures(epoch):
    """The numbers of an epoch, without the outputs."""
    numbers = asdict(epoch)
    del numbers["logits"]
    return numbers


def confusion_matrix(logits, labels):
    """Counts (10, 10): rows are true classes, columns predicted ones."""
    counts = numpy.zeros((logits.shape[1], logits.shape[1]), dtype=numpy.int64)
    numpy.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


def picture(options, history, test, confusion):
    """The PNG file: curves and confusion matrix above, the worst mistakes below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle(f"{options.model} on {options.dataset}: "
                    f"test accuracy {history[-1].test_accuracy:.4f}")
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2])
    left, middle, right = above.subplots(1, 3)
    draw_curves(left, middle, history)
    draw_confusion(right, confusion, test.classes)
    draw_mistakes(below, history[-1].logits, test)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()


def draw_curves(left, right, history):
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [epoch.loss for epoch in history], marker=".")
    left.set(xlabel="epoch", title="training loss")
    right.plot(epochs, [epoch.training_accuracy for epoch in history], marker=".", label="training")
    right.plot(epochs, [epoch.test_accuracy for epoch in history], marker=".", label="test")
    right.set(xlabel="epoch", title="accuracy")
    right.legend()
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.grid(alpha=0.3)


def draw_confusion(axes, confusion, classes):
    """Counts in shades of their logarithm, so that the few mistakes show beside the many hits."""
    axes.imshow(numpy.log1p(confusion), cmap="Blues")
    for (row, column), count in numpy.ndenumerate(confusion):
        if count:
            shade = "white" if count > confusion.max() / 10 else "black"
            axes.text(column, row, count, ha="center", va="center", fontsize=6, color=shade)
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=0 if max(map(len, classes)) == 1 else 90, fontsize=7)
    axes.set_yticks(places, classes, fontsize=7)
    axes.set(xlabel="predicted", ylabel="true", title="confusion")


def draw_mistakes(figure, logits, test):
    """The images whose true class was thought least likely, worst first."""
    labels, predicted = test.targets.numpy(), logits.argmax(axis=1)
    wrong = numpy.flatnonzero(predicted != labels)
    margin = logits[wrong].max(axis=1) - logits[wrong, labels[wrong]]
    worst = wrong[numpy.argsort(-margin, kind="stable")][:MISTAKES]
    figure.suptitle("worst mistakes (true > predicted)" if len(worst) else "no mistakes")
    grid = figure.subplots(2, MISTAKES // 2, squeeze=False)
    images = test.data.numpy()
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, index in zip(grid.flat, worst, strict=False):
        axes.imshow(images[index], cmap="gray_r")
        axes.set_title(f"{test.classes[labels[index]]} > {test.classes[predicted[index]]}",
                       fontsize=7)
