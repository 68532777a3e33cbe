//go:build cgo && !nogdal

// Coordinate reference systems, georeference and transformations.

#include "shim_internal.h"

#include <math.h>
#include <stdio.h>

// rb_srs makes a CRS with the axes of maps from an EPSG code or, when that is
// 0, a WKT. NULL when there is none such.
OGRSpatialReferenceH rb_srs(int srid, const char *wkt) {
    OGRSpatialReferenceH s = OSRNewSpatialReference(NULL);
    OGRErr err = OGRERR_FAILURE;
    if (srid > 0) {
        err = OSRImportFromEPSG(s, srid);
    } else if (wkt != NULL && wkt[0] != 0) {
        char *p = (char *)wkt;
        err = OSRImportFromWkt(s, &p);
    }
    if (err != OGRERR_NONE) {
        OSRDestroySpatialReference(s);
        return NULL;
    }
    OSRSetAxisMappingStrategy(s, OAMS_TRADITIONAL_GIS_ORDER);
    return s;
}

static int same(OGRSpatialReferenceH a, OGRSpatialReferenceH b) {
    const char *const options[] = {"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES",
                                   "CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS", NULL};
    return OSRIsSameEx(a, b, options);
}

static int root_code(OGRSpatialReferenceH s) {
    const char *name = OSRGetAuthorityName(s, NULL), *code = OSRGetAuthorityCode(s, NULL);
    return name && code && EQUAL(name, "EPSG") ? atoi(code) : 0;
}

static int identified(OGRSpatialReferenceH s) {
    OGRSpatialReferenceH c = OSRClone(s);
    int code = OSRAutoIdentifyEPSG(c) == OGRERR_NONE ? root_code(c) : 0;
    OSRDestroySpatialReference(c);
    if (code == 0) return 0;
    OGRSpatialReferenceH official = rb_srs(code, NULL);
    if (official == NULL || !same(s, official)) code = 0;
    if (official) OSRDestroySpatialReference(official);
    return code;
}

// epsg_code is the code that stands in the CRS, or that of the one entry of the
// EPSG registry that is the same in everything but its name; 0 otherwise.
static int epsg_code(OGRSpatialReferenceH s) {
    int code = root_code(s);
    if (code == 0) code = identified(s);
    if (code != 0) return code;
    int n = 0, *confidence = NULL;
    OGRSpatialReferenceH *matches = OSRFindMatches(s, NULL, &n, &confidence);
    for (int i = 0; i < n && code == 0; i++) {
        if (confidence[i] >= 90 && same(s, matches[i])) code = root_code(matches[i]);
    }
    OSRFreeSRSArray(matches);
    CPLFree(confidence);
    return code;
}

static int kind_of(OGRSpatialReferenceH s) {
    if (OSRIsProjected(s) || OSRIsGeographic(s)) return RB_CRS_USABLE;
    if (OSRIsGeocentric(s)) return RB_CRS_GEOCENTRIC;
    return RB_CRS_LOCAL;
}

// rb_describe says what the CRS of a data set is.
void rb_describe(rb_ds *h, rb_geo *out) {
    CPLFree(h->name);
    CPLFree(h->wkt);
    h->name = h->wkt = NULL;
    out->crs = RB_CRS_NONE;
    if (h->srs == NULL) return;
    if (OSRIsCompound(h->srs)) OSRStripVertical(h->srs);
    OSRSetAxisMappingStrategy(h->srs, OAMS_TRADITIONAL_GIS_ORDER);
    out->crs = kind_of(h->srs);
    const char *name = OSRGetName(h->srs);
    h->name = CPLStrdup(name ? name : "");
    const char *const options[] = {"FORMAT=WKT1_GDAL", NULL};
    if (OSRExportToWktEx(h->srs, &h->wkt, options) != OGRERR_NONE || h->wkt == NULL || h->wkt[0] == 0) {
        // Some CRSs have no form in WKT 1.
        const char *const newer[] = {"FORMAT=WKT2_2019", NULL};
        CPLFree(h->wkt);
        h->wkt = NULL;
        h->m.error[0] = 0;
        OSRExportToWktEx(h->srs, &h->wkt, newer);
    }
    out->srid = out->crs == RB_CRS_USABLE ? epsg_code(h->srs) : 0;
    h->m.error[0] = 0;
    out->name = h->name;
    out->wkt = h->wkt;
}

