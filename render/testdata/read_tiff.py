"""Prints what GDAL reads of GeoTIFFs: a line of JSON for each path on standard input."""
import base64, json, sys
from osgeo import gdal, osr
gdal.UseExceptions()
for line in sys.stdin:
    path = line.strip()
    ds = gdal.Open(path)
    srs = ds.GetSpatialRef()
    out = {
        "width": ds.RasterXSize, "height": ds.RasterYSize, "transform": ds.GetGeoTransform(can_return_null=True),
        "wkt": srs.ExportToWkt() if srs else "", "code": srs.GetAuthorityCode(None) if srs else None,
        "area": ds.GetMetadataItem("AREA_OR_POINT"), "structure": ds.GetMetadata("IMAGE_STRUCTURE"), "bands": [],
    }
    for i in range(ds.RasterCount):
        b = ds.GetRasterBand(i + 1)
        nodata = b.GetNoDataValue()
        out["bands"].append({
            "type": gdal.GetDataTypeName(b.DataType), "structure": b.GetMetadata("IMAGE_STRUCTURE"),
            "nodata": None if nodata is None else str(nodata), "flags": b.GetMaskFlags(),
            "pixels": base64.b64encode(b.ReadRaster()).decode(), "mask": base64.b64encode(b.GetMaskBand().ReadRaster()).decode(),
            "description": b.GetDescription(), "unit": b.GetUnitType(), "scale": b.GetScale(), "offset": b.GetOffset(),
            "color": gdal.GetColorInterpretationName(b.GetColorInterpretation()),
        })
    print(json.dumps(out), flush=True)
