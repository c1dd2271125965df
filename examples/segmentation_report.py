"""What segmentation.py measures, writes and draws."""

import numpy

SHOWN = 8  # scenes in the picture


def confusion_matrix(said, classes, count=11):
    """How many pixels there are of each class (rows) that were given each class (columns)."""
    pairs = numpy.bincount((classes * count + said).ravel(), minlength=count * count)
    return pairs.reshape(count, count)


def intersection_over_union(counts):
    """For each class: pixels that are and are said to be of it, over those that are or are said to.

    Of a class that neither is there nor is said to be: 1.
    """
    both = numpy.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    return numpy.where(either > 0, both / numpy.maximum(either, 1), 1.0)


def write_report(run, names, counts, scenes):
    """Put report.json and the pictures beside the weights; return the mean over the classes."""
    overlaps = intersection_over_union(counts)
    mean = float(overlaps.mean())
    run.write_report(mean_iou=mean, iou=dict(zip(names, overlaps.tolist(), strict=True)),
                     confusion=counts.tolist())
    run.write_picture("scenes.png", picture_of_scenes(names, *scenes))
    run.write_picture("report.png", picture_of_figures(run.history, names, counts, overlaps))
    return mean


def picture_of_scenes(names, images, classes, said):
    """Scenes in columns: what the network saw, what is there, what it said, where it was wrong."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    colours = ListedColormap(["black", *(f"C{number}" for number in range(len(names) - 1))])
    figure = Figure(figsize=(14, 7.6), layout="constrained")
    grid = figure.subplots(4, SHOWN)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    for axes, name in zip(grid[:, 0], ("input", "truth", "output", "wrong"), strict=True):
        axes.set_ylabel(name, fontsize=12)
    for column, (image, truth, output) in zip(grid.T, zip(images, classes, said, strict=True),
                                              strict=False):
        column[0].imshow(image[0], cmap="gray", vmin=0, vmax=1)
        column[1].imshow(truth, cmap=colours, vmin=0, vmax=len(names) - 1, interpolation="nearest")
        column[2].imshow(output, cmap=colours, vmin=0, vmax=len(names) - 1,
                         interpolation="nearest")
        column[3].imshow(truth != output, cmap="gray", interpolation="nearest")
    figure.legend(handles=[Patch(color=colours(number), label=name)
                           for number, name in enumerate(names)],
                  loc="outside lower center", ncols=len(names), frameon=False)
    return figure


def picture_of_figures(history, names, counts, overlaps):
    """Curves, the overlap of each class and the confusion of pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.5), layout="constrained")
    curves, bars, confusion = figure.subplots(1, 3)
    draw_history(curves, history)
    draw_overlaps(bars, names, overlaps)
    draw_confusion(confusion, names, counts)
    return figure


def draw_history(axes, history):
    """The training loss and the mean overlap by epoch."""
    epochs = range(1, len(history) + 1)
    axes.plot(epochs, [epoch["loss"] for epoch in history], marker=".", label="training loss")
    axes.plot(epochs, [epoch["mean_iou"] for epoch in history], marker=".",
              label="mean intersection over union, test")
    axes.set(xlabel="epoch", title="training", ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()


def draw_overlaps(axes, names, overlaps):
    """A bar for each class."""
    axes.barh(names, overlaps)
    for place, overlap in enumerate(overlaps):
        axes.text(overlap - 0.01, place, f"{overlap:.3f}", ha="right", va="center", color="white")
    axes.axvline(overlaps.mean(), color="black", linestyle=":", label=f"mean {overlaps.mean():.3f}")
    axes.invert_yaxis()
    axes.set(title="intersection over union of each class", xlim=(0, 1))
    axes.legend(loc="lower left")


def draw_confusion(axes, names, counts):
    """The share of each truth's pixels by output."""
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(numpy.sqrt(shares), cmap="Blues")
    for (row, column), share in numpy.ndenumerate(shares):
        if share >= 0.005:
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 0.3 else "black")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="output", ylabel="truth", title="pixels of each class, %")
