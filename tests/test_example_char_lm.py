"""The model of characters: batches, carried state, measures, writing, and a run end to end."""

import math
from pathlib import Path

import numpy as np
import pytest
from example_runs import Bar, read_report
from matplotlib.image import imread

import fastnn
from fastnn import nn

TEXT = "To be, or not to be: that is the question.\n" * 150


@pytest.fixture
def lm(load_example):
    return load_example("char_lm")


@pytest.fixture
def small_text(tmp_path):
    """A folder with a short text under the name of the long one."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "tinyshakespeare.txt").write_text(TEXT)
    return folder


class Scorer(nn.Module):
    """Scores from a function of the text and the state, which counts the parts that were read."""

    reads = 1

    def __init__(self, scores):
        super().__init__()
        self.scores, self.states = scores, []
        self.weight = nn.Parameter(fastnn.ones(1))

    def forward(self, text, state=None):
        self.states.append(state)
        count = fastnn.zeros(1) if state is None else state
        scores = np.asarray(self.scores(text.numpy()), np.float32)
        return fastnn.from_numpy(scores) * self.weight, (count + 1) * self.weight


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru", "transformer"])
def test_every_model_learns_and_reports(lm, small_text, tmp_path, capsys, model):
    out = tmp_path / "deep" / "out"
    assert lm.main(["--model", model, "--data-dir", str(small_text), "--epochs", "3", "--smoke",
                    "--seed", "3", "--threads", "1", "--length", "50", "--temperature", "0.5",
                    "--out", str(out)]) == 0
    report = read_report(out)
    assert report["settings"] == {
        "model": model, "data_dir": str(small_text), "epochs": 3, "smoke": True, "seed": 3,
        "threads": 1, "out": str(out), "length": 50, "temperature": 0.5}
    losses = [epoch["loss"] for epoch in report["epochs"]]
    assert len(losses) == 3 and losses[2] < losses[0]
    last = report["epochs"][-1]
    assert report["test_loss"] == last["test_loss"]
    assert report["perplexity"] == pytest.approx(math.exp(last["test_loss"]))
    assert report["bits_per_character"] == pytest.approx(math.log2(report["perplexity"]))
    sample = (out / "sample.txt").read_text()
    assert sample == report["sample"] and len(sample) == 50 and set(sample) <= set(TEXT)
    assert capsys.readouterr().out.endswith(f"{sample}\n")
    assert imread(out / "report.png").shape[:2] == (500, 1200)
    network = lm.RECIPES[model].network(len(set(TEXT)))
    network.load_state_dict(fastnn.load(out / "model.safetensors"))
    numbers = lm.load(run_of(data_dir=small_text, smoke=False))[2]
    assert lm.measure(network, lm.streams(numbers)) == report["test_loss"]


def run_of(**options):
    """Something with options, for `load`."""
    return type("Run", (), {"options": type("Options", (), options)})


def test_the_last_tenth_is_held_out(lm, small_text):
    symbols, training, test = lm.load(run_of(data_dir=small_text, smoke=False))
    assert symbols == "".join(sorted(set(TEXT)))
    assert len(test) == len(TEXT) // 10
    assert "".join(symbols[each] for each in [*training, *test]) == TEXT
    lm.SMOKE = 1000
    _, training, test = lm.load(run_of(data_dir=small_text, smoke=True))
    assert (len(training), len(test)) == (900, 100)


def test_streams_follow_one_another_and_targets_are_the_next_characters(lm):
    numbers = np.arange(lm.BATCH * 150 + 8)
    batches = lm.streams(numbers)
    assert [tuple(inputs.shape) for inputs, _ in batches] == [(32, 64), (32, 64), (32, 22)]
    inputs = np.concatenate([each.numpy() for each, _ in batches], 1)
    np.testing.assert_array_equal(inputs.ravel(), numbers[:32 * 150])
    for inputs, targets in batches:
        np.testing.assert_array_equal(targets.numpy(), inputs.numpy() + 1)
    exact = np.arange(lm.BATCH * 64 + 1)
    assert len(lm.streams(exact)) == 1 and lm.streams(exact)[0][1].numpy().max() == len(exact) - 1


def test_windows_come_from_anywhere_and_depend_on_the_seed_and_the_epoch(lm):
    numbers = np.arange(20_000)
    first, again, other = ([batch[0].numpy() for batch in
                            lm.windows(numbers, np.random.default_rng((0, epoch)))]
                           for epoch in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.shape(first) == (len(lm.streams(numbers)), lm.BATCH, lm.STEPS)
    starts = np.array(first)[:, :, 0]
    assert starts.min() < 500 and starts.max() > 19_400 and len(np.unique(starts)) > 280
    for inputs, targets in lm.windows(numbers, np.random.default_rng(0)):
        np.testing.assert_array_equal(inputs.numpy(), inputs.numpy()[:, :1] + np.arange(64))
        np.testing.assert_array_equal(targets.numpy(), inputs.numpy() + 1)


def test_windows_reach_the_last_character(lm):
    numbers = np.arange(lm.STEPS + 1)
    lm.BATCH = 1
    assert lm.windows(numbers, np.random.default_rng(0))[0][1].numpy().max() == lm.STEPS


def test_the_measure_of_one_who_knows_nothing_and_of_one_who_knows_all(lm):
    batches = lm.streams(np.arange(3000) % 7)
    uniform = Scorer(lambda text: np.zeros((*text.shape, 7)))
    assert math.exp(lm.measure(uniform, batches)) == pytest.approx(7)
    knowing = Scorer(lambda text: 50 * np.eye(7)[(text + 1) % 7])
    assert lm.measure(knowing, batches) == pytest.approx(0, abs=1e-6)
    late = Scorer(lambda text: 50 * np.eye(7)[text])  # says what it reads
    assert lm.measure(late, batches) == pytest.approx(50)


def test_the_measure_weighs_characters_not_batches(lm):
    def scores(text):  # certain in parts of 64 characters, uniform in the shorter last one
        return (50 if text.shape[1] == lm.STEPS else 0) * np.eye(7)[(text + 1) % 7]

    numbers = np.arange(lm.BATCH * (64 + 16) + 1) % 7
    assert lm.measure(Scorer(scores), lm.streams(numbers)) == pytest.approx(math.log(7) * 16 / 80)


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_the_state_is_carried_from_part_to_part(lm, model):
    numbers = np.random.default_rng(0).integers(0, 5, lm.BATCH * 150 + 1)
    network = lm.RECIPES[model].network(5)
    parts = lm.measure(network, lm.streams(numbers))
    lm.STEPS = 150
    whole = lm.streams(numbers)
    assert len(whole) == 1
    assert parts == pytest.approx(lm.measure(network, whole), rel=1e-6)
    alone = [lm.measure(network, [(inputs[:, :64], targets[:, :64])]) for inputs, targets in whole]
    assert parts != pytest.approx(alone[0], rel=1e-4)


def test_training_carries_values_of_the_state_and_no_gradient(lm):
    network = Scorer(lambda text: np.zeros((*text.shape, 7)))
    optimizer = fastnn.optim.SGD(network.parameters(), lr=0.0)
    schedule = fastnn.optim.lr_scheduler.ConstantLR(optimizer)
    lm.train_epoch(network, optimizer, schedule, Bar(lm.streams(np.arange(lm.BATCH * 150 + 8) % 7)))
    assert network.states[0] is None
    assert [each.item() for each in network.states[1:]] == [1, 2]
    assert not any(each.requires_grad for each in network.states[1:])


def test_both_states_of_an_lstm_are_detached(lm):
    states = tuple(fastnn.ones(2, requires_grad=True) * number for number in (1, 2))
    assert [each.requires_grad for each in lm.detached(states)] == [False, False]
    assert [each[0].item() for each in lm.detached(states)] == [1, 2]
    assert lm.detached(None) is None


def test_the_transformer_does_not_look_ahead(lm):
    network = lm.Transformer(7).eval()
    text = np.random.default_rng(0).integers(0, 7, (2, 20))
    other = text.copy()
    other[:, 12:] = (other[:, 12:] + 1) % 7
    first, second = (network(fastnn.from_numpy(each))[0].detach().numpy() for each in (text, other))
    np.testing.assert_allclose(first[:, :12], second[:, :12], rtol=1e-5, atol=1e-5)
    assert np.abs(first[:, 12:] - second[:, 12:]).max() > 0.01


def test_what_is_written_follows_the_scores(lm):
    symbols = "\nabcdef"
    cycle = Scorer(lambda text: 50 * np.eye(7)[(text + 1) % 7])
    assert lm.write(cycle, symbols, 10, 1.0) == "abcdef\nabc"
    assert [each is None for each in cycle.states] == [True] + 9 * [False]


def test_the_temperature_sharpens_and_flattens(lm):
    symbols = "\nabcdef"
    scorer = Scorer(lambda text: np.broadcast_to(np.eye(7)[3], (*text.shape, 7)))

    def share(temperature):
        return lm.write(scorer, symbols, 400, temperature).count("c") / 400

    assert share(0.05) == 1.0
    assert share(1.0) == pytest.approx(math.e / (math.e + 6), abs=0.08)
    assert share(100.0) == pytest.approx(1 / 7, abs=0.08)


def test_a_transformer_writes_beyond_its_context(lm):
    network = lm.Transformer(3)
    read = []
    network.embedding.register_forward_hook(lambda module, inputs, output: read.append(inputs[0]))
    assert len(lm.write(network, "\nab", 80, 1.0)) == 80
    assert [each.shape[1] for each in read] == [min(each, 64) for each in range(1, 81)]


@pytest.mark.parametrize("arguments, text", [
    (["--model", "cnn"], "invalid choice: 'cnn'"),
    (["--temperature", "0"], "'0' is not a positive number"),
    (["--temperature", "hot"], "'hot' is not a positive number"),
    (["--temperature", "inf"], "'inf' is not a positive number"),
    (["--length", "-1"], "'-1' is not a positive integer"),
])
def test_wrong_arguments(lm, refusal, arguments, text):
    assert text in refusal(lm, *arguments)


def test_a_text_that_is_too_short(lm, small_text, refusal):
    (small_text / "tinyshakespeare.txt").write_text(TEXT[:300])
    line = refusal(lm, "--data-dir", str(small_text))
    assert line.endswith("300 characters of text are too few")
    assert not Path("runs").exists()


def test_no_text_and_no_network(lm, refusal):
    assert "cannot download input.txt" in refusal(lm)


@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(
        lm, small_text, assert_resumes, model):
    assert_resumes(lm, "--model", model, "--data-dir", str(small_text), "--epochs", "3",
                   "--length", "40", after=2, files=("model.safetensors", "sample.txt"))


def test_a_finished_run_writes_again_at_another_temperature(lm, small_text, capsys):
    arguments = ["--model", "rnn", "--data-dir", str(small_text), "--epochs", "1", "--out", "out"]
    assert lm.main([*arguments, "--length", "40"]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("epoch 1/1: ")
    assert lm.main([*arguments, "--length", "30", "--temperature", "0.01", "--resume"]) == 0
    second = Path("out/sample.txt").read_text()
    assert capsys.readouterr().out == f"{second}\n" and len(second) == 30


def test_pytorch_runs_the_same_lines(run_in_torch, small_text):
    report = run_in_torch("char_lm.py", "--model", "lstm", "--data-dir", str(small_text),
                          "--epochs", "2", "--length", "20")
    assert len(report["epochs"]) == 2
