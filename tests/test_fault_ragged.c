/* test_fault.c with its workloads of ragged fields, which make more calls than the others. */
#define FAULT_TEST_NAME "test_fault_ragged"
#define FAULT_RAGGED true
#include "test_fault.c"
