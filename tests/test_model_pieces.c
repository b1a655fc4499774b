/* test_model.c with columns checked in pieces of 1 KiB and other shrunk limits. The pieces are
 * part of the format: such images are not those of the library as it is. */
#define MODEL_TEST_NAME "test_model_pieces"
#define MODEL_BLOCK_SPAN 16384
#define SSTI_PIECE_BYTES 1024
#define SSTI_INDEX_BLOCKS 3
#define SSTI_TABLE_MIN_BLOCKS 1
#define SSTI_TABLE_ROWS 1u
#include "test_model.c"
