"""Random numbers from a counter: the i-th number depends on the key and on i alone.

The generator is Philox 4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011):
ten rounds of multiplication turn a 64-bit block number and a 64-bit key into four 32-bit words.
So any thread can make any part of a sequence, and dropout's mask can be made again instead of kept.
"""

from . import memory
from .kernel import kernel
from .names import T, cos, f64, log, placed, pointer, pointer_i64, sin, sqrt, u64

BLOCKS_PER_CHUNK = 4096
NANOSECONDS_PER_BLOCK = 4.0


def philox(block, key):
    """The four 32-bit words of a block, as uint64."""
    low = u64(0xFFFFFFFF)
    a, b = u64(block) & low, u64(block) >> u64(32)
    c = d = u64(0)
    k, m = u64(key) & low, u64(key) >> u64(32)
    for _ in range(10):
        first, second = u64(0xD2511F53) * a, u64(0xCD9E8D57) * c
        a, b, c, d = ((second >> u64(32)) ^ b ^ k, second & low,
                      (first >> u64(32)) ^ d ^ m, first & low)
        k, m = (k + u64(0x9E3779B9)) & low, (m + u64(0xBB67AE85)) & low
    return a, b, c, d


def unit(word):
    """A 32-bit word as a number in [0, 1) with 24 random bits."""
    return T(word >> u64(8)) * T(5.9604644775390625e-08)


def unit_wide(first, second):
    """Two words as a float64 in [0, 1) with 53 random bits."""
    return f64((first << u64(21)) ^ (second >> u64(11))) * f64(1.1102230246251565e-16)


