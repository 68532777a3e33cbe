#!/usr/bin/env python3
"""Makes gdalwarp.zip: small rasters and what gdalwarp makes of them.

Made with GDAL 3.6.2 and numpy 1.24.2, by
    python3 resample/testdata/make_gdalwarp.py
which needs gdalwarp and the Python modules osgeo and numpy.

The archive holds index.json, a list of cases, and the pixels of each source
and each result as plain little-endian files, row by row. A case says:
  method, scale        -r, and -wo XSCALE and YSCALE
  type                 of the pixels
  source, source_size, source_grid, source_nodata
  target, target_size, target_grid, target_nodata
  geographic           the source is in EPSG:4326, otherwise in EPSG:3857 as
                       every target is
Grids are GDAL's geotransforms. Sources have holes of nodata, or no nodata at
all; targets reach beyond their sources.
"""
import json
import os
import subprocess
import tempfile
import zipfile

import numpy as np
from osgeo import gdal, osr

gdal.UseExceptions()

W, H = 56, 44
TYPES = {
    # name: GDAL type, low and high value, source nodata, target nodata
    "uint8": (gdal.GDT_Byte, 20, 220, 255, 0),
    "int16": (gdal.GDT_Int16, -3000, 9000, -32768, -32767),
    "uint16": (gdal.GDT_UInt16, 1000, 60000, 0, 65535),
    "int32": (gdal.GDT_Int32, -2000000, 1900000, -2147483648, -2147483647),
    "uint32": (gdal.GDT_UInt32, 100000, 4000000000, 0, 4294967295),
    "float32": (gdal.GDT_Float32, 300, 2500, -9999, -8888),
    "float64": (gdal.GDT_Float64, 300, 2500, -9999, -8888),
}
FULL = ("uint8", "int16", "float32")  # these go through every geometry


def field(rng, lo, hi, integer):
    """Hills, a patch with sharp edges, and noise."""
    y, x = np.mgrid[0:H, 0:W]
    v = 0.5 + 0.3 * np.sin(x / 5.0) * np.cos(y / 7.0)
    v[8:15, 10:25] = 0.95
    v[25:38, 30:41] = 0.05
    v += rng.uniform(-0.05, 0.05, (H, W))
    v = lo + np.clip(v, 0, 1) * (hi - lo)
    return np.floor(v) if integer else v


def holes(rng):
    """Where pixels are invalid: a block, a border, and single pixels."""
    m = np.zeros((H, W), bool)
    m[18:23, 5:13] = True
    m[:, :2] = True
    m[40:, 20:30] = True
    m[rng.integers(0, H, 25), rng.integers(0, W, 25)] = True
    return m


# name: origin of the target in source pixels, size, target pixels per source pixel
GEOMETRIES = {
    "up": ((-1.3, -2.1), (40, 32), (2.3, 2.1)),
    "same": ((-2.7, 3.4), (36, 30), (1.0, 1.0)),
    "half": ((-3.3, -2.2), (31, 26), (0.5, 0.5)),
    "third": ((-4.0, -3.5), (20, 17), (0.3, 0.34)),
}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    index = []
    members = {}
    with tempfile.TemporaryDirectory() as tmp:
        for name, (gt, lo, hi, nd, out_nd) in TYPES.items():
            for with_nodata in (False, True):
                rng = np.random.default_rng(7)
                a = field(rng, lo, hi, not name.startswith("float"))
                if with_nodata:
                    a[holes(rng)] = nd
                elif name not in FULL:
                    continue
                a = a.astype(name)
                source = f"{name}{'-nodata' if with_nodata else ''}.bin"
                members[source] = a.astype(a.dtype.newbyteorder("<")).tobytes()
                for geographic in (False, True):
                    grid = [8.0, 0.01, 0, 50.0, 0, -0.01] if geographic else [900000.0, 100.0, 0, 6500000.0, 0, -100.0]
                    path = os.path.join(tmp, "source.tif")
                    write(path, a, gt, grid, 4326 if geographic else 3857, nd if with_nodata else None)
                    for gname, target in geometries(geographic):
                        if name not in FULL and gname != "half":
                            continue
                        for method in ("nearest", "bilinear", "cubic"):
                            out = os.path.join(tmp, "target.tif")
                            b = warp(path, out, method, target, out_nd)
                            tname = f"{source[:-4]}-{gname}-{method}.bin"
                            members[tname] = b.astype(b.dtype.newbyteorder("<")).tobytes()
                            index.append({
                                "method": method, "scale": target["scale"], "type": name,
                                "source": source, "source_size": [W, H], "source_grid": grid,
                                "source_nodata": nd if with_nodata else None,
                                "target": tname, "target_size": target["size"], "target_grid": target["grid"],
                                "target_nodata": out_nd, "geographic": geographic,
                            })
    with zipfile.ZipFile(os.path.join(here, "gdalwarp.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        def add(name, data):
            z.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
        add("index.json", json.dumps(index))
        for name in sorted(members):
            add(name, members[name])


def geometries(geographic):
    if geographic:
        # Around 8.0 to 8.56 degrees east, 49.56 to 50.0 north.
        yield "geographic", {"size": [30, 34], "scale": [0.6, 0.55],
                             "grid": [889500.0, 1855.3, 0, 6447500.0, 0, -2017.7]}
        return
    for name, ((x, y), size, (sx, sy)) in GEOMETRIES.items():
        yield name, {"size": list(size), "scale": [sx, sy],
                     "grid": [900000.0 + 100 * x, 100 / sx, 0, 6500000.0 - 100 * y, 0, -100 / sy]}


def write(path, a, gt, grid, epsg, nodata):
    ds = gdal.GetDriverByName("GTiff").Create(path, W, H, 1, gt)
    srs = osr.SpatialReference()
    srs.ImportFromEPSG(epsg)
    ds.SetProjection(srs.ExportToWkt())
    ds.SetGeoTransform(grid)
    ds.GetRasterBand(1).WriteArray(a)
    if nodata is not None:
        ds.GetRasterBand(1).SetNoDataValue(nodata)
    ds.FlushCache()


def warp(source, out, method, t, nodata):
    g, (w, h), (sx, sy) = t["grid"], t["size"], t["scale"]
    te = [g[0], g[3] + h * g[5], g[0] + w * g[1], g[3]]
    subprocess.check_call(
        ["gdalwarp", "-q", "-overwrite", "-et", "0", "-r", {"nearest": "near"}.get(method, method),
         "-t_srs", "EPSG:3857", "-te", *map(repr, te), "-ts", str(w), str(h), "-dstnodata", str(nodata),
         "-wo", f"XSCALE={sx}", "-wo", f"YSCALE={sy}", source, out])
    return gdal.Open(out).ReadAsArray()


main()
