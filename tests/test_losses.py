"""Losses and distances as modules, their warnings, errors and far ends, beside PyTorch's."""

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

random = np.random.default_rng(0)
SCORES, OTHERS, THIRD = (random.uniform(0.1, 0.9, (6, 4)) for _ in range(3))
WEIGHT = [0.5, 1.0, 2.0, 0.25]
LABELS = random.integers(0, 4, 6)
SIGNS = random.choice([-1, 1], (6, 4))
LISTED = random.integers(-1, 4, (6, 4))
PIXELS = random.standard_normal((2, 4, 3, 2)), random.integers(0, 4, (2, 3, 2))

MODULES = [  # name, settings, inputs
    ("MSELoss", {"reduction": "sum"}, (SCORES, OTHERS)),
    ("L1Loss", {}, (SCORES, OTHERS)),
    ("HuberLoss", {"delta": 0.3}, (SCORES, OTHERS)),
    ("SmoothL1Loss", {"beta": 0.3, "reduction": "none"}, (SCORES, OTHERS)),
    ("PoissonNLLLoss", {"log_input": False, "full": True}, (SCORES, OTHERS * 5)),
    ("GaussianNLLLoss", {"full": True, "eps": 0.3}, (SCORES, OTHERS, THIRD)),
    ("KLDivLoss", {"reduction": "batchmean"}, (SCORES, OTHERS)),
    ("KLDivLoss", {"reduction": "sum", "log_target": True}, (SCORES, OTHERS)),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1, "ignore_index": 1},
     (SCORES, LABELS)),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1, "reduction": "sum"}, PIXELS),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, (SCORES, OTHERS)),
    ("CrossEntropyLoss", {"reduction": "none", "ignore_index": 2}, PIXELS),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 3}, PIXELS),
    ("NLLLoss", {"reduction": "none"}, (SCORES, LABELS)),
    ("BCELoss", {"weight": WEIGHT}, (SCORES, OTHERS)),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT, "weight": WEIGHT}, (SCORES, OTHERS)),
    ("SoftMarginLoss", {}, (SCORES, SIGNS)),
    ("HingeEmbeddingLoss", {"margin": 0.55}, (SCORES, SIGNS)),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHT, "reduction": "none"}, (SCORES, OTHERS)),
    ("MarginRankingLoss", {"margin": 0.1}, (SCORES, OTHERS, SIGNS)),
    ("CosineEmbeddingLoss", {"margin": 0.3}, (SCORES, OTHERS, SIGNS[:, 0])),
    ("MultiMarginLoss", {"p": 2, "margin": 0.7, "weight": WEIGHT}, (SCORES, LABELS)),
    ("MultiLabelMarginLoss", {}, (SCORES, LISTED)),
    ("TripletMarginLoss", {"margin": 0.4, "p": 3.0, "eps": 0.01, "swap": True},
     (SCORES, OTHERS, THIRD)),
    ("TripletMarginWithDistanceLoss", {"margin": 0.4, "swap": True}, (SCORES, OTHERS, THIRD)),
    ("CosineSimilarity", {"dim": 0, "eps": 1e-3}, (SCORES, OTHERS)),
    ("PairwiseDistance", {"p": 1.0, "eps": 1e-3, "keepdim": True}, (SCORES, OTHERS)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, settings, inputs", MODULES, ids=lambda value: (
    value if isinstance(value, str) else ""))
def test_module_as_pytorch(torch, name, settings, inputs, dtype):
    results = []
    for library, owner in ((fastnn, nn), (torch, torch.nn)):
        kind = getattr(library, dtype)
        converted = {key: library.tensor(value, dtype=kind) if isinstance(value, list) else value
                     for key, value in settings.items()}
        tensors = [library.tensor(each, dtype=kind, requires_grad=True) if each.dtype.kind == "f"
                   else library.tensor(each) for each in inputs]
        module = getattr(owner, name)(**converted)
        loss = module(*tensors)
        (loss * loss).sum().backward()
        results.append([loss.detach(), *(each.grad for each in tensors if each.grad is not None)])
        assert set(module.state_dict()) == {key for key in settings if "weight" in key}
    for one, other in zip(*results, strict=True):
        assert str(one.dtype) == str(other.dtype).removeprefix("torch.")
        close(one.numpy(), other.numpy(), 1e-5 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, np.inf])
