"""The comparison of two runs of a benchmark, on records made up for it."""

import json

import pytest

from bench import compare, history

MACHINE = {"commit": "abc123", "cpu": "none"}


def peers(factor, control=1.0):
    """A record of two workloads, the second ``factor`` times as slow."""
    results = [{"library": "fastnn", "variant": "fastnn default", "min_ms": time}
               for time in (2.0, 4.0 * factor)]
    failed = {"library": "torch", "variant": "torch default", "error": "killed"}
    return {"machine": MACHINE, "groups": [
        {"workload": name, "threads": 1, "control_ms": {"min": control}, "results": [each, failed]}
        for name, each in zip(("mlp", "cnn"), results, strict=True)]}


def write(path, record):
    path.write_text(json.dumps(record))
    return str(path)


def test_worst_first(tmp_path, capsys):
    files = [write(tmp_path / f"{n}.json", peers(factor)) for n, factor in enumerate((1.0, 1.5))]
    assert compare.main(files) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["1.500", "cnn", "1", "fastnn"]
    assert lines[1].split()[:2] == ["1.000", "mlp"]
    assert lines[2].split()[0] == "1.225" and lines[3].split() == ["1.000", "control", "loop"]


def test_a_slower_machine_is_not_a_slower_change(tmp_path, capsys):
    files = [write(tmp_path / "a.json", peers(1.0)), write(tmp_path / "b.json", peers(1.5, 1.5))]
    assert compare.main(files) == 0
    assert "1.500  control loop" in capsys.readouterr().out


def test_commits_of_the_history(tmp_path, capsys):
    out = tmp_path / "peers"
    for commit, factor in (("aaa1", 9.0), ("aaa1", 1.0), ("bbb2", 2.0)):
        record = peers(factor)
        path = history.append(out, "peers", {"commit": commit}, *history.of_peers(record))
    assert compare.main(["aaa", "bbb2", "--history", str(path)]) == 1
    assert capsys.readouterr().out.startswith("  2.000  cnn 1 fastnn default")


def test_records_of_operations(tmp_path, capsys):
    records = [{"name": "exp", "size": "L1", "threads": 1, "fastnn_ms": 1.0, "torch_ms": time}
               for time in (2.0, 3.0)]
    files = [write(tmp_path / f"{n}.json", {"records": [each], "control_ms": [1.0]})
             for n, each in enumerate(records)]
    assert compare.main(files) == 1
    assert capsys.readouterr().out.startswith("  1.500  exp L1 1 torch")


@pytest.mark.parametrize("content, message", [
    ({"groups": []}, "no figure in common"), ({"other": 1}, "no record of bench.peers")])
def test_what_cannot_be_compared(content, message, tmp_path):
    file = write(tmp_path / "a.json", content)
    with pytest.raises(SystemExit, match=message):
        compare.main([file, write(tmp_path / "b.json", peers(1.0))])


def test_what_is_not_there(tmp_path):
    with pytest.raises(SystemExit, match="no commit in"):
        path = history.append(tmp_path / "peers", "peers", MACHINE, {}, [1.0])
        compare.main(["zzz", "abc", "--history", str(path)])
    with pytest.raises(SystemExit, match="there is no history"):
        compare.main(["zzz", "abc", "--history", str(tmp_path / "none")])
