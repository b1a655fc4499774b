/* prefix_b.c - the copy that reads. */
#define STREAMSTORE_PREFIX beta_
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "roundtrip.h"

int prefix_b(const void *bytes, size_t size);
int prefix_b(const void *bytes, size_t size) {
    roundtrip_image image;
    sst_options options;
    int line = roundtrip(&image);
    if (line != 0) return line;
    roundtrip_options(&options);
    return roundtrip_read(bytes, size, &options);
}
