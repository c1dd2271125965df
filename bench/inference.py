"""Time what trained networks answer: fastnn, PyTorch and ONNX Runtime at their best settings.

`python -m bench.inference --networks cnn gpt --batches 1 64 --threads 1 2`

Each variant runs in a process of its own, and they take turns, the others stopped, so that no pool
of threads spins beside one; all must agree in their outputs.
ONNX Runtime runs what PyTorch exports (pip install onnxruntime onnx onnxscript).
"""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

VARIANTS = (("fastnn", ""), ("fastnn", "compile"), ("torch", ""), ("torch", "compile"),
            ("torch", "channels_last"), ("onnxruntime", ""))
ON_IMAGES = ("channels_last",)
TURN_SECONDS = 0.3
TOLERANCE = 1e-4


def inputs(network, batch):
    """What all libraries are given."""
    random = np.random.default_rng(0)
    if network == "gpt":
        return random.integers(0, 65, (batch, 64))
    return random.standard_normal((batch, 1, 28, 28), np.float32)


def _torch(network, data, option, threads):
    import torch

    from .workloads import torch_models

    torch.set_num_threads(threads)
    net = torch_models.networks(torch, network)[0].eval()
    x = torch.tensor(data)
    if option == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(
            memory_format=torch.channels_last)
    called = torch.compile(net) if option == "compile" else net

    def run():
        with torch.inference_mode():
            return called(x).numpy()

    return run


def _fastnn(network, data, option, threads):
    import fastnn

    from .workloads import torch_models

    fastnn.set_num_threads(threads)
    net = torch_models.networks(fastnn, network)[0].eval()
    called = fastnn.compile(net) if option == "compile" else net
    x = fastnn.tensor(data)

    def run():
        with fastnn.no_grad():
            return called(x).numpy()

    return run


def _onnxruntime(network, data, option, threads):
    import onnxruntime
    import torch

    from .workloads import torch_models

    net = torch_models.networks(torch, network)[0].eval()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        torch.onnx.export(net, (torch.tensor(data),), path, external_data=False)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, settings, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: data})[0]


BUILDERS = {"torch": _torch, "fastnn": _fastnn, "onnxruntime": _onnxruntime}


def serve(network, batch, threads, library, option):
    """A variant's process: gives its outputs, then for each line the seconds of its calls."""
    answers, sys.stdout = sys.stdout, sys.stderr
    run = BUILDERS[library](network, inputs(network, batch), option, threads)
    outputs = [run() for _ in range(5)][-1]
    print(json.dumps(np.asarray(outputs, np.float64).ravel()[:1000].tolist()), file=answers,
          flush=True)
    for _ in sys.stdin:
        seconds, end = [], time.perf_counter() + TURN_SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        print(json.dumps([min(seconds), median(seconds)]), file=answers, flush=True)


def _started(network, batch, threads, library, option):
    command = [sys.executable, "-m", "bench.inference", "--serve",
               json.dumps([network, batch, threads, library, option])]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL, env=environment)


def race(network, batch, threads, rounds):
    """{variant: (least, median) seconds of a call}."""
    variants = [each for each in VARIANTS if network != "gpt" or each[1] not in ON_IMAGES]
    workers = {each: _started(network, batch, threads, *each) for each in variants}
    times, wanted = {}, None
    try:
        for each, worker in list(workers.items()):
            line = worker.stdout.readline()
            if not line:
                print(f"  {' '.join(each):22} could not be built")
                del workers[each]
                continue
            outputs = np.array(json.loads(line))
            wanted = outputs if wanted is None else wanted
            if abs(outputs - wanted).max() > TOLERANCE * abs(wanted).max():
                raise SystemExit(f"{network}: the outputs of {' '.join(each)} are others")
            worker.send_signal(signal.SIGSTOP)
        for _, (each, worker) in itertools.product(range(rounds), workers.items()):
            worker.send_signal(signal.SIGCONT)
            print("go", file=worker.stdin, flush=True)
            times.setdefault(each, []).append(json.loads(worker.stdout.readline()))
            worker.send_signal(signal.SIGSTOP)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    return {each: (min(least for least, _ in found), median(middle for _, middle in found))
            for each, found in times.items()}


def main():
    """Print a table for each network, batch and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["cnn", "gpt"], choices=["cnn", "gpt"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*json.loads(options.serve))
        return
    for network, batch, threads in itertools.product(options.networks, options.batches,
                                                     options.threads):
        times = race(network, batch, threads, options.rounds)
        ours = min(least for (library, _), (least, _) in times.items() if library == "fastnn")
        print(f"{network}, batch {batch}, {threads} threads")
        for (library, option), (least, middle) in times.items():
            print(f"  {f'{library} {option}':22} {1e3 * least:9.4f} ms, median "
                  f"{1e3 * middle:9.4f}, {least / ours:5.2f} of fastnn's best", flush=True)


if __name__ == "__main__":
    main()
