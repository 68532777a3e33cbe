//go:build cgo && !nogdal

#include "shim_internal.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

static void CPL_STDCALL say_nothing(CPLErr class, CPLErrorNum num, const char *msg) {
    (void)class, (void)num, (void)msg;
}

static void CPL_STDCALL collect(CPLErr class, CPLErrorNum num, const char *msg) {
    rb_messages *m = CPLGetErrorHandlerUserData();
    (void)num;
    if (class == CE_Debug || msg == NULL) return;
    if (class >= CE_Failure) {
        // The first failure is the cause; later ones follow from it.
        if (m->error[0] == 0) snprintf(m->error, sizeof m->error, "%s", msg);
        return;
    }
    size_t used = strlen(m->warnings), add = strlen(msg);
    if (strstr(m->warnings, msg) || used + add + 2 > sizeof m->warnings) return;
    if (used) m->warnings[used++] = '\n';
    memcpy(m->warnings + used, msg, add + 1);
}

// hush_hdf5 stops the HDF5 library, which keeps this per thread, from printing
// what netCDF tries in vain.
static void hush_hdf5(void) {
    static _Thread_local int done = 0;
    if (done) return;
    done = 1;
    int (*set)(int64_t, void *, void *) = dlsym(RTLD_DEFAULT, "H5Eset_auto2");
    if (set) set(0, NULL, NULL);
}

void rb_listen(rb_messages *m) {
    m->error[0] = 0;
    hush_hdf5();
    CPLErrorReset();
    CPLPushErrorHandlerEx(collect, m);
}

void rb_unlisten(void) {
    CPLPopErrorHandler();
    CPLErrorReset();
}

int rb_fail(rb_messages *m, const char *fallback) {
    if (m->error[0] == 0) snprintf(m->error, sizeof m->error, "%s", fallback);
    return RB_FAILED;
}

// rb_init registers drivers once for the process and takes away all that were
// not asked for, so that no file can lead GDAL to another driver. It also shuts
// GDAL's ways to the network.
void rb_init(long long cache_bytes, const char *drivers) {
    CPLSetErrorHandler(say_nothing);
    CPLSetConfigOption("PROJ_NETWORK", "OFF");
    CPLSetConfigOption("CPL_AWS_AUTODETECT_EC2", "NO");
    CPLSetConfigOption("CPL_GCE_SKIP", "YES");
    CPLSetConfigOption("CPL_VSIL_CURL_ALLOWED_FILENAME", "-");
    CPLSetConfigOption("GDAL_HTTP_CONNECTTIMEOUT", "1");
    CPLSetConfigOption("GDAL_PAM_PROXY_DIR", NULL);
    CPLSetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", NULL);
    CPLSetConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
    OSRSetPROJEnableNetwork(0);
    if (cache_bytes > 0) GDALSetCacheMax64(cache_bytes);
    GDALAllRegister();
    rb_keep_memory_driver();
    char **allowed = CSLTokenizeString2(drivers, ",", 0);
    for (int i = GDALGetDriverCount() - 1; i >= 0; i--) {
        GDALDriverH d = GDALGetDriver(i);
        if (CSLFindString(allowed, GDALGetDriverShortName(d)) < 0) GDALDeregisterDriver(d);
    }
    CSLDestroy(allowed);
}

const char *rb_version(void) { return GDALVersionInfo("RELEASE_NAME"); }

rb_ds *rb_open(const char *path, const char *drivers) {
    rb_ds *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    rb_listen(&h->m);
    char **allowed = CSLTokenizeString2(drivers, ",", 0);
    h->ds = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_INTERNAL | GDAL_OF_VERBOSE_ERROR,
                       (const char *const *)allowed, NULL, NULL);
    CSLDestroy(allowed);
    if (h->ds == NULL) rb_fail(&h->m, "not recognised as a raster");
    rb_unlisten();
    return h;
}

int rb_is_open(const rb_ds *h) { return h->ds != NULL; }

void rb_close(rb_ds *h) {
    if (h == NULL) return;
    rb_listen(&h->m);
    if (h->transformer) GDALDestroyGenImgProjTransformer(h->transformer);
    if (h->ds) GDALClose(h->ds);
    if (h->source) GDALClose(h->source);
    if (h->srs) OSRDestroySpatialReference(h->srs);
    CPLFree(h->wkt);
    CPLFree(h->name);
    rb_unlisten();
    free(h);
}

