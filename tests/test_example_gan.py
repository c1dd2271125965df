"""The adversarial networks: training, what is measured of their images, what is written."""

import sys
from pathlib import Path

import numpy as np
import pytest
from example_runs import read_report
from matplotlib.image import imread

import fastnn
from fastnn import nn

MODELS = ("mlp", "dcgan", "wgan-gp", "cgan")
SMOKE = ["--smoke", "--dataset", "digits"]


@pytest.fixture
def gan(load_example):
    return load_example("gan")


@pytest.fixture
def small(gan, monkeypatch):
    """Few images, samples and epochs of the judge."""
    monkeypatch.setattr(gan, "SMOKE_IMAGES", 384)
    monkeypatch.setattr(gan, "SMOKE_SAMPLES", 200)
    monkeypatch.setattr(sys.modules["gan_judge"], "EPOCHS", 2)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_measures_and_shows(gan, small, model):
    assert gan.main([*SMOKE, "--model", model, "--out", "out"]) == 0
    assert sorted(each.name for each in Path("out").iterdir()) == [
        "average.safetensors", "checkpoint.safetensors", "discriminator.safetensors",
        "generator.safetensors", "nearest.png", "report.json", "report.png",
        "samples-001.png", "samples-002.png", "walk.png"]
    figures = read_report("out")
    assert figures["settings"]["model"] == model and len(figures["epochs"]) == 2
    measured = {"score", "frechet", "smallest_share", "largest_share"}
    assert measured <= figures.keys() and measured <= figures["references"]["real"].keys()
    assert ("as_asked" in figures) == (model == "cgan")
    assert figures["references"]["real"]["frechet"] < figures["references"]["noise"]["frechet"]
    assert 0 < figures["nearest_training_image"]["test_images"]["median"] < 28
    assert imread("out/report.png").shape[:2] == (700, 1200)
    side = 10 * 58 + 2
    assert imread("out/samples-002.png").shape[:2] == (side, side)
    assert imread("out/walk.png").shape[:2] == (side, 12 * 58 + 2)
    assert imread("out/nearest.png").shape[:2] == (2 * 58 + 2, 12 * 58 + 2)
    network = gan.RECIPES[model].generator()
    network.load_state_dict(fastnn.load("out/generator.safetensors"))


@pytest.mark.parametrize("model", MODELS)
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(gan, small, assert_resumes, model):
    networks = [f"{name}.safetensors" for name in ("generator", "discriminator", "average")]
    assert_resumes(gan, *SMOKE, "--model", model, "--batch-size", "32", "--epochs", "3", after=1,
                   files=[*networks, "samples-003.png"])


def leaves(node):
    """The tensors whose gradients a recorded graph leads to."""
    found, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting.extend(each for each, _ in node.next_functions if each is not None)
    return found


@pytest.mark.parametrize("model", MODELS)
def test_each_step_records_and_computes_only_gradients_that_it_uses(gan, model, monkeypatch):
    trainer = gan.RECIPES[model].trainer(gan.RECIPES[model])
    parts = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    ids = {name: {id(each) for each in part.parameters()} for name, part in parts.items()}
    seen = []

    def descend(optimizer, loss):
        for part in parts.values():
            part.zero_grad()
        reached = leaves(loss.grad_fn)
        loss.backward()
        graded = {name for name, part in parts.items()
                  if any(each.grad is not None for each in part.parameters())}
        seen.append(({name for name in parts if reached & ids[name]}, graded))
        optimizer.step()
        return loss.item()

    monkeypatch.setattr(gan, "descend", descend)
    count = 8 * trainer.recipe.n_critic
    trainer.step(fastnn.randn(count, 1, 28, 28), fastnn.arange(count) % 10)
    critic, last = seen[:-1], seen[-1]
    assert len(critic) == trainer.recipe.n_critic
    assert all(each == ({"discriminator"}, {"discriminator"}) for each in critic)
    assert last == ({"generator"}, {"generator"})
    assert all(each.requires_grad for each in trainer.discriminator.parameters())


