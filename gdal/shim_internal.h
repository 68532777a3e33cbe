//go:build cgo && !nogdal

#ifndef RASTERBASE_SHIM_INTERNAL_H
#define RASTERBASE_SHIM_INTERNAL_H

#include "shim.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal.h>
#include <gdal_alg.h>
#include <gdal_version.h>
#include <gdalwarper.h>
#include <ogr_srs_api.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char error[8192]; // longer than any path
    char warnings[4096];
} rb_messages;

struct rb_ds {
    GDALDatasetH ds;     // what is read
    GDALDatasetH source; // the file, when ds is a warp of it
    OGRSpatialReferenceH srs;
    void *transformer; // pixels of ds to EPSG:3857
    char *wkt, *name;
    atomic_int cancel;
    rb_messages m;
};

void rb_listen(rb_messages *m);
void rb_unlisten(void);
int rb_fail(rb_messages *m, const char *fallback);
OGRSpatialReferenceH rb_srs(int srid, const char *wkt);
void rb_set_place(rb_ds *h, const rb_create_args *a);
void rb_keep_memory_driver(void);
void rb_describe(rb_ds *h, rb_geo *out);

// What a test build does before it reads pixels; nothing in any other.
#ifdef RB_CRASHTEST
void rb_before_read(rb_ds *h, rb_window w);
#else
#define rb_before_read(h, w) ((void)0)
#endif

#endif
