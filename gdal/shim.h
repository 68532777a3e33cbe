//go:build cgo && !nogdal

// The C side of package gdal. Each function is one operation as a caller sees
// it: it pushes its own error handler, works, copies what was said, and pops
// the handler again, because GDAL keeps errors per thread and a goroutine can
// be on another thread at the next call.

#ifndef RASTERBASE_SHIM_H
#define RASTERBASE_SHIM_H

#include <stddef.h>

enum { RB_OK = 0, RB_FAILED = 1, RB_CANCELLED = 2, RB_NO_SUCH_CRS = 3 };

// What a data set's CRS is good for.
enum { RB_CRS_NONE = 0, RB_CRS_USABLE = 1, RB_CRS_LOCAL = 2, RB_CRS_GEOCENTRIC = 3 };

typedef struct rb_ds rb_ds;

typedef struct {
    int width, height, bands;
    int pixel_interleaved;
    char driver[40];
} rb_size;

typedef struct {
    int type;     // GDALDataType
    int bytes;    // of a pixel
    int complex_; // 1 for complex types
    int signed_byte;
    int nbits; // 0: not said
    int block_width, block_height;
    int alpha;
    int mask_flags;
    int has_nodata;
    double nodata;
    double scale, offset;
    char type_name[16];
    char interp[24];
    // Owned by the data set.
    const char *description, *unit, *variable;
} rb_band;

typedef struct {
    int has_geotransform;
    double geotransform[6];
    int gcps, rpc, geolocation;
    int crs;      // RB_CRS_...
    int srid;     // EPSG code, 0 when there is none
    char *name;   // owned by the data set
    char *wkt;    // owned by the data set
} rb_geo;

typedef struct {
    double geotransform[6];
} rb_grid;

void rb_init(long long cache_bytes, const char *drivers);
const char *rb_version(void);

// rb_open returns NULL only when memory is short; rb_size.bands tells nothing
// then. drivers is a comma-separated list.
rb_ds *rb_open(const char *path, const char *drivers);
int rb_is_open(const rb_ds *h);
void rb_close(rb_ds *h);
const char *rb_error(const rb_ds *h);
const char *rb_warnings(const rb_ds *h);
void rb_cancel(rb_ds *h, int cancel);

int rb_get_size(rb_ds *h, rb_size *out);
int rb_get_band(rb_ds *h, int band, rb_band *out);
// Item i of a metadata domain, as KEY=VALUE; NULL after the last.
const char *rb_metadata(rb_ds *h, const char *domain, int i);

int rb_colors(rb_ds *h, int band, unsigned char *rgba, int max);
int rb_categories(rb_ds *h, int band);
const char *rb_category(rb_ds *h, int band, int i);
int rb_rat_size(rb_ds *h, int band, int *rows, int *cols, int *has_binning, double *row0, double *step);
int rb_rat_column(rb_ds *h, int band, int col, int *usage, int *type, char *name, size_t name_size);
double rb_rat_number(rb_ds *h, int band, int row, int col);
const char *rb_rat_string(rb_ds *h, int band, int row, int col);

// Tables of dBase. rb_dbf_open returns NULL only when memory is short. A row has
// to be taken with rb_dbf_next before it is read; rb_dbf_next is 0 after the last
// one and where the file is damaged, and rb_dbf_error says so then.
// rb_dbf_number is 0 for a cell without a number.
enum { RB_COLUMN_INTEGER = 0, RB_COLUMN_REAL = 1, RB_COLUMN_TEXT = 2, RB_COLUMN_OTHER = 3 };
typedef struct rb_dbf rb_dbf;
rb_dbf *rb_dbf_open(const char *path);
int rb_dbf_is_open(const rb_dbf *t);
const char *rb_dbf_error(const rb_dbf *t);
void rb_dbf_close(rb_dbf *t);
int rb_dbf_columns(rb_dbf *t);
void rb_dbf_column(rb_dbf *t, int col, int *type, char *name, size_t name_size);
int rb_dbf_next(rb_dbf *t);
int rb_dbf_number(rb_dbf *t, int col, double *v);
const char *rb_dbf_text(rb_dbf *t, int col);

int rb_georeference(rb_ds *h, int srid, rb_geo *out);
void rb_get_grid(rb_ds *h, rb_grid *out);
int rb_warp_gcps(rb_ds *h, int alpha);
int rb_make_transformer(rb_ds *h);

typedef struct {
    int x, y, width, height;
} rb_window;

int rb_read(rb_ds *h, int band, int type, rb_window w, void *out);
int rb_read_mask(rb_ds *h, int band, rb_window w, unsigned char *out);
int rb_transform(rb_ds *h, int to_mercator, int n, double *xy);

// Coordinate transformations between two CRSs, each an EPSG code or, when that
// is 0, a WKT.
typedef struct rb_ct rb_ct;
rb_ct *rb_ct_new(int from_srid, const char *from_wkt, int to_srid, const char *to_wkt);
int rb_ct_ok(const rb_ct *c);
const char *rb_ct_error(const rb_ct *c);
int rb_ct_apply(rb_ct *c, int n, double *xy);
void rb_ct_free(rb_ct *c);

