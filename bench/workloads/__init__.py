"""The training steps that are compared: their batch, their starting weights, their work.

What stands here is plain NumPy and the same for every library. All libraries start from the same
numbers, so their losses must agree step by step: that is how the benchmark knows that they do the
same work.
"""

from . import adversarial, classifiers, segmentation, sequences

_ALL = (*classifiers.ALL, *adversarial.ALL, *sequences.ALL, *segmentation.ALL)
WORKLOADS = {workload.name: workload for workload in _ALL}
