/* test_model.c with stores in files: reopened, crashed and compacted at random, read mapped and
 * not, while they are recorded and after; with columns checked in smaller pieces. */
#define MODEL_TEST_NAME "test_model_file"
#define MODEL_FILES
#define MODEL_BLOCK_SPAN 4096
#define SSTI_PIECE_BYTES 2048
#define SSTI_COPY_BYTES 700u
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 2u
#include "test_model.c"
