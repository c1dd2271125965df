"""The recipe of `examples/mnist.py --model fast` written for PyTorch: see `bench/goal.py`.

    python bench/goal_in_torch.py FOLDER-OF-MNIST THREADS BATCH RATE

The images lie in memory as one tensor, channels last (channels first took 1.2 times as long), from
which the batches are taken; the optimizer is fused. Nothing is compiled: with nothing in its cache
that alone takes PyTorch longer than the training. The network and the constants stand here again,
because to import the example would take the time of importing fastnn; a test holds them together.
"""

import gzip
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

SMOOTHING, GOAL = 0.1, 0.99


def read(folder, name, offset):
    """The bytes of one of the data set's files, without its header."""
    content = bytearray(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    return torch.frombuffer(content, dtype=torch.uint8, offset=offset)


def images(folder, part):
    grey = read(folder, f"{part}-images-idx3-ubyte", 16).view(-1, 1, 28, 28).float() / 255
    return grey.contiguous(memory_format=torch.channels_last)


def labels(folder, part):
    return read(folder, f"{part}-labels-idx1-ubyte", 8).long()


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 64, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(576, 10)).to(memory_format=torch.channels_last)


def train(model, inputs, targets, batch_size, rate):
    batches = torch.randperm(len(inputs)).split(batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=len(batches), pct_start=0.2, cycle_momentum=False)
    for batch in batches:
        loss = F.cross_entropy(model(inputs[batch]), targets[batch], label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def accuracy(model, inputs, targets):
    model.eval()
    with torch.inference_mode():
        outputs = torch.cat([model(part) for part in inputs.split(500)])
    return (outputs.argmax(dim=1) == targets).float().mean().item()


def main():
    folder, threads, batch_size, rate = sys.argv[1:]
    folder = Path(folder)
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    inputs, tests = images(folder, "train"), images(folder, "t10k")
    mean, deviation = inputs.mean(), inputs.std()
    for each in (inputs, tests):
        each.sub_(mean).div_(deviation)
    model = network()
    train(model, inputs, labels(folder, "train"), int(batch_size), float(rate))
    reached = accuracy(model, tests, labels(folder, "t10k"))
    if reached < GOAL:
        sys.exit(f"{reached:.2%} test accuracy: the goal was missed")
    print(f"{GOAL:.1%} test accuracy reached: {reached:.2%}", flush=True)


if __name__ == "__main__":
    main()
