/* use.c - declarations and use; the implementation is in impl.c. */
#include "main.h"
