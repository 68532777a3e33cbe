//go:build cgo && !nogdal

// Files of features.

#include "shim_internal.h"

#include <ogr_api.h>
#include <stdio.h>

struct rb_vec {
    rb_ds d; // its ds, srs and messages
    OGRLayerH layer;
    OGRFeatureH row;
    OGRGeometryH geometry; // what is told of the row's; NULL: none
    int made;              // geometry is not the row's own
    int begun;             // a transaction of writing
    char text[64];         // of a date
};

rb_vec *rb_vec_open(const char *path, const char *drivers) {
    rb_vec *v = calloc(1, sizeof *v);
    if (v == NULL) return NULL;
    rb_listen(&v->d.m);
    char **allowed = CSLTokenizeString2(drivers, ",", 0);
    v->d.ds = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_INTERNAL | GDAL_OF_VERBOSE_ERROR,
                         (const char *const *)allowed, NULL, NULL);
    CSLDestroy(allowed);
    if (v->d.ds == NULL) rb_fail(&v->d.m, "not recognised as a file of features");
    rb_unlisten();
    return v;
}

int rb_vec_is_open(const rb_vec *v) { return v->d.ds != NULL; }
const char *rb_vec_error(const rb_vec *v) { return v->d.m.error; }
const char *rb_vec_warnings(const rb_vec *v) { return v->d.m.warnings; }

static void drop_row(rb_vec *v) {
    if (v->made && v->geometry) OGR_G_DestroyGeometry(v->geometry);
    if (v->row) OGR_F_Destroy(v->row);
    v->geometry = NULL;
    v->row = NULL;
    v->made = 0;
}

void rb_vec_close(rb_vec *v) {
    if (v == NULL) return;
    rb_listen(&v->d.m);
    drop_row(v);
    if (v->d.ds) GDALClose(v->d.ds);
    if (v->d.srs) OSRDestroySpatialReference(v->d.srs);
    CPLFree(v->d.wkt);
    CPLFree(v->d.name);
    rb_unlisten();
    free(v);
}

const char *rb_vec_driver(rb_vec *v) {
    GDALDriverH d = GDALGetDatasetDriver(v->d.ds);
    return d ? GDALGetDriverShortName(d) : "";
}

int rb_vec_layers(rb_vec *v) {
    rb_listen(&v->d.m);
    int n = GDALDatasetGetLayerCount(v->d.ds);
    rb_unlisten();
    return n;
}

const char *rb_vec_layer(rb_vec *v, int i, const char **type) {
    rb_listen(&v->d.m);
    OGRLayerH l = GDALDatasetGetLayer(v->d.ds, i);
    const char *name = l ? OGR_L_GetName(l) : "";
    *type = l ? OGRGeometryTypeToName(OGR_GT_Flatten(OGR_L_GetGeomType(l))) : "";
    rb_unlisten();
    return name;
}

// rb_vec_choose opens a layer. What the driver complained of until then need not be
// there, or shows when features are read.
int rb_vec_choose(rb_vec *v, int i) {
    rb_listen(&v->d.m);
    v->layer = GDALDatasetGetLayer(v->d.ds, i);
    if (v->layer) OGR_L_ResetReading(v->layer);
    rb_unlisten();
    if (v->layer == NULL) return rb_fail(&v->d.m, "the layer cannot be read");
    return RB_OK;
}

void rb_vec_crs(rb_vec *v, rb_geo *out) {
    memset(out, 0, sizeof *out);
    rb_listen(&v->d.m);
    OGRSpatialReferenceH s = OGR_L_GetSpatialRef(v->layer);
    if (s != NULL && v->d.srs == NULL) v->d.srs = OSRClone(s);
    rb_describe(&v->d, out);
    rb_unlisten();
}

long long rb_vec_count(rb_vec *v) {
    rb_listen(&v->d.m);
    long long n = OGR_L_GetFeatureCount(v->layer, FALSE);
    v->d.m.error[0] = 0;
    rb_unlisten();
    return n;
}

int rb_vec_fields(rb_vec *v) { return OGR_FD_GetFieldCount(OGR_L_GetLayerDefn(v->layer)); }

const char *rb_vec_field(rb_vec *v, int i, int *type) {
    OGRFieldDefnH f = OGR_FD_GetFieldDefn(OGR_L_GetLayerDefn(v->layer), i);
    switch (OGR_Fld_GetType(f)) {
    case OFTInteger: *type = OGR_Fld_GetSubType(f) == OFSTBoolean ? RB_COLUMN_BOOLEAN : RB_COLUMN_INTEGER; break;
    case OFTInteger64: *type = RB_COLUMN_INTEGER; break;
    case OFTReal: *type = RB_COLUMN_REAL; break;
    case OFTDate:
    case OFTTime:
    case OFTDateTime: *type = RB_COLUMN_DATE; break;
    default: *type = RB_COLUMN_TEXT;
    }
    const char *s = OGR_Fld_GetNameRef(f);
    return s ? s : "";
}

