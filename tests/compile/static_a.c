/* static_a.c - with static_b.c: each file has a private copy. STREAMSTORE_STATIC implies the
 * implementation. */
#define STREAMSTORE_STATIC
#include "streamstore.h"
#include "roundtrip.h"

int static_b(roundtrip_image *image);

#define roundtrip(image) (static_b(image) + (roundtrip)(image))
#include "main.h"
