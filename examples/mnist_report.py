"""Write what a training run of mnist.py gave: figures as JSON and a picture of them as PNG."""

import numpy

MISTAKES = 16  # shown in the picture


def write_report(run, logits, test):
    """Put report.json and report.png beside the weights; return the test accuracy."""
    labels = test.targets.numpy()
    confusion = confusion_matrix(logits, labels)
    accuracy = float(numpy.trace(confusion) / len(test))
    run.write_report(test_accuracy=accuracy, confusion=confusion.tolist())
    title = f"{run.options.model} on {run.options.dataset}: test accuracy {accuracy:.4f}"
    run.write_picture("report.png", picture(title, run.history, logits, test, confusion))
    return accuracy


def confusion_matrix(logits, labels):
    """Counts (10, 10): rows are true classes, columns predicted ones."""
    counts = numpy.zeros((logits.shape[1], logits.shape[1]), dtype=numpy.int64)
    numpy.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


def picture(title, history, logits, test, confusion):
    """Curves and confusion matrix above, the worst mistakes below."""
    from matplotlib.figure import Figure  # 0.3 s, which nobody waits for before the training

    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2])
    left, middle, right = above.subplots(1, 3)
    draw_curves(left, middle, history)
    draw_confusion(right, confusion, test.classes)
    draw_mistakes(below, logits, test)
    return figure


def draw_curves(left, right, history):
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [epoch["loss"] for epoch in history], marker=".")
    left.set(xlabel="epoch", title="training loss")
    for part in ("training", "test"):
        right.plot(epochs, [epoch[f"{part}_accuracy"] for epoch in history], marker=".", label=part)
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
