"""`Module` itself: names and kinds of attributes, what is loaded, hooks, containers, text."""

from collections import OrderedDict

import numpy as np
import pytest

import fastnn
from fastnn import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.scale = nn.Parameter(fastnn.tensor(2.0))
        self.register_buffer("offset", fastnn.ones(4))
        self.register_buffer("scratch", fastnn.zeros(2), persistent=False)
        self.last = nn.Sequential(nn.Linear(4, 2), nn.ReLU())

    def forward(self, x):
        return self.last(self.norm(self.first(x)) * self.scale + self.offset)


KEYS = ["scale", "offset", "first.weight", "first.bias", "norm.weight", "norm.bias",
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "last.0.weight",
        "last.0.bias"]


def values(net):
    return {key: tensor.numpy().copy() for key, tensor in net.state_dict().items()}


def test_names():
    net = Net()
    assert list(net.state_dict()) == KEYS
    assert [name for name, _ in net.named_parameters()] == [
        key for key in KEYS if key.split(".")[-1] in ("weight", "bias", "scale")]
    assert [name for name, _ in net.named_buffers()] == [
        "offset", "scratch", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert [name for name, _ in net.named_modules()] == [
        "", "first", "norm", "last", "last.0", "last.1"]
    assert [name for name, _ in net.named_children()] == ["first", "norm", "last"]
    assert [name for name, _ in net.named_parameters("net", recurse=False)] == ["net.scale"]
    assert list(net.last.state_dict(prefix="net.last.")) == ["net.last.0.weight", "net.last.0.bias"]
    assert net.get_submodule("last.0") is net.last[0]
    assert net.get_parameter("last.0.bias") is net.last[0].bias
    assert net.get_buffer("norm.running_mean") is net.norm.running_mean


def test_a_replaced_module_keeps_its_place():
    net = Net()
    net.first = nn.Linear(3, 4, bias=False)
    assert [name for name, _ in net.named_children()] == ["first", "norm", "last"]
    net.norm = None
    assert [name for name, _ in net.named_children()] == ["first", "last"]
    assert net.norm is None


def test_an_attribute_changes_its_kind():
    net = Net()
    net.offset = nn.Parameter(fastnn.zeros(4))
    assert "offset" in dict(net.named_parameters()) and "offset" not in dict(net.named_buffers())
    del net.offset
    assert not hasattr(net, "offset") and "offset" not in net.state_dict()
    net.scale = None
    assert "scale" not in net.state_dict()


@pytest.mark.parametrize("change, error, text", [
    (lambda net: setattr(net, "first", 3), TypeError,
     "submodule first must be a Module or None, got int"),
    (lambda net: setattr(net, "scale", fastnn.ones(1)), TypeError, "must be a Parameter or None"),
    (lambda net: setattr(net, "offset", [1.0]), TypeError,
     "buffer offset must be a Tensor or None, got list"),
    (lambda net: net.register_buffer("first", fastnn.ones(1)), ValueError, "'first' exists"),
    (lambda net: net.register_buffer("x", 3), TypeError,
     "buffer x must be a Tensor or None, got int"),
    (lambda net: net.add_module("forward", nn.ReLU()), ValueError, "'forward' exists already"),
    (lambda net: net.add_module("a.b", nn.ReLU()), ValueError, "string without dots, got 'a.b'"),
    (lambda net: net.register_parameter("x", fastnn.ones(1)), TypeError,
     "parameter x must be a Parameter or None, got Tensor"),
    (lambda net: net.get_submodule("last.7"), AttributeError, "Sequential has no submodule '7'"),
    (lambda net: net.get_parameter("last.0.gain"), AttributeError, "has no parameter 'gain'"),
    (lambda net: net.to("cuda"), ValueError, "fastnn is for CPUs, got 'cuda'"),
    (lambda net: net.to(fastnn.int64), TypeError, "Net.to: expected float32 or float64, got int64"),
    (lambda net: net.train("yes"), ValueError, "mode must be True or False, got 'yes'"),
    (lambda net: net.register_forward_hook(3), TypeError, "hook: expected a function, got int"),
    (lambda net: nn.Module()(3), NotImplementedError, r"Module has no forward\(\)"),
    (lambda net: net.missing, AttributeError, "missing"),
    (lambda net: nn.Sequential(3), TypeError, "submodule 0 must be a Module or None, got"),
    (lambda net: net.last[2], IndexError, "Sequential: index 2, there are 2 modules"),
    (lambda net: nn.ModuleList()(3), NotImplementedError, "ModuleList has no forward"),
])
def test_errors(change, error, text):
    net = Net()
    before = values(net)
    with pytest.raises(error, match=text):
        change(net)
    for key, value in values(net).items():
        np.testing.assert_array_equal(value, before[key])


def test_super_init_comes_first():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"Early: call super\(\).__init__\(\) before"):
        Early()


