"""Times exactextract and rasterstats on zones of a raster.

Usage: rivals.py PROGRAM RASTER ZONES.geojson ROUNDS counts|statistics

Prints a JSON object: the seconds of each round, and the answers of the last one by
the zones' ids. What is read before the first round (imports, the zones) is not timed.
"""
import json
import sys
import time

program, raster, zones, rounds, what = sys.argv[1:6]
with open(zones) as f:
    features = json.load(f)["features"]

if program == "exactextract":
    from exactextract import exact_extract

    if what == "counts":
        # unique and frac together give what a value count is.
        operations = ["count", "unique", "frac"]
    else:
        operations = ["count", "sum", "mean", "stdev", "min", "max"]

    def run():
        return exact_extract(raster, features, operations, strategy="feature-sequential", max_cells_in_memory=100_000_000)

    def answers(result):
        out = {}
        for i, f in enumerate(result):
            p = f["properties"]
            if what == "counts":
                out[str(i)] = {str(int(v)): p["count"] * s for v, s in zip(p["unique"], p["frac"])}
            else:
                out[str(i)] = {"count": p["count"], "sum": p["sum"]}
        return out
else:
    from rasterstats import zonal_stats

    def run():
        if what == "counts":
            return zonal_stats(features, raster, categorical=True, stats="count", nodata=255)
        return zonal_stats(features, raster, stats="count sum mean std min max", nodata=255)

    def answers(result):
        if what == "counts":
            return {str(i): {str(int(k)): v for k, v in r.items() if k != "count"} for i, r in enumerate(result)}
        return {str(i): {"count": r["count"], "sum": r["sum"]} for i, r in enumerate(result)}

seconds = []
for _ in range(int(rounds)):
    began = time.perf_counter()
    result = run()
    seconds.append(time.perf_counter() - began)
print(json.dumps({"seconds": seconds, "answers": answers(result)}))
