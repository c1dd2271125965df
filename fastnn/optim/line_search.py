"""A line search for the strong Wolfe conditions.

Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, with cubic interpolation.
"""

import math
from typing import NamedTuple

from ..tensor import Tensor

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9


class Point(NamedTuple):
    """A point of the line: its position, the loss there, the gradient, and its slope."""

    position: float
    loss: float
    gradient: Tensor
    slope: float


def strong_wolfe(evaluate, start, position, reach, smallest, limit):
    """The `Point` found on a line, and how many were evaluated.

    ``evaluate(position)`` gives a point; ``start`` is that at 0 and ``position`` the first to try.
    ``reach`` is the largest element of the direction: the search ends where the bracket times it
    is below ``smallest``, or after ``limit`` points.
    """
    search = _Search(evaluate, start, limit)
    bracket = search.bracket(position)
    if len(bracket) == 2:
        search.zoom(bracket, reach, smallest)
    return min(bracket, key=lambda point: point.loss), search.evaluated


class _Search:

    def __init__(self, evaluate, start, limit):
        self._evaluate, self.start, self.limit = evaluate, start, limit
        self.evaluated = self.rounds = 0

    def evaluate(self, position):
        self.evaluated += 1
        return self._evaluate(position)

    def falls_too_little(self, point):
        allowed = self.start.loss + SUFFICIENT_DECREASE * point.position * self.start.slope
        return point.loss > allowed

    def is_flat(self, point):
        return abs(point.slope) <= -CURVATURE * self.start.slope

    def bracket(self, position):
        """Two points around one that meets the conditions, or a list of one that does."""
        before, point = self.start, self.evaluate(position)
        while self.rounds < self.limit:
            rises = self.rounds > 1 and point.loss >= before.loss
            if self.falls_too_little(point) or rises:
                return [before, point]
            if self.is_flat(point):
                return [point]
            if point.slope >= 0:
                return [before, point]
            least = point.position + 0.01 * (point.position - before.position)
            position = _minimum_of_cubic(before, point, least, point.position * 10)
            before, point = point, self.evaluate(position)
            self.rounds += 1
        return [self.start, point]

    def zoom(self, bracket, reach, smallest):
        """Narrow the bracket, in place, until its lower point meets the conditions."""
        low = 0 if bracket[0].loss <= bracket[1].loss else 1
        slow = False
        while self.rounds < self.limit:
            least, most = sorted((bracket[0].position, bracket[1].position))
            if (most - least) * reach < smallest:
                return
            position, slow = _inside(_minimum_of_cubic(*bracket, least, most), least, most, slow)
            point = self.evaluate(position)
            self.rounds += 1
            if self.falls_too_little(point) or point.loss >= bracket[low].loss:
                bracket[1 - low] = point
                low = 0 if bracket[0].loss <= bracket[1].loss else 1
                continue
            done = self.is_flat(point)
            if not done and point.slope * (bracket[1 - low].position - bracket[low].position) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
            if done:
                return


def _inside(position, least, most, slow):
    """The position, and whether it is near an end; the second time running it is moved inwards."""
    margin = 0.1 * (most - least)
    if min(most - position, position - least) >= margin:
        return position, False
    if not (slow or position >= most or position <= least):
        return position, True
    nearer_most = abs(position - most) < abs(position - least)
    return (most - margin if nearer_most else least + margin), False


def _minimum_of_cubic(a, b, least, most):
    """Where the cubic through two points with their slopes is lowest, within bounds."""
    if a.position > b.position:
        a, b = b, a
    width = b.position - a.position
    mean = a.slope + b.slope - 3 * (b.loss - a.loss) / width
    square = mean * mean - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2
    root = math.sqrt(square)
    lowest = b.position - width * (b.slope + root - mean) / (b.slope - a.slope + 2 * root)
    return min(max(lowest, least), most)
