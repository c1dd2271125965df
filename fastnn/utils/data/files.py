"""Where the files of a data set are: a folder that the user names, the usual ones, a mirror."""

import os
from pathlib import Path

from fastnn._kernels.jit import cache_directory


class DataFiles:
    """What data sets of a few known files share: they look for them, and fetch what is missing.

    A subclass says: ``folder``, the name of its folder in a folder of data sets; ``files``, the
    SHA-256 of each file by its name; ``mirrors``, addresses of folders that have them, as gzip
    files if ``compressed``, or under other ``remote_names``; ``subfolders``, where else below the
    root the files may lie, first the one that they are downloaded to.
    """

    folder = ""
    mirrors = ()
    files = {}
    compressed = False
    remote_names = {}
    subfolders = ()

    @classmethod
    def find(cls, root=None):
        """The folder that holds all files, or None.

        Looked in are the folder ``root`` and its known subfolders; where ``root`` is None, those of
        ``$FASTNN_DATA`` and of the user's cache directory.
        """
        for folder in cls._folders(root):
            if all(cls.stored(folder, name) for name in cls.files):
                return folder
        return None

    @classmethod
    def obtain(cls, root, download):
        """The folder of the files, which are fetched if they are not there and ``download`` is set.

        FileNotFoundError where they are not there, ConnectionError where no mirror gives them.
        """
        found = cls.find(root)
        if found is None and download:
            found = cls._download(root)
        if found is None:
            raise FileNotFoundError(cls._missing(root))
        return found

    @classmethod
    def _folders(cls, root):
        """Where to look, first to last."""
        return folders(root, ("", cls.folder, *cls.subfolders))

    @classmethod
    def stored(cls, folder, name):
        """The path of a file in a folder, or None: plain, or of ``compressed`` ones with gzip."""
        for each in (f"{name}.gz", name) if cls.compressed else (name,):
            if (folder / each).is_file():
                return folder / each
        return None

    @classmethod
    def _missing(cls, root):
        """One line on what is not there."""
        for folder in cls._folders(root):
            absent = [name for name in cls.files if not cls.stored(folder, name)]
            if len(absent) < len(cls.files):
                return f"{cls.__name__}: {folder} lacks {', '.join(absent)}"
        return nothing_found(cls.__name__, "data files", root, "download=True fetches them")

    @classmethod
    def _download(cls, root):
        """Fetch the files that are not there yet and return their folder."""
        from .download import download  # loads urllib, 43 ms

        if root is None:
            folder = data_cache() / cls.folder
        else:
            folder = Path(root, cls.subfolders[0] if cls.subfolders else cls.folder)
        for name, sha256 in cls.files.items():
            if not cls.stored(folder, name):
                local = f"{name}.gz" if cls.compressed else name
                remote = cls.remote_names.get(name, local)
                download(cls.mirrors, remote, sha256, folder / local)
        return folder


def data_roots(root):
    """The folder ``root``; where it is None, ``$FASTNN_DATA``, if set, and the cache directory."""
    if root is not None:
        return [Path(root)]
    named = os.environ.get("FASTNN_DATA")
    return [*([Path(named)] if named else []), data_cache()]


def folders(root, subfolders):
    """The subfolders, in their order, of each of the `data_roots`."""
    return [each / subfolder for each in data_roots(root) for subfolder in subfolders]


def nothing_found(name, wanted, root, advice):
    """One line on a data set that is in none of the `data_roots`."""
    looked = ", ".join(map(str, dict.fromkeys(data_roots(root))))
    return f"{name}: no {wanted} in {looked}; {advice}"


def data_cache():
    """The folder for downloads in the user's cache directory."""
    return cache_directory().parent / "data"
