"""What invented names have in common with real ones, and a report on it in figures and pictures."""

from collections import Counter
from itertools import chain

from fastnn.serialization import write_atomically

EDGE = "."  # stands before the first and after the last letter of a name
SHOWN = 48
LIKENESS = ("bigrams_real", "trigrams_real", "bigram_overlap")
SHARES = {"bigrams_real": "bigrams that are real", "trigrams_real": "trigrams that are real",
          "bigram_overlap": "overlap of the bigrams' frequencies", "new": "new names",
          "distinct": "distinct names"}


def compared(invented, real):
    """How invented names are beside real ones, in shares of 1.

    ``bigrams_real`` and ``trigrams_real`` are the shares of their pairs and triples of letters that
    occur in real names, where the edges of a name count as letters; ``bigram_overlap`` is the part
    of the distribution of pairs that both have in common: 1 less the total variation distance.
    ``new`` is the share of names that no real one equals, ``distinct`` that of different ones.
    """
    known = set(real)
    pairs, real_pairs = grams(invented, 2), grams(real, 2)
    return {"bigrams_real": share_known(pairs, real_pairs),
            "trigrams_real": share_known(grams(invented, 3), grams(real, 3)),
            "bigram_overlap": overlap(pairs, real_pairs),
            "new": sum(name not in known and name != "" for name in invented) / len(invented),
            "distinct": len(set(invented)) / len(invented)}


def grams(names, size):
    """How often each sequence of that many letters occurs, the edges of a name included."""
    framed = (EDGE + name + EDGE for name in names)
    return Counter(chain.from_iterable(
        (name[start:start + size] for start in range(len(name) - size + 1)) for name in framed))


def share_known(counts, known):
    """The share of the counted that is among the known."""
    return sum(count for each, count in counts.items() if each in known) / max(counts.total(), 1)


def overlap(counts, other):
    """What two distributions have in common, given by counts: 0 to 1."""
    return sum(min(count / counts.total(), other[each] / other.total())
               for each, count in counts.items())


def random_names(names, letters, random):
    """As many names of the same lengths, whose letters are drawn evenly."""
    return ["".join(random.choice(list(letters), len(name))) for name in names]


def write_report(run, invented, **scales):
    """Put report.json, names.txt and report.png beside the weights.

    ``scales`` are the measures of random letters and of names that were held out: between the two
    is what can be reached.
    """
    last = {name: run.history[-1][name] for name in SHARES}
    run.write_report(**last, **scales, sample=invented[:SHOWN])
    write_atomically(run.out / "names.txt", "".join(f"{name}\n" for name in invented).encode())
    run.write_picture("report.png", picture(run.history, scales, invented))


def picture(history, scales, invented):
    """Losses, the shares between those of random letters and of real names, and invented names."""
    from matplotlib.figure import Figure  # 0.3 s, which nobody waits for before the training

    figure = Figure(figsize=(15, 5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    epochs = range(1, len(history) + 1)
    for name in ("generator_loss", "discriminator_loss"):
        left.plot(epochs, [epoch[name] for epoch in history], marker=".",
                  label=name.removesuffix("_loss"))
    left.set(xlabel="epoch", title="loss")
    for number, (name, label) in enumerate(SHARES.items()):
        colour = f"C{number}"
        middle.plot(epochs, [epoch[name] for epoch in history], marker=".", color=colour,
                    label=label)
        if name in LIKENESS:
            for scale, style in (("random_letters", ":"), ("held_out_names", "--")):
                middle.axhline(scales[scale][name], linestyle=style, color=colour, linewidth=0.8)
    middle.set(xlabel="epoch", ylim=(0, 1.05),
               title="shares (dashed: held-out names, dotted: random letters)")
    for axes in (left, middle):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    draw_names(right, invented[:SHOWN])
    return figure


def draw_names(axes, names):
    axes.set_axis_off()
    axes.set_title("invented")
    for number, name in enumerate(names):
        column, row = divmod(number, 16)
        axes.text(column / 3, 1 - (row + 1) / 17, name, family="monospace", fontsize=10,
                  parse_math=False)
