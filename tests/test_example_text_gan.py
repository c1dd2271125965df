"""The networks that invent names: their measures, their steps, and a run end to end."""

import sys
from pathlib import Path

import numpy as np
import pytest
from example_runs import read_report
from matplotlib.image import imread

import fastnn

NAMES = ["eva", *(first + second for first in ("an", "bel", "cor", "da", "el") for second in
                  ("a", "ina", "bert", "ra", "mo", "nis"))] * 8


@pytest.fixture
def gan(load_example, monkeypatch):
    """The example as a module, which invents few names."""
    module = load_example("text_gan")
    monkeypatch.setattr(module, "INVENTED", 100)
    return module


@pytest.fixture
def report(gan):
    """The module of the measures."""
    return sys.modules["text_gan_report"]


@pytest.fixture
def few_names(tmp_path):
    """A folder with a short list of names."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "names.txt").write_text("\n".join(NAMES))
    return folder


def test_pairs_and_triples_of_letters_have_the_edges_of_names(report):
    assert report.grams(["ab", "a"], 2) == {".a": 2, "ab": 1, "b.": 1, "a.": 1}
    assert report.grams(["ab", "a"], 3) == {".ab": 1, "ab.": 1, ".a.": 1}
    assert report.grams([""], 2) == {"..": 1} and not report.grams([""], 3)


def test_the_measures_of_known_names(report):
    real = ["ab", "ab", "ba", "abc"]
    found = report.compared(["ab", "ac", "ac", ""], real)
    # .a ab b.  .a ac c.  .a ac c.  ..  of which  .a ab b. ba a. bc c. .b  are real
    assert found["bigrams_real"] == pytest.approx((3 + 2 + 2) / 10)
    # .ab ab.  .ac ac.  .ac ac.  of which  .ab ab. .ba ba. abc bc.  are real
    assert found["trigrams_real"] == pytest.approx(2 / 6)
    assert found["new"] == 2 / 4 and found["distinct"] == 3 / 4
    # Real: 13 pairs, .a 3, ab 3, b. 2, .b 1, ba 1, a. 1, bc 1, c. 1
    assert found["bigram_overlap"] == pytest.approx(3 / 13 + 1 / 10 + 1 / 10 + 1 / 13)


def test_the_measures_of_the_real_names_themselves(report):
    found = report.compared(NAMES, NAMES)
    assert found == {"bigrams_real": 1, "trigrams_real": 1, "bigram_overlap": pytest.approx(1),
                     "new": 0, "distinct": 1 / 8}


def test_frequencies_count_and_not_only_occurrence(report):
    lopsided = report.compared(["anna"] * 100, ["anna", "bob", "carl"])
    assert lopsided["bigrams_real"] == 1 and lopsided["bigram_overlap"] < 0.5
    assert lopsided["distinct"] == 0.01


def test_random_names_are_as_long_and_even(report):
    names = report.random_names(["abc", "a"] * 2000, "abcd", np.random.default_rng(0))
    assert [len(name) for name in names] == [3, 1] * 2000
    counts = np.array([sum(name.count(each) for name in names) for each in "abcd"])
    assert np.all(np.abs(counts / counts.sum() - 0.25) < 0.02)


def test_names_are_encoded_and_decoded(gan):
    numbers = gan.encoded(["ab", "abcdefghijklmno"])
    assert numbers.shape == (2, gan.LENGTH)
    assert numbers[0].tolist() == [1, 2] + 14 * [0] and numbers[1].tolist() == [*range(1, 16), 0]
    letters = fastnn.nn.functional.one_hot(fastnn.from_numpy(numbers), 27)
    assert gan.decoded(letters) == ["ab", "abcdefghijklmno"]
    letters[0, 1:] = letters[1, :15]  # a.bc... was not asked for; ab after an end does not count
    letters[0, 1] = letters[1, 15]
    assert gan.decoded(letters)[0] == "a"


@pytest.mark.parametrize("name", ["Ann", "o'neil", "abcdefghijklmnop", "zo\u00eb"])
def test_what_is_no_name(gan, name):
    with pytest.raises(ValueError, match="is not a name of at most 15 small letters"):
        gan.encoded(["emma", name])


def test_the_generator_draws_one_letter_at_a_time_and_has_gradients(gan):
    generator = gan.Generator(hidden=8)
    letters = generator(fastnn.randn(5, gan.NOISE))
    assert tuple(letters.shape) == (5, gan.LENGTH, 27)
    values = letters.detach().numpy()
    np.testing.assert_allclose(np.sort(values, 2)[:, :, :-1], 0, atol=1e-6)
    np.testing.assert_allclose(values.max(2), 1, atol=1e-6)
    letters[:, -1, 3].sum().backward()
    assert all(each.grad is not None and np.abs(each.grad.numpy()).max() > 0
               for each in generator.parameters())


def test_a_letter_depends_on_those_before_it(gan):
    generator = gan.Generator(hidden=8)
    with fastnn.no_grad():
        for each in generator.parameters():
            each.zero_()
        # The state tells the last letter: "b" follows "a", up to "h", and "a" anything else.
        generator.cell.weight_ih[16:, :] = 10 * fastnn.eye(27)[:8]
        generator.cell.bias_ih[8:16] = -50.0  # the state is the new one alone
        generator.scores.weight[1:9, :] = 200 * fastnn.eye(8)
        generator.scores.bias[1] = 50.0
    assert gan.decoded(generator(fastnn.randn(3, gan.NOISE))) == 3 * [2 * "abcdefgh"]


def test_each_step_changes_its_own_network_and_no_other(gan):
    generator, discriminator = gan.Generator(8), gan.Discriminator(8)

    def weights():
        return [np.concatenate([each.detach().numpy().ravel().copy() for each in net.parameters()])
                for net in (generator, discriminator)]

    optimizers = [gan.Adam(net.parameters(), lr=0.01) for net in (generator, discriminator)]
    real = fastnn.nn.functional.one_hot(fastnn.from_numpy(gan.encoded(NAMES[:30])), 27).float()
    invented = generator(fastnn.randn(30, gan.NOISE))
    first = weights()
    gan.train_discriminator(discriminator, optimizers[1], real, invented.detach())
    second = weights()
    assert np.array_equal(first[0], second[0]) and not np.array_equal(first[1], second[1])
    before = [each.grad.numpy().copy() for each in discriminator.parameters()]
    gan.train_generator(discriminator, optimizers[0], invented)
    third = weights()
    assert not np.array_equal(second[0], third[0]) and np.array_equal(second[1], third[1])
    for each, gradient in zip(discriminator.parameters(), before, strict=True):
        np.testing.assert_array_equal(each.grad.numpy(), gradient)
        assert each.requires_grad


def test_the_discriminator_learns_to_tell_the_two_apart(gan):
    discriminator = gan.Discriminator(16)
    optimizer = gan.Adam(discriminator.parameters(), lr=0.01)
    real, other = (fastnn.nn.functional.one_hot(fastnn.from_numpy(gan.encoded(each)), 27).float()
                   for each in (NAMES[:60], ["zyx", "xyzzy"] * 30))
    losses = [gan.train_discriminator(discriminator, optimizer, real, other) for _ in range(30)]
    assert losses[0] == pytest.approx(2 * np.log(2), abs=0.1) and losses[-1] < 0.3
    with fastnn.no_grad():
        scores = [discriminator(each).mean().item() for each in (real, other)]
    assert scores[0] > 1 and scores[1] < -1


def test_a_run_reports_and_learns(gan, few_names, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    assert gan.main(["--data-dir", str(few_names), "--epochs", "10", "--smoke",
                     "--batch-size", "16", "--seed", "3", "--threads", "1", "--out", str(out)]) == 0
    report = read_report(out)
    assert report["settings"] == {
        "data_dir": str(few_names), "epochs": 10, "smoke": True, "seed": 3, "threads": 1,
        "batch_size": 16, "out": str(out)}
    assert report["bigram_overlap"] == report["epochs"][-1]["bigram_overlap"]
    assert report["held_out_names"]["new"] == 0 and report["random_letters"]["new"] > 0.8
    assert report["bigram_overlap"] > 1.5 * report["epochs"][0]["bigram_overlap"]
    invented = (out / "names.txt").read_text().split("\n")
    assert len(invented) == 101 and invented[:48] == report["sample"]
    assert imread(out / "report.png").shape[:2] == (500, 1500)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("invented: ") and printed[1].startswith("epoch 1/10: ")
    network = gan.Generator()
    network.load_state_dict(fastnn.load(out / "generator.safetensors"))


def test_every_tenth_name_is_held_out(gan, few_names):
    options = type("Options", (), {"data_dir": few_names, "smoke": False, "batch_size": 8})
    training, held_out = gan.load(type("Run", (), {"options": options}))
    assert held_out == NAMES[::10] and len(training) == 223 and training[:2] == NAMES[1:3]
    options.smoke, gan.SMOKE = True, 100
    training, held_out = gan.load(type("Run", (), {"options": options}))
    assert held_out == NAMES[::20] and len(training) == 111


@pytest.mark.parametrize("arguments, text", [
    (["--batch-size", "0"], "'0' is not a positive integer"),
    (["--data-dir", "nowhere"], "there is no folder 'nowhere'"),
    (["--model", "lstm"], "unrecognized arguments: --model lstm"),
])
def test_wrong_arguments(gan, refusal, arguments, text):
    assert text in refusal(gan, *arguments)


def test_lists_that_cannot_be_learned(gan, few_names, refusal):
    few = ["--data-dir", str(few_names)]
    assert refusal(gan, *few, "--batch-size", "300").endswith("223 names are no batch of 300")
    (few_names / "names.txt").write_text("emma\nOlivia\n")
    assert refusal(gan, *few).endswith("'Olivia' is not a name of at most 15 small letters")
    assert not Path("runs").exists()


def test_no_names_and_no_network(gan, refusal):
    assert "cannot download names.txt" in refusal(gan)


def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(gan, few_names, assert_resumes):
    arguments = ["--data-dir", str(few_names), "--epochs", "3", "--batch-size", "32"]
    assert_resumes(gan, *arguments, after=2, files=(
        "generator.safetensors", "discriminator.safetensors", "names.txt"))
    assert gan.main([*arguments, "--out", "parts", "--resume"]) == 0  # there is nothing left to do
    assert Path("whole/names.txt").read_bytes() == Path("parts/names.txt").read_bytes()


def test_pytorch_runs_the_same_lines(run_in_torch, few_names):
    report = run_in_torch("text_gan.py", "--data-dir", str(few_names), "--epochs", "1")
    assert len(report["epochs"]) == 1
