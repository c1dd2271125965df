"""The benchmark of the way to 99 %: what counts as reached, and what it refuses."""

import numpy as np
import pytest

import fastnn
from bench import goal


def test_the_line_counts():
    code = "print('99.0% test accuracy reached after 1 s of training', flush=True)"
    assert 0 < goal.seconds(["-P", "-c", code], "1")


@pytest.mark.parametrize("code, said", [
    ("print('99.0% test accuracy was not reached')", "was not reached"),
    ("print('test accuracy reached'); raise SystemExit('out of memory')", "out of memory")])
def test_a_program_that_fails_is_no_result(code, said):
    with pytest.raises(SystemExit, match=said):
        goal.seconds(["-P", "-c", code], "1")


def test_one_thread_is_asked_for_everywhere():
    code = ("import os; assert os.environ['OMP_NUM_THREADS'] == '1'; import fastnn; "
            "print('test accuracy reached')")
    assert 0 < goal.seconds(["-P", "-c", code], "1")


def test_both_programs_have_one_recipe(load_example, torch):
    from bench import goal_in_torch as peer

    mnist = load_example("mnist")
    recipe = mnist.RECIPES["fast"]
    assert goal.RECIPE == (str(recipe.batch), str(recipe.learning_rate))
    assert (recipe.optimizer.__name__, recipe.epochs) == ("AdamW", 1)
    assert (peer.SMOOTHING, peer.GOAL) == (mnist.LABEL_SMOOTHING, mnist.GOAL)
    ours, theirs = recipe.network().eval(), peer.network().eval()
    theirs.load_state_dict({name: torch.from_numpy(each.numpy().copy())
                            for name, each in ours.state_dict().items()})
    images = fastnn.randn(3, 1, 28, 28)
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(images.numpy())).numpy()
    np.testing.assert_allclose(ours(images).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arguments, said", [
    ([], "has no file train-images-idx3-ubyte.gz"),
    (["--rounds", "0"], "argument --rounds: 0 given")])
def test_wrong_arguments(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        goal.parse(["--data-dir", str(tmp_path), *arguments])
    assert caught.value.code == 2 and said in capsys.readouterr().err


def test_the_report_gives_ratios(capsys):
    goal.report("1", {"fastnn": [4.0, 6.0, 5.0], "PyTorch": [12.0, 16.0, 15.0]})
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split()[-2:] == ["3.00", "3.00"]