int rb_georeference(rb_ds *h, int srid, rb_geo *out) {
    memset(out, 0, sizeof *out);
    rb_listen(&h->m);
    out->has_geotransform = GDALGetGeoTransform(h->ds, out->geotransform) == CE_None;
    out->gcps = GDALGetGCPCount(h->ds);
    out->rpc = CSLCount(GDALGetMetadata(h->ds, "RPC")) > 0;
    out->geolocation = CSLCount(GDALGetMetadata(h->ds, "GEOLOCATION")) > 0;
    h->m.error[0] = 0;
    int rc = RB_OK;
    if (srid > 0) {
        h->srs = rb_srs(srid, NULL);
        if (h->srs == NULL) rc = RB_NO_SUCH_CRS;
    } else {
        OGRSpatialReferenceH s = GDALGetSpatialRef(h->ds);
        if (s == NULL && !out->has_geotransform) s = GDALGetGCPSpatialRef(h->ds);
        if (s != NULL) h->srs = OSRClone(s);
    }
    if (rc == RB_OK) rb_describe(h, out);
    rb_unlisten();
    return rc;
}

void rb_get_grid(rb_ds *h, rb_grid *out) {
    memset(out, 0, sizeof *out);
    rb_listen(&h->m);
    GDALGetGeoTransform(h->ds, out->geotransform);
    rb_unlisten();
}

// rb_warp_gcps puts GDAL's suggested warp of the ground control points in the
// place of the data set: nearest, exact, in the CRS of the points. With alpha
// a last band says what the warp covers; otherwise each band's nodata does.
int rb_warp_gcps(rb_ds *h, int alpha) {
    rb_listen(&h->m);
    GDALWarpOptions *o = GDALCreateWarpOptions();
    int n = GDALGetRasterCount(h->ds);
    GDALWarpInitDefaultBandMapping(o, n);
    o->dfWarpMemoryLimit = 64 << 20;
    if (alpha) o->nDstAlphaBand = n + 1;
    o->padfSrcNoDataReal = CPLMalloc(n * sizeof(double));
    if (!alpha) o->padfDstNoDataReal = CPLMalloc(n * sizeof(double));
    int any = 0;
    for (int i = 0; i < n; i++) {
        int has = 0;
        double v = GDALGetRasterNoDataValue(GDALGetRasterBand(h->ds, i + 1), &has);
        o->padfSrcNoDataReal[i] = has ? v : -1.1e20;
        if (!alpha) o->padfDstNoDataReal[i] = v;
        any |= has;
    }
    if (!any) {
        CPLFree(o->padfSrcNoDataReal);
        o->padfSrcNoDataReal = NULL;
    }
    o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "INIT_DEST", alpha ? "0" : "NO_DATA");
    o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "UNIFIED_SRC_NODATA", "NO");
    char **t = CSLSetNameValue(NULL, "METHOD", "GCP_POLYNOMIAL");
    t = CSLSetNameValue(t, "SRC_SRS", h->wkt);
    t = CSLSetNameValue(t, "DST_SRS", h->wkt);
    GDALDatasetH v = GDALAutoCreateWarpedVRTEx(h->ds, h->wkt, h->wkt, GRA_NearestNeighbour, 0, o, t);
    CSLDestroy(t);
    GDALDestroyWarpOptions(o);
    int rc = RB_OK;
    if (v == NULL) {
        rc = rb_fail(&h->m, "the ground control points cannot be fitted");
    } else {
        h->source = h->ds;
        h->ds = v;
    }
    rb_unlisten();
    return rc;
}

