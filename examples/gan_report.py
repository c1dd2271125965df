"""Write what a training run of gan.py gave: figures as JSON, and pictures."""

import math

import numpy
from gan_judge import nearest

import fastnn
from fastnn.vision.utils import save_image

ROWS = 10
STEPS = 12      # of a walk
NEAREST = 1000  # samples whose nearest training image is looked for
SHOWN = 12      # of them in the picture, from the nearest to the farthest


def write_samples(run, trainer, noise, name):
    """A grid of samples, with one class in each row where the generator is told the class."""
    count = ROWS * ROWS
    write_images(run, trainer.sample(noise[:count], fastnn.arange(count) // ROWS), name, ROWS)


def write_report(run, trainer, judge, noise, classes):
    """Put report.json, report.png, walk.png and nearest.png beside the weights."""
    samples = trainer.sample(noise[:NEAREST], classes[:NEAREST])
    distances, places = nearest(samples, judge.training)
    references = judge.references()
    run.write_report(
        **run.history[-1], references=references,
        judge={"accuracy": judge.accuracy, "sha256": judge.identity},
        nearest_training_image={
            "samples": summary(distances),
            "test_images": summary(nearest(judge.test[:NEAREST], judge.training)[0])})
    run.write_picture("report.png", picture(run, references))
    order = numpy.argsort(distances)[numpy.linspace(0, len(samples) - 1, SHOWN).astype(int)]
    write_images(run, numpy.concatenate([samples[order], judge.training[places[order]]]),
                 "nearest.png", SHOWN)
    write_images(run, walks(trainer, noise), "walk.png", STEPS)


def summary(distances):
    return {"median": float(numpy.median(distances)), "smallest": float(distances.min())}


def write_images(run, images, name, columns):
    """Write images with grey levels from -1 to 1 side by side, twice as large."""
    large = images.repeat(2, axis=1).repeat(2, axis=2)
    save_image(large[:, None] / 2 + 0.5, run.out / name, nrow=columns)


def walks(trainer, noise):
    """Images on the way from one point of the latent space to another, a walk in each row.

    The way is an arc, so that each point on it is as far from the origin as noise is.
    """
    angles = fastnn.linspace(0, math.pi / 2, STEPS)[:, None]
    points = (noise[:ROWS, None] * angles.cos() + noise[ROWS:2 * ROWS, None] * angles.sin())
    return trainer.sample(points.flatten(0, 1), fastnn.arange(ROWS * STEPS) // STEPS)


def picture(run, references):
    """Losses, score and Frechet distance after each epoch, and the classes' shares."""
    from matplotlib.figure import Figure  # 0.3 s, which nobody waits for before the training

    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(f"{run.options.model} on {run.options.dataset}")
    (losses, scores), (distances, shares) = figure.subplots(2, 2)
    for name in ("discriminator_loss", "generator_loss"):
        draw(losses, run.history, name, name.split("_")[0])
    losses.set_title("loss")
    draw(scores, run.history, "score", "samples")
    scores.set_title("classifier score")
    draw(distances, run.history, "frechet", "samples")
    distances.axhline(references["noise"]["frechet"], color="grey", linestyle=":", label="noise")
    distances.set(title="Frechet distance", yscale="log")
    for axes, name in ((scores, "score"), (distances, "frechet")):
        axes.axhline(references["real"][name], color="grey", linestyle="--", label="test images")
    for name in ("largest", "smallest"):
        draw(shares, run.history, f"{name}_share", f"{name} class")
    shares.set(title="share of the samples", ylim=(0, None))
    for axes in (losses, scores, distances, shares):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw(axes, history, name, label):
    axes.plot(range(1, len(history) + 1), [epoch[name] for epoch in history], marker=".",
              label=label)