// take_geometry makes of the row's geometry one of two dimensions without curves and
// surfaces. An empty one is none.
static int take_geometry(rb_vec *v) {
    OGRGeometryH g = OGR_F_GetGeometryRef(v->row);
    if (g == NULL || OGR_G_IsEmpty(g)) return RB_OK;
    if (OGR_G_HasCurveGeometry(g, TRUE)) {
        g = OGR_G_GetLinearGeometry(g, 0, NULL);
        v->made = 1;
    }
    OGRwkbGeometryType type = g ? OGR_GT_Flatten(OGR_G_GetGeometryType(g)) : wkbNone;
    if (type == wkbTIN || type == wkbPolyhedralSurface || type == wkbTriangle) {
        OGRGeometryH parts = OGR_G_ForceToMultiPolygon(v->made ? g : OGR_G_Clone(g));
        v->made = 1;
        g = parts;
    }
    v->geometry = g;
    if (g == NULL) return rb_fail(&v->d.m, "its geometry is of a kind that cannot be read");
    OGR_G_Set3D(g, FALSE);
    OGR_G_SetMeasured(g, FALSE);
    return RB_OK;
}

int rb_vec_next(rb_vec *v, size_t max_bytes, rb_row *out) {
    rb_listen(&v->d.m);
    drop_row(v);
    out->fid = -1, out->wkb = 0;
    v->row = OGR_L_GetNextFeature(v->layer);
    int rc = v->row == NULL ? RB_END : RB_OK;
    if (v->row != NULL) {
        out->fid = OGR_F_GetFID(v->row);
        rc = take_geometry(v);
    }
    if (rc == RB_OK && v->geometry) {
        out->wkb = OGR_G_WkbSize(v->geometry);
        if (out->wkb > max_bytes) rc = RB_TOO_LARGE;
    }
    rb_unlisten();
    // A driver that failed may still give something that looks like a feature, or
    // like the end.
    return v->d.m.error[0] ? RB_FAILED : rc;
}

void rb_vec_wkb(rb_vec *v, unsigned char *out) {
    rb_listen(&v->d.m);
    OGR_G_ExportToIsoWkb(v->geometry, wkbNDR, out);
    rb_unlisten();
}

