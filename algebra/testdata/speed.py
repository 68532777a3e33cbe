"""Times numpy and numexpr (where it is installed) on one thread for the formulas of
BenchmarkEvaluate: best of several runs, in nanoseconds a pixel."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[name] = "1"

import sys
import timeit

import numpy

try:
    import numexpr

    numexpr.set_num_threads(1)
except ImportError:
    numexpr = None

f4 = numpy.float32
FORMULAS = {
    "ndvi": (lambda a, b, c, d, e: (b - a) / (b + a), "(b - a) / (b + a)"),
    "sum": (lambda a, b, c, d, e: a + b + c + d + e, "a + b + c + d + e"),
    "logical": (lambda a, b, c, d, e: (a > f4(0.5)) & (b < f4(0.3)) | (c >= f4(0.9)), "(a > p) & (b < q) | (c >= r)"),
    "where": (lambda a, b, c, d, e: numpy.where(a > f4(0.5), b, c), "where(a > p, b, c)"),
}


def best(call, n):
    """The time of one call, in nanoseconds a pixel."""
    number = max(1, (1 << 20) // n * 8)
    call()
    return min(timeit.repeat(call, number=number, repeat=15)) / number / n * 1e9


print("numpy", numpy.__version__, "numexpr", numexpr.__version__ if numexpr else "is not installed")
for n in [int(v) for v in sys.argv[1:]] or [1 << 16, 1 << 24]:
    random = numpy.random.default_rng(1)
    arrays = [random.random(n, dtype=f4) for _ in range(5)]
    names = dict(zip("abcde", arrays), p=f4(0.5), q=f4(0.3), r=f4(0.9))
    for name, (in_numpy, text) in FORMULAS.items():
        line = f"{name}/{n}: numpy {best(lambda: in_numpy(*arrays), n):.3f} ns/pixel"
        if numexpr:
            # evaluate looks the formula up by its text, as a caller's second tile does.
            line += f", numexpr {best(lambda: numexpr.evaluate(text, local_dict=names), n):.3f} ns/pixel"
        print(line)
