"""Write what autoencoder.py gave: figures as JSON, reconstructions and the latent map as PNG."""

from statistics import NormalDist

import numpy

import fastnn

SHOWN = 12       # images beside their reconstructions
SIDE = 20        # decoded images along each side of the grid
NEIGHBOURS = 5
COMPARED = 2000  # images whose neighbours among as many others are looked for


def write_report(run, model, training, test):
    """Put report.json, report.png and latent.png beside the weights."""
    model.eval()
    images, labels = test.data.numpy(), test.targets.numpy()
    codes = by_parts(model.encode, scaled(images))
    known = by_parts(model.encode, scaled(training.data.numpy()[:COMPARED]))
    decoded = by_parts(lambda each: model.decoder(each).sigmoid(), codes)[:, 0]
    accuracy = neighbour_accuracy(known, training.targets.numpy()[:COMPARED],
                                  codes[:COMPARED], labels[:COMPARED])
    figures = {
        **{f"test_{name}": value for name, value in run.history[-1].items()
           if name not in ("training_loss", "seconds")},
        "least_reconstruction": entropy(images / 255.0),
        "squared_error": float(((decoded - images / 255.0) ** 2).mean()),
        "neighbour_accuracy": accuracy,
        "code_mean": codes.mean(0).tolist(),
        "code_deviation": codes.std(0).tolist(),
    }
    run.write_report(**figures)
    options = run.options
    title = f"{options.model}, {options.latent}-dimensional codes, {options.dataset}"
    run.write_picture("report.png", report_picture(title, run.history, images, labels, decoded))
    run.write_picture("latent.png", latent_picture(
        title, codes, labels, test.classes, lambda each: by_parts(
            lambda part: model.decoder(part).sigmoid(), each)[:, 0],
        normal=options.model == "vae"))
    print(f"codes of {options.latent} numbers tell {accuracy:.1%} of the classes "
          f"(by {NEIGHBOURS} neighbours)")


def scaled(images):
    return images[:, None].astype(numpy.float32) / 255


def by_parts(function, array):
    """The results of a function of tensors for the rows of an array, 500 at a time."""
    with fastnn.no_grad():
        return numpy.concatenate([
            function(fastnn.from_numpy(numpy.ascontiguousarray(part, numpy.float32))).numpy()
            for part in numpy.split(array, range(500, len(array), 500))])


def entropy(values):
    """What the reconstruction loss is, in nats an image, where every grey value is met exactly."""
    inside = values[(values > 0) & (values < 1)]
    nats = -(inside * numpy.log(inside) + (1 - inside) * numpy.log(1 - inside)).sum()
    return float(nats / len(values))


def neighbour_accuracy(known, known_labels, codes, labels):
    """The share of codes whose class is the one most frequent among the nearest known codes."""
    distances = ((codes[:, None] - known[None]) ** 2).sum(2) if known.shape[1] <= 4 else (
        (codes ** 2).sum(1)[:, None] - 2 * codes @ known.T + (known ** 2).sum(1))
    nearest = numpy.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = (known_labels[nearest][:, :, None] == numpy.arange(known_labels.max() + 1)).sum(1)
    return float((votes.argmax(1) == labels).mean())


def plane(codes):
    """(origin, axes): the two principal axes of the codes; those of the codes if there are two."""
    if codes.shape[1] == 2:
        return numpy.zeros(2), numpy.eye(2)
    origin = codes.mean(0)
    return origin, numpy.linalg.svd(codes - origin, full_matrices=False)[2][:2]


def grid_of(points, normal):
    """The coordinates, left to right and bottom to top, at which the plane is decoded.

    Codes near a normal distribution: at equal steps of its probability, the outermost holding as
    much beyond as between. Others: at equal steps where 98 % of the points lie in each direction.
    """
    if normal:
        shares = (numpy.arange(SIDE) + 0.5) / SIDE
        line = numpy.array([NormalDist().inv_cdf(share) for share in shares])
        return line, line
    low, high = numpy.percentile(points, [1, 99], axis=0)
    return tuple(numpy.linspace(low[each], high[each], SIDE) for each in range(2))


