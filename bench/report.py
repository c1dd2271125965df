"""Tables, the JSON file and the picture of a comparison."""

import json
import os

from .variants import LIBRARIES, OURS

_COLUMNS = {
    "min ms": "min_ms",
    "median": "median_ms",
    "cpu ms": "cpu_min_ms",
    "cores": "cores_used",
    "peak MB": "step_peak_over_import_mb",
    "step MB": "step_peak_over_first_step_mb",
}
NOISY = 1.15  # the control's median over its minimum, from which a machine counts as busy


def measured_variants(group, library):
    """The records of the library's variants that did not fail."""
    return [r for r in group["results"] if r["library"] == library and "error" not in r]


def best(group, library):
    """The record of the library's fastest variant, or None."""
    return min(measured_variants(group, library), key=_minimum, default=None)


def best_peer(group):
    """The fastest variant of all libraries but fastnn, or None."""
    found = [best(group, library) for library in LIBRARIES if library != OURS]
    return min(filter(None, found), key=_minimum, default=None)


def _minimum(result):
    return result["min_ms"]


def details(group):
    """Every variant of one workload, the fastest of each library marked by a star."""
    stars = [best(group, library) for library in LIBRARIES]
    rows = [_row(result, result in stars) for result in group["results"]]
    control = group["control_ms"]
    busy = "" if control["median"] < NOISY * control["min"] else ", THE MACHINE WAS BUSY"
    title = f"{group['workload']}, batch {group['batch']}, {_threads(group)}"
    return "\n".join(
        [
            f"\n{title} ({group['seconds']:.0f} s; control {control['min']:.2f} ms, "
            f"median {control['median']:.2f}{busy})",
            f"  {'variant':40}" + "".join(f"{name:>10}" for name in _COLUMNS),
            *rows,
        ]
    )


def _threads(group):
    return f"{group['threads']} thread" + "s" * (group["threads"] > 1)


def _row(result, star):
    name = ("* " if star else "  ") + result["variant"]
    if "error" in result:
        return f"{name:42} FAILED: {' '.join(result['error'].split())[:160]}"
    return f"{name:42}" + "".join(f"{result[key]:10.4g}" for key in _COLUMNS.values())


def summary(record):
    """One row for each workload and number of threads: each library's best, and the ratio."""
    head = f"{'workload':8} {'threads':>7}" + "".join(f" {name:>19}" for name in LIBRARIES)
    lines = [
        "\nBest of each library: minimum (median) in ms of one step; ratios to fastnn's minimum.",
        head + "   best  torch",
        *(_line(group, _time) + _ratios(group) for group in record["groups"]),
        "\nLeast memory of each library: peak of the steps in MB over that after the import",
        "(over that after a first small step, which loads what is loaded late).",
        head,
        *(_line(group, _memory) for group in record["groups"]),
    ]
    for library in record["not_installed"]:
        lines.append(f"{library} is not installed")
    return "\n".join(lines)


def _line(group, cell):
    cells = "".join(f" {cell(group, library):>19}" for library in LIBRARIES)
    return f"{group['workload']:8} {group['threads']:7}{cells}"


def _time(group, library):
    result = best(group, library)
    return "-" if result is None else f"{result['min_ms']:.4g} ({result['median_ms']:.4g})"


def _memory(group, library):
    measured = measured_variants(group, library)
    if not measured:
        return "-"
    over_import, over_step = (
        min(result[f"step_peak_over_{start}_mb"] for result in measured)
        for start in ("import", "first_step")
    )
    return f"{over_import:.0f} ({over_step:.0f})"


def ratio(group):
    """The best peer's time over fastnn's, by minima; None if either is missing."""
    return _over_ours(group, best_peer(group))


def _over_ours(group, peer):
    ours = best(group, OURS)
    return peer["min_ms"] / ours["min_ms"] if ours and peer else None


def _ratios(group):
    values = (ratio(group), _over_ours(group, best(group, "torch")))
    return "".join(f"{'-':>7}" if value is None else f"{value:7.2f}" for value in values)


def write_record(record, folder):
    """Write `peers.json`."""
    for group in record["groups"]:
        group["best"] = {name: (best(group, name) or {}).get("variant") for name in LIBRARIES}
        group["best_peer_over_fastnn"] = ratio(group)
    text = json.dumps(record, indent=1)
    return _replace(folder / "peers.json", lambda file: file.write(text.encode()))


def write_picture(record, folder):
    """Write `peers.png`; None where matplotlib is not installed."""
    try:
        import matplotlib.figure
    except ImportError:
        return None
    figure = _picture(matplotlib.figure.Figure, record)
    return _replace(folder / "peers.png", lambda file: figure.savefig(file, format="png", dpi=120))


def _replace(path, write_to):
    """Write a file so that no half-written one is ever seen; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(partial, "wb") as file:
        write_to(file)
    os.replace(partial, path)
    return path


def _picture(make_figure, record):
    """Small multiples: a row for each number of threads, a column for each workload."""
    groups = record["groups"]
    threads = sorted({group["threads"] for group in groups})
    workloads = list(dict.fromkeys(group["workload"] for group in groups))
    size = (2.6 * len(workloads) + 0.8, 2.5 * len(threads) + 0.9)
    figure = make_figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(threads), len(workloads), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for group in groups:
        axis = axes[threads.index(group["threads"])][workloads.index(group["workload"])]
        _bars(axis, group)
    about = record["machine"]
    figure.suptitle(f"ms per training step, minimum\n{about['cpu']}", fontsize=9)
    return figure


def _bars(axis, group):
    colours = dict(zip(LIBRARIES, ("#d62728", "#ee8c3a", "#4c72b0", "#55a868"), strict=True))
    axis.set_axis_on()
    tried = {result["library"] for result in group["results"]}
    names = [name for name in LIBRARIES if name in tried]
    times = [(best(group, name) or {}).get("min_ms", 0) for name in names]
    bars = axis.bar(names, times, color=[colours[name] for name in names])
    labels = [f"{time:.3g}" if time else "failed" for time in times]
    axis.bar_label(bars, labels, fontsize=8, padding=2)
    title = f"{group['workload']}, {_threads(group)}"
    value = ratio(group)
    axis.set_title(title if value is None else f"{title}: {value:.2f}x", fontsize=9)
    axis.tick_params(axis="x", labelsize=7)
    axis.tick_params(axis="y", labelsize=7)
    axis.margins(y=0.15)
    axis.spines[["top", "right"]].set_visible(False)
