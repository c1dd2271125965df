"""What the code of a function names, and whose code it is."""

import dis
import sys
import sysconfig
import types

from ..autograd.anomaly import LIBRARY

PACKAGES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR"}


def is_users(name):
    """Whether a module of this name is the user's own: not fastnn, nor an installed package."""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return bool(name) and not file.startswith(LIBRARY) and (
        "site-packages" not in file and not file.startswith(PACKAGES)
        and name not in sys.builtin_module_names)


def names_of(code):
    """(globals, attributes, imported modules) that code and the functions in it name."""
    found = set(), set(), set()
    for each in dis.get_instructions(code):
        for names, operations in zip(found, (GLOBAL, ATTRIBUTE, {"IMPORT_NAME"}), strict=True):
            if each.opname in operations:
                names.add(each.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for names, more in zip(found, names_of(constant), strict=True):
                names |= more
    return found


def place_of_code(code):
    """File and first line."""
    return f"{code.co_filename}:{code.co_firstlineno}"
