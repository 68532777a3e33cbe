#!/usr/bin/env python3
"""Makes proj.json: points transformed by PROJ, through GDAL's Python bindings.

Each case has the two EPSG codes and rows of x, y and what PROJ makes of them,
null where it cannot. Axes are in the order of maps, x before y.

    python3 record.py > proj.json
"""
import json
import math
from osgeo import gdal, osr

osr.UseExceptions()


def reference(code):
    r = osr.SpatialReference()
    r.ImportFromEPSG(code)
    r.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return r


def case(source, target, points):
    t = osr.CoordinateTransformation(reference(source), reference(target))
    rows = []
    for x, y in points:
        try:
            px, py, _ = t.TransformPoint(x, y)
            ok = math.isfinite(px) and math.isfinite(py)
        except RuntimeError:
            ok = False
        rows.append([x, y, px, py] if ok else [x, y, None, None])
    return {"from": source, "to": target, "points": rows}


def product(xs, ys):
    return [(float(x), float(y)) for x in xs for y in ys]


LATITUDES = [-90, -89.9, -80, -66.5, -45.3, -10.1, -1e-9, 0, 0.1, 23.4, 51.7, 66.6, 79, 84, 89.9, 90]
OFFSETS = [-100, -70, -45, -20, -6, -3, -1.2, -1e-7, 0, 0.3, 3, 3.5, 9, 30, 60, 75, 86, 165, 180]
EASTINGS = [-1.9e7, -3e6, -5e5, 1e5, 166021.44, 5e5, 500000.001, 833978.56, 1.2e6, 4e6, 1.7e7]
NORTHINGS = [-9.9e6, -4e6, -1, 0, 1, 2e6, 5e6, 8e6, 9.9e6, 9.99e6, 1.2e7]


def zone(code):
    return 6 * (code % 100) - 183


cases = [
    case(4326, 3857, product([-180, -179.999, -90, -12.3, 0, 1e-9, 77, 180, 181, -190, 359, 540.5],
                             [-91, -89, -85.0511287798066, -45, -1e-9, 0, 0.1, 52, 85.06, 89, 90.001])),
    case(3857, 4326, product([-20037508.342789244, -1e7, -1, 0, 1, 1.5e7, 20037508.342789244, 21e6],
                             [-3e7, -20037508.342789244, -1e6, -1e-3, 0, 1, 5e6, 20037508.342789244, 4e7])),
    case(4258, 4326, product([-10, 0, 9.5, 30], [35, 50.1, 70])),
    case(4326, 4258, product([-10, 0, 9.5, 30], [35, 50.1, 70])),
    case(4258, 3857, product([-10, 0, 9.5, 30], [35, 50.1, 70])),
]
for code in (32601, 32618, 32631, 32660, 32701, 32733, 32760, 25828, 25832, 25838):
    geographic = 4258 if code < 32000 else 4326
    cases.append(case(geographic, code, product([zone(code) + d for d in OFFSETS], LATITUDES)))
    south = 1e7 if code // 100 == 327 else 0
    cases.append(case(code, geographic, product(EASTINGS, [n + south for n in NORTHINGS])))
cases += [
    case(4326, 25833, product([9, 12, 15, 18.5], [40, 55, 70])),
    case(25833, 3857, product([166021, 5e5, 833978], [4e6, 6e6, 8e6])),
    case(3857, 32719, product([-8.1e6, -7.7e6, -7.2e6], [-6e6, -2e6, 0])),
    case(32632, 32633, product([166021, 5e5, 833978], [0, 4e6, 6e6, 9e6])),
    case(32733, 32633, product([166021, 5e5, 833978], [1e6, 4e6, 9999999])),
    case(32631, 25831, product([166021, 5e5, 833978], [4e6, 6e6])),
]
major, minor = osr.GetPROJVersionMajor(), osr.GetPROJVersionMinor()
print('{"gdal": "%s", "proj": "%d.%d", "cases": [' % (gdal.__version__, major, minor))
for i, c in enumerate(cases):
    rows = ",\n".join("  " + json.dumps(p) for p in c["points"])
    print('{"from": %d, "to": %d, "points": [\n%s\n]}%s' % (c["from"], c["to"], rows, "," if i + 1 < len(cases) else ""))
print("]}")
