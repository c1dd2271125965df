"""Write what a training run of char_lm.py gave: figures, the text, and a picture of the curves."""

from fastnn.serialization import write_atomically


def write_report(run, text):
    """Put report.json, sample.txt and report.png beside the weights."""
    last = run.history[-1]
    run.write_report(test_loss=last["test_loss"], perplexity=last["perplexity"],
                     bits_per_character=last["bits_per_character"], sample=text)
    write_atomically(run.out / "sample.txt", text.encode())
    run.write_picture("report.png", picture(run.options.model, run.history, text))


def picture(model, history, text):
    """The losses of the epochs, and the beginning of the text beside them."""
    from matplotlib.figure import Figure  # 0.3 s, which nobody waits for before the training

    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    for name, label in (("loss", "training"), ("test_loss", "held out")):
        left.plot(epochs, [epoch[name] for epoch in history], marker=".", label=label)
    left.set(xlabel="epoch", ylabel="nats per character",
             title=f"{model}: {history[-1]['bits_per_character']:.3f} bits per character, "
                   f"perplexity {history[-1]['perplexity']:.2f}")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.grid(alpha=0.3)
    left.legend()
    right.set_axis_off()
    right.text(0, 1, "\n".join(line[:70] for line in text.strip().split("\n")[:24]), va="top",
               family="monospace", fontsize=9, parse_math=False)
    return figure
