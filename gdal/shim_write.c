//go:build cgo && !nogdal

// Writing GeoTIFF.

#include "shim_internal.h"

#include <stdio.h>

// rb_set_place gives a new data set its georeference and its CRS.
void rb_set_place(rb_ds *h, const rb_create_args *a) {
    GDALSetGeoTransform(h->ds, (double *)a->geotransform);
    if (a->srid == 0 && (a->wkt == NULL || a->wkt[0] == 0)) return;
    OGRSpatialReferenceH s = rb_srs(a->srid, a->wkt);
    if (s == NULL) return;
    GDALSetSpatialRef(h->ds, s);
    OSRDestroySpatialReference(s);
}

// rb_can_compress tells whether the GTiff driver has a method of compression:
// its list of options names only those that it was built with.
int rb_can_compress(const char *name) {
    GDALDriverH d = GDALGetDriverByName("GTiff");
    const char *list = d ? GDALGetMetadataItem(d, GDAL_DMD_CREATIONOPTIONLIST, NULL) : NULL;
    char value[64];
    snprintf(value, sizeof value, "<Value>%s</Value>", name);
    return list != NULL && strstr(list, value) != NULL;
}

rb_ds *rb_create(const rb_create_args *a) {
    rb_ds *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    rb_listen(&h->m);
    GDALDriverH d = GDALGetDriverByName("GTiff");
    char **o = CSLTokenizeString2(a->options, "\n", 0);
    if (a->signed_byte && a->type == GDT_Byte) o = CSLSetNameValue(o, "PIXELTYPE", "SIGNEDBYTE");
    if (d != NULL) h->ds = GDALCreate(d, a->path, a->width, a->height, a->bands, a->type, o);
    CSLDestroy(o);
    if (h->ds != NULL) rb_set_place(h, a);
    if (h->ds == NULL) rb_fail(&h->m, "the file cannot be created");
    rb_unlisten();
    return h;
}

int rb_write_band(rb_ds *h, int band, int type, const void *pixels) {
    rb_listen(&h->m);
    int w = GDALGetRasterXSize(h->ds), n = GDALGetRasterYSize(h->ds);
    CPLErr err = GDALRasterIO(GDALGetRasterBand(h->ds, band), GF_Write, 0, 0, w, n, (void *)pixels, w, n, type, 0, 0);
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the pixels cannot be written");
}

int rb_set_nodata(rb_ds *h, int band, double v) {
    rb_listen(&h->m);
    CPLErr err = GDALSetRasterNoDataValue(GDALGetRasterBand(h->ds, band), v);
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "nodata cannot be written");
}

int rb_set_band_text(rb_ds *h, int band, const char *description, const char *unit, double scale, double offset) {
    rb_listen(&h->m);
    GDALRasterBandH b = GDALGetRasterBand(h->ds, band);
    if (description[0]) GDALSetDescription(b, description);
    if (unit[0]) GDALSetRasterUnitType(b, unit);
    if (scale != 1) GDALSetRasterScale(b, scale);
    if (offset != 0) GDALSetRasterOffset(b, offset);
    rb_unlisten();
    return RB_OK;
}

int rb_set_colors(rb_ds *h, int band, const unsigned char *rgba, int n) {
    rb_listen(&h->m);
    GDALColorTableH t = GDALCreateColorTable(GPI_RGB);
    for (int i = 0; i < n; i++) {
        GDALColorEntry e = {rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2], rgba[4 * i + 3]};
        GDALSetColorEntry(t, i, &e);
    }
    CPLErr err = GDALSetRasterColorTable(GDALGetRasterBand(h->ds, band), t);
    GDALDestroyColorTable(t);
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the colour table cannot be written");
}

int rb_write_mask(rb_ds *h, const unsigned char *mask) {
    rb_listen(&h->m);
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES");
    CPLErr err = GDALCreateDatasetMaskBand(h->ds, GMF_PER_DATASET);
    if (err == CE_None) {
        int w = GDALGetRasterXSize(h->ds), n = GDALGetRasterYSize(h->ds);
        err = GDALRasterIO(GDALGetMaskBand(GDALGetRasterBand(h->ds, 1)), GF_Write, 0, 0, w, n, (void *)mask, w, n,
                           GDT_Byte, 0, 0);
    }
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the mask cannot be written");
}

// rb_flush closes the file, since only then is all of it written.
int rb_flush(rb_ds *h) {
    rb_listen(&h->m);
    GDALClose(h->ds);
    h->ds = NULL;
    rb_unlisten();
    return h->m.error[0] == 0 ? RB_OK : RB_FAILED;
}
