/* impl.c - nothing but the implementation, for programs of several files. */
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
