//go:build cgo && !nogdal

// Files and data sets in memory.

#include "shim_internal.h"

#include <cpl_vsi.h>
#include <stdio.h>

static GDALDriverH memory_driver;

// rb_keep_memory_driver remembers the driver of data sets in memory before it is
// taken away from those that open files: it opens any address that a file names.
void rb_keep_memory_driver(void) { memory_driver = GDALGetDriverByName("MEM"); }

int rb_memory_file(const char *path, void *data, size_t size) {
    VSILFILE *f = VSIFileFromMemBuffer(path, data, size, TRUE);
    if (f == NULL) return 0;
    VSIFCloseL(f);
    return 1;
}

void *rb_take_memory_file(const char *path, unsigned long long *size) {
    vsi_l_offset n = 0;
    void *data = VSIGetMemFileBuffer(path, &n, TRUE);
    *size = n;
    return data;
}

void rb_remove_memory_file(const char *path) { VSIRmdirRecursive(CPLGetDirname(path)); }

void rb_free_memory(void *data) { VSIFree(data); }

rb_ds *rb_create_memory(const rb_create_args *a) {
    rb_ds *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    rb_listen(&h->m);
    if (memory_driver != NULL) h->ds = GDALCreate(memory_driver, "", a->width, a->height, 0, GDT_Byte, NULL);
    if (h->ds == NULL) {
        rb_fail(&h->m, "the data set cannot be created");
    } else {
        rb_set_place(h, a);
    }
    rb_unlisten();
    return h;
}

int rb_add_band(rb_ds *h, int type, int bits, int signed_byte) {
    rb_listen(&h->m);
    CPLErr err = GDALAddBand(h->ds, type, NULL);
    if (err == CE_None) {
        GDALRasterBandH b = GDALGetRasterBand(h->ds, GDALGetRasterCount(h->ds));
        char text[8];
        snprintf(text, sizeof text, "%d", bits);
        if (bits > 0) GDALSetMetadataItem(b, "NBITS", text, "IMAGE_STRUCTURE");
        if (signed_byte) GDALSetMetadataItem(b, "PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE");
    }
    rb_unlisten();
    return err == CE_None ? RB_OK : rb_fail(&h->m, "the band cannot be added");
}
