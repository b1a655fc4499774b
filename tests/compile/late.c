/* late.c - declarations first, then the implementation in the same file. */
#include "streamstore.h"
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "main.h"
