//go:build cgo && !nogdal

// Rows of a TIFF one after the other. GDAL decodes a strip whole; libtiff, which
// it works with, needs no more than a row of it. Its functions are looked up in
// the process, since a GDAL may have its own libtiff that it does not show.

#include "shim_internal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct tiff TIFF;

typedef int64_t (*transfer)(void *, void *, int64_t);

static struct {
    TIFF *(*open)(const char *, const char *, void *, transfer read, transfer write, uint64_t (*seek)(void *, uint64_t, int),
                  int (*close)(void *), uint64_t (*size)(void *), int (*map)(void *, void **, uint64_t *),
                  void (*unmap)(void *, void *, uint64_t));
    void (*close)(TIFF *);
    int (*field)(TIFF *, uint32_t, ...);
    int (*field_defaulted)(TIFF *, uint32_t, ...);
    int (*is_tiled)(TIFF *);
    int (*set_directory)(TIFF *, uint16_t);
    int64_t (*line_size)(TIFF *);
    int (*read)(TIFF *, void *, uint32_t, uint16_t);
} lib;

static int find_library(void) {
    lib.open = dlsym(RTLD_DEFAULT, "TIFFClientOpen");
    lib.close = dlsym(RTLD_DEFAULT, "TIFFClose");
    lib.field = dlsym(RTLD_DEFAULT, "TIFFGetField");
    lib.field_defaulted = dlsym(RTLD_DEFAULT, "TIFFGetFieldDefaulted");
    lib.is_tiled = dlsym(RTLD_DEFAULT, "TIFFIsTiled");
    // With 32 bits from version 4.5 on: small numbers pass as both.
    lib.set_directory = dlsym(RTLD_DEFAULT, "TIFFSetDirectory");
    lib.line_size = dlsym(RTLD_DEFAULT, "TIFFScanlineSize64");
    lib.read = dlsym(RTLD_DEFAULT, "TIFFReadScanline");
    return lib.open && lib.close && lib.field && lib.field_defaulted && lib.is_tiled && lib.set_directory && lib.line_size &&
           lib.read;
}

// A packed strip is as large as the file. It is mapped and not read, so that its
// pages are not the process's own and can be given back while it is unpacked.
struct rb_lines {
    TIFF *t;
    int fd;
    void *mapped;
    size_t size;
    rb_messages m;
};

static int64_t read_file(void *l, void *out, int64_t n) { return read(((rb_lines *)l)->fd, out, n); }
static int64_t write_nothing(void *l, void *in, int64_t n) {
    (void)l, (void)in, (void)n;
    return -1;
}
static uint64_t seek_file(void *l, uint64_t to, int whence) { return lseek(((rb_lines *)l)->fd, to, whence); }
static int close_nothing(void *l) {
    (void)l;
    return 0;
}
static uint64_t file_size(void *l) { return ((rb_lines *)l)->size; }

static int map_file(void *of, void **base, uint64_t *size) {
    rb_lines *l = of;
    if (l->mapped == NULL) {
        void *p = mmap(NULL, l->size, PROT_READ, MAP_SHARED, l->fd, 0);
        if (p == MAP_FAILED) return 0;
        l->mapped = p;
    }
    *base = l->mapped;
    *size = l->size;
    return 1;
}

static void unmap_nothing(void *l, void *base, uint64_t size) { (void)l, (void)base, (void)size; }

// rb_lines_rest gives back the pages of the file that were read.
void rb_lines_rest(rb_lines *l) {
    if (l->mapped != NULL) madvise(l->mapped, l->size, MADV_DONTNEED);
}

enum { WIDTH = 256, LENGTH = 257, BITS = 258, COMPRESSION = 259, SAMPLES = 277, PLANAR = 284 };

// plain tells whether what libtiff decodes are the pixels as GDAL gives them.
static int plain(uint16_t compression) {
    switch (compression) {
    case 1: // none
    case 5: // LZW
    case 8: // deflate
    case 32946:
    case 32773: // PackBits
    case 34925: // LZMA
    case 50000: // Zstandard
        return 1;
    }
    return 0;
}

static int fits(TIFF *t, const rb_lines_args *a, int *separate) {
    uint32_t width = 0, length = 0;
    uint16_t bits = 0, compression = 0, samples = 0, planar = 0;
    if (lib.is_tiled(t) || !lib.field(t, WIDTH, &width) || !lib.field(t, LENGTH, &length) ||
        !lib.field_defaulted(t, BITS, &bits) || !lib.field_defaulted(t, COMPRESSION, &compression) ||
        !lib.field_defaulted(t, SAMPLES, &samples) || !lib.field_defaulted(t, PLANAR, &planar))
        return 0;
    *separate = planar == 2 && samples > 1;
    int64_t line = (int64_t)a->width * a->bytes * (*separate ? 1 : samples);
    return width == (uint32_t)a->width && length == (uint32_t)a->height && bits == 8 * a->bytes && samples == a->bands &&
           plain(compression) && lib.line_size(t) == line;
}

rb_lines *rb_lines_open(const rb_lines_args *a, int *separate) {
    if (!find_library()) return NULL;
    rb_lines *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    struct stat st;
    l->fd = open(a->path, O_RDONLY | O_CLOEXEC);
    if (l->fd >= 0 && fstat(l->fd, &st) == 0) l->size = st.st_size;
    rb_listen(&l->m);
    if (l->size > 0)
        l->t = lib.open(a->path, "r", l, read_file, write_nothing, seek_file, close_nothing, file_size, map_file, unmap_nothing);
    if (l->t != NULL && a->directory > 0 && !lib.set_directory(l->t, a->directory)) {
        lib.close(l->t);
        l->t = NULL;
    }
    int ok = l->t != NULL && fits(l->t, a, separate);
    rb_unlisten();
    if (ok) return l;
    rb_lines_close(l);
    return NULL;
}

int rb_lines_read(rb_lines *l, int row, int sample, void *out) {
    rb_listen(&l->m);
    int ok = lib.read(l->t, out, row, sample) == 1;
    rb_unlisten();
    return ok && l->m.error[0] == 0 ? RB_OK : rb_fail(&l->m, "the row cannot be read");
}

const char *rb_lines_error(const rb_lines *l) { return l->m.error; }

void rb_lines_close(rb_lines *l) {
    if (l == NULL) return;
    rb_listen(&l->m);
    if (l->t != NULL) lib.close(l->t);
    rb_unlisten();
    if (l->mapped != NULL) munmap(l->mapped, l->size);
    if (l->fd >= 0) close(l->fd);
    free(l);
}

// rb_one_strip gives the packed size of the one strip of a band that shows blocks
// of one row, which GDAL decodes from its beginning whenever it is asked for a row
// before the last one; 0: the rows are strips.
long long rb_one_strip(rb_ds *h, int band) {
    rb_listen(&h->m);
    GDALRasterBandH b = GDALGetRasterBand(h->ds, band);
    const char *size = GDALGetMetadataItem(b, "BLOCK_SIZE_0_0", "TIFF");
    long long n = size ? atoll(size) : 0;
    if (GDALGetMetadataItem(b, "BLOCK_OFFSET_0_1", "TIFF") != NULL) n = 0;
    if (GDALGetMetadataItem(h->ds, "COMPRESSION", "IMAGE_STRUCTURE") == NULL) n = 0;
    rb_unlisten();
    return n;
}

long long rb_cache_size(void) { return GDALGetCacheMax64(); }