def test_a_state_goes_through_a_file(tmp_path):
    net, other = Net(), Net()
    net(fastnn.rand(5, 3))
    fastnn.save(net.state_dict(), tmp_path / "net.safetensors")
    assert other.load_state_dict(fastnn.load(tmp_path / "net.safetensors")) == ([], [])
    for key, value in values(net).items():
        np.testing.assert_array_equal(value, values(other)[key])


def test_a_state_shares_memory_and_a_loaded_one_does_not():
    net, other = Net(), Net()
    state = net.state_dict()
    state["scale"].fill_(5.0)
    assert net.scale.item() == 5.0 and not state["scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    other.load_state_dict(state)
    net.scale.data.fill_(1.0)
    assert other.scale.item() == 5.0 and other.scale.requires_grad


def test_a_loaded_value_takes_the_type_and_layout_of_the_parameter():
    net = nn.Linear(2, 3).double()
    weight = np.arange(6, dtype=np.float32).reshape(2, 3).T
    net.load_state_dict({"weight": fastnn.from_numpy(weight), "bias": fastnn.ones(3)})
    assert net.weight.dtype == fastnn.float64 and net.weight.is_contiguous()
    assert net.weight.tolist() == weight.tolist()


@pytest.mark.parametrize("change, text", [
    (lambda state: state.update(scale=np.ones(())), "scale: expected a Tensor, got ndarray"),
    (lambda state: [state.pop(key) for key in ("scale", "offset")] + [state.update(more=0)],
     "load_state_dict of Net: missing key scale; missing key offset; unexpected key more"),
])
def test_a_state_that_does_not_fit_changes_nothing(change, text):
    net, state = Net(), Net().state_dict()
    before = values(net)
    change(state)
    with pytest.raises(RuntimeError, match=text):
        net.load_state_dict(state)
    for key, value in values(net).items():
        np.testing.assert_array_equal(value, before[key])


def test_loading_invalidates_a_recorded_graph():
    net = nn.Linear(2, 2)
    loss = (net(fastnn.ones(1, 2).requires_grad_()) ** 2).sum()
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_conversion_keeps_parameters_and_gradients():
    net = Net()
    weight = net.first.weight
    net(fastnn.rand(4, 3)).sum().backward()
    assert net.double() is net and net.first.weight is weight
    assert weight.dtype == weight.grad.dtype == net.norm.running_mean.dtype == fastnn.float64
    assert net.norm.num_batches_tracked.dtype == fastnn.int64
    assert net(fastnn.rand(4, 3).double()).dtype == fastnn.float64
    assert net.to("cpu", fastnn.float32).first.weight.dtype == fastnn.float32
    assert net.cpu().float() is net


def test_hooks_whose_handles_are_dropped():
    net, seen = nn.Identity(), []
    for number in range(5):
        net.register_forward_hook(lambda module, args, output, number=number: seen.append(number))
    net(fastnn.ones(1))
    assert seen == [0, 1, 2, 3, 4]


def test_backward_hooks_are_pytorchs():
    torch = pytest.importorskip("torch")
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


def test_repr():
    assert repr(Net()) == """Net(
  (first): Linear(in_features=3, out_features=4, bias=True)
  (norm): BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (last): Sequential(
    (0): Linear(in_features=4, out_features=2, bias=True)
    (1): ReLU()
  )
)"""


def test_sequential():
    layers = [nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)]
    net = nn.Sequential(*layers)
    assert len(net) == 3 and list(net) == layers and net[-1] is layers[2]
    assert list(net[1:]) == layers[1:] and isinstance(net[1:], nn.Sequential)
    net[1] = nn.Tanh()
    assert repr(net[1]) == "Tanh()"
    assert net.append(nn.Sigmoid()) is net and len(net) == 4
    del net[1]
    assert [name for name, _ in net.named_children()] == ["0", "1", "2"] and net[1] is layers[2]
    named = nn.Sequential(OrderedDict(start=nn.Linear(2, 2), end=nn.ReLU()))
    assert named.start is named[0] and list(named.state_dict()) == ["start.weight", "start.bias"]
    assert list(named[:1].state_dict()) == ["start.weight", "start.bias"]


def test_module_list():
    layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(2, 2)])
    layers.insert(1, nn.ReLU())
    layers.insert(-1, nn.Tanh())
    layers.extend([nn.Identity()])
    assert [type(each).__name__ for each in layers] == ["Linear", "ReLU", "Tanh", "Linear",
                                                        "Identity"]
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    del layers[1:3]
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2"]
    assert isinstance(layers[:2], nn.ModuleList) and layers[:2][1] is layers[1]


def test_parameter():
    source = fastnn.ones(2)
    parameter = nn.Parameter(source)
    assert parameter.requires_grad and parameter.is_leaf and not source.requires_grad
    assert isinstance(parameter, fastnn.Tensor) and type(parameter * 2) is fastnn.Tensor
    assert not nn.Parameter(fastnn.ones(1), requires_grad=False).requires_grad
    with pytest.raises(RuntimeError, match="only floating-point tensors have gradients"):
        nn.Parameter(fastnn.tensor([1, 2]))
