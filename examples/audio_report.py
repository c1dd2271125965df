"""Write what a training run of audio.py gave: figures as JSON and pictures as PNG."""

import numpy
from mnist_report import confusion_matrix, draw_confusion, draw_curves

SHOWN = 15  # spectra in the picture


def write_report(run, names, test, outputs, classes):
    """Put report.json and the pictures beside the weights; return the accuracy."""
    confusion = confusion_matrix(outputs, classes)
    accuracy = float(numpy.trace(confusion) / len(classes))
    run.write_report(test_accuracy=accuracy, confusion=confusion.tolist())
    title = f"{run.options.task}: held-out accuracy {accuracy:.4f}"
    run.write_picture("report.png", picture_of_figures(title, run.history, names, confusion))
    run.write_picture("spectra.png", picture_of_spectra(names, test, outputs, classes))
    return accuracy


def picture_of_figures(title, history, names, confusion):
    """Curves and confusion matrix."""
    from matplotlib.figure import Figure  # 0.3 s, which nobody waits for before the training

    figure = Figure(figsize=(12, 4), layout="constrained")
    figure.suptitle(title)
    left, middle, right = figure.subplots(1, 3)
    draw_curves(left, middle, history)
    draw_confusion(right, confusion, names)
    return figure


def picture_of_spectra(names, test, outputs, classes):
    """Spectra with truth and prediction: all mistakes that there is room for, and others."""
    from matplotlib.figure import Figure

    said = outputs.argmax(axis=1)
    right = numpy.flatnonzero(said == classes)
    spread = right[numpy.linspace(0, len(right) - 1, min(SHOWN, len(right))).astype(int)]
    wrong = numpy.flatnonzero(said != classes)[:SHOWN - 3]
    figure = Figure(figsize=(14, 7), layout="constrained")
    figure.suptitle("spectra of held-out recordings (true > predicted)")
    grid = figure.subplots(3, SHOWN // 3, sharey=True, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    shown = [*wrong, *spread[:SHOWN - len(wrong)]]
    for axes, index in zip(grid.flat, shown, strict=False):
        spectrum, _ = test[int(index)]
        axes.set_axis_on()
        axes.imshow(spectrum.T, origin="lower", aspect="auto", cmap="magma", vmin=-2.5, vmax=2.5)
        axes.set_title(f"{names[classes[index]]} > {names[said[index]]}",
                       color="black" if said[index] == classes[index] else "tab:red")
    for axes in grid[:, 0]:
        axes.set_ylabel("band")
    for axes in grid[-1]:
        axes.set_xlabel("frame, every 10 ms")
    return figure
