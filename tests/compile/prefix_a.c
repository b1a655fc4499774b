/* prefix_a.c - with prefix_b.c: two copies under two prefixes in one program. This one can only
 * record; what it recorded is read by the other. */
#define STREAMSTORE_PREFIX alpha_
#define STREAMSTORE_NO_READ
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "roundtrip.h"

#include <stdio.h>

int prefix_b(const void *bytes, size_t size);

int main(void) {
    roundtrip_image image;
    sst_options options;
    sst_store *store;
    const void *bytes;
    size_t size;
    int line = roundtrip(&image);
    if (line == 0) {
        roundtrip_options(&options);
        if (sst_create(NULL, &options, &store) != SST_OK) return 1;
        line = roundtrip_record(store);
        if (line == 0 && sst_image(store, &bytes, &size) != SST_OK) return 1;
        if (line == 0) line = prefix_b(bytes, size);
        if (sst_close(store) != SST_OK) return 1;
    }
    if (line != 0) printf("roundtrip.h:%d: failed\n", line);
    return line != 0;
}
