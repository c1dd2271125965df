"""`Module` itself: names and kinds of attributes, modes, conversion, text, errors."""

import copy

import numpy as np
import pytest
from networks import KEYS, Net, values

import fastnn
from fastnn import nn


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


def test_repr():
    assert repr(Net()) == """Net(
  (first): Linear(in_features=3, out_features=4, bias=True)
  (norm): BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
  (last): Sequential(
    (0): Linear(in_features=4, out_features=2, bias=True)
    (1): ReLU()
  )
)"""


def test_parameter():
    source = fastnn.ones(2)
    parameter = nn.Parameter(source)
    assert parameter.requires_grad and parameter.is_leaf and not source.requires_grad
    assert isinstance(parameter, fastnn.Tensor) and type(parameter * 2) is fastnn.Tensor
    assert not nn.Parameter(fastnn.ones(1), requires_grad=False).requires_grad
    with pytest.raises(RuntimeError, match="only floating-point tensors have gradients"):
        nn.Parameter(fastnn.tensor([1, 2]))


def test_shared_parameters_count_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert set(net.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert copy.deepcopy(net)[1].weight is not net[0].weight


def test_deepcopy_keeps_sharing():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    copied = copy.deepcopy(net)
    assert copied[1].weight is copied[0].weight


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net and not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())


def test_apply_goes_from_the_leaves_up():
    seen = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "ReLU", "Sequential", "Net"]


def test_gradients_of_a_module():
    net = Net()
    net(fastnn.rand(5, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.zero_grad(set_to_none=False)
    assert not any(parameter.grad.array.any() for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())
    net.requires_grad_(False)
    assert not net(fastnn.rand(5, 3)).requires_grad


def test_members_that_are_shared_count_as_often_as_asked_for():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net.append(net[0])
    assert [name for name, _ in net.named_modules()] == ["", "0", "1"]
    assert [name for name, _ in net.named_modules(prefix="net", remove_duplicate=False)] == [
        "net", "net.0", "net.1", "net.2"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 6
    assert len(list(net.parameters())) == 4 and len(list(net.children())) == 2


def test_set_submodule():
    net = Net()
    net.set_submodule("last.0", nn.Identity())
    assert isinstance(net.last[0], nn.Identity)
    with pytest.raises(AttributeError, match="Sequential has no submodule '5'"):
        net.set_submodule("last.5", nn.ReLU(), strict=True)
    with pytest.raises(TypeError, match="set_submodule: expected a Module, got int"):
        net.set_submodule("last.0", 3)


@pytest.mark.parametrize("name, kind", [("half", "float16"), ("bfloat16", "bfloat16")])
def test_types_of_16_bits_are_refused(name, kind):
    with pytest.raises(TypeError, match=f"Linear.{name}: {kind} is not offered"):
        getattr(nn.Linear(1, 1), name)()


def test_type():
    assert nn.Linear(1, 1).type(fastnn.float64).weight.dtype == fastnn.float64


def test_buffers_that_are_not_saved():
    net = Net()
    assert "scratch" not in net.state_dict() and "scratch" in dict(net.named_buffers())
    net.register_buffer("scratch", fastnn.ones(2))
    assert "scratch" in net.state_dict()


def test_plain_attributes_before_super_init():
    class Net(nn.Module):
        def __init__(self):
            self.size = 3
            super().__init__()
            self.layer = nn.Linear(self.size, 1)

    assert list(Net().state_dict()) == ["layer.weight", "layer.bias"]


def test_train_of_a_submodule_is_asked():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(Frozen(2), nn.Dropout()).train()
    assert [each.training for each in net.modules()] == [True, False, True]


def test_a_copied_parameter_has_no_gradient():
    layer = nn.Linear(2, 1)
    layer(fastnn.ones(1, 2)).sum().backward()
    assert copy.deepcopy(layer).weight.grad is None


def test_repr_of_several_lines():
    class Told(nn.Module):
        def extra_repr(self):
            return "one\ntwo"

    assert repr(Told()) == "Told(\n  one\n  two\n)"
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)")


def test_memory_format_is_for_four_dimensions():
    net = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4))
    weight = net[0].weight.detach().clone()
    net.to(memory_format=fastnn.channels_last)
    assert net[0].weight.is_contiguous(memory_format=fastnn.channels_last)
    assert fastnn.equal(net[0].weight, weight) and net[0].bias.is_contiguous()
    net.to("cpu", fastnn.float64, memory_format=fastnn.contiguous_format)
    assert net[0].weight.is_contiguous() and net[0].weight.dtype == fastnn.float64
    with pytest.raises(ValueError, match="memory_format must be one of"):
        net.to(memory_format="rows")
