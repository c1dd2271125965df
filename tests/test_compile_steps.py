"""Training steps of other forms than zero_grad, backward, step: all bits as in eager mode."""

import pytest
from compiled_twins import (
    Job,
    assert_like_eager,
    differences,
    floats,
    history,
    labelled,
    perceptron,
)

import fastnn
from fastnn import nn, optim
from fastnn.nn import functional as F

FLAT = labelled((7, 5), 3)


def prepared(rule=optim.Adam, **settings):
    net = perceptron()
    return net, rule(net.parameters(), **settings)


def clipped_by_norm():
    net, optimizer = prepared()

    def step(x, labels):
        optimizer.zero_grad()
        F.cross_entropy(net(x) * 5, labels).backward()
        norm = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return norm

    return Job(step, FLAT, (net, optimizer))


def clipped_by_value():
    net, optimizer = prepared()

    def step(x, labels):
        optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(net(x), labels).backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.05)
        optimizer.step()

    return Job(step, FLAT, (net, optimizer))


def accumulated_within():
    net, optimizer = prepared()

    def step(x, labels):
        optimizer.zero_grad()
        losses = []
        for part, wanted in zip(x.split(3), labels.split(3), strict=True):
            loss = F.cross_entropy(net(part), wanted) / 3
            loss.backward()
            losses.append(loss.detach())
        optimizer.step()
        return losses

    return Job(step, FLAT, (net, optimizer))


def zeroed_last():
    net, optimizer = prepared()

    def step(x, labels):
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return Job(step, FLAT, (net, optimizer))


def penalized():
    """A critic with the penalty on its gradient (Gulrajani et al., 2017)."""
    net, optimizer = prepared(betas=(0.0, 0.9))

    def step(real, fake):
        mix = fastnn.rand(7, 1)
        x = (mix * real + (1 - mix) * fake).requires_grad_()
        (slope,) = fastnn.autograd.grad(net(x).sum(), x, create_graph=True)
        penalty = ((slope.norm(2, 1) - 1) ** 2).mean()
        optimizer.zero_grad()
        loss = net(fake).mean() - net(real).mean() + 10 * penalty
        loss.backward()
        optimizer.step()
        return loss.detach(), penalty.detach()

    return Job(step, floats((7, 5), (7, 5)), (net, optimizer))


def averaged():
    """A moving average of the weights, and noise added to them."""
    net, optimizer = prepared()
    average = perceptron().requires_grad_(False)

    def step(x, labels):
        optimizer.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()
        with fastnn.no_grad():
            for kept, new in zip(average.parameters(), net.parameters(), strict=True):
                kept.lerp_(new, 0.1)
                new.add_(fastnn.randn_like(new), alpha=0.01)

    return Job(step, FLAT, (net, optimizer, average))


def without_optimizer():
    net = perceptron()

    def step(x, labels):
        gradients = fastnn.autograd.grad(F.cross_entropy(net(x), labels), list(net.parameters()))
        with fastnn.no_grad():
            for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
        return gradients

    return Job(step, FLAT, (net,))


def adversarial():
    """Both steps of a GAN in one function, the critic frozen while the generator learns."""
    maker, critic = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)), perceptron()
    rules = [optim.Adam(net.parameters(), 0.01, (0.5, 0.9)) for net in (maker, critic)]

    def step(real):
        critic.requires_grad_(True)
        rules[1].zero_grad()
        fake = maker(fastnn.randn(7, 3))
        gap = F.softplus(critic(fake.detach())).mean() + F.softplus(-critic(real)).mean()
        gap.backward()
        rules[1].step()
        critic.requires_grad_(False)
        rules[0].zero_grad()
        loss = F.softplus(-critic(fake)).mean()
        loss.backward()
        rules[0].step()
        return {"critic": gap.detach(), "generator": loss.detach()}

    return Job(step, floats((7, 5)), (maker, critic, *rules))


@pytest.mark.parametrize("make", [
    clipped_by_norm, clipped_by_value, accumulated_within, zeroed_last, penalized, averaged,
    without_optimizer, adversarial])
def test_step(make):
    assert_like_eager(make, calls=9)


@pytest.mark.parametrize("to_none", [True, False])
def test_accumulation_over_calls(to_none):
    """Only the backward pass is compiled; the optimizer steps outside after every third call."""
    def make():
        net, optimizer = prepared()

        def accumulate(x, labels):
            loss = F.cross_entropy(net(x), labels)
            loss.backward()
            return loss.detach()

        return Job(accumulate, FLAT, (net, optimizer))

    def change(job, number):
        if number % 3 == 0:
            job.owners[1].step()
            job.owners[1].zero_grad(set_to_none=to_none)

    assert_like_eager(make, change, calls=14)


RULES = {"SGD": {"momentum": 0.9}, "Adam": {}}
SCHEDULES = [
    ("StepLR", {"step_size": 2}), ("ExponentialLR", {"gamma": 0.9}), ("LinearLR", {}),
    ("CosineAnnealingLR", {"T_max": 5}), ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)})]


@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name, settings", SCHEDULES)
def test_schedule(name, settings, rule, inside):
    def make():
        net, optimizer = prepared(getattr(optim, rule), lr=0.1, **RULES[rule])
        schedule = getattr(optim.lr_scheduler, name)(optimizer, **settings)

        def step(x, labels):
            optimizer.zero_grad()
            F.cross_entropy(net(x), labels).backward()
            optimizer.step()
            if inside:
                schedule.step()

        return Job(step, FLAT, (net, optimizer, schedule))

    def change(job, number):
        if number and not inside:
            job.owners[2].step()

    assert_like_eager(make, change, calls=9)


def test_two_compiled_steps_that_share_networks():
    """The critic learns in two calls of three, the generator in the third."""
    def train(wrap):
        fastnn.manual_seed(0)
        maker, critic = nn.Linear(3, 5), perceptron()
        rules = [optim.Adam(net.parameters(), 0.01) for net in (maker, critic)]

        def learn(rule, loss):
            rule.zero_grad()
            loss.backward()
            rule.step()
            return loss.detach()

        @wrap
        def of_critic(real):
            fake = maker(fastnn.randn(7, 3)).detach()
            return learn(rules[1], critic(fake).mean() - critic(real).mean())

        @wrap
        def of_maker(real):
            return learn(rules[0], -critic(maker(fastnn.randn(7, 3))).mean())

        def in_turn(real, number):
            return (of_maker if number % 3 == 2 else of_critic)(real)

        turns = iter(range(18))
        draw = floats((7, 5))
        job = Job(in_turn, lambda random: (*draw(random), next(turns)), (maker, critic, *rules))
        return history(job, in_turn, calls=18)

    for wanted, got in zip(train(lambda step: step), train(fastnn.compile), strict=True):
        assert not differences(wanted, got)