def test_distances_of_all_pairs_as_pytorch(torch, p):
    rows = np.concatenate([SCORES, SCORES[:1]])  # two of them alike: the slope there is 0
    ours, theirs = (library.tensor(rows, requires_grad=True) for library in (fastnn, torch))
    got, wanted = F.pdist(ours, p), torch.nn.functional.pdist(theirs, p)
    close(got.detach().numpy(), wanted.detach().numpy(), 1e-12)
    if p >= 1:
        (got * got).sum().backward()
        (wanted * wanted).sum().backward()
        close(ours.grad.numpy(), theirs.grad.numpy(), 1e-11)


def test_distances_of_few_rows():
    assert F.pdist(fastnn.ones(1, 3)).shape == (0,) and F.pdist(fastnn.ones(0, 3)).shape == (0,)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"])
def test_repeated_target_gives_a_warning(name):
    function = getattr(F, name)
    x, row = fastnn.tensor(SCORES, requires_grad=True), fastnn.tensor(OTHERS[0], requires_grad=True)
    with pytest.warns(UserWarning, match=f"{name}: input has shape .6, 4., target .4,.: values"):
        loss = function(x, row)
    wanted = function(fastnn.tensor(SCORES), row.detach().expand(6, 4))
    assert loss.item() == pytest.approx(wanted.item()) and loss.backward() is None
    assert row.grad.shape == (4,) and x.grad.shape == (6, 4)


FAR = [-np.inf, -3e38, -200.0, -90.0, 0.0, 90.0, 200.0, 3e38]


def test_far_scores_give_finite_losses():
    """From finite scores of any size come finite losses and gradients, but sums that overflow."""
    x = fastnn.tensor(FAR[1:], requires_grad=True)
    ones = fastnn.ones(7)
    for loss in (F.soft_margin_loss(x, ones, reduction="none"),
                 F.binary_cross_entropy_with_logits(x, ones, reduction="none"),
                 F.multilabel_soft_margin_loss(x.reshape(7, 1), ones.reshape(7, 1),
                                               reduction="none"),
                 F.hinge_embedding_loss(x, -ones, reduction="none"),
                 F.cross_entropy(x.reshape(1, 7), fastnn.tensor([0]), reduction="none")):
        (slope,) = fastnn.autograd.grad(loss.sum(), x)
        assert np.isfinite(slope.numpy()).all()
    values = F.soft_margin_loss(x, ones, reduction="none").detach().numpy()
    np.testing.assert_allclose(values[1:4], [200, 90, np.log(2)], 1e-6)


def test_cross_entropy_far_from_zero_keeps_its_digits():
    near = np.array([[0.25, 0.5, -0.125]], np.float32)
    far = near + np.float32(2.0 ** 20)
    losses, slopes = [], []
    for values in (near, far):
        x = fastnn.tensor(values, requires_grad=True)
        loss = F.cross_entropy(x, fastnn.tensor([2]))
        loss.backward()
        losses.append(loss.item())
        slopes.append(x.grad.numpy())
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    np.testing.assert_allclose(slopes[1], slopes[0], 1e-6)


