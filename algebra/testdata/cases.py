"""Makes cases.tsv: what numpy gives for every operator and function of the formula
language, in float32 and float64, over edge values. Run it with python3 and numpy; the
test reads the file alone.

Columns: precision, formula, a, b, c, result; nan is invalid. A formula is written for
the language, and what it means is written beside it for numpy."""

import itertools
import os

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))

EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 1.5, -2.5, 3.0, 0.1, 7.25, 100.0, -1000.5, 1e-30, 1e30, -1e30, 3e38,
         numpy.nan, numpy.inf, -numpy.inf]


def step(v):
    """A result on the way: what is not finite is invalid, and stays so."""
    return numpy.where(numpy.isfinite(v), v, numpy.nan)


ONE = {
    "-a": lambda a: -a, "+a": lambda a: +a, "!a": lambda a: a == 0,
    "sin(a)": numpy.sin, "cos(a)": numpy.cos, "tan(a)": numpy.tan, "asin(a)": numpy.arcsin, "acos(a)": numpy.arccos,
    "atan(a)": numpy.arctan, "log(a)": numpy.log, "log10(a)": numpy.log10, "exp(a)": numpy.exp, "sqrt(a)": numpy.sqrt,
    "abs(a)": numpy.abs, "int(a)": numpy.trunc, "floor(a)": numpy.floor, "ceil(a)": numpy.ceil,
    # numpy rounds halves to even numbers, the language away from zero
    "round(a)": lambda a: numpy.sign(a) * numpy.floor(numpy.abs(a) + a.dtype.type(0.5)),
    "sign(a)": numpy.sign, "a^2": numpy.square, "a^-1": lambda a: a ** a.dtype.type(-1), "a^0.5": lambda a: a ** a.dtype.type(0.5),
    "a == 0.1": lambda a: a == a.dtype.type(0.1), "a < INF": lambda a: a < numpy.inf, "a > -INF": lambda a: a > -numpy.inf,
    "a * PI + E": lambda a: a * a.dtype.type(numpy.pi) + a.dtype.type(numpy.e), "a + TRUE - FALSE": lambda a: a + a.dtype.type(1),
}

TWO = {
    "a + b": lambda a, b: a + b, "a - b": lambda a, b: a - b, "a * b": lambda a, b: a * b, "a / b": lambda a, b: a / b,
    "a ^ b": lambda a, b: a ** b,
    "a == b": lambda a, b: a == b, "a != b": lambda a, b: a != b, "a > b": lambda a, b: a > b, "a >= b": lambda a, b: a >= b,
    "a < b": lambda a, b: a < b, "a <= b": lambda a, b: a <= b, "a & b": numpy.logical_and, "a | b": numpy.logical_or,
    "atan2(a, b)": numpy.arctan2, "(a - b) / (a + b)": lambda a, b: step(a - b) / step(a + b),
    "a + b > 3": lambda a, b: numpy.where(numpy.isfinite(a + b), a + b > a.dtype.type(3), numpy.nan), "-a * b - a": lambda a, b: -a * b - a,
    "a > 0 & b > 0 | a == b": lambda a, b: (a > 0) & (b > 0) | (a == b),
}

MANY = {
    "min(a, b, c)": lambda *v: numpy.min(v, axis=0), "max(a, b, c)": lambda *v: numpy.max(v, axis=0),
    "sum(a, b, c)": lambda *v: numpy.sum(v, axis=0), "mean(a, b, c)": lambda *v: numpy.mean(v, axis=0),
    "std(a, b, c)": lambda *v: numpy.std(v, axis=0), "median(a, b, c)": lambda *v: numpy.median(v, axis=0),
    "median(a, b, c, a)": lambda a, b, c: numpy.median([a, b, c, a], axis=0),
    "clip(a, b, c)": lambda a, b, c: numpy.minimum(numpy.maximum(a, b), c),
    "a + b + c + a + b": lambda a, b, c: a + b + c + a + b, "a * b + c": lambda a, b, c: a * b + c,
    "a - b * c": lambda a, b, c: a - b * c, "a / (b / c)": lambda a, b, c: a / step(b / c), "a * b - c * a": lambda a, b, c: a * b - c * a,
}


def rows(formulas, arguments, precision):
    # Functions of many numbers are computed in float64 and then rounded, here as there.
    for formula, function in formulas.items():
        wide = precision is numpy.float32 and "(" in formula and formula[:1].isalpha() and formula.split("(")[0] in (
            "sum", "mean", "std", "median", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "log", "log10", "exp")
        values = [numpy.array(v, precision) for v in arguments]
        valid = numpy.all(numpy.isfinite(values), axis=0)
        result = function(*[v.astype(numpy.float64) if wide else v for v in values])
        result = numpy.asarray(result).astype(precision).astype(numpy.float64)
        result[~valid | ~numpy.isfinite(result)] = numpy.nan
        yield from zip(itertools.repeat(precision.__name__), itertools.repeat(formula),
                       *[v.astype(numpy.float64) for v in (values * 3)[:3]], result)


def main():
    numpy.seterr(all="ignore")
    pairs = list(itertools.product(EDGES, EDGES))
    random = numpy.random.default_rng(7)
    threes = [[EDGES[i] for i in random.integers(0, len(EDGES) - (3 if k % 4 else 0), 3)] for k in range(60)]
    with open(os.path.join(HERE, "cases.tsv"), "w", encoding="ascii") as out:
        print(f"# made by cases.py with numpy {numpy.__version__}", file=out)
        for precision in (numpy.float32, numpy.float64):
            for formulas, arguments in ((ONE, [EDGES]), (TWO, list(zip(*pairs[::2]))), (MANY, list(zip(*threes)))):
                for row in rows(formulas, arguments, precision):
                    print(*[v if isinstance(v, str) else repr(float(v)) for v in row], sep="\t", file=out)


main()
