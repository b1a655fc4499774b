/* declarations.c - the header alone, and nothing left over from it: no body, and no name of the
 * implementation half. */
#include "streamstore.h"

extern int declarations_alone;
int declarations_alone = (int)sizeof(sst_view) + SST_VERSION_MAJOR;

#if defined(SSTI_TRY) || defined(STREAMSTORE_IMPLEMENTED)
#error "the declarations brought something of the implementation"
#endif
