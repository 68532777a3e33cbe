//go:build cgo && !nogdal

// Packing a GeoTIFF anew.

#include "shim_internal.h"

static int CPL_STDCALL go_on(double share, const char *text, void *h) {
    return !atomic_load(&((rb_ds *)h)->cancel);
}

rb_ds *rb_copy_begin(void) { return calloc(1, sizeof(rb_ds)); }

int rb_copy(rb_ds *h, const char *from, const char *to, const char *options) {
    rb_listen(&h->m);
    const char *const drivers[] = {"GTiff", NULL};
    GDALDriverH d = GDALGetDriverByName("GTiff");
    h->source = GDALOpenEx(from, GDAL_OF_RASTER | GDAL_OF_READONLY, drivers, NULL, NULL);
    if (h->source != NULL && d != NULL) {
        char **o = CSLTokenizeString2(options, "\n", 0);
        CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES");
        h->ds = GDALCreateCopy(d, to, h->source, 0, o, go_on, h);
        CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
        CSLDestroy(o);
    }
    int failed = h->ds == NULL;
    if (h->ds != NULL) {
        GDALClose(h->ds); // which writes the rest
        h->ds = NULL;
        failed = h->m.error[0] != 0;
    }
    rb_unlisten();
    if (atomic_load(&h->cancel)) return RB_CANCELLED;
    return failed ? rb_fail(&h->m, "the file cannot be packed anew") : RB_OK;
}