// Writing a GeoTIFF.
typedef struct {
    const char *path;
    const char *options; // creation options, separated by newlines
    int width, height, bands, type, signed_byte;
    double geotransform[6];
    int srid;
    const char *wkt;
} rb_create_args;

int rb_can_compress(const char *name);
rb_ds *rb_create(const rb_create_args *a);
int rb_write_band(rb_ds *h, int band, int type, const void *pixels);
int rb_set_nodata(rb_ds *h, int band, double v);
int rb_set_band_text(rb_ds *h, int band, const char *description, const char *unit, double scale, double offset);
int rb_set_colors(rb_ds *h, int band, const unsigned char *rgba, int n);
int rb_write_mask(rb_ds *h, const unsigned char *mask);
int rb_flush(rb_ds *h);

// Packing a GeoTIFF anew: its pixels, masks and overviews with other creation
// options, separated by newlines. The data set of the beginning can be cancelled.
rb_ds *rb_copy_begin(void);
int rb_copy(rb_ds *h, const char *from, const char *to, const char *options);

// Parts of a GeoTIFF. A mask is made once, and then written part by part.
int rb_write_window(rb_ds *h, int band, int type, rb_window w, const void *pixels);
int rb_add_mask(rb_ds *h);
int rb_write_mask_window(rb_ds *h, rb_window w, const unsigned char *mask);

// Rows of a TIFF in strips, one after the other, in the machine's byte order.
// rb_lines_open gives NULL for a file that cannot be read so: one in tiles, of
// packed or other pixels than those said, or of a method that changes them.
// separate: each band has strips of its own, and its sample is read; otherwise a
// row has the pixels of all bands.
typedef struct {
    const char *path;
    int directory; // of the file, from 0
    int width, height, bands, bytes;
} rb_lines_args;
typedef struct rb_lines rb_lines;
rb_lines *rb_lines_open(const rb_lines_args *a, int *separate);
int rb_lines_read(rb_lines *l, int row, int sample, void *out);
const char *rb_lines_error(const rb_lines *l);
void rb_lines_rest(rb_lines *l);
void rb_lines_close(rb_lines *l);
long long rb_one_strip(rb_ds *h, int band);
long long rb_cache_size(void);

// Files in memory. rb_memory_file takes over the data, which malloc made; 0 when
// it cannot. rb_take_memory_file gives the bytes, to be freed with
// rb_free_memory, and removes the file; rb_remove_memory_file removes its folder.
int rb_memory_file(const char *path, void *data, size_t size);
void *rb_take_memory_file(const char *path, unsigned long long *size);
void rb_remove_memory_file(const char *path);
void rb_free_memory(void *data);

// A data set in memory, of the bands that are then added, each of a type with a
// number of bits in use (0: all).
rb_ds *rb_create_memory(const rb_create_args *a);
int rb_add_band(rb_ds *h, int type, int bits, int signed_byte);

// Files of features. rb_vec_open returns NULL only when memory is short; rb_vec_close
// frees it. drivers is a comma-separated list.
enum { RB_COLUMN_BOOLEAN = 4, RB_COLUMN_DATE = 5 };
enum { RB_NULL = 0, RB_INTEGER = 1, RB_REAL = 2, RB_TEXT = 3 };
enum { RB_END = 4, RB_TOO_LARGE = 5 };
typedef struct rb_vec rb_vec;
typedef struct {
    long long fid; // -1: none
    size_t wkb;    // bytes of the geometry; 0: none
} rb_row;
typedef struct {
    int kind; // RB_NULL, ...
    long long integer;
    double real;
    const char *text; // owned by the row
} rb_value;
rb_vec *rb_vec_open(const char *path, const char *drivers);
int rb_vec_is_open(const rb_vec *v);
void rb_vec_close(rb_vec *v);
const char *rb_vec_error(const rb_vec *v);
const char *rb_vec_warnings(const rb_vec *v);
const char *rb_vec_driver(rb_vec *v);
int rb_vec_layers(rb_vec *v);
// rb_vec_layer names a layer and the type of its geometries.
const char *rb_vec_layer(rb_vec *v, int i, const char **type);
int rb_vec_choose(rb_vec *v, int i);
void rb_vec_crs(rb_vec *v, rb_geo *out);
long long rb_vec_count(rb_vec *v);
int rb_vec_fields(rb_vec *v);
const char *rb_vec_field(rb_vec *v, int i, int *type);
// rb_vec_next takes the next feature: RB_OK, RB_END, RB_FAILED, or RB_TOO_LARGE for a
// geometry of more bytes than allowed. What is then asked is of it.
int rb_vec_next(rb_vec *v, size_t max_bytes, rb_row *out);
void rb_vec_wkb(rb_vec *v, unsigned char *out);
void rb_vec_value(rb_vec *v, int field, rb_value *out);

// Writing a GeoPackage with one layer. Fields are added before rows; the values of a
// row come before rb_vec_put ends it.
rb_vec *rb_vec_create(const char *path, const char *layer, const char *options, int srid, const char *wkt);
int rb_vec_add_field(rb_vec *v, const char *name, int type);
int rb_vec_row(rb_vec *v, const unsigned char *wkb, size_t size);
void rb_vec_set(rb_vec *v, int field, rb_value value);
int rb_vec_put(rb_vec *v);
int rb_vec_finish(rb_vec *v);

#endif