const char *rb_error(const rb_ds *h) { return h->m.error; }
const char *rb_warnings(const rb_ds *h) { return h->m.warnings; }
void rb_cancel(rb_ds *h, int cancel) { atomic_store(&h->cancel, cancel); }

int rb_get_size(rb_ds *h, rb_size *out) {
    memset(out, 0, sizeof *out);
    rb_listen(&h->m);
    out->width = GDALGetRasterXSize(h->ds);
    out->height = GDALGetRasterYSize(h->ds);
    out->bands = GDALGetRasterCount(h->ds);
    GDALDriverH d = GDALGetDatasetDriver(h->ds);
    snprintf(out->driver, sizeof out->driver, "%s", d ? GDALGetDriverShortName(d) : "");
    const char *interleave = GDALGetMetadataItem(h->ds, "INTERLEAVE", "IMAGE_STRUCTURE");
    out->pixel_interleaved = interleave != NULL && EQUAL(interleave, "PIXEL");
    rb_unlisten();
    return RB_OK;
}

int rb_get_band(rb_ds *h, int band, rb_band *out) {
    memset(out, 0, sizeof *out);
    rb_listen(&h->m);
    GDALRasterBandH b = GDALGetRasterBand(h->ds, band);
    if (b == NULL) {
        rb_unlisten();
        return rb_fail(&h->m, "no such band");
    }
    GDALDataType t = GDALGetRasterDataType(b);
    out->type = t;
    out->bytes = GDALGetDataTypeSizeBytes(t);
    out->complex_ = GDALDataTypeIsComplex(t);
    snprintf(out->type_name, sizeof out->type_name, "%s", GDALGetDataTypeName(t));
    const char *v = GDALGetMetadataItem(b, "PIXELTYPE", "IMAGE_STRUCTURE");
    out->signed_byte = t == GDT_Byte && v != NULL && EQUAL(v, "SIGNEDBYTE");
    v = GDALGetMetadataItem(b, "NBITS", "IMAGE_STRUCTURE");
    out->nbits = v ? atoi(v) : 0;
    GDALGetBlockSize(b, &out->block_width, &out->block_height);
    GDALColorInterp ci = GDALGetRasterColorInterpretation(b);
    out->alpha = ci == GCI_AlphaBand;
    const char *name = GDALGetColorInterpretationName(ci);
    snprintf(out->interp, sizeof out->interp, "%s", name ? name : "");
    out->mask_flags = GDALGetMaskFlags(b);
    out->nodata = GDALGetRasterNoDataValue(b, &out->has_nodata);
    out->scale = GDALGetRasterScale(b, NULL);
    out->offset = GDALGetRasterOffset(b, NULL);
    out->description = GDALGetDescription(b);
    out->unit = GDALGetRasterUnitType(b);
    out->variable = GDALGetMetadataItem(b, "NETCDF_VARNAME", NULL);
    rb_unlisten();
    return RB_OK;
}

const char *rb_metadata(rb_ds *h, const char *domain, int i) {
    rb_listen(&h->m);
    char **items = GDALGetMetadata(h->ds, domain);
    const char *s = i < CSLCount(items) ? items[i] : NULL;
    rb_unlisten();
    return s;
}

static int CPL_STDCALL go_on(double done, const char *msg, void *h) {
    (void)done, (void)msg;
    return !atomic_load(&((rb_ds *)h)->cancel);
}

static int read_band(rb_ds *h, GDALRasterBandH b, GDALDataType type, rb_window w, void *out) {
    GDALRasterIOExtraArg extra;
    INIT_RASTERIO_EXTRA_ARG(extra);
    extra.pfnProgress = go_on;
    extra.pProgressData = h;
    CPLErr err = GDALRasterIOEx(b, GF_Read, w.x, w.y, w.width, w.height, out, w.width, w.height, type, 0, 0, &extra);
    if (atomic_load(&h->cancel)) return RB_CANCELLED;
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the pixels cannot be read");
}

int rb_read(rb_ds *h, int band, int type, rb_window w, void *out) {
    rb_listen(&h->m);
    rb_before_read(h, w);
    int rc = read_band(h, GDALGetRasterBand(h->ds, band), type, w, out);
    rb_unlisten();
    return rc;
}

int rb_read_mask(rb_ds *h, int band, rb_window w, unsigned char *out) {
    rb_listen(&h->m);
    int rc = read_band(h, GDALGetMaskBand(GDALGetRasterBand(h->ds, band)), GDT_Byte, w, out);
    rb_unlisten();
    return rc;
}
