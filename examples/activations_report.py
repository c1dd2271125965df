"""Write what activations.py measured: figures as JSON, and one picture of all of them."""

import numpy

NETWORKS = [("dense", "shallow"), ("dense", "deep"),
            ("convolutional", "shallow"), ("convolutional", "deep")]
NORMALISING = "selu + alpha dropout"
PLAIN, NORMED = "#d95f02", "#1f77b4"  # without and with batch norm
CHANCE = numpy.log(10)                # the loss of equal probabilities


def write_report(run, activations):
    """Put report.json and report.png into the folder of the run."""
    rows = [*activations, NORMALISING] if "selu" in activations else list(activations)
    run.write_report(accuracies={row: by_network(run.history, row, "accuracy") for row in rows})
    options = run.options
    title = (f"Activations on {options.dataset}: {options.steps} steps of Adam, "
             f"seed {options.seed}")
    run.write_picture("report.png", picture(title, run.history, rows))


def named(row, network, depth, batch_norm):
    """The figures in the history that a cell shows."""
    return {"activation": "selu" if row == NORMALISING else row, "network": network,
            "depth": depth, "batch_norm": batch_norm, "alpha_dropout": row == NORMALISING}


def find(history, wanted):
    """The figures of the configuration, or None where it was not run."""
    for figures in history:
        if all(figures[name] == value for name, value in wanted.items()):
            return figures
    return None


def by_network(history, row, name):
    """One figure of an activation, for each network without and with batch norm."""
    cells = {}
    for network, depth in NETWORKS:
        for batch_norm in (False, True):
            found = find(history, named(row, network, depth, batch_norm))
            if found is not None:
                cells[f"{depth} {network}{', batch norm' if batch_norm else ''}"] = found[name]
    return cells


def table(history, rows, name):
    """One figure of all configurations (rows, 8); NaN where it was not measured."""
    values = numpy.full((len(rows), 2 * len(NETWORKS)), numpy.nan)
    for line, row in enumerate(rows):
        for column, (network, depth) in enumerate(NETWORKS):
            for batch_norm in (False, True):
                found = find(history, named(row, network, depth, batch_norm))
                if found is not None:
                    values[line, 2 * column + batch_norm] = found[name]
    return values


def picture(title, history, rows):
    """Tables, curves, gradients by depth, and the self-normalising network beside its rival."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(20, 24), layout="constrained")
    figure.suptitle(title, fontsize=16)
    tables, curves, gradients, normal = figure.subfigures(4, 1, height_ratios=[7, 8, 5, 4])
    draw_tables(tables, history, rows)
    draw_curves(curves, history, rows)
    draw_gradients(gradients, history, rows)
    draw_normalising(normal, history)
    return figure


def draw_tables(figure, history, rows):
    """Heat maps with a number in each cell."""
    left, middle, right = figure.subplots(1, 3)
    draw_table(left, rows, "test accuracy, %",
               100 * table(history, rows, "accuracy"), "YlGnBu", "{:.0f}")
    draw_table(middle, rows, "dead units after training, %",
               100 * table(history, rows, "dead_units"), "OrRd", "{:.0f}")
    draw_table(right, rows, "milliseconds of the fastest step",
               table(history, rows, "milliseconds_per_step"), "Purples", "{:.1f}")


def draw_table(axes, rows, title, values, colours, form):
    from matplotlib import colormaps

    colours = colormaps[colours].with_extremes(bad="0.93")
    highest = numpy.nanmax(values) or 1.0
    axes.imshow(values, cmap=colours, aspect="auto", vmin=0, vmax=highest)
    for (line, column), value in numpy.ndenumerate(values):
        if numpy.isfinite(value):
            axes.text(column, line, form.format(value), ha="center", va="center", fontsize=10,
                      color="white" if value > 0.6 * highest else "black")
    axes.set_yticks(range(len(rows)), map(short, rows), fontsize=11)
    axes.set_xticks(range(2 * len(NETWORKS)), ["plain", "batch\nnorm"] * len(NETWORKS), fontsize=9)
    for number, (network, depth) in enumerate(NETWORKS):
        axes.text(2 * number + 0.5, -0.6, f"{depth}\n{network}", ha="center", va="bottom")
        axes.axvline(2 * number - 0.5, color="white", linewidth=3)
    axes.set_title(title, pad=42, fontweight="bold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def places(grid, history, rows, networks):
    """The axes of a grid with what belongs there: (axes, colour, figures of a training or None)."""
    for line, (network, depth) in enumerate(networks):
        for column, row in enumerate(rows):
            for batch_norm, colour in ((False, PLAIN), (True, NORMED)):
                yield grid[line, column], colour, find(
                    history, named(row, network, depth, batch_norm))
        grid[line, 0].set_ylabel(f"{depth}\n{network}")


def draw_curves(figure, history, rows):
    """Training losses: a column for each activation, a row for each network."""
    figure.suptitle("training loss by step, without (orange) and with batch norm (blue); "
                    "dotted: equal probabilities", fontweight="bold")
    grid = figure.subplots(len(NETWORKS), len(rows), sharex=True, sharey=True, squeeze=False)
    for axes, colour, found in places(grid, history, rows, NETWORKS):
        if found is not None:
            axes.plot(found["steps"], numpy.clip(numbers(found["losses"]), 0.05, 5),
                      color=colour, linewidth=1.2)
    for axes in grid.flat:
        axes.axhline(CHANCE, color="0.4", linewidth=0.8, linestyle=":")
        logarithmic(axes, 0.05, 5, {0.1: "0.1", 1: "1"})
    head(grid, rows)


def draw_gradients(figure, history, rows):
    """Norms of the gradients by the weights of the deep networks' layers."""
    figure.suptitle("gradient norm by layer (first to last) of the deep networks, at the start "
                    "(dashed) and the end (solid)", fontweight="bold")
    deep = [(network, depth) for network, depth in NETWORKS if depth == "deep"]
    grid = figure.subplots(len(deep), len(rows), sharex=True, sharey=True, squeeze=False)
    for axes, colour, found in places(grid, history, rows, deep):
        for time, style in (("start", "--"), ("end", "-")):
            if found is not None:
                norms = numbers(found[f"gradients_at_{time}"])
                axes.plot(range(1, len(norms) + 1), numpy.clip(norms, 1e-8, 1e4),
                          color=colour, linestyle=style, linewidth=1.2)
    for axes in grid.flat:
        logarithmic(axes, 1e-8, 1e4, {1e-6: "1e-6", 1e-3: "1e-3", 1: "1", 1e3: "1e3"})
    head(grid, rows)


