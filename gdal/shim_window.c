//go:build cgo && !nogdal

// Writing GeoTIFF part by part.

#include "shim_internal.h"

static int write_part(GDALRasterBandH b, rb_window w, const void *pixels, int type) {
    return GDALRasterIO(b, GF_Write, w.x, w.y, w.width, w.height, (void *)pixels, w.width, w.height, type, 0, 0) == CE_None;
}

int rb_write_window(rb_ds *h, int band, int type, rb_window w, const void *pixels) {
    rb_listen(&h->m);
    int ok = write_part(GDALGetRasterBand(h->ds, band), w, pixels, type);
    rb_unlisten();
    return ok ? RB_OK : rb_fail(&h->m, "the pixels cannot be written");
}

int rb_add_mask(rb_ds *h) {
    rb_listen(&h->m);
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES");
    CPLErr err = GDALCreateDatasetMaskBand(h->ds, GMF_PER_DATASET);
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the mask cannot be made");
}

int rb_write_mask_window(rb_ds *h, rb_window w, const unsigned char *mask) {
    rb_listen(&h->m);
    int ok = write_part(GDALGetMaskBand(GDALGetRasterBand(h->ds, 1)), w, mask, GDT_Byte);
    rb_unlisten();
    return ok ? RB_OK : rb_fail(&h->m, "the mask cannot be written");
}
