"""Prints what GDAL reads of GeoTIFFs: a line of JSON for each path on standard input.

Pixels are float64 in little-endian order, whatever their type is. A path after the
word "cog" is checked as a cloud optimized GeoTIFF too.
"""
import base64, json, os, sys
import numpy
from osgeo import gdal
from osgeo_utils.samples import validate_cloud_optimized_geotiff as validator

gdal.UseExceptions()


def band(b):
    px = b.ReadAsArray()
    if b.GetMetadata("IMAGE_STRUCTURE").get("PIXELTYPE") == "SIGNEDBYTE":
        px = px.view(numpy.int8)
    return {
        "width": b.XSize, "height": b.YSize,
        "pixels": base64.b64encode(px.astype("<f8").tobytes()).decode(),
        "mask": base64.b64encode(b.GetMaskBand().ReadRaster()).decode(),
    }


for line in sys.stdin:
    kind, path = line.rstrip("\n").split(" ", 1)
    ds = gdal.Open(path)
    srs = ds.GetSpatialRef()
    out = {
        "transform": ds.GetGeoTransform(can_return_null=True), "code": srs.GetAuthorityCode(None) if srs else None,
        "wkt": srs.ExportToWkt() if srs else "", "structure": ds.GetMetadata("IMAGE_STRUCTURE"), "bands": [], "problems": [],
    }
    for i in range(ds.RasterCount):
        b = ds.GetRasterBand(i + 1)
        one = band(b)
        nodata, colors = b.GetNoDataValue(), b.GetColorTable()
        one.update({
            "type": gdal.GetDataTypeName(b.DataType), "nodata": None if nodata is None else str(nodata), "flags": b.GetMaskFlags(),
            "description": b.GetDescription(), "unit": b.GetUnitType(), "scale": b.GetScale(), "offset": b.GetOffset(),
            "colors": [list(colors.GetColorEntry(k)) for k in range(colors.GetCount())] if colors else None,
            "overviews": [band(b.GetOverview(k)) for k in range(b.GetOverviewCount())],
        })
        out["bands"].append(one)
    out["tiff"] = ds.GetMetadata("TIFF") or {}
    b = None
    ds = None
    if kind == "cog":
        warnings, errors, _ = validator.validate(path, full_check=True)
        out["problems"] = errors + [w for w in warnings if "overview" not in w]
    with open(path, "rb") as f:
        out["big"] = f.read(4)[2] == 43
    print(json.dumps(out), flush=True)
