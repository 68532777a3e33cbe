#!/usr/bin/env python3
"""Writes legend/colormaps.bin and legend/colormaps.txt, the named colormaps and
the licences of their data.

    pip install matplotlib==3.11.2
    pip download --no-deps cmocean==4.0.3 rio-tiler==9.4.12
    python tools/colormaps/generate.py cmocean-*.whl rio_tiler-*.whl legend

The data file is a line for each colormap (name, group, number of colours, bytes),
an empty line, and the colours of each in the same order: all reds, greens and
blues, each as the difference to the one before it, as a raw deflate stream.
Colours are those that matplotlib itself draws (rounded down to 8 bits).
"""

import importlib.metadata
import io
import pathlib
import re
import sys
import zipfile
import zlib

import matplotlib
import numpy

GROUPS = {
    "uniform": "viridis plasma inferno magma cividis turbo",
    "sequential": """gray greys binary bone pink hot afmhot cool copper spring summer
        autumn winter wistia gist_gray gist_yarg gist_heat cubehelix
        blues greens oranges purples reds ylorbr ylorrd orrd purd rdpu bupu gnbu pubu
        ylgnbu pubugn bugn ylgn""",
    "diverging": """piyg prgn brbg puor rdgy rdbu rdylbu rdylgn spectral coolwarm bwr
        seismic""",
    "cyclic": "twilight twilight_shifted hsv",
    "qualitative": """accent dark2 paired pastel1 pastel2 set1 set2 set3 tab10 tab20
        tab20b tab20c okabe_ito""",
    "miscellaneous": """flag prism ocean gist_earth terrain gist_stern gist_rainbow
        gist_ncar gnuplot gnuplot2 cmrmap brg rainbow jet nipy_spectral""",
}
CMOCEAN = """algae amp balance curl deep delta dense diff haline ice matter oxy phase
    rain solar speed tarn tempo thermal topo turbid"""
RIO_TILER = "cfastie rplumbo schwarzwald"


def from_matplotlib(colormap):
    """The colours of a colormap as bytes: 256, or those of a qualitative one."""
    n = colormap.N if colormap.N < 256 else 256
    places = numpy.arange(n) if colormap.N == n else numpy.linspace(0, 1, n)
    return colormap(places, bytes=True)[:, :3]


def collect(cmocean, rio_tiler):
    by_name = {name.lower(): name for name in matplotlib.colormaps}
    for group, names in GROUPS.items():
        for name in sorted(names.split()):
            yield name, group, from_matplotlib(matplotlib.colormaps[by_name[name]])
    for name in sorted(CMOCEAN.split()):
        rgb = numpy.loadtxt(io.BytesIO(cmocean.read(f"cmocean/rgb/{name}-rgb.txt")))
        listed = matplotlib.colors.ListedColormap(numpy.clip(rgb, 0, 1))
        yield name, "ocean", from_matplotlib(listed)
    for name in RIO_TILER.split():
        rgba = numpy.load(io.BytesIO(rio_tiler.read(f"rio_tiler/cmap_data/{name}.npy")))
        if rgba.shape != (256, 4) or rgba[:, 3].min() < 255:
            sys.exit(f"{name}: expected 256 opaque colours")
        yield name, "miscellaneous", rgba[:, :3]


def pack(rgb):
    planes = rgb.T.astype(numpy.uint8)
    delta = numpy.diff(planes, axis=1, prepend=numpy.uint8(0))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(delta.astype(numpy.uint8).tobytes()) + deflate.flush()


def sections(text):
    """The notices of the software that a matplotlib wheel bundles, by name."""
    parts = re.split(r"^Name: (.*)\n", text, flags=re.M)
    return parts[0], dict(zip(parts[1::2], parts[2::2]))


def notices(cmocean, rio_tiler):
    dist = importlib.metadata.distribution("matplotlib")
    own, bundled = sections(dist.read_text("LICENSE"))
    own = own[: own.rindex("\n----")]
    body = lambda name: bundled[name].split("License:", 1)[1].split("\n", 1)[1]
    apache = body("SheenBidi")
    apache = apache[: apache.index("APPENDIX:")]
    found = lambda wheel, end: next(
        wheel.read(n).decode() for n in sorted(wheel.namelist()) if n.endswith(end))
    yield "Colormaps of matplotlib, 8-bit colours made of its data (version %s)" % dist.version, own
    yield "Colour schemes of ColorBrewer: the sequential, diverging and qualitative ones", \
        body("ColorBrewer Color Schemes")
    yield "gist_earth, gist_gray, gist_heat, gist_ncar, gist_rainbow, gist_stern, gist_yarg", \
        body("Yorick Colormaps")
    yield "turbo", """
Copyright 2019 Google LLC. Author: Anton Mikhailov.
Licensed under the Apache License, Version 2.0."""
    yield "wistia", """
Copyright (c) Wistia, Inc. Licensed under the MIT licence."""
    yield "viridis, plasma, inferno, magma, twilight, twilight_shifted", """
Dedicated to the public domain (CC0 1.0) by Stefan van der Walt and Nathaniel
Smith, and by Bastian Bechtold."""
    yield "Colormaps of cmocean: " + " ".join(CMOCEAN.split()), \
        found(cmocean, ".dist-info/LICENSE.txt")
    yield "cfastie, rplumbo, schwarzwald: data of rio-tiler", \
        found(rio_tiler, ".dist-info/licenses/LICENSE")
    yield "The Apache License, Version 2.0", apache


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[3])
    with zipfile.ZipFile(sys.argv[1]) as cmocean, zipfile.ZipFile(sys.argv[2]) as rio_tiler:
        order = list(GROUPS) + ["ocean"]
        maps = sorted(collect(cmocean, rio_tiler), key=lambda m: (order.index(m[1]), m[0]))
        text = "\n\n".join(
            f"{title}\n{'-' * min(len(title), 78)}\n\n" + "\n".join(line.rstrip() for line in part.strip("\n").split("\n"))
            for title, part in notices(cmocean, rio_tiler))
    packed = [(name, group, len(rgb), pack(rgb)) for name, group, rgb in maps]
    head = "".join(f"{name} {group} {n} {len(data)}\n" for name, group, n, data in packed)
    body = b"".join(data for *_, data in packed)
    (out / "colormaps.bin").write_bytes(head.encode() + b"\n" + body)
    (out / "colormaps.txt").write_text(text + "\n")
    print(len(packed), "colormaps,", len(head) + 1 + len(body), "bytes")


if __name__ == "__main__":
    main()
