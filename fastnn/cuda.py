"""What scripts ask of ``torch.cuda`` before they fall back to the CPU."""


def is_available():
    """Always False: fastnn is for CPUs."""
    return False


def device_count():
    """Always 0: fastnn is for CPUs."""
    return 0


def __getattr__(name):
    raise AttributeError(f"fastnn.cuda has no {name!r}: fastnn is for CPUs")