@kernel(uses=(philox, unit))
def uniform(start, stop, arguments, numbers):
    """out[i] uniform in [low, high), four to a block."""
    out, size, place = pointer(arguments[0]), arguments[1], pointer_i64(arguments[2])
    key, offset = place[0], place[1]
    low, span = T(numbers[0]), T(numbers[1] - numbers[0])
    whole = min(stop, size // 4)
    for block in range(start, whole):
        a, b, c, d = philox(offset + block, key)
        out[4 * block] = low + span * unit(a)
        out[4 * block + 1] = low + span * unit(b)
        out[4 * block + 2] = low + span * unit(c)
        out[4 * block + 3] = low + span * unit(d)
    if stop > whole:
        a, b, c, _ = philox(offset + whole, key)
        for i in range(size - 4 * whole):
            out[4 * whole + i] = low + span * unit(a if i == 0 else b if i == 1 else c)


@kernel(uses=(philox, unit_wide))
def uniform_wide(start, stop, arguments, numbers):
    """As `uniform` for float64: two to a block, with all of its bits random."""
    out, size, place = pointer(arguments[0]), arguments[1], pointer_i64(arguments[2])
    key, offset = place[0], place[1]
    low, span = numbers[0], numbers[1] - numbers[0]
    for block in range(start, stop):
        a, b, c, d = philox(offset + block, key)
        out[2 * block] = low + span * unit_wide(a, b)
        if 2 * block + 1 < size:
            out[2 * block + 1] = low + span * unit_wide(c, d)


def normal_pair(first, second, mean, deviation):
    """Two normal numbers of two words (Box and Muller, 1958)."""
    radius = deviation * sqrt(T(-2) * log(T(1) - unit(first)))
    angle = T(6.283185307179586) * (unit(second) - T(0.5))
    return mean + radius * cos(angle), mean + radius * sin(angle)


@kernel(uses=(philox, unit, normal_pair))
def normal(start, stop, arguments, numbers):
    """out[i] normal with a mean and a deviation, four to a block."""
    out, size, place = pointer(arguments[0]), arguments[1], pointer_i64(arguments[2])
    key, offset = place[0], place[1]
    mean, deviation = T(numbers[0]), T(numbers[1])
    whole = min(stop, size // 4)
    for block in range(start, whole):
        a, b, c, d = philox(offset + block, key)
        e, f = normal_pair(a, b, mean, deviation)
        g, h = normal_pair(c, d, mean, deviation)
        placed(out, 4 * block, e)  # beside the cosine's table: 6 ns each and not 19
        placed(out, 4 * block + 1, f)
        placed(out, 4 * block + 2, g)
        placed(out, 4 * block + 3, h)
    if stop > whole:
        a, b, c, d = philox(offset + whole, key)
        e, f = normal_pair(a, b, mean, deviation)
        g, _ = normal_pair(c, d, mean, deviation)
        for i in range(size - 4 * whole):
            out[4 * whole + i] = e if i == 0 else f if i == 1 else g


@kernel(uses=(philox,))
def integers(start, stop, arguments, numbers):
    """out[i] in [low, low + span), two to a block; the bias is span / 2**64."""
    out, size, place = pointer_i64(arguments[0]), arguments[1], pointer_i64(arguments[2])
    key, offset = place[0], place[1]
    low, span = arguments[3], u64(arguments[4])
    for block in range(start, stop):
        a, b, c, d = philox(offset + block, key)
        out[2 * block] = low + T(((a << u64(32)) | b) % span)
        if 2 * block + 1 < size:
            out[2 * block + 1] = low + T(((c << u64(32)) | d) % span)


@kernel(uses=(philox, unit))
def dropout(start, stop, arguments, numbers):
    """out[i] = scale * x[i] where the i-th uniform number is at least p, else 0."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, place = arguments[2], pointer_i64(arguments[3])
    key, offset = place[0], place[1]
    p, scale = T(numbers[0]), T(numbers[1])
    whole = min(stop, size // 4)
    for block in range(start, whole):
        a, b, c, d = philox(offset + block, key)
        # Loads that depend on the numbers are not vectorised for AVX2: 11.7 ns each and not 1.4.
        e, f, g, h = x[4 * block], x[4 * block + 1], x[4 * block + 2], x[4 * block + 3]
        out[4 * block] = scale * e if unit(a) >= p else T(0)
        out[4 * block + 1] = scale * f if unit(b) >= p else T(0)
        out[4 * block + 2] = scale * g if unit(c) >= p else T(0)
        out[4 * block + 3] = scale * h if unit(d) >= p else T(0)
    if stop > whole:
        a, b, c, _ = philox(offset + whole, key)
        for i in range(size - 4 * whole):
            word = a if i == 0 else b if i == 1 else c
            out[4 * whole + i] = scale * x[4 * whole + i] if unit(word) >= p else T(0)


@kernel(uses=(philox, unit))
def random_slopes(start, stop, arguments, numbers):
    """out[i] = y[i] where x[i] is positive, else y[i] times the i-th number of [low, high)."""
    out, y, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    size, place = arguments[3], pointer_i64(arguments[4])
    key, offset = place[0], place[1]
    low, span = T(numbers[0]), T(numbers[1] - numbers[0])
    for block in range(start, stop):
        a, b, c, d = philox(offset + block, key)
        for i in range(4 * block, min(size, 4 * block + 4)):
            place = i - 4 * block
            word = a if place == 0 else b if place == 1 else c if place == 2 else d
            out[i] = y[i] if x[i] > T(0) else y[i] * (low + span * unit(word))


def blocks(size, words_each=1):
    """Blocks that ``size`` numbers of so many words use up."""
    return -(-size * words_each // 4)


def fill(function, shape, dtype, place, words_each, numbers=(), options=()):
    """A new array filled by one of the kernels above, from a place that a generator gave."""
    out = memory.empty(shape, dtype)
    _launch(function, (out, out.size, place, *options), out, words_each, numbers)
    return out


def drop(x, place, p):
    """`dropout` of a contiguous array."""
    out = memory.empty(x.shape, x.dtype)
    scale = 1.0 / (1.0 - p) if p < 1 else 0.0
    _launch(dropout, (out, x, x.size, place), out, 1, (p, scale))
    return out


def slope(y, x, place, low, high):
    """`random_slopes` of contiguous arrays."""
    out = memory.empty(x.shape, x.dtype)
    _launch(random_slopes, (out, y, x, x.size, place), out, 1, (low, high))
    return out


def _launch(function, operands, out, words_each, numbers):
    count = blocks(out.size, words_each)
    function(None, operands, count, chunk=BLOCKS_PER_CHUNK,
             nanoseconds=count * NANOSECONDS_PER_BLOCK, numbers=numbers)
