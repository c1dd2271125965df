"""Texts as data sets: where their files are looked for, what they must be, downloads."""

import gzip
import hashlib

import pytest
from data_files import files_in

from fastnn.text import datasets

NAMES = "emma\nolivia\nava\n"
PLAY = "First Citizen:\nBefore we proceed any further, hear me speak.\n"
KINDS = [(datasets.Names, "names.txt", NAMES),
         (datasets.TinyShakespeare, "tinyshakespeare.txt", PLAY)]


def offer(monkeypatch, kind, name, content, *mirrors):
    """Let the data set know the checksum of its new content and where that is to be had."""
    monkeypatch.setattr(kind, "files", {name: hashlib.sha256(content).hexdigest()})
    monkeypatch.setattr(kind, "mirrors", mirrors)


@pytest.mark.parametrize("place", ["", "text"])
@pytest.mark.parametrize("kind, name, content", KINDS)
def test_a_text_is_found_in_the_folder_and_below(tmp_path, kind, name, content, place):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    assert kind(tmp_path).text == content
    assert kind.find(tmp_path) == folder


def test_a_compressed_file_beside_the_text_is_left_alone(tmp_path):
    (tmp_path / "names.txt.gz").write_bytes(gzip.compress(b"ava\n", mtime=0))
    assert datasets.Names.find(tmp_path) is None
    (tmp_path / "names.txt").write_text("emma\n")
    assert datasets.Names(tmp_path).names == ["emma"]


def test_names_are_a_list(tmp_path):
    (tmp_path / "names.txt").write_text(NAMES)
    assert datasets.Names(tmp_path).names == ["emma", "olivia", "ava"]


def test_the_environment_comes_before_the_cache(tmp_path, monkeypatch, empty_cache):
    assert datasets.Names.find() is None
    for folder, content in ((empty_cache / "text", "cached"), (tmp_path / "named", "named")):
        folder.mkdir(parents=True)
        (folder / "names.txt").write_text(content)
    assert datasets.Names().text == "cached"
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "named"))
    assert datasets.Names().text == "named"


@pytest.mark.parametrize("kind", [datasets.Names, datasets.TinyShakespeare])
def test_a_missing_file_is_one_line_on_where_it_was_looked_for(tmp_path, kind, empty_cache):
    with pytest.raises(FileNotFoundError) as caught:
        kind(tmp_path)
    assert str(caught.value) == (
        f"{kind.__name__}: no data files in {tmp_path}; download=True fetches them")
    with pytest.raises(FileNotFoundError, match=f"no data files in {empty_cache}"):
        kind()


@pytest.mark.parametrize("content, text", [
    (b"", "names.txt: the file is empty"),
    ("zo\u00eb\n".encode(), "names.txt: not the plain text that was expected: .*0xc3"),
    (gzip.compress(b"emma\n", mtime=0), "names.txt: not the plain text that was expected"),
])
def test_a_file_that_is_no_text(tmp_path, content, text):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(ValueError, match=text) as caught:
        datasets.Names(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind, name, content", KINDS)
def test_download_fetches_into_the_cache(monkeypatch, server, empty_cache, kind, name, content):
    address, served, asked = server
    remote = kind.remote_names.get(name, name)
    served[remote] = content.encode()
    offer(monkeypatch, kind, name, content.encode(), address + "none/none-here-", address)
    assert kind(download=True).text == content
    assert files_in(empty_cache) == [name] and kind.find() == empty_cache / "text"
    assert asked == [f"/none/none-here-{remote}", f"/{remote}"]
    assert kind(download=True).text == content and len(asked) == 2


def test_download_into_a_folder(tmp_path, monkeypatch, server):
    address, served, _ = server
    served["names.txt"] = NAMES.encode()
    offer(monkeypatch, datasets.Names, "names.txt", NAMES.encode(), address)
    assert datasets.Names(tmp_path, download=True).names[0] == "emma"
    assert datasets.Names.find(tmp_path) == tmp_path / "text"


def test_a_download_with_a_wrong_checksum_leaves_nothing(monkeypatch, server, empty_cache):
    address, served, _ = server
    served["names.txt"] = b"emma\n"
    offer(monkeypatch, datasets.Names, "names.txt", NAMES.encode(), address)
    with pytest.raises(ConnectionError, match="cannot download names.txt.* SHA-256 is "):
        datasets.Names(download=True)
    assert files_in(empty_cache) == []


@pytest.mark.parametrize("kind, characters, symbols", [
    (datasets.TinyShakespeare, 1_115_394, 65), (datasets.Names, 228_145, 27)])
def test_the_real_files_are_what_the_documentation_says(kind, characters, symbols):
    if kind.find() is None:
        pytest.skip(f"the file of {kind.__name__} is neither in $FASTNN_DATA nor in the cache: "
                    f"fastnn.text.datasets.{kind.__name__}(download=True) fetches it")
    found = kind()
    assert len(found.text) == characters and len(set(found.text)) == symbols
    content = found.text.encode()
    assert [hashlib.sha256(content).hexdigest()] == list(kind.files.values())
    if kind is datasets.Names:
        lengths = set(map(len, found.names))
        assert len(found.names) == 32_033 and (min(lengths), max(lengths)) == (2, 15)
