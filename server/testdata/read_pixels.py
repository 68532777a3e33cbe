"""Prints what GDAL reads of the first band of GeoTIFFs: a line of JSON for each path
on standard input. Pixels are float64 in little-endian order; invalid ones are NaN.
"""
import base64, json, sys
import numpy
from osgeo import gdal

gdal.UseExceptions()

for line in sys.stdin:
    band = (ds := gdal.Open(line.rstrip("\n"))).GetRasterBand(1)
    px = band.ReadAsArray().astype("<f8")
    px[band.GetMaskBand().ReadAsArray() == 0] = numpy.nan
    print(json.dumps({
        "transform": ds.GetGeoTransform(), "width": ds.RasterXSize, "height": ds.RasterYSize,
        "pixels": base64.b64encode(px.tobytes()).decode(),
    }))