def test_labels_and_their_smoothing(gan):
    trainer = gan.GANTrainer(gan.Recipe(gan.GANTrainer, gan.dense_generator,
                                        gan.dense_discriminator, 1, label_smoothing=0.1))
    real, fakes = fastnn.randn(5, 1, 28, 28), fastnn.randn(5, 1, 28, 28)
    labels = fastnn.arange(5)

    def opinions(images):
        return 1 / (1 + np.exp(-trainer.discriminator(images).detach().numpy().astype(float)))

    wanted = -(0.9 * np.log(opinions(real)) + 0.1 * np.log(1 - opinions(real))
               + np.log(1 - opinions(fakes))).mean()
    assert trainer.discriminator_loss(real, fakes, labels).item() == pytest.approx(wanted, rel=1e-5)
    assert trainer.generator_loss(fakes, labels).item() == pytest.approx(
        -np.log(opinions(fakes)).mean(), rel=1e-5)


def test_the_gradient_penalty_of_a_linear_critic(gan):
    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(784, 1)

        def forward(self, images):
            return self.layer(images.flatten(1))

    trainer = gan.WassersteinTrainer(gan.Recipe(
        gan.WassersteinTrainer, gan.dense_generator, Critic, 1))
    real, fakes = fastnn.randn(6, 1, 28, 28), fastnn.randn(6, 1, 28, 28)
    loss = trainer.discriminator_loss(real, fakes, None)
    critic = trainer.discriminator
    weight = critic.layer.weight.detach().numpy().astype(float)
    norm = np.linalg.norm(weight)
    distance = (critic(real).mean() - critic(fakes).mean()).item()
    assert loss.item() == pytest.approx(10 * (norm - 1) ** 2 - distance, rel=1e-4)
    loss.backward()
    means = (real.mean(0) - fakes.mean(0)).numpy().reshape(1, 784).astype(float)
    np.testing.assert_allclose(critic.layer.weight.grad.numpy(),
                               20 * (norm - 1) * weight / norm - means, rtol=1e-3, atol=1e-5)


def test_the_average_follows_quickly_at_first_and_slowly_later(gan):
    averages, currents = [fastnn.zeros(1)], [fastnn.ones(1)]
    gan.moving_average(averages, currents, fastnn.tensor(1))
    assert averages[0].item() == pytest.approx(9 / 11)
    averages = [fastnn.zeros(1)]
    gan.moving_average(averages, currents, fastnn.tensor(100_000))
    assert averages[0].item() == pytest.approx(1 - gan.DECAY, rel=1e-4)


def test_the_averaged_generator_has_the_statistics_of_its_own_images(gan):
    recipe = gan.RECIPES["mlp"]
    trainer = recipe.trainer(recipe)
    noise = fastnn.randn(4 * recipe.batch, gan.LATENT)
    trainer.normalize(noise, fastnn.arange(len(noise)) % 10)
    dense, norm = trainer.average.module[:2]
    wanted = dense(noise).detach().numpy().mean(axis=0)
    np.testing.assert_allclose(norm.running_mean.numpy(), wanted, rtol=1e-4, atol=1e-6)
    assert not (trainer.generator[1].running_mean.numpy() != 0).any()


def test_divergence_ends_the_run_and_keeps_what_was_saved(gan, small, monkeypatch, refusal):
    whole = gan.train_epoch

    def train_epoch(trainer, images, labels, run, batch_size):
        figures = whole(trainer, images, labels, run, batch_size)
        return {**figures, "generator_loss": float("nan")} if run.saved == 1 else figures

    monkeypatch.setattr(gan, "train_epoch", train_epoch)
    line = refusal(gan, *SMOKE, "--out", "out")
    assert line.endswith("epoch 2: the training diverged: generator loss is nan")
    assert len(fastnn.load("out/checkpoint.safetensors")["history"]) == 1


