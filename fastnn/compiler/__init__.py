"""`compile`: record a function's kernels once, and replay them without Python.

`compiled` decides between running, recording and replaying; `record` is one recording; `watch`
sees whether what the function reads in Python is as it was; `arguments` tells the kinds of
arguments apart; `placement` lays out the memory; `checks` and `replay` are what has to be quick,
and `explanation` is the text of `explain`.
"""

from .compiled import Compiled, compile

__all__ = ["Compiled", "compile"]
