"""The history file: a line for each run of a benchmark, with machine, commit and figures."""

import json
import time

NAME = "history.jsonl"


def append(folder, kind, machine, figures, control):
    """Add a run to the history in the folder above that of its results; return the file.

    ``figures`` are milliseconds by name, ``control`` those of the control loop, which varies only
    if the machine does.
    """
    path = folder.parent / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"kind": kind, "time": round(time.time()), "machine": machine, "control": control,
            "figures": figures}
    with open(path, "a") as file:
        file.write(json.dumps(line) + "\n")
    return path


def of_peers(record):
    """The figures of a record of `bench.peers`: the minima of all variants, and of the control."""
    figures = {f"{group['workload']} {group['threads']} {result['variant']}": result["min_ms"]
               for group in record["groups"] for result in group["results"]
               if "error" not in result}
    control = [group["control_ms"]["min"] for group in record["groups"]]
    return figures, control


def of_operations(record):
    """The figures of a record of `bench.operations`: both libraries' minima, and the control."""
    figures = {f"{each['name']} {each['size']} {each['threads']} {library}":
               each[f"{library}_ms"]
               for each in record["records"] for library in ("fastnn", "torch")}
    return figures, record["control_ms"]
