/* late.c - declarations first, then the implementation in the same file. */
#include "streamstore.h"
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "main.h"

/* For those that only read this. */
#if !defined(STREAMSTORE_IMPLEMENTED)
#error "the implementation is not there"
#endif
