"""Data sets for tests: made-up files, a cache without any, and a web server that offers some."""

import gzip
import struct
import threading
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fastnn.audio.datasets import RATE
from fastnn.utils.data import files

NOWHERE = ("http://127.0.0.1:1/", "http://127.0.0.1:2/")  # mirrors that do not answer


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache directory without data, and no $FASTNN_DATA: the cache's data folder."""
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    monkeypatch.setattr(files, "cache_directory", lambda: tmp_path / "cache" / "kernels")
    return tmp_path / "cache" / "data"


@pytest.fixture
def server(monkeypatch):
    """A local web server: its address, the dict of contents that it serves, what was asked for."""
    served, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = served.get(self.path.rpartition("/")[2])
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", served, asked
        http.shutdown()
        thread.join()


def files_in(folder):
    return sorted(each.name for each in folder.rglob("*") if each.is_file())


def idx(array, magic=None):
    """The content of an idx file."""
    magic = 0x0800 + array.ndim if magic is None else magic
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def mnist_files(**parts):
    """Files in MNIST's manner, compressed, by name; a part is its images and labels as uint8."""
    return {f"{part}-{kind}-ubyte.gz": gzip.compress(idx(array), mtime=0)
            for part, arrays in parts.items()
            for kind, array in zip(("images-idx3", "labels-idx1"), arrays, strict=True)}


def write_mnist(folder, draw, training, test):
    """Write files in MNIST's manner; ``draw(random, count)`` gives images and labels of a part."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    parts = mnist_files(train=draw(random, training), t10k=draw(random, test))
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    return folder


def write_wave(path, samples, channels=1, width=2, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, f"<i{width}" if width > 1 else "u1").tobytes())
