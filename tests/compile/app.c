/* app.c - implementation and use in one file, the header first. The driver adds switches. */
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "main.h"

/* For those that only read this. */
#if !defined(STREAMSTORE_IMPLEMENTED)
#error "the implementation is not there"
#endif
