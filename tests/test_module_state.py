"""`state_dict` and `load_state_dict`: what is saved, what is loaded, what is refused."""

import numpy as np
import pytest
from helpers import close
from networks import Net, values

import fastnn
from fastnn import nn


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


def test_load_state_dict_that_is_not_strict():
    net, state = Net(), Net().state_dict()
    del state["scale"]
    state["more"] = fastnn.ones(1)
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert missing == ["scale"] and unexpected == ["more"]
    close(net.first.weight.detach().array, state["first.weight"].array, 0)


def test_a_state_is_assigned():
    net, weight = nn.Linear(2, 3), fastnn.ones(3, 2, dtype=fastnn.float64)
    net.bias.requires_grad_(False)
    net.load_state_dict({"weight": weight, "bias": fastnn.ones(3).double()}, assign=True)
    assert net.weight.dtype == fastnn.float64 and np.shares_memory(net.weight.array, weight.array)
    assert type(net.weight) is nn.Parameter and net.weight.requires_grad
    assert not net.bias.requires_grad
    norm = nn.BatchNorm1d(2)
    mean = fastnn.ones(2)
    norm.load_state_dict({"running_mean": mean}, strict=False, assign=True)
    assert norm.running_mean is mean and "running_mean" in norm.state_dict()


def test_a_state_is_put_where_asked():
    found = {"more": 1}
    assert nn.Linear(1, 1).state_dict(destination=found, prefix="a.") is found
    assert list(found) == ["more", "a.weight", "a.bias"]


class Counting(nn.Linear):
    """Keeps a number in its state, and one more key."""

    count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state():
    net, other = (nn.Sequential(Counting(1, 1), nn.ReLU()) for _ in range(2))
    net[0].count = 5
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "0._extra_state"]
    other.load_state_dict(state)
    assert other[0].count == 5
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match="missing key 0._extra_state"):
        other.load_state_dict(state)


def test_the_state_dict_of_a_submodule_is_asked():
    class More(nn.Linear):
        def state_dict(self, *args, prefix="", **kwargs):
            state = super().state_dict(*args, prefix=prefix, **kwargs)
            state[prefix + "more"] = fastnn.ones(1)
            return state

    assert list(nn.Sequential(More(1, 1)).state_dict()) == ["0.weight", "0.bias", "0.more"]


def test_hooks_of_the_state():
    net, seen = nn.Sequential(nn.Linear(1, 1)), []
    net[0].register_state_dict_pre_hook(lambda module, prefix, keep: seen.append(prefix))
    net.register_state_dict_post_hook(
        lambda module, state, prefix, metadata: state.update(old=state.pop("0.bias")))
    state = net.state_dict()
    assert seen == ["0."] and list(state) == ["0.weight", "old"]

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        state[prefix + "bias"] = state.pop("old") + 1

    handle = net[0].register_load_state_dict_pre_hook(rename)
    before = net[0].bias.detach().clone()
    assert repr(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert fastnn.equal(net[0].bias, before + 1) and "old" in state
    handle.remove()
    with pytest.raises(RuntimeError, match="missing key 0.bias; unexpected key old"):
        net.load_state_dict(state)
    net.register_load_state_dict_post_hook(lambda module, keys: [each.clear() for each in keys])
    net.load_state_dict(state)
