/* stdio_first.c - system headers before the implementation: it comes too late to ask them for
 * anything, and has to do without. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "main.h"
