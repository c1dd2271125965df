"""Texts for models of characters: the plays of Shakespeare in one file, and a list of names."""

from fastnn.utils.data.files import DataFiles


class _Text(DataFiles):
    """A text in one file; ``text`` is its content."""

    folder = "text"

    def __init__(self, root=None, download=False):
        folder = self.obtain(root, download)
        path = self.stored(folder, *self.files)
        try:
            self.text = path.read_text(encoding="ascii")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not the plain text that was expected: {error}") from None
        if not self.text:
            raise ValueError(f"{path}: the file is empty")


class TinyShakespeare(_Text):
    """40,000 lines of Shakespeare's plays: ``text`` of 1,115,394 characters, 65 different ones.

    ``tinyshakespeare.txt`` is looked for in the folder ``root`` and in ``root/text``; where
    ``root`` is None, in ``$FASTNN_DATA`` and in the user's cache directory. With ``download`` it is
    fetched if it is not there. FileNotFoundError where it is not, ConnectionError where no mirror
    gives it, ValueError where it is empty or no plain text.

    From A. Karpathy's char-rnn (2015); the plays are in the public domain.
    """

    files = {"tinyshakespeare.txt":
             "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}
    mirrors = ("https://raw.githubusercontent.com/karpathy/char-rnn/"
               "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/",
               "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@"
               "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/")
    remote_names = {"tinyshakespeare.txt": "input.txt"}


class Names(_Text):
    """32,033 English first names of 2 to 15 small letters: the list ``names``.

    The file ``names.txt`` is looked for as that of `TinyShakespeare` is. From A. Karpathy's
    makemore (2022, MIT licence), who took it from the United States' Social Security
    Administration.
    """

    files = {"names.txt": "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"}
    mirrors = ("https://raw.githubusercontent.com/karpathy/makemore/"
               "988aa59e4d8fefa526d06f3b453ad116258398d4/",
               "https://cdn.jsdelivr.net/gh/karpathy/makemore@"
               "988aa59e4d8fefa526d06f3b453ad116258398d4/")

    def __init__(self, root=None, download=False):
        super().__init__(root, download)
        self.names = self.text.split()