static const char *date(rb_vec *v, OGRFieldDefnH f, int field) {
    int y, mo, d, h, mi, zone;
    float s;
    if (!OGR_F_GetFieldAsDateTimeEx(v->row, field, &y, &mo, &d, &h, &mi, &s, &zone)) return OGR_F_GetFieldAsString(v->row, field);
    OGRFieldType type = OGR_Fld_GetType(f);
    char *p = v->text, *end = v->text + sizeof v->text;
    if (type != OFTTime) p += snprintf(p, end - p, "%04d-%02d-%02d", y, mo, d);
    if (type == OFTDateTime) *p++ = 'T';
    if (type != OFTDate) {
        int whole = s == (int)s;
        p += snprintf(p, end - p, whole ? "%02d:%02d:%02.0f" : "%02d:%02d:%06.3f", h, mi, s);
    }
    if (type != OFTDate && zone == 100) snprintf(p, end - p, "Z");
    if (type != OFTDate && zone > 1 && zone != 100) {
        int minutes = (zone - 100) * 15;
        snprintf(p, end - p, "%c%02d:%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60, abs(minutes) % 60);
    }
    return v->text;
}

void rb_vec_value(rb_vec *v, int field, rb_value *out) {
    memset(out, 0, sizeof *out);
    if (!OGR_F_IsFieldSetAndNotNull(v->row, field)) return;
    rb_listen(&v->d.m);
    OGRFieldDefnH f = OGR_F_GetFieldDefnRef(v->row, field);
    switch (OGR_Fld_GetType(f)) {
    case OFTInteger:
    case OFTInteger64:
        out->kind = RB_INTEGER;
        out->integer = OGR_F_GetFieldAsInteger64(v->row, field);
        break;
    case OFTReal:
        out->kind = RB_REAL;
        out->real = OGR_F_GetFieldAsDouble(v->row, field);
        break;
    case OFTDate:
    case OFTTime:
    case OFTDateTime:
        out->kind = RB_TEXT;
        out->text = date(v, f, field);
        break;
    default:
        out->kind = RB_TEXT;
        out->text = OGR_F_GetFieldAsString(v->row, field);
    }
    rb_unlisten();
}

rb_vec *rb_vec_create(const char *path, const char *layer, const char *options, int srid, const char *wkt) {
    rb_vec *v = calloc(1, sizeof *v);
    if (v == NULL) return NULL;
    rb_listen(&v->d.m);
    GDALDriverH driver = GDALGetDriverByName("GPKG");
    if (driver == NULL) {
        rb_fail(&v->d.m, "the installed GDAL has no driver for GeoPackages");
    } else {
        v->d.ds = GDALCreate(driver, path, 0, 0, 0, GDT_Unknown, NULL);
    }
    if (v->d.ds != NULL) {
        v->d.srs = rb_srs(srid, wkt);
        char **o = CSLTokenizeString2(options, "\n", 0);
        v->layer = GDALDatasetCreateLayer(v->d.ds, layer, v->d.srs, wkbUnknown, o);
        CSLDestroy(o);
    }
    if (v->layer == NULL) {
        rb_fail(&v->d.m, "the file cannot be created");
    } else {
        v->d.m.error[0] = 0;
    }
    rb_unlisten();
    return v;
}

int rb_vec_add_field(rb_vec *v, const char *name, int type) {
    rb_listen(&v->d.m);
    OGRFieldType t = type == RB_COLUMN_TEXT ? OFTString : type == RB_COLUMN_REAL ? OFTReal : OFTInteger64;
    if (type == RB_COLUMN_BOOLEAN) t = OFTInteger;
    OGRFieldDefnH f = OGR_Fld_Create(name, t);
    if (type == RB_COLUMN_BOOLEAN) OGR_Fld_SetSubType(f, OFSTBoolean);
    OGRErr err = OGR_L_CreateField(v->layer, f, FALSE);
    OGR_Fld_Destroy(f);
    rb_unlisten();
    return err == OGRERR_NONE ? RB_OK : rb_fail(&v->d.m, "the field cannot be added");
}

int rb_vec_row(rb_vec *v, const unsigned char *wkb, size_t size) {
    rb_listen(&v->d.m);
    if (!v->begun) { // each row by itself would take long
        GDALDatasetStartTransaction(v->d.ds, FALSE);
        v->begun = 1;
    }
    drop_row(v);
    v->row = OGR_F_Create(OGR_L_GetLayerDefn(v->layer));
    OGRErr err = v->row ? OGRERR_NONE : OGRERR_NOT_ENOUGH_MEMORY;
    OGRGeometryH g = NULL;
    if (err == OGRERR_NONE && size > 0) err = OGR_G_CreateFromWkb(wkb, v->d.srs, &g, (int)size);
    if (err == OGRERR_NONE && g != NULL) err = OGR_F_SetGeometryDirectly(v->row, g);
    rb_unlisten();
    return err == OGRERR_NONE ? RB_OK : rb_fail(&v->d.m, "the geometry cannot be written");
}

void rb_vec_set(rb_vec *v, int field, rb_value value) {
    rb_listen(&v->d.m);
    switch (value.kind) {
    case RB_INTEGER: OGR_F_SetFieldInteger64(v->row, field, value.integer); break;
    case RB_REAL: OGR_F_SetFieldDouble(v->row, field, value.real); break;
    case RB_TEXT: OGR_F_SetFieldString(v->row, field, value.text); break;
    default: OGR_F_SetFieldNull(v->row, field);
    }
    rb_unlisten();
}

int rb_vec_put(rb_vec *v) {
    rb_listen(&v->d.m);
    OGRErr err = OGR_L_CreateFeature(v->layer, v->row);
    OGR_F_Destroy(v->row);
    v->row = NULL;
    rb_unlisten();
    return err == OGRERR_NONE && v->d.m.error[0] == 0 ? RB_OK : rb_fail(&v->d.m, "the row cannot be written");
}

// rb_vec_finish closes the file, since only then is all of it written.
int rb_vec_finish(rb_vec *v) {
    rb_listen(&v->d.m);
    drop_row(v);
    OGRErr err = v->begun ? GDALDatasetCommitTransaction(v->d.ds) : OGRERR_NONE;
    GDALClose(v->d.ds);
    v->d.ds = NULL;
    v->layer = NULL;
    rb_unlisten();
    return err == OGRERR_NONE && v->d.m.error[0] == 0 ? RB_OK : rb_fail(&v->d.m, "the end cannot be written");
}
