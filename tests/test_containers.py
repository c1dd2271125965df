"""Containers: `Sequential`, lists and dicts of modules and of parameters."""

from collections import OrderedDict

import pytest

import fastnn
from fastnn import nn


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


def test_sequential_grows_and_repeats():
    first, second = nn.Linear(2, 2), nn.Tanh()
    net = nn.Sequential(first) + nn.Sequential(second)
    assert list(net) == [first, second] and isinstance(net, nn.Sequential)
    net += [nn.ReLU()]
    assert net.insert(1, nn.Sigmoid()) is net and [type(each).__name__ for each in net] == [
        "Linear", "Sigmoid", "Tanh", "ReLU"]
    assert isinstance(net.pop(1), nn.Sigmoid) and isinstance(net.pop(-1), nn.ReLU)
    assert second in net and nn.Tanh() not in net
    assert [type(each).__name__ for each in nn.Sequential(second) * 2] == ["Tanh", "Tanh"]
    net *= 2
    assert len(net) == 4 and net[2] is first
    with pytest.raises(ValueError, match="repeated once or more often, got 0"):
        net * 0
    with pytest.raises(TypeError, match="Sequential extend: expected several modules, got int"):
        net.extend(3)


def test_a_shared_member_goes_from_one_place_alone():
    shared = nn.Tanh()
    net = nn.Sequential(shared, nn.ReLU(), shared)
    del net[0]
    assert [type(each).__name__ for each in net] == ["ReLU", "Tanh"]


def test_module_list_of_slices():
    layers = nn.ModuleList(nn.Linear(n + 1, 1) for n in range(4))
    layers[1:3] = [nn.ReLU(), nn.Tanh()]
    assert [type(each).__name__ for each in layers] == ["Linear", "ReLU", "Tanh", "Linear"]
    assert isinstance(layers + [nn.ReLU()], nn.ModuleList) and len(layers) == 4
    assert isinstance(layers.pop(0), nn.Linear) and list(layers.state_dict()) == [
        "2.weight", "2.bias"]


def test_module_dict():
    choices = nn.ModuleDict({"a": nn.Linear(2, 3)})
    choices["b"] = nn.ReLU()
    choices.update([("c", nn.Tanh())])
    assert list(choices) == list(choices.keys()) == ["a", "b", "c"] and len(choices) == 3
    assert "b" in choices and choices["a"] is choices.a is dict(choices.items())["a"]
    assert list(choices.state_dict()) == ["a.weight", "a.bias"]
    assert isinstance(choices.pop("c"), nn.Tanh) and [type(each) for each in choices.values()] == [
        nn.Linear, nn.ReLU]
    del choices["a"]
    with pytest.raises(KeyError):
        choices["a"]
    choices.clear()
    assert not len(choices)
    with pytest.raises(ValueError, match="'keys' exists already"):
        choices["keys"] = nn.ReLU()
    with pytest.raises(NotImplementedError, match="ModuleDict has no forward"):
        choices(1)


def test_parameter_list():
    scales = nn.ParameterList([fastnn.ones(2), nn.Parameter(fastnn.zeros(3))])
    scales.append(fastnn.ones(1)).extend([fastnn.ones(4)])
    assert [name for name, _ in scales.named_parameters()] == ["0", "1", "2", "3"]
    assert all(type(each) is nn.Parameter for each in scales) and len(scales) == 4
    scales[0] = fastnn.full((2,), 5.0)
    assert scales[0].tolist() == [5, 5] and scales[-1].shape == (4,)
    assert isinstance(scales[1:3], nn.ParameterList) and scales[1:3][0] is scales[1]
    with pytest.raises(TypeError, match="must be a Parameter or None, got int"):
        scales.append(3)
    with pytest.raises(IndexError, match="ParameterList: index 9, there are 4 parameters"):
        scales[9]
    with pytest.raises(TypeError, match=r"ParameterList extend: expected several parameters"):
        scales.extend(fastnn.ones(3))


def test_parameter_dict():
    scales = nn.ParameterDict({"left": fastnn.ones(2)})
    assert scales.setdefault("right", fastnn.zeros(3)) is scales["right"]
    assert scales.setdefault("left") is scales["left"] and scales.get("none", 7) == 7
    assert [name for name, _ in scales.named_parameters()] == ["left", "right"]
    joined = scales | {"more": fastnn.ones(1)}
    assert list(joined) == ["left", "right", "more"] and joined["left"] is scales["left"]
    assert list(reversed(joined)) == ["more", "right", "left"]
    assert list({"first": fastnn.ones(1)} | scales) == ["first", "left", "right"]
    scales |= {"left": fastnn.zeros(2)}
    assert scales["left"].tolist() == [0, 0] and scales.popitem()[0] == "right"
    assert list(scales.fromkeys(["a", "b"], fastnn.ones(1))) == ["a", "b"]


def test_texts_are_pytorchs(torch):
    for make in (
            lambda nn, ones: nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.ModuleList([nn.Tanh()])}),
            lambda nn, ones: nn.ParameterList([ones(2, 3), ones(4)]),
            lambda nn, ones: nn.ParameterDict({"a": ones(2, 3)}),
            lambda nn, ones: nn.ParameterList(),
    ):
        theirs = repr(make(torch.nn, torch.ones)).replace("torch.FloatTensor", "fastnn.float32")
        ours = repr(make(nn, fastnn.ones))
        assert "".join(ours.split()) == "".join(theirs.replace("torch.", "fastnn.").split())


def test_parameters_of_a_plain_dict_come_by_name():
    pairs = {"b": fastnn.ones(1), "a": fastnn.ones(2)}
    assert list(nn.ParameterDict(pairs)) == ["a", "b"]
    assert list(nn.ParameterDict(pairs.items())) == ["b", "a"]
    assert list(nn.ParameterDict(pairs.items()).copy()) == ["b", "a"]
