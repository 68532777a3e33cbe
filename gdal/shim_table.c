//go:build cgo && !nogdal

// Colour tables, category names and raster attribute tables.

#include "shim_internal.h"

#include <stdio.h>

int rb_colors(rb_ds *h, int band, unsigned char *rgba, int max) {
    rb_listen(&h->m);
    int n = 0;
    GDALColorTableH t = GDALGetRasterColorTable(GDALGetRasterBand(h->ds, band));
    if (t != NULL && GDALGetPaletteInterpretation(t) == GPI_RGB) {
        n = GDALGetColorEntryCount(t);
        if (n > max) n = max;
        for (int i = 0; i < n; i++) {
            GDALColorEntry e = {0, 0, 0, 0};
            GDALGetColorEntryAsRGB(t, i, &e);
            rgba[4 * i] = e.c1, rgba[4 * i + 1] = e.c2, rgba[4 * i + 2] = e.c3, rgba[4 * i + 3] = e.c4;
        }
    }
    rb_unlisten();
    return n;
}

int rb_categories(rb_ds *h, int band) {
    rb_listen(&h->m);
    int n = CSLCount(GDALGetRasterCategoryNames(GDALGetRasterBand(h->ds, band)));
    rb_unlisten();
    return n;
}

const char *rb_category(rb_ds *h, int band, int i) {
    return GDALGetRasterCategoryNames(GDALGetRasterBand(h->ds, band))[i];
}

static GDALRasterAttributeTableH table_of(rb_ds *h, int band) {
    return GDALGetDefaultRAT(GDALGetRasterBand(h->ds, band));
}

int rb_rat_size(rb_ds *h, int band, int *rows, int *cols, int *has_binning, double *row0, double *step) {
    rb_listen(&h->m);
    GDALRasterAttributeTableH t = table_of(h, band);
    *rows = t ? GDALRATGetRowCount(t) : 0;
    *cols = t ? GDALRATGetColumnCount(t) : 0;
    *has_binning = t ? GDALRATGetLinearBinning(t, row0, step) : 0;
    rb_unlisten();
    return RB_OK;
}

int rb_rat_column(rb_ds *h, int band, int col, int *usage, int *type, char *name, size_t name_size) {
    rb_listen(&h->m);
    GDALRasterAttributeTableH t = table_of(h, band);
    *usage = GDALRATGetUsageOfCol(t, col);
    *type = GDALRATGetTypeOfCol(t, col);
    const char *s = GDALRATGetNameOfCol(t, col);
    snprintf(name, name_size, "%s", s ? s : "");
    rb_unlisten();
    return RB_OK;
}

double rb_rat_number(rb_ds *h, int band, int row, int col) {
    rb_listen(&h->m);
    double v = GDALRATGetValueAsDouble(table_of(h, band), row, col);
    rb_unlisten();
    return v;
}

const char *rb_rat_string(rb_ds *h, int band, int row, int col) {
    rb_listen(&h->m);
    const char *s = GDALRATGetValueAsString(table_of(h, band), row, col);
    rb_unlisten();
    return s ? s : "";
}
