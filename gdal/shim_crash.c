//go:build cgo && !nogdal && crashtest

// A real fault, for tests of what becomes of one. A file asks for it in its
// metadata, since a process that is kept apart learns nothing else:
// RASTERBASE_CRASH is "row N" for a fault whenever that row is read, or "read N"
// for one at the process's Nth read and those after it.

#include "shim_internal.h"

#include <stdio.h>

void rb_before_read(rb_ds *h, rb_window w) {
    static atomic_int reads;
    int n = atomic_fetch_add(&reads, 1) + 1, number;
    const char *at = GDALGetMetadataItem(h->ds, "RASTERBASE_CRASH", NULL);
    if (at == NULL) return;
    int row = sscanf(at, "row %d", &number) == 1 && w.y <= number && number < w.y + w.height;
    int late = sscanf(at, "read %d", &number) == 1 && n >= number;
    if (row || late) {
        volatile int *volatile nowhere = NULL;
        *nowhere = n;
    }
}
