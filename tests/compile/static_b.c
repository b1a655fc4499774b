/* static_b.c - the other private copy. */
#define STREAMSTORE_STATIC
#include "streamstore.h"
#include "roundtrip.h"

int static_b(roundtrip_image *image);
int static_b(roundtrip_image *image) {
    return roundtrip(image);
}
