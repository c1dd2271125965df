"""Hooks of modules: before and after a forward, before and after a backward."""

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import nn


def test_hooks():
    net, calls = nn.Linear(2, 2), []
    first = net.register_forward_pre_hook(lambda module, args: (args[0] * 0,))
    second = net.register_forward_hook(
        lambda module, args, output: calls.append(args) or output + 1)
    got = net(fastnn.ones(1, 2))
    close(got.detach().array, (net.bias + 1).detach().array[None], 0)
    assert calls[0][0].tolist() == [[0, 0]]
    first.remove()
    second.remove()
    second.remove()
    net(fastnn.ones(1, 2))
    assert len(calls) == 1


def test_hooks_whose_handles_are_dropped():
    net, seen = nn.Identity(), []
    for number in range(5):
        net.register_forward_hook(lambda module, args, output, number=number: seen.append(number))
    net(fastnn.ones(1))
    assert seen == [0, 1, 2, 3, 4]


def test_backward_hooks_are_pytorchs(torch):
    seen = {}

    def run(library, tensor):
        def hook(module, grad_input, grad_output):
            seen[library].append([each.detach().numpy() for each in (*grad_input, *grad_output)])
            return tuple(each * 2 for each in grad_input)

        seen[library] = []
        layer = library.nn.Linear(3, 2).double()
        with library.no_grad():
            layer.weight.copy_(tensor(np.arange(6.0).reshape(2, 3)))
        layer.register_full_backward_hook(hook)
        x = tensor(np.ones((4, 3)), requires_grad=True)
        (layer(x * 3) ** 2 * layer.bias.sum()).sum()
        (layer(x * 3) * tensor(np.arange(8.0).reshape(4, 2))).sum().backward()
        return x.grad.numpy()

    ours, theirs = run(fastnn, fastnn.tensor), run(torch, torch.tensor)
    np.testing.assert_allclose(ours, theirs)
    assert len(seen[fastnn]) == len(seen[torch]) == 1
    for mine, other in zip(seen[fastnn][0], seen[torch][0], strict=True):
        np.testing.assert_allclose(mine, other)


def test_backward_hook_of_a_first_layer_and_of_identity():
    net, seen = nn.Sequential(nn.Linear(2, 2), nn.Identity()), []
    for module in net:
        module.register_full_backward_hook(
            lambda module, grad_input, grad_output: seen.append((grad_input, grad_output)))
    net(fastnn.ones(1, 2)).sum().backward()
    (through, output), (none, _) = seen
    assert through[0].tolist() == output[0].tolist() == [[1, 1]] and none == (None,)
    with fastnn.no_grad():
        assert not net(fastnn.ones(1, 2)).requires_grad


def test_hooks_with_keywords():
    class Scaled(nn.Module):
        def forward(self, x, scale=1.0):
            return x * scale

    net, seen = Scaled(), []
    net.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True)
    net.register_forward_hook(
        lambda module, args, kwargs, output: seen.append(kwargs["scale"]), with_kwargs=True)
    assert net(fastnn.ones(1), scale=2.0).item() == 3.0 and seen == [3.0]
    net.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\), got 3"):
        net(fastnn.ones(1), scale=2.0)
    with pytest.raises(TypeError, match="hook: expected a function, got int"):
        net.register_forward_hook(3, with_kwargs=True)


def test_hooks_that_come_before_others():
    net, seen = nn.Identity(), []
    for number, first in ((0, False), (1, False), (2, True)):
        net.register_forward_pre_hook(
            lambda module, args, number=number: seen.append(number), prepend=first)
    net(fastnn.ones(1))
    assert seen == [2, 0, 1]


def test_hooks_before_a_backward_are_pytorchs(torch):
    found = []
    for library, tensor in ((fastnn, fastnn.tensor), (torch, torch.tensor)):
        seen, layer = [], library.nn.Linear(3, 2).double()
        with library.no_grad():
            layer.weight.copy_(tensor(np.arange(6.0).reshape(2, 3)))
        layer.register_full_backward_pre_hook(lambda module, g: (g[0] * 2,))
        layer.register_full_backward_hook(
            lambda module, inputs, outputs, seen=seen: seen.append(outputs[0].detach().numpy()))
        x = tensor(np.ones((4, 3)), requires_grad=True)
        (layer(x * 3) * tensor(np.arange(8.0).reshape(4, 2))).sum().backward()
        found.append((x.grad.numpy(), layer.weight.grad.numpy(), *seen))
    assert len(found[0]) == len(found[1]) == 3
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs)


class TwoOutputs(nn.Module):
    def forward(self, x, y):
        return x * 2, y * 3


def test_a_backward_hook_of_a_module_one_of_whose_outputs_is_not_used():
    net, seen = TwoOutputs(), []
    net.register_full_backward_hook(lambda module, inputs, outputs: seen.append((inputs, outputs)))
    x, y = fastnn.ones(2, requires_grad=True), fastnn.ones(2, requires_grad=True)
    net(x, y)[0].sum().backward()
    (inputs, outputs), = seen
    assert [each.tolist() for each in inputs] == [[2, 2], [0, 0]]
    assert outputs[0].tolist() == [1, 1] and outputs[1] is None
    assert x.grad.tolist() == [2, 2]


def test_a_backward_hook_of_a_module_one_of_whose_inputs_is_not_used():
    class First(nn.Module):
        def forward(self, x, y):
            return x * 2

    net, seen = First(), []
    net.register_full_backward_hook(lambda module, inputs, outputs: seen.append(inputs))
    net(*(fastnn.ones(2, requires_grad=True) for _ in range(2))).sum().backward()
    assert [each.tolist() for each in seen[0]] == [[2, 2], [0, 0]]


def test_backward_hooks_replace_the_gradients_of_several():
    net = TwoOutputs()
    net.register_full_backward_pre_hook(
        lambda module, outputs: [each if each is None else each * 5 for each in outputs])
    net.register_full_backward_hook(lambda module, inputs, outputs: (inputs[1], inputs[0]))
    x, y = fastnn.ones(2, requires_grad=True), fastnn.ones(2, requires_grad=True)
    sum(each.sum() for each in net(x, y)).backward()
    assert x.grad.tolist() == [15, 15] and y.grad.tolist() == [10, 10]
    net.register_full_backward_hook(lambda module, inputs, outputs: inputs[:1])
    with pytest.raises(RuntimeError, match="hook of TwoOutputs: got 1 gradients back for 2"):
        net(x, y)[0].sum().backward()


def test_a_hook_that_is_called_after_an_error_too():
    class Failing(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    net, seen = Failing(), []
    net.register_forward_hook(lambda module, args, output: seen.append("usual"))
    net.register_forward_hook(lambda module, args, output: seen.append(output), always_call=True)
    with pytest.raises(ValueError, match="no"):
        net(fastnn.ones(1))
    assert seen == [None]