def test_mode_collapse_is_said(gan, capsys):
    gan.warn(3, {"largest_share": 0.59})
    assert capsys.readouterr().out == ""
    gan.warn(3, {"largest_share": 0.83})
    assert capsys.readouterr().out == (
        "epoch 3: mode collapse: 83% of the samples are of one class\n")


@pytest.mark.parametrize("arguments, text", [
    (["--model", "biggan"], "invalid choice: 'biggan'"),
    (["--dataset", "cifar"], "invalid choice: 'cifar'"),
    (["--batch-size", "0"], "'0' is not a positive integer"),
    (["--data-dir", "nowhere"], "there is no folder 'nowhere'"),
])
def test_wrong_arguments(gan, refusal, arguments, text):
    assert text in refusal(gan, *arguments)


@pytest.mark.parametrize("size", ["1", "400"])
def test_a_batch_of_one_or_larger_than_the_data_set(gan, small, refusal, size):
    line = refusal(gan, *SMOKE, "--batch-size", size)
    assert f"--batch-size: {size} given, 2 to 384 are possible" in line


def test_without_data_and_network(gan, refusal):
    assert "cannot download" in refusal(gan, "--smoke")


class TestJudge:
    @pytest.fixture
    def judge(self, gan, small):
        return sys.modules["gan_judge"]

    @pytest.fixture
    def sets(self):
        random = np.random.default_rng(0)

        def draw(count):
            labels = np.arange(count) % 10
            images = random.normal(-1, 0.1, (count, 28, 28)).astype(np.float32)
            for image, label in zip(images, labels, strict=True):
                image[2 * label + 3:2 * label + 6] += 2  # a bar whose height is the class
            return images, labels

        return draw(400), draw(200)

    def obtain(self, judge, sets, capsys):
        """A judge, and whether it was trained."""
        found = judge.Judge.obtain(Path("judges"), *sets)
        return found, "training the judge" in capsys.readouterr().out

    def test_it_is_trained_once_and_kept(self, judge, sets, capsys):
        first, trained = self.obtain(judge, sets, capsys)
        assert trained and len(list(Path("judges").iterdir())) == 1
        again, trained = self.obtain(judge, sets, capsys)
        assert not trained and again.identity == first.identity
        other = [(sets[0][0] + np.float32(0.1), sets[0][1]), sets[1]]
        other, trained = self.obtain(judge, other, capsys)
        assert trained and other.identity != first.identity
        assert len(list(Path("judges").iterdir())) == 2

    def test_one_that_does_not_match_its_hash_is_trained_anew(self, judge, sets, capsys):
        first, _ = self.obtain(judge, sets, capsys)
        path, = Path("judges").iterdir()
        kept = fastnn.load(path)
        kept["weights"]["0.weight"][0, 0, 0, 0] += 1e-3
        fastnn.save(kept, path)
        again, trained = self.obtain(judge, sets, capsys)
        assert trained and again.identity == first.identity
        path.write_bytes(path.read_bytes()[:-100])
        again, trained = self.obtain(judge, sets, capsys)
        assert trained and again.identity == first.identity
        fastnn.save({"something": 1}, path)
        assert self.obtain(judge, sets, capsys)[1]
        assert not self.obtain(judge, sets, capsys)[1]

    def test_training_it_changes_no_result(self, gan, small, capsys):
        for name in ("first", "second"):
            assert gan.main([*SMOKE, "--epochs", "1", "--out", name]) == 0
        assert Path("first/average.safetensors").read_bytes() == Path(
            "second/average.safetensors").read_bytes()

    def test_what_it_says_of_images(self, judge, sets, capsys, monkeypatch):
        monkeypatch.setattr(judge, "EPOCHS", 10)
        found, _ = self.obtain(judge, sets, capsys)
        images, labels = sets[1]
        assert found.accuracy > 0.95
        figures = found.measure(images, labels)
        assert figures["as_asked"] == found.accuracy
        assert figures["smallest_share"] == pytest.approx(0.1, abs=0.03)
        wrong = found.measure(images, (labels + 1) % 10)
        assert wrong["as_asked"] <= 1 - found.accuracy
        alone = found.measure(images[labels == 3])
        assert alone["largest_share"] > 0.9 and alone["smallest_share"] == 0
        assert alone["score"] < 2 < figures["score"]
        assert alone["frechet"] > 10 * figures["frechet"]

    def test_score(self, judge):
        sure = np.eye(10)[np.arange(50) % 10]
        assert judge.score(sure) == pytest.approx(10)
        assert judge.score(np.full((50, 10), 0.1)) == pytest.approx(1)
        assert judge.score(sure[:1].repeat(50, axis=0)) == pytest.approx(1)
        assert judge.score(np.array([[0.75, 0.25], [0.25, 0.75]])) == pytest.approx(
            np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5)))

    def test_frechet_distance(self, judge):
        random = np.random.default_rng(0)
        basis, _ = np.linalg.qr(random.standard_normal((5, 5)))
        first, second = np.arange(1.0, 6), np.arange(5.0, 0, -1)
        means = random.standard_normal((2, 5))
        # Covariances that commute: the distance is that of the standard deviations.
        found = judge.frechet_distance((means[0], basis * first @ basis.T),
                                       (means[1], basis * second @ basis.T))
        wanted = ((means[0] - means[1]) ** 2).sum() + (
            (np.sqrt(first) - np.sqrt(second)) ** 2).sum()
        assert found == pytest.approx(wanted)
        # Others: A^(1/2) B A^(1/2) has the eigenvalues of A B.
        covariances = [each @ each.T for each in random.standard_normal((2, 5, 5))]
        joint = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real).sum()
        found = judge.frechet_distance((means[0], covariances[0]), (means[0], covariances[1]))
        assert found == pytest.approx(np.trace(covariances[0] + covariances[1]) - 2 * joint)

    def test_frechet_distance_of_features_that_are_never_on(self, judge):
        features = np.random.default_rng(0).standard_normal((100, 4)) * [1, 0, 2, 0]
        assert judge.frechet_distance(judge.moments(features), judge.moments(features)) == (
            pytest.approx(0, abs=1e-9))
        assert judge.frechet_distance(judge.moments(features), judge.moments(
            features + [0, 3, 0, 4])) == pytest.approx(25)

    def test_nearest(self, judge):
        random = np.random.default_rng(0)
        others = random.uniform(-1, 1, (300, 28, 28)).astype(np.float32)
        images = random.uniform(-1, 1, (150, 28, 28)).astype(np.float32)
        images[120] = others[77]
        distances, places = judge.nearest(images, others)
        assert places[120] == 77 and distances[120] < 0.05
        all_distances = np.sqrt(((images[:, None] - others) ** 2).sum(axis=(2, 3)))
        wanted = np.delete(all_distances, 120, axis=0)
        np.testing.assert_allclose(np.delete(distances, 120), wanted.min(axis=1), rtol=1e-4)
        assert (np.delete(places, 120) == wanted.argmin(axis=1)).all()


def test_a_walk_ends_where_the_next_point_is(gan):
    found = {}

    class Trainer:
        def sample(self, noise, labels):
            found["noise"], found["labels"] = noise.numpy(), labels.numpy()

    noise = fastnn.randn(20, gan.LATENT)
    sys.modules["gan_report"].walks(Trainer(), noise)
    rows = found["noise"].reshape(10, 12, gan.LATENT)
    np.testing.assert_allclose(rows[:, 0], noise.numpy()[:10], atol=1e-6)
    np.testing.assert_allclose(rows[:, -1], noise.numpy()[10:], atol=1e-6)
    assert (found["labels"].reshape(10, 12) == np.arange(10)[:, None]).all()


def test_pytorch_runs_the_same_lines(run_in_torch, tmp_path):
    report = run_in_torch("gan.py", *SMOKE, "--model", "wgan-gp", "--epochs", "1",
                          "--judges", str(tmp_path / "judges"))
    assert report["epochs"][0]["score"] >= 1
