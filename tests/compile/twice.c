/* twice.c - the header many times in one file: the bodies come once. */
#include "streamstore.h"
#include "streamstore.h"
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "streamstore.h"
#include "main.h"