ONES, ROWS = fastnn.ones(2), fastnn.ones(2, 3)
ERRORS = {
    "mse weight": (lambda: F.mse_loss(ROWS, ROWS, weight=ONES), ValueError,
                   r"mse_loss: input has shape \(2, 3\), weight \(2,\)"),
    "huber delta": (lambda: F.huber_loss(ONES, ONES, delta=0), ValueError,
                    "huber_loss: delta must be positive, got 0"),
    "smooth_l1 beta": (lambda: F.smooth_l1_loss(ONES, ONES, beta=-1), ValueError,
                       "smooth_l1_loss: beta must be at least 0, got -1"),
    "gaussian var": (lambda: F.gaussian_nll_loss(ONES, ONES, -ONES), ValueError,
                     "gaussian_nll_loss: var must not be negative, got -1"),
    "gaussian shape": (lambda: F.gaussian_nll_loss(ROWS, ROWS, fastnn.ones(3)), ValueError,
                       "gaussian_nll_loss: var must have the shape"),
    "reduction": (lambda: F.poisson_nll_loss(ONES, ONES, reduction="batchmean"), ValueError,
                  "poisson_nll_loss: reduction must be one of .* got 'batchmean'"),
    "shapes": (lambda: F.kl_div(ONES, fastnn.ones(3)), ValueError,
               r"kl_div: input has shape \(2,\), target \(3,\)"),
    "types": (lambda: F.binary_cross_entropy(ONES, ONES.double()), TypeError,
              "binary_cross_entropy: input is float32, target is float64"),
    "ranking": (lambda: F.margin_ranking_loss(ROWS, ROWS, ONES), ValueError,
                "margin_ranking_loss: input1, input2 and target must have as many dimensions"),
    "cosine": (lambda: F.cosine_embedding_loss(ROWS, ROWS, ROWS), ValueError,
               "cosine_embedding_loss: target must have 0 or 1 dimensions"),
    "multi_margin p": (lambda: F.multi_margin_loss(ROWS, fastnn.tensor([0, 1]), p=3), ValueError,
                       "multi_margin_loss: p must be 1 or 2, got 3"),
    "multi_margin label": (lambda: F.multi_margin_loss(ROWS, fastnn.tensor([0, 3])), IndexError,
                           "multi_margin_loss: target holds class 3, input has 3 classes"),
    "multi_margin weight": (
        lambda: F.multi_margin_loss(ROWS, fastnn.tensor([0, 1]), weight=ONES), ValueError,
        r"multi_margin_loss: weight must have shape \(3,\), got \(2,\)"),
    "multilabel label": (
        lambda: F.multilabel_margin_loss(ONES, fastnn.tensor([0, -2])), IndexError,
        "multilabel_margin_loss: target holds class -2, input has 2 classes"),
    "multilabel floats": (lambda: F.multilabel_margin_loss(ONES, ONES), ValueError,
                          "multilabel_margin_loss: target must be int64"),
    "triplet margin": (lambda: F.triplet_margin_loss(ROWS, ROWS, ROWS, margin=0), ValueError,
                       "triplet_margin_loss: margin must be positive, got 0"),
    "triplet shapes": (lambda: F.triplet_margin_loss(ROWS, ROWS, ONES), ValueError,
                       "triplet_margin_loss: anchor, positive and negative must have as many"),
    "pdist": (lambda: F.pdist(ONES), ValueError, "pdist: input must have 2 dimensions"),
    "pdist p": (lambda: F.pdist(ROWS, -1.0), ValueError, "pdist: p must be at least 0, got -1"),
    "historic": (lambda: nn.MSELoss(size_average=True), TypeError, "size_average"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()


def test_labels_that_change_before_the_gradient_are_noticed():
    x, labels = fastnn.zeros(2, 3, requires_grad=True), fastnn.tensor([0, 1])
    loss = F.cross_entropy(x, labels)
    labels.fill_(2)
    with pytest.raises(RuntimeError, match="in place"):
        loss.backward()


def test_labels_that_change_unseen_touch_no_other_memory():
    x, labels = fastnn.zeros(2, 3, requires_grad=True), fastnn.tensor([0, 1])
    loss = F.cross_entropy(x, labels)
    labels.numpy()[:] = 10**9, -10**9
    loss.backward()
    assert x.grad.tolist() == [[pytest.approx(1 / 6)] * 3] * 2


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_what_is_ignored_is_a_number(loss):
    with pytest.raises(TypeError, match="ignore_index must be an integer, got NoneType"):
        loss(fastnn.zeros(1, 3), fastnn.tensor([0]), ignore_index=None)


def test_an_infinite_gradient_reaches_the_classes():
    """As in PyTorch: without smoothing nothing is taken from the other classes."""
    logits = fastnn.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    (F.cross_entropy(logits, fastnn.tensor([0])) * float("inf")).backward()
    assert np.isposinf(logits.grad.numpy()[0, 1:]).all()
