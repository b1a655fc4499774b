/* main.h - main of the programs of this folder: does the roundtrip and prints what the image is,
 * for the driver to compare. */
#include "roundtrip.h"

#include <stdio.h>

int main(void) {
    roundtrip_image image = {0, 0};
    int line = roundtrip(&image);
    if (line != 0) {
        printf("roundtrip.h:%d: failed\n", line);
        return 1;
    }
    /* Record-only builds write no look-up tables: their image is another one. */
#if defined(STREAMSTORE_NO_READ)
    printf("record-only ");
#endif
    printf("image of %lu bytes, crc %08lx\n", image.size, image.crc);
    return 0;
}