int rb_make_transformer(rb_ds *h) {
    rb_listen(&h->m);
    OGRSpatialReferenceH mercator = rb_srs(3857, NULL);
    char *dst = NULL;
    int rc = RB_OK;
    if (mercator == NULL || OSRExportToWkt(mercator, &dst) != OGRERR_NONE) {
        rc = rb_fail(&h->m, "PROJ's database does not have EPSG:3857");
    } else {
        char **o = CSLSetNameValue(NULL, "METHOD", "GEOTRANSFORM");
        o = CSLSetNameValue(o, "SRC_SRS", h->wkt);
        o = CSLSetNameValue(o, "DST_SRS", dst);
        h->transformer = GDALCreateGenImgProjTransformer2(h->ds, NULL, o);
        CSLDestroy(o);
        if (h->transformer == NULL) rc = rb_fail(&h->m, "no transformation to EPSG:3857");
    }
    CPLFree(dst);
    if (mercator) OSRDestroySpatialReference(mercator);
    rb_unlisten();
    return rc;
}

// apply runs f over interleaved coordinates; what has no counterpart is NaN.
static int apply(GDALTransformerFunc f, void *arg, int inverse, int n, double *xy) {
    double *x = malloc((size_t)n * (3 * sizeof(double) + sizeof(int)));
    if (x == NULL) return RB_FAILED;
    double *y = x + n, *z = y + n;
    int *ok = (int *)(z + n);
    for (int i = 0; i < n; i++) {
        x[i] = xy[2 * i], y[i] = xy[2 * i + 1], z[i] = 0;
        ok[i] = 0;
    }
    f(arg, inverse, n, x, y, z, ok);
    for (int i = 0; i < n; i++) {
        int good = ok[i] && isfinite(x[i]) && isfinite(y[i]);
        xy[2 * i] = good ? x[i] : NAN;
        xy[2 * i + 1] = good ? y[i] : NAN;
    }
    free(x);
    return RB_OK;
}

int rb_transform(rb_ds *h, int to_mercator, int n, double *xy) {
    rb_listen(&h->m);
    int rc = apply(GDALGenImgProjTransform, h->transformer, !to_mercator, n, xy);
    if (rc != RB_OK) rb_fail(&h->m, "out of memory");
    rb_unlisten();
    return rc;
}

struct rb_ct {
    OGRCoordinateTransformationH ct;
    rb_messages m;
};

rb_ct *rb_ct_new(int from_srid, const char *from_wkt, int to_srid, const char *to_wkt) {
    rb_ct *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    rb_listen(&c->m);
    OGRSpatialReferenceH from = rb_srs(from_srid, from_wkt), to = NULL;
    if (from != NULL) to = rb_srs(to_srid, to_wkt);
    if (from != NULL && to != NULL) c->ct = OCTNewCoordinateTransformation(from, to);
    if (c->ct == NULL) rb_fail(&c->m, "unknown CRS");
    if (from) OSRDestroySpatialReference(from);
    if (to) OSRDestroySpatialReference(to);
    rb_unlisten();
    return c;
}

int rb_ct_ok(const rb_ct *c) { return c->ct != NULL; }
const char *rb_ct_error(const rb_ct *c) { return c->m.error; }

static int oct(void *arg, int inverse, int n, double *x, double *y, double *z, int *ok) {
    (void)inverse;
    return OCTTransformEx(arg, n, x, y, z, ok);
}

int rb_ct_apply(rb_ct *c, int n, double *xy) {
    rb_listen(&c->m);
    int rc = apply(oct, c->ct, 0, n, xy);
    rb_unlisten();
    return rc;
}

void rb_ct_free(rb_ct *c) {
    if (c == NULL) return;
    if (c->ct) OCTDestroyCoordinateTransformation(c->ct);
    free(c);
}
