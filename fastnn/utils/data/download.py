"""Fetch files from mirrors: checked by SHA-256 and written whole, or not at all."""

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request

from tqdm import tqdm

from fastnn.serialization import write_atomically

TIMEOUT = 15  # seconds without an answer
CHUNK = 1 << 16
LARGEST = 1 << 28  # bytes; the largest file here has 26 million
FAILURES = (ConnectionError, TimeoutError, urllib.error.URLError, http.client.HTTPException)


def download(mirrors, name, sha256, path):
    """Fetch `name` from the first mirror that has it as it should be, and put it at `path`.

    ``mirrors`` are addresses of folders. ConnectionError with what each mirror answered where none
    does; OSError where `path` cannot be written, before anything is fetched if its folder shows it.
    """
    _make_folder(path.parent)
    failures = []
    for mirror in mirrors:
        try:
            content = _fetch(mirror + name, name)
            found = hashlib.sha256(content).hexdigest()
            if found == sha256:
                write_atomically(path, content)
                return
            failures.append(f"{mirror}: the file's SHA-256 is {found}, expected {sha256}")
        except FAILURES as error:
            failures.append(f"{mirror}: {getattr(error, 'reason', error) or repr(error)}")
    raise ConnectionError(f"cannot download {name} ({'; '.join(failures)})")


def _make_folder(folder):
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _fetch(address, name):
    """The bytes at an address."""
    content = bytearray()
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, tqdm(
            total=answer.length, desc=name, unit="B", unit_scale=True, leave=False,
            disable=None) as bar:
        while chunk := answer.read(CHUNK):
            content += chunk
            bar.update(len(chunk))
            if len(content) > LARGEST:
                raise ConnectionError(f"the file is longer than {LARGEST} bytes")
    return bytes(content)
