"""Reads rasters through QGIS's own libraries.

On standard input is a JSON list of {name, provider, uri}; on standard output
comes a list of what QGIS says of each: size, CRS, extent, bands with
statistics, all pixels and one sample.
"""

import json
import os
import sys

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsMessageLog,
    QgsPointXY,
    QgsRasterBandStats,
    QgsRasterLayer,
)


def read_band(provider, layer, number):
    extent, width, height = layer.extent(), layer.width(), layer.height()
    block = provider.block(number, extent, width, height)
    pixels = [
        None if block.isNoData(row, column) else block.value(row, column)
        for row in range(height)
        for column in range(width)
    ]
    column, row = width // 3, height // 2
    point = QgsPointXY(
        extent.xMinimum() + (column + 0.5) * extent.width() / width,
        extent.yMaximum() - (row + 0.5) * extent.height() / height,
    )
    value, valid = provider.sample(point, number)
    stats = provider.bandStatistics(number, QgsRasterBandStats.All, extent, 0)
    return {
        "Type": Qgis.DataType(provider.sourceDataType(number)).name,
        "Nodata": provider.sourceNoDataValue(number) if provider.sourceHasNoDataValue(number) else None,
        "Min": stats.minimumValue,
        "Max": stats.maximumValue,
        "Mean": stats.mean,
        "Pixels": pixels,
        "SampleColumn": column,
        "SampleRow": row,
        "SampleValue": value,
        "SampleValid": valid,
    }


def read(request, messages):
    del messages[:]
    layer = QgsRasterLayer(request["uri"], request["name"], request["provider"])
    if not layer.isValid():
        return {"Name": request["name"], "Error": "QGIS cannot open it: " + "; ".join(messages)}
    extent = layer.extent()
    provider = layer.dataProvider()
    return {
        "Name": request["name"],
        "Width": layer.width(),
        "Height": layer.height(),
        "SRID": layer.crs().authid(),
        "Extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "Bands": [read_band(provider, layer, number + 1) for number in range(layer.bandCount())],
    }


def main():
    # QGIS writes to standard output as well: the answer has a way of its own.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    application = QgsApplication([], False)
    application.initQgis()
    messages = []
    application.messageLog().messageReceived.connect(lambda text, tag, level: messages.append(f"{tag}: {text}"))
    json.dump([read(request, messages) for request in json.load(sys.stdin)], answer)
    answer.close()
    # Leaving without exitQgis spares a crash in the order of destruction.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