def report_picture(title, history, images, labels, decoded):
    """The losses above, images and their reconstructions below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2])
    draw_losses(above, history)
    draw_reconstructions(below, images, labels, decoded)
    return figure


def draw_losses(figure, history):
    """The whole loss of both sets, and the test set's by its parts where it has several."""
    parts = ["reconstruction", "divergence"] if "divergence" in history[-1] else []
    epochs = range(1, len(history) + 1)
    all_axes = figure.subplots(1, 1 + len(parts), squeeze=False)[0]
    all_axes[0].plot(epochs, [each["training_loss"] for each in history], marker=".",
                     label="training")
    all_axes[0].plot(epochs, [-each["elbo"] if parts else each["reconstruction"]
                              for each in history], marker=".", label="test")
    all_axes[0].set(title="loss = -ELBO" if parts else "reconstruction loss",
                    ylabel="nats an image")
    all_axes[0].legend()
    for axes, part in zip(all_axes[1:], parts, strict=True):
        axes.plot(epochs, [each[part] for each in history], marker=".", color="C1")
        axes.set(title=f"{part}, test")
    for axes in all_axes:
        axes.set(xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)


def draw_reconstructions(figure, images, labels, decoded):
    """The first test images of each class above what became of them."""
    order = numpy.argsort(labels, kind="stable")
    chosen = order[numpy.linspace(0, len(order) - 1, SHOWN).astype(int)]
    grid = figure.subplots(2, SHOWN)
    for column, index in enumerate(chosen):
        for axes, image in zip(grid[:, column], (images[index] / 255, decoded[index]), strict=True):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
    grid[0, 0].set_ylabel("image")
    grid[1, 0].set_ylabel("from its code")


def latent_picture(title, codes, labels, classes, decode, normal):
    """Where the images of each class lie, and what is decoded from a grid over the same plane."""
    from matplotlib.figure import Figure

    origin, axes_of_plane = plane(codes)
    points = (codes - origin) @ axes_of_plane.T
    across, up = grid_of(points, normal and codes.shape[1] == 2)
    places = numpy.stack(numpy.meshgrid(across, up), axis=-1).reshape(-1, 2)
    decoded = decode(origin + places @ axes_of_plane)
    figure = Figure(figsize=(15, 7.5), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    draw_points(left, points, labels, classes)
    draw_grid(right, decoded, across, up)
    return figure


def draw_points(axes, points, labels, classes):
    from matplotlib import colormaps

    for number, name in enumerate(classes):
        chosen = points[labels == number]
        axes.scatter(*chosen.T, s=4, alpha=0.6, linewidths=0, color=colormaps["tab10"](number),
                     label=name)
    low, high = numpy.percentile(points, [0.2, 99.8], axis=0)
    margin = 0.05 * (high - low)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    axes.set(title="test images", xlabel="first coordinate", ylabel="second coordinate")
    legend = axes.legend(markerscale=4, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    for handle in legend.legend_handles:
        handle.set_alpha(1)


def draw_grid(axes, decoded, across, up):
    """One image of all decoded ones, with the coordinates of some beside it."""
    rows = decoded.reshape(SIDE, SIDE, 28, 28)[::-1]
    axes.imshow(rows.swapaxes(1, 2).reshape(SIDE * 28, SIDE * 28), cmap="gray_r", vmin=0, vmax=1)
    marked = numpy.linspace(0, SIDE - 1, 6).round().astype(int)
    axes.set_xticks(28 * marked + 14, [f"{across[each]:.2g}" for each in marked])
    axes.set_yticks(28 * (SIDE - 1 - marked) + 14, [f"{up[each]:.2g}" for each in marked])
    axes.set(title="decoded from the plane", xlabel="first coordinate",
             ylabel="second coordinate")
