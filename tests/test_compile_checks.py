"""Checks of values, schedules and averages, which replays do as eager mode does."""

import pytest

import fastnn
from fastnn import nn, optim, tape
from fastnn._kernels import losses, program
from fastnn.compiler.explanation import name_of
from fastnn.nn import functional as F

ones = fastnn.ones(3)
CHECKS = {
    "probabilities": (lambda x: F.binary_cross_entropy(x, ones), 0.5, 2.0, ValueError),
    "variance": (lambda x: F.gaussian_nll_loss(ones, ones, x), 0.5, -1.0, ValueError),
    "deviation": (lambda x: fastnn.normal(ones, x), 0.5, -1.0, ValueError),
    "divisor": (lambda x: x.to(fastnn.int64) // x.to(fastnn.int64), 2.0, 0.0, ZeroDivisionError),
    "classes": (lambda x: F.nll_loss(fastnn.zeros(3, 2), x.to(fastnn.int64)), 1.0, 5.0,
                IndexError),
    "positions": (lambda x: ones[x.to(fastnn.int64)], 1.0, 7.0, IndexError),
    "rows": (lambda x: F.embedding(x.to(fastnn.int64), fastnn.eye(3)), 1.0, 7.0, IndexError),
}


@pytest.mark.parametrize("name", CHECKS)
def test_values_are_checked_in_replays(name):
    function, good, bad, error = CHECKS[name]
    compiled = fastnn.compile(function)
    for _ in range(3):
        compiled(fastnn.full((3,), good))
    assert len(compiled.records()) == 1
    with pytest.raises(error) as found:
        compiled(fastnn.full((3,), bad))
    with pytest.raises(error) as wanted:
        function(fastnn.full((3,), bad))
    assert str(found.value) == str(wanted.value)
    compiled(fastnn.full((3,), good))


SCHEDULES = {
    "cosine with restarts": lambda sgd: optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, 3),
    "plateau": lambda sgd: optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=1),
    "sequence": lambda sgd: optim.lr_scheduler.SequentialLR(
        sgd, [optim.lr_scheduler.ConstantLR(sgd, 0.5), optim.lr_scheduler.ExponentialLR(sgd, 0.9)],
        milestones=[3]),
    "chain": lambda sgd: optim.lr_scheduler.ChainedScheduler(
        [optim.lr_scheduler.ExponentialLR(sgd, 0.9), optim.lr_scheduler.ConstantLR(sgd, 0.5)]),
}


def rates(name, wrap):
    """The learning rates, weights and averages of twelve steps."""
    fastnn.manual_seed(0)
    net = nn.Linear(3, 1)
    sgd = optim.SGD(net.parameters(), lr=0.1)
    schedule, average = SCHEDULES[name](sgd), optim.swa_utils.AveragedModel(net)

    def step(x):
        sgd.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        sgd.step()
        schedule.step(*[loss.detach()] * (name == "plateau"))
        average.update_parameters(net)

    step, found = wrap(step), []
    for number in range(12):
        step(fastnn.full((2, 3), 1.0 + number % 3))
        found.append([sgd.param_groups[0]["lr"], net.weight.tolist(),
                      [each.tolist() for each in average.parameters()]])
    return found


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_and_averages_go_on_in_replays(name):
    assert rates(name, fastnn.compile) == rates(name, lambda function: function)


@pytest.mark.parametrize("function", [
    lambda x: F.multilabel_margin_loss(x, fastnn.tensor([1, 0, -1])), lambda x: 1.0 in x,
    lambda x: nn.utils.rnn.pack_padded_sequence(x.reshape(3, 1), [3]).data],
    ids=["listed classes", "in", "packed"])
def test_ways_that_depend_on_values_are_refused(function):
    compiled = fastnn.compile(function)
    compiled(ones)
    with pytest.raises(RuntimeError, match=r"compile: .*test_compile_checks\.py:\d+: "):
        compiled(ones)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_each_replay_counts_the_labels(reduction, smoothing):
    """The mean is over the labels that count, whose number was another when it was recorded."""
    weight = fastnn.randn(4, 3, generator=fastnn.Generator().manual_seed(0)).requires_grad_()

    def step(labels):
        weight.grad = None
        loss = F.cross_entropy(weight, labels, ignore_index=1, reduction=reduction,
                               label_smoothing=smoothing)
        loss.sum().backward()
        return loss.detach().clone(), weight.grad.clone()

    compiled = fastnn.compile(step)
    for labels in ([0, 2, 0, 2], [0, 2, 0, 1], [1, 1, 0, 2], [1, 1, 1, 1], [2, 0, 1, 0]):
        labels = fastnn.tensor(labels)
        for found, wanted in zip(compiled(labels), step(labels), strict=True):
            assert found.numpy().tobytes() == wanted.numpy().tobytes()
    assert len(compiled.records()) == 1
    listed = [name_of(each) for each in compiled.records()[-1].program.listed()]
    assert {"count_labels", "check", "cross_entropy_rows"} <= {*listed}
    if reduction != "none":  # whose gradient is one number, repeated, which NumPy spreads
        assert [name for name in listed if "Python" in name] == ["bind_gradients (Python)"]


def test_dropout_between_layouts_replays_as_kernels():
    """Its gradient arrives with the channels first, and its input had them last."""
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(),
                        nn.Linear(8 * 36, 4))
    images = fastnn.randn(2, 1, 14, 14, generator=fastnn.Generator().manual_seed(0))
    labels = fastnn.tensor([3, 1])

    @fastnn.compile
    def step():
        F.cross_entropy(net(images), labels).backward()

    for _ in range(3):
        step()
    listed = [name_of(each) for each in step.records()[-1].program.listed()]
    assert listed.count("dropout") == 2
    # The drawing of a place in the generator's sequence, and the parameters' gradients.
    assert {name for name in listed if "Python" in name} == {
        "Generator.take.<locals>.draw (Python)", "bind_gradients (Python)"}


def test_a_check_without_findings_is_not_called():
    calls = []
    compiled = fastnn.compile(lambda x: program.expect_none(
        losses.improbable(tape.used(x)), lambda: calls.append(1)) or x * 2)
    for value in (0.5, 0.5, 0.5, 0.7):
        compiled(fastnn.full((3,), value))
    assert len(compiled.records()) == 1 and not calls
    compiled(fastnn.full((3,), 1.5))
    assert len(calls) == 1


@pytest.mark.parametrize("of", ["parameter", "drawn"])
def test_probabilities_from_outside(of):
    values = fastnn.full((3,), 0.25)
    if of == "parameter":
        values = nn.Parameter(values)
    compiled = fastnn.compile(lambda y: F.binary_cross_entropy(values, y).detach())
    for target in (0.0, 1.0, 0.5):
        y = fastnn.full((3,), target)
        assert compiled(y).item() == F.binary_cross_entropy(values, y).item()
    assert len(compiled.records()) == 1


@pytest.mark.parametrize("labels", [
    fastnn.tensor([0, 1, 2], dtype=fastnn.uint8), fastnn.tensor([[0, 9], [1, 9], [2, 9]])[:, 0],
    fastnn.zeros(0, dtype=fastnn.int64)], ids=["uint8", "gaps", "none"])
def test_labels_of_other_layouts(labels):
    x = fastnn.randn(len(labels), 3)
    compiled = fastnn.compile(lambda x, labels: F.cross_entropy(x, labels, reduction="sum"))
    for _ in range(3):
        assert compiled(x, labels).item() == F.cross_entropy(x, labels, reduction="sum").item()
    assert len(compiled.records()) == 1
