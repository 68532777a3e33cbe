//go:build cgo && !nogdal

// Tables of dBase, which lie beside rasters and which their drivers do not read.

#include "shim_internal.h"

#include <ogr_api.h>
#include <stdio.h>

struct rb_dbf {
    GDALDatasetH ds;
    OGRLayerH layer;
    OGRFeatureH row;
    rb_messages m;
};

rb_dbf *rb_dbf_open(const char *path) {
    rb_dbf *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    rb_listen(&t->m);
    static const char *const allowed[] = {"ESRI Shapefile", NULL};
    t->ds = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_INTERNAL | GDAL_OF_VERBOSE_ERROR, allowed, NULL, NULL);
    if (t->ds != NULL) t->layer = GDALDatasetGetLayer(t->ds, 0);
    // The driver complains also of files that need not be there.
    t->m.error[0] = 0;
    rb_unlisten();
    return t;
}

int rb_dbf_is_open(const rb_dbf *t) { return t->layer != NULL; }
const char *rb_dbf_error(const rb_dbf *t) { return t->m.error; }

void rb_dbf_close(rb_dbf *t) {
    if (t == NULL) return;
    rb_listen(&t->m);
    if (t->row) OGR_F_Destroy(t->row);
    if (t->ds) GDALClose(t->ds);
    rb_unlisten();
    free(t);
}

int rb_dbf_columns(rb_dbf *t) { return OGR_FD_GetFieldCount(OGR_L_GetLayerDefn(t->layer)); }

void rb_dbf_column(rb_dbf *t, int col, int *type, char *name, size_t name_size) {
    OGRFieldDefnH f = OGR_FD_GetFieldDefn(OGR_L_GetLayerDefn(t->layer), col);
    switch (OGR_Fld_GetType(f)) {
    case OFTInteger:
    case OFTInteger64: *type = RB_COLUMN_INTEGER; break;
    case OFTReal: *type = RB_COLUMN_REAL; break;
    case OFTString: *type = RB_COLUMN_TEXT; break;
    default: *type = RB_COLUMN_OTHER;
    }
    const char *s = OGR_Fld_GetNameRef(f);
    snprintf(name, name_size, "%s", s ? s : "");
}

int rb_dbf_next(rb_dbf *t) {
    rb_listen(&t->m);
    if (t->row) OGR_F_Destroy(t->row);
    t->row = OGR_L_GetNextFeature(t->layer);
    rb_unlisten();
    return t->row != NULL;
}

int rb_dbf_number(rb_dbf *t, int col, double *v) {
    if (!OGR_F_IsFieldSetAndNotNull(t->row, col)) return 0;
    *v = OGR_F_GetFieldAsDouble(t->row, col);
    return 1;
}

const char *rb_dbf_text(rb_dbf *t, int col) { return OGR_F_GetFieldAsString(t->row, col); }
