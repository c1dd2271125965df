"""Fetch files from mirrors: checked by SHA-256 and written whole, or not at all."""

import hashlib
import http.client
import urllib.error
import urllib.request

from tqdm import tqdm

from fastnn.utils.files import whole_file

TIMEOUT = 15  # seconds without an answer
CHUNK = 1 << 16
LARGEST = 1 << 28  # bytes; the largest file here has 26 million


def download(mirrors, name, sha256, path):
    """Fetch `name` from the first mirror that has it as it should be, and put it at `path`.

    ``mirrors`` are addresses of folders. ConnectionError with what each mirror answered where none
    does, OSError where `path` cannot be written, found out before anything is fetched.
    """
    failures = []
    for mirror in mirrors:
        try:
            _download(mirror + name, name, sha256, path)
            return
        except (ConnectionError, urllib.error.URLError, http.client.HTTPException,
                TimeoutError) as error:
            failures.append(f"{mirror}: {getattr(error, 'reason', error) or repr(error)}")
    raise ConnectionError(f"cannot download {name} ({'; '.join(failures)})")


def _download(address, name, sha256, path):
    with whole_file(path) as file:
        found = _copy(address, name, file)
        if found != sha256:
            raise ConnectionError(f"the file's SHA-256 is {found}, expected {sha256}")


def _copy(address, name, file):
    """Write what is at the address and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, tqdm(
            total=answer.length, desc=name, unit="B", unit_scale=True, leave=False,
            disable=None) as bar:
        while chunk := answer.read(CHUNK):
            size += len(chunk)
            if size > LARGEST:
                raise ConnectionError(f"the file is longer than {LARGEST} bytes")
            digest.update(chunk)
            file.write(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()
