"""What the tape hands out for its hooks and leaves: nothing that needs to be compiled."""


class HookHandle:
    """Removes the hook it was returned for."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


class AccumulateGrad:
    """The end of a graph in ``next_functions``: the leaf ``variable``, whose ``.grad`` grows."""

    next_functions = ()

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """The name of this kind of node."""
        return "AccumulateGrad"