def logarithmic(axes, low, high, marks):
    """A logarithmic scale with few marks; minor ones take seconds to place in so many panels."""
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_yticks(list(marks), marks.values())
    axes.set_ylim(low, high)
    axes.grid(alpha=0.3)


def head(grid, rows):
    """The activations above their columns."""
    for axes, row in zip(grid[0], rows, strict=True):
        axes.set_title(short(row).replace(" + ", " +\n"), fontsize=10)


def short(name):
    """The name of an activation, of a long expression its beginning."""
    return name if len(name) <= 20 else f"{name[:17]}..."


def draw_normalising(figure, history):
    """The deep self-normalising networks beside SELU and ReLU: losses, and what layers give out."""
    figure.suptitle("self-normalising: deep networks of SELU with weights after LeCun, beside ReLU",
                    fontweight="bold")
    rivals = [("relu", False, "relu", "0.6"), ("relu", True, "relu, batch norm", NORMED),
              ("selu", False, "selu", "#e7a56c"),
              (NORMALISING, False, NORMALISING, PLAIN)]
    grid = figure.subplots(1, 4)
    for number, network in enumerate(("dense", "convolutional")):
        losses, deviations = grid[2 * number: 2 * number + 2]
        for row, batch_norm, label, colour in rivals:
            found = find(history, named(row, network, "deep", batch_norm))
            if found is not None:
                label = f"{label}: {found['accuracy']:.1%}"
                losses.plot(found["steps"], numpy.clip(numbers(found["losses"]), 0.05, 5),
                            color=colour, label=label)
                layers = numbers(found["deviations"])
                deviations.plot(range(1, len(layers) + 1), layers, color=colour)
        losses.set(title=f"deep {network}: training loss", xlabel="step")
        logarithmic(losses, 0.05, 5, {0.1: "0.1", 1: "1"})
        if losses.lines:
            losses.legend(fontsize=9, title="test accuracy")
        deviations.set(title="deviation of what each layer gives out", xlabel="layer")
        deviations.xaxis.get_major_locator().set_params(integer=True)
        logarithmic(deviations, 0.03, 30, {0.1: "0.1", 1: "1", 10: "10"})


def numbers(values):
    """A list with None as an array with NaN."""
    return numpy.array([numpy.nan if value is None else value for value in values])
