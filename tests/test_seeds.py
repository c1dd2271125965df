"""The comparison of an example's figures over several seeds, with an example made up for it."""

import json
from pathlib import Path

import pytest

from bench import seeds

EXAMPLE = '''
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--resume", action="store_true")
parser.add_argument("--scale", type=float, default=1.0)
options = parser.parse_args()
score = options.scale * (options.seed - 1) ** 2
(options.out / "report.json").write_text(json.dumps({
    "settings": {"seed": options.seed}, "score": score, "resumed": options.resume,
    "judge": {"accuracy": 0.5, "name": "lenet"}}))
'''


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the comparison of the made-up example with itself; returns what it wrote."""
    example = tmp_path / "example.py"
    example.write_text(EXAMPLE)
    monkeypatch.setitem(seeds.WITH, "torch", [])

    def compare(*arguments):
        seeds.main([str(example), "--out", str(tmp_path / "out"), *arguments])
        return json.loads((tmp_path / "out" / "seeds.json").read_text())

    return compare


def test_medians_are_of_all_seeds_and_arguments_go_to_the_example(run, capsys):
    found = run("--seeds", "0", "1", "4", "--scale", "2")["medians"]
    assert found["score"] == {"fastnn": [2.0, [2.0, 0.0, 18.0]], "torch": [2.0, [2.0, 0.0, 18.0]]}
    assert found["judge accuracy"]["torch"] == [0.5, [0.5, 0.5, 0.5]]
    assert set(found) == {"score", "judge accuracy"}
    assert "score" in capsys.readouterr().out


def test_what_has_ended_is_not_repeated_and_what_was_interrupted_is_resumed(run, tmp_path):
    run("--seeds", "0", "1", "--libraries", "fastnn")
    done, interrupted = (tmp_path / "out" / f"fastnn-{seed}" for seed in (0, 1))
    (done / "report.json").write_text('{"score": 7}')
    (interrupted / "report.json").unlink()
    (interrupted / "checkpoint.safetensors").touch()
    assert run("--seeds", "0", "1", "--libraries", "fastnn")["medians"]["score"] == {
        "fastnn": [3.5, [7, 0.0]]}
    assert json.loads((interrupted / "report.json").read_text())["resumed"]


def test_an_example_that_fails_is_said_with_its_log(run, tmp_path):
    with pytest.raises(SystemExit, match=r"fastnn-0\.log"):
        run("--seeds", "0", "--wrong")
    assert "--wrong" in Path(tmp_path, "out", "fastnn-0.log").read_text()


def test_runs_of_other_arguments_are_not_taken_for_these(run):
    run("--seeds", "0", "--scale", "2")
    with pytest.raises(SystemExit, match="holds runs of"):
        run("--seeds", "0", "--scale", "3")
