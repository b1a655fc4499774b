/* streamstore.h - v0.6.0 - record time-stamped data, ask for it by time. Public domain or MIT-0.
 *
 * In exactly one C or C++ file:      #define STREAMSTORE_IMPLEMENTATION
 *                                    #include "streamstore.h"
 * in every other file:               #include "streamstore.h"
 */

/* ============================================================================================
 * >>manual  What it is, quick start, concepts, what survives what, threads.
 * ============================================================================================
 *
 * streamstore records sensor streams, simulation states and device logs, and answers questions
 * about them by time. It is one header, C99 or C++11, and needs nothing but a compiler.
 *
 * CONTENTS (`grep -n '>>' streamstore.h` shows the lines)
 *
 *     >>manual       What it is, quick start, concepts, what survives what, threads.
 *     >>options      Every STREAMSTORE_* switch: default, scope, effect.
 *     >>format       The file format, normative.
 *     >>types        Versions, limits, results, element types, views, allocator, I/O.
 *     >>api-memory   Declarations: results, allocators, I/O, hashes.
 *     >>api-store    Declarations: create, open, image, metadata, verify.
 *     >>api-stream   Declarations: streams and appending.
 *     >>api-query    Declarations: locate, at, window, slice, sample, gather, snapshot, replay.
 *     >>api-buf      Declarations: growable mapped buffers.
 *     >>base         Checked arithmetic, little-endian access, atomics, memory, errors.
 *     >>os-posix     Linux, the BSDs, macOS: sst_io_default() and a few sstp_ functions.
 *     >>os-none      No operating system.
 *     >>hash         CRC-32C.
 *     >>buf          Growable mapped buffers.
 *     >>record       Reading and writing records: the only code that knows the bytes.
 *     >>index        Block lists, INDEX and TABLE records.
 *     >>live         The companion: tails that survive the process.
 *     >>stream       Streams: tails, append, seal.
 *     >>store        Stores: create, open, image, metadata, close.
 *     >>query        locate, at, window, slice, sample, gather, snapshot, replay.
 *     >>admin        Verify, compact.
 *     >>history      What changed.
 *     >>licence      Public domain or MIT-0.
 *
 * QUICK START
 *
 *     sst_store *store;
 *     sst_stream *imu;
 *     sst_stream_desc desc = {0};                    // {} in C++
 *     sst_view view;
 *     float value[3] = {0.1f, 0.2f, 9.8f};
 *
 *     sst_create("run.sstore", NULL, &store);        // NULL instead of a path: in memory
 *     desc.name = "imu";
 *     desc.type = SST_F32;
 *     desc.shape[0] = 3;                             // rows of float[3]
 *     sst_stream_create(store, &desc, &imu);
 *     sst_append(imu, 1000, value);                  // time 1000, by default in nanoseconds
 *     sst_append(imu, 2000, value);
 *     if (sst_at(imu, 1500, &view) == SST_OK) {      // the row in force at 1500: that of 1000
 *         const float *v = (const float *)view.values;
 *         printf("%lld: %g %g %g\n", (long long)view.times[0], v[0], v[1], v[2]);
 *     }
 *     sst_window(imu, 0, 5000, &view);               // view.count rows, times and values
 *     sst_close(store);
 *
 * CONCEPTS
 *
 * A STORE holds STREAMS. A stream is a sequence of ROWS, numbered from 0. A row has a TIME
 * (int64, strictly increasing unless equal times are allowed; or the stream has none), optionally
 * times on up to four further clocks (TIMELINES: capture, arrival, ...), a TAG and a KEY, and one
 * or more FIELDS, each of one element type: of one shape (a scalar, a vector, an image, at most
 * four dimensions, the last varying fastest), or RAGGED: every row has its own number of items of
 * a shape, as text, bytes and point clouds do.
 *
 * The newest rows of a stream lie in its TAIL, column by column. When the tail is full, or on
 * sst_flush, the rows are SEALED: they become a BLOCK, checksummed and never changed again.
 * Blocks are records of the file format of >>format; the file is append-only.
 *
 * The tails of a file lie in its COMPANION, `<path>-live`: a shared mapping whose pages belong to
 * the kernel, so that rows survive the process. A tail has two halves: one is filled while the
 * other waits for sst_poll to seal it, or, when it is needed, for append itself. With
 * SST_DEFERRED append never does I/O and takes no memory: both halves full is SST_ERR_BUSY. With
 * exceptions, whatever the options: a row larger than a quarter of options.block_bytes is written
 * as a block at once, a half without rows is enlarged for ragged rows that it has no room for, and
 * a handle keeps memory for its longest key. The companion is deleted when the file is closed;
 * sst_open_append takes over what a crash left in it.
 *
 * A memory store is the same bytes in memory: sst_image lends them, as one array that can be
 * written to a file with one call and be opened with sst_open_memory on this or any other
 * machine.
 *
 * A stream of a memory store can keep only its newest rows, as the black box of a simulator does:
 * with desc.retain_rows or desc.retain_time the oldest blocks are dropped, and their memory is used
 * again, so that recording goes on for years in the same memory. Rows keep their numbers;
 * sst_first_row is the oldest one that is there. sst_save writes the last seconds to a file.
 *
 * A query answers with a VIEW: pointers to times and values of consecutive rows. Where the rows
 * lie in one raw block the view points there and nothing is copied (view.stable is true, the
 * pointers are good until sst_close; where rows are dropped, until the next query on the handle).
 * Otherwise the rows are assembled in a buffer that the stream handle owns, which the next query on
 * that handle uses again. A view never points into a tail. Rows of a ragged field are its values
 * together with offsets, see sst_column.
 *
 * A column's checksum is verified when it is first used. A query that needs a damaged column is
 * SST_ERR_CORRUPT, with row and offset in sst_stream_error; everything else stays readable.
 *
 * ERRORS
 *
 * Functions return SST_OK (0) or a negative SST_ERR_*. A call that fails has changed nothing,
 * with one exception: after SST_ERR_MEMORY, _IO, _FULL and _BUSY a call that appends several rows
 * may have added a whole number of leading rows (sst_rows tells). Output pointers are set to NULL
 * by functions that fail to create or open something. sst_store_error and sst_stream_error
 * describe the last failure in words. Bad arguments, hostile files, a full disk and full memory
 * are results, never crashes.
 *
 * WHAT SURVIVES WHAT
 *
 *     the process is killed          every row whose append returned, when sst_info.kill_safe;
 *                                    else what was sealed
 *     the machine loses power        every row appended before the last sst_sync that returned
 *                                    was called; each stream is an exact prefix of what it was
 *     the disk is full               SST_ERR_FULL; earlier rows stay readable, recording goes on
 *                                    once there is room; closing leaves the tails in the companion
 *     a flipped bit, a hole          that column of that block is reported with its rows,
 *                                    everything else is readable
 *     a file or image cut short      opens; every stream is an exact prefix of what it was
 *     hostile or random bytes        an error code; no crash, no out-of-bounds access, no
 *                                    unbounded allocation or loop
 *     no memory                      SST_ERR_MEMORY, earlier rows stay readable, recording can
 *                                    go on when there is memory again
 *
 * Rows are not kill-safe where there is nothing to map or to allocate (so far everywhere but on
 * Linux), on file systems that can fail a store into an allocated page (btrfs, zfs, network file
 * systems, FUSE), with SST_NO_LIVE, and in memory stores. A crashed file that is moved without
 * its companion loses the tails.
 *
 * THREADS
 *
 *     append, query                  one thread at a time per stream handle; different handles,
 *                                    different threads
 *     query on a second handle       allowed while another thread appends, without locks; sees
 *                                    rows as soon as their append has returned
 *     sst_stream_create, _open,      any thread; they take the store's lock
 *       _close, _info, _finish,
 *       metadata
 *     sst_flush, sst_poll, sst_sync  one thread at a time, beside appenders
 *     sst_image, sst_verify          beside queries, not beside appenders
 *     sst_refresh, sst_close,        alone
 *       sst_abort
 *     one writer process             a lock on the file; a second is SST_ERR_LOCKED
 *     readers in any process         any number, while recording, without locks (sst_open,
 *                                    sst_refresh)
 *     a forked child                 every call on the parent's recording store is SST_ERR_STATE,
 *                                    its sst_close only frees (Linux)
 *
 * There are no hidden threads and there is no hidden global state.
 */

/* ============================================================================================
 * >>options  Every STREAMSTORE_* switch: default, scope, effect.
 * ============================================================================================
 *
 * Define them before the header is included. "Everywhere" means: the same in every file that
 * includes the header; "implementation": only the file with the implementation looks.
 *
 *     STREAMSTORE_IMPLEMENTATION   off  one file        the function bodies are compiled here
 *     STREAMSTORE_STATIC           off  this file       public functions are static; implies
 *                                                       STREAMSTORE_IMPLEMENTATION
 *     STREAMSTORE_API              -    everywhere      put before every public declaration,
 *                                                       such as __declspec(dllexport); the
 *                                                       default is extern
 *     STREAMSTORE_PREFIX foo_      -    everywhere      every public function sst_x becomes
 *                                                       foo_sst_x for the linker, so that two
 *                                                       libraries in one program can each carry
 *                                                       their own copy; the code still says sst_x
 *     STREAMSTORE_NO_OS            off  implementation  neither files nor threads nor clocks:
 *                                                       sst_io_default() is NULL; implies
 *                                                       STREAMSTORE_NO_THREADS
 *     STREAMSTORE_NO_MALLOC        off  implementation  malloc is never called: options.allocator
 *                                                       is required
 *     STREAMSTORE_NO_THREADS       off  implementation  no atomics, no locks: one thread at a time
 *                                                       per store
 *     STREAMSTORE_NO_READ          off  implementation  record only: no queries, no opening, no
 *                                                       verify (those functions are not compiled)
 *     STREAMSTORE_NO_FLOAT         off  implementation  no floating-point arithmetic:
 *                                                       SST_SAMPLE_LINEAR is SST_ERR_UNSUPPORTED
 *     STREAMSTORE_NO_TEXT          off  implementation  result and error texts are empty strings
 */
#ifndef STREAMSTORE_H
#define STREAMSTORE_H

#if defined(STREAMSTORE_STATIC) && !defined(STREAMSTORE_IMPLEMENTATION)
#define STREAMSTORE_IMPLEMENTATION
#endif

/* What the implementation asks of the system headers must be said before the first of them. */
#if defined(STREAMSTORE_IMPLEMENTATION) && !defined(STREAMSTORE_NO_OS)
#if !defined(_GNU_SOURCE) && defined(__linux__)
#define _GNU_SOURCE
#endif
#if !defined(_FILE_OFFSET_BITS)
#define _FILE_OFFSET_BITS 64
#endif
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ============================================================================================
 * >>format  The file format, normative.
 * ============================================================================================
 *
 * Version 1, draft: until the first release the bytes may change and no old file has to be
 * readable.
 *
 * All numbers are little-endian. `crc` is CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected,
 * initial value and final xor 0xFFFFFFFF; RFC 3720 appendix B.4): zero bytes never validate, and
 * 0 is a checksum like any other, never "absent". In every flags field a reader ignores bits of
 * the low half that it does not know, and refuses what has unknown bits in the high half. Bytes
 * called zero are written as zero and not looked at.
 *
 *     file   := file header, record...
 *     record := record header, payload, zero bytes up to the next multiple of 64
 *
 * FILE HEADER (64 bytes)
 *
 *     at   size  field
 *      0     8   magic 89 53 53 54 0D 0A 1A 0A
 *      8   2+2   version major 1, minor 0: a reader refuses another major, accepts a larger minor
 *     12     4   salt: random per file, repeated in every record, so that stale bytes of a reused
 *                file or flash never validate
 *     16    16   uuid, random
 *     32     8   created, nanoseconds since 1970 UTC, int64; 0: unknown
 *     40     4   feature flags
 *     44    16   zero
 *     60     4   crc of bytes 0..59
 *
 * With a damaged file header the salt is taken from the first record that validates, and the
 * rest of the header from an INDEX.
 *
 * RECORD HEADER (64 bytes, at a multiple of 64)
 *
 *     at   size  field
 *      0     4   magic "SREC"
 *      4     1   type: 1 STREAM, 2 BLOCK, 3 META, 4 INDEX, 5 SYNC, 6 END, 7 SKIP, 8 FINISH,
 *                9 TABLE. A reader skips unknown types below 128 and refuses files with unknown
 *                types from 128
 *      5     1   flags. META bit 0: removed. END bit 0: not synced
 *      6     2   zero
 *      8     4   salt
 *     12     4   sequence number: the first record's is 0, then the previous plus one; a SYNC may
 *                add 1 to 2^24 instead to the one that it names. Serial arithmetic
 *     16     4   stream number, from 1; 0: the store itself
 *     20     4   rows (BLOCK); sequence number of the record before it, or 0 (SYNC)
 *     24     8   payload bytes, padding excluded
 *     32     8   first row (BLOCK); synced length of the file (SYNC); offset of the newest INDEX
 *                (END)
 *     40     8   first time (BLOCK); session id (SYNC)
 *     48     8   last time (BLOCK)
 *     56     4   crc of the payload; of a BLOCK: of its directory only; of a SKIP: 0, not checked
 *     60     4   crc of bytes 0..59 followed by the record's own file offset as 8 bytes
 *
 * A record validates when it lies within the file and magic, salt, sequence number, header crc
 * and payload crc hold. The header has its own crc, so a scan steps over a damaged payload. The
 * offset is part of it, so an image of a store inside a record never passes for records.
 *
 * THE CUT
 *
 * Let S be the largest of the synced lengths of valid SYNC records (one above its record's own
 * offset is invalid) and of the offsets of valid END records not marked unsynced; the search for
 * them goes on past damage to the end of the file. The first record that does not validate at or
 * after S ends the file: nothing behind it counts. There, a BLOCK validates only if all its
 * columns do. A record before S that does not validate is damage: a scan looks for the next
 * multiple of 64 where a record header validates with a larger sequence number, and reports the
 * range between. Damage is also a record before S at whose end none follows on, while a
 * record header validates within it: its size is wrong.
 *
 * RECORDS
 *
 * Every writer's session begins with a SYNC that names a random session id. SYNC says that every
 * byte before its synced length was on stable storage when it was written (0 in a new file).
 * A later session's first SYNC, and one that a recovery writes at the cut before it writes anything
 * else there, add a random number to the sequence number and name the one that they follow on, so
 * that what was behind the cut and comes back with reused space never lines up with what is
 * written now.
 * SKIP is padding of any length. END has no payload and is the last 64 bytes of a closed file;
 * appending to a closed file writes on behind it. FINISH, without payload, ends its stream for
 * good. META sets or removes one key of the store or of a stream: uint16 length of the key, the
 * key, and, unless removed, the value, to the end of the payload.
 *
 * STREAM declares the stream of the header's number. Numbers count up from 1, at most 65,536;
 * names are unique.
 *
 *     at   size  field
 *      0     4   flags: 0x20000 tagged, 0x40000 keyed, 0x80000 untimed, 0x100000 equal times
 *      4     1   time unit: 0 ns, 1 us, 2 ms, 3 s, 4 ticks
 *      5     1   number of timelines, at most 4
 *      6     2   number of fields, 1 to 1,024
 *      8   32*f  per field: uint8 element type, uint8 rank (0 to 4), uint16 zero, uint32 flags
 *                (0x10000 ragged), uint32 dimensions[4] (those from rank on zero), 8 bytes zero
 *      .     .   strings, each a uint16 length and its bytes: name, names of the timelines, names
 *                of the fields. UTF-8 without NUL; field names may be empty
 *
 *     element types: 1 bool (a byte, 0 or 1), 2 i8, 3 i16, 4 i32, 5 i64, 6 u8, 7 u16, 8 u32,
 *     9 u64, 10 f16, 11 bf16, 12 f32, 13 f64, 14 text, 15 bytes
 *
 * BLOCK holds consecutive rows of one stream. Blocks of a stream come in the order of their
 * rows and never overlap: each begins at the row where the one before ended or, after damage,
 * later. One whose payload has no room for so many raw rows is passed over. The payload is a
 * directory and columns:
 *
 *     at   size  field
 *      0     4   number of columns n
 *      4    28   zero
 *     32   32*n  an entry per column, below
 *      .     .   the columns, each at a multiple of 64 from the start of the record; bytes
 *                between are zero and mean nothing
 *
 *     at   size  field of a column's entry
 *      0     1   kind: 1 time, 2 timeline (number in part), 3 tag, 4 key offsets, 5 key bytes,
 *                6 offsets (field in part), 7 values (field in part), 8 row flags, 9 piece
 *                checksums (of the directory's entry number part). Unknown kinds are ignored
 *      1     1   codec: 0 raw
 *      2     2   part
 *      4     4   codec parameter
 *      8     4   offset from the start of the payload, in units of 64 bytes
 *     12     4   crc of the stored bytes
 *     16     8   stored bytes
 *     24     8   decoded bytes
 *
 * The crc in a BLOCK's header covers the first 32 + 32 n bytes of its payload. Raw columns are
 * plain arrays: times and timelines int64[rows], tags uint32[rows], row flags uint8[rows],
 * offsets uint32[rows + 1] in items (key offsets in bytes), values type[rows][shape] or, ragged,
 * type[offsets[rows]][shape]; key bytes are per key a kind byte and then the 8 bytes of an
 * integer or the bytes. Apart from bool and bf16 these are the buffer layouts of Apache Arrow.
 * First and last time of the header are those of the column.
 *
 * A raw column larger than 1 MiB (2^20 bytes) is checked in pieces, so that a look-up in a huge
 * column need not read all of it: a column of kind 9 holds one uint32 crc per MiB of it, the
 * last piece being what is left. The crc in the large column's own entry is that of its kind 9
 * column.
 *
 * A writer starts a BLOCK whose payload has 64 KiB or more so that its first column lies at a
 * multiple of 4,096 in the file, by a SKIP before it. Readers do not rely on it.
 *
 * INDEX makes opening cheap. It is a cache: record headers win over it.
 *
 *     at   size  field
 *      0    64   the file header
 *     64     8   offset of the previous INDEX (smaller than this one's); 0: none
 *     72     4   number of definitions
 *     76     4   number of streams
 *     80     8   bytes of the definitions
 *     88     8   zero
 *     96     .   definitions: every STREAM, META and FINISH record in force, in an order in which
 *                they can be applied. Each: uint8 type, uint8 flags, uint16 zero, uint32 stream
 *                number, uint64 payload bytes, the payload, zero bytes up to a multiple of 8
 *      .     .   per stream, in the order of their numbers:
 *
 *      0     4   stream number
 *      4     4   number of timelines
 *      8     8   rows: those in blocks when the INDEX was written
 *     16     8   first time (0 without rows)
 *     24     8   last time
 *     32     8   offset of the newest time table; 0: none
 *     40     8   offset of the newest key table; 0: none
 *     48     4   number of blocks listed here: those since the previous INDEX
 *     52    12   zero
 *     64  24*t   per timeline: int64 first, int64 last, uint32 1 if it never decreases, uint32 zero
 *      .  40*b   per block: uint64 offset of the record, uint64 first row, int64 first time,
 *                int64 last time, uint32 rows, uint32 flags
 *
 * The lists are believed only as far as they agree: strictly ascending in offset, row and time,
 * not overlapping, sums that fit. A block's entry is compared with its record header when the
 * block is first used; on any mismatch the file is read by hopping from header to header.
 *
 * TABLE holds a look-up table of the stream in its header. Purpose 1, the time table, cuts the
 * span of time between two times into buckets of 2^w time units:
 *
 *     at   size  field
 *      0     4   purpose: 1
 *      4     4   number of the stream's blocks covered; those behind are searched by bisection
 *      8     8   first time
 *     16     8   last time
 *     24     1   w
 *     25     1   row bits r
 *     26     1   bytes of an entry: 4 or 8
 *     27     5   zero
 *     32     8   number of entries: one per bucket and one more
 *     40    24   zero
 *     64     .   entries: block << r | row within the block, both counted from 0; then tables of
 *                crowded buckets
 *
 * Entry i is the place of the first row with a time of at least first time + i * 2^w; the last
 * entry and those without such a row are the place behind the last covered row, covered << r. An
 * entry with its highest bit set names a table of the rows of that bucket, which is only as wide as
 * they are: it begins 16 bytes times the other bits behind offset 64, with int64 time of its first
 * row, int64 time of its last row, uint64 place of its first row, uint32 number of entries, a byte
 * w, 3 zero bytes and then entries of the same kind, the last one the place behind its last row. No
 * row is behind more than four tables. All this is a hint: a reader checks what it finds by it.
 *
 * OPENING a file whose last 64 bytes are a valid END that is not marked unsynced costs the file
 * header, END and the chain of INDEX records. Every other file is read by hopping.
 */

/* ============================================================================================
 * >>types  Versions, limits, results, element types, views, allocator, I/O.
 * ============================================================================================ */

#define SST_VERSION_MAJOR 0
#define SST_VERSION_MINOR 6
#define SST_VERSION_PATCH 0
#define SST_VERSION "0.6.0"

#define SST_MAX_TIMELINES 4         /* further clocks of a stream */
#define SST_MAX_STREAMS 65536u      /* per store */
#define SST_MAX_FIELDS 1024u        /* per stream */
#define SST_MAX_NAME 65535u         /* bytes of a name or a metadata key */
#define SST_MAX_ROW_BYTES 0x40000000u   /* bytes of one row's value: 1 GiB */

typedef enum sst_result {
    SST_OK = 0,
    SST_ERR_ARG = -1,           /* an argument is not allowed */
    SST_ERR_MEMORY = -2,        /* the allocator gave no memory */
    SST_ERR_IO = -3,            /* reading or writing failed; see os_error */
    SST_ERR_FULL = -4,          /* no room on the disk */
    SST_ERR_EXISTS = -5,        /* there is one already */
    SST_ERR_NOT_FOUND = -6,     /* there is none */
    SST_ERR_ORDER = -7,         /* time is not increasing, or a timeline is not sorted */
    SST_ERR_TYPE = -8,          /* another element type */
    SST_ERR_SHAPE = -9,         /* another shape */
    SST_ERR_FINISHED = -10,     /* the stream was finished */
    SST_ERR_READ_ONLY = -11,    /* the store was opened for reading */
    SST_ERR_LOCKED = -12,       /* another process has it */
    SST_ERR_FORMAT = -13,       /* not a store */
    SST_ERR_CORRUPT = -14,      /* stored bytes are damaged */
    SST_ERR_LIMIT = -15,        /* larger than a limit of this library or its format */
    SST_ERR_UNSUPPORTED = -16,  /* not offered here */
    SST_ERR_TIMEOUT = -17,      /* not within the time given */
    SST_ERR_STATE = -18,        /* not in this state of the handle */
    SST_ERR_BUSY = -19,         /* both halves of the tail are full: call sst_poll */
    SST_RESULT_32BIT = 0x7FFFFFFF
} sst_result;

/* Element types. The values are those on disk. SST_BOOL is one byte, 0 or 1; SST_F16 is IEEE 754
 * binary16, SST_BF16 the upper half of a binary32. */
typedef enum sst_type {
    SST_BOOL = 1, SST_I8, SST_I16, SST_I32, SST_I64, SST_U8, SST_U16, SST_U32, SST_U64,
    SST_F16, SST_BF16, SST_F32, SST_F64,
    SST_TEXT,                   /* ragged UTF-8, not NUL-terminated */
    SST_BYTES,                  /* ragged bytes */
    SST_TYPE_32BIT = 0x7FFFFFFF
} sst_type;

typedef enum sst_match {
    SST_AT_OR_BEFORE = 0, SST_AT_OR_AFTER, SST_NEAREST, SST_EXACT,
    SST_MATCH_32BIT = 0x7FFFFFFF
} sst_match;

typedef enum sst_sampling {
    SST_SAMPLE_PREVIOUS = 0, SST_SAMPLE_NEAREST, SST_SAMPLE_EXACT, SST_SAMPLE_LINEAR,
    SST_SAMPLING_32BIT = 0x7FFFFFFF
} sst_sampling;

/* What one unit of a stream's times is. Stored and reported; the library counts in units. */
typedef enum sst_unit {
    SST_NANOSECONDS = 0, SST_MICROSECONDS, SST_MILLISECONDS, SST_SECONDS, SST_TICKS,
    SST_UNIT_32BIT = 0x7FFFFFFF
} sst_unit;

typedef enum sst_key_kind {
    SST_KEY_I64 = 1, SST_KEY_TEXT, SST_KEY_BYTES,
    SST_KEY_KIND_32BIT = 0x7FFFFFFF
} sst_key_kind;

typedef enum sst_clock {
    SST_CLOCK_REALTIME = 0, SST_CLOCK_MONOTONIC,
    SST_CLOCK_32BIT = 0x7FFFFFFF
} sst_clock;

typedef enum sst_state {
    SST_FINISHED = 0,           /* closed properly */
    SST_RECORDING,              /* being recorded */
    SST_CRASHED,                /* ends without END */
    SST_MEMORY,                 /* a store in memory that this process made */
    SST_STATE_32BIT = 0x7FFFFFFF
} sst_state;

/* How a column is encoded. */
typedef uint32_t sst_codec;
#define SST_CODEC_RAW 0u        /* as it is: views need no copy */
#define SST_CODEC_AUTO 1u       /* the library chooses. This version: SST_ERR_UNSUPPORTED */

/* Flags. Every family has bits of its own; a function refuses bits that are not of its family
 * with SST_ERR_ARG. */
typedef enum sst_flags {
    SST_ROW_REMOVED = 0x1,          /* rows: removes its key */

    SST_HALF_OPEN = 0x2,            /* windows: without the row at end */
    SST_CARRY = 0x4,                /* windows: the row in force at start comes first */

    SST_NO_REPLACE = 0x8,           /* put: an existing key is SST_ERR_EXISTS */

    SST_IO_READ = 0x10,             /* sst_io.open, sst_io.map */
    SST_IO_WRITE = 0x20,
    SST_IO_CREATE = 0x40,           /* sst_io.open: made if absent */
    SST_IO_EXCLUSIVE = 0x80,        /* sst_io.open: present is SST_ERR_EXISTS */

    SST_REPLACE = 0x100,            /* sst_create: an existing file is unlinked */
    SST_CREATE = 0x200,             /* sst_open_append: an absent file is made */
    SST_NO_LIVE = 0x400,            /* no companion: tails are in the process's memory */
    SST_NO_MAP = 0x800,             /* blocks are read, not mapped */
    SST_NO_SYNC = 0x1000,           /* nothing is synced but by sst_sync */
    SST_DEFERRED = 0x2000,          /* append never seals: sst_poll does, or append is
                                       SST_ERR_BUSY */
    SST_VERIFY = 0x4000,            /* every checksum when opening */
    SST_TRUST = 0x8000,             /* no checksums of columns */
    SST_SINGLE_BLOCK = 0x400000,    /* sst_compact, sst_save: a stream becomes one block */

    SST_RAGGED = 0x10000,           /* streams and fields. The values are those on disk */
    SST_TAGGED = 0x20000,
    SST_KEYED = 0x40000,
    SST_UNTIMED = 0x80000,
    SST_EQUAL_TIMES = 0x100000,
    SST_OPEN_EXISTING = 0x200000,   /* sst_stream_create: an equal stream is opened */
    SST_FLAGS_32BIT = 0x7FFFFFFF
} sst_flags;

typedef struct sst_store sst_store;
typedef struct sst_stream sst_stream;
typedef struct sst_replay sst_replay;

/* A key: SST_KEY_I64: number; SST_KEY_TEXT: `size` bytes of UTF-8; SST_KEY_BYTES: any, at most
 * SST_MAX_NAME of them. Keys of different kinds are different keys. kind 0: no key. */
typedef struct sst_key {
    uint32_t kind, size;
    int64_t number;
    const void *bytes;
} sst_key;

typedef struct sst_span {
    const void *data;
    size_t size;
} sst_span;

/* The value of one field in one row. count: items of a ragged field, 1 of a fixed one. */
typedef struct sst_cell {
    const void *data;
    size_t count;
} sst_cell;

/* A field of a view: values [count][shape]; ragged: row i has the items from offsets[i] up to
 * offsets[i + 1], not included, of values [offsets[count]][shape]. offsets[0] is not 0 when what
 * was asked for lies within a block. offsets is NULL where the field is fixed. */
typedef struct sst_column {
    const void *values;
    const uint32_t *offsets;
} sst_column;

/* Consecutive rows of one stream, lent by a query.
 *
 * stable true: the data lies in blocks and is valid until sst_close. stable false: valid until
 * the next query on, or close of, the handle that was asked (sst_rows and other plain getters are
 * none). The array `columns` itself is always of the second kind. count 0: the pointers that apply
 * to the stream are not NULL, and there is nothing to read. Appending never invalidates a view. */
typedef struct sst_view {
    uint64_t first_row;         /* number of the first row in its stream */
    uint64_t count;             /* rows */
    const int64_t *times;       /* [count]; NULL if untimed */
    const void *values;         /* of the first field, as is */
    const uint32_t *offsets;    /* this, [count + 1] in items, see sst_column; fixed: NULL */
    const sst_column *columns;  /* [column_count]: every field; the first is values, offsets */
    uint32_t column_count;
    const uint32_t *tags;       /* [count], or NULL */
    const int64_t *timelines[SST_MAX_TIMELINES];   /* each [count], or NULL */
    const uint32_t *key_offsets;    /* keyed streams, else NULL: as offsets, of the bytes in */
    const uint8_t *keys;            /* keys: a kind and 8 bytes of a number or the bytes */
    const uint8_t *row_flags;       /* [count]: SST_ROW_REMOVED */
    bool stable;
} sst_view;

/* Where the memory of a buffer is. */
typedef enum sst_buf_kind {
    SST_BUF_ANON = 0,           /* the process's own */
    SST_BUF_TEMP,               /* a file without a name: may be larger than memory */
    SST_BUF_FILE,               /* a file that stays */
    SST_BUF_FIXED,              /* the caller's */
    SST_BUF_KIND_32BIT = 0x7FFFFFFF
} sst_buf_kind;

/* A growable buffer; {0} before sst_buf_open. data, size and capacity may be read, and data[0] to
 * data[size - 1] written, at any time; nothing here may be changed but by the functions. */
typedef struct sst_buf {
    void *data;                 /* aligned to 64 bytes; FIXED: as it is, NO_OS: as malloc does */
    uint64_t size;              /* bytes in use */
    uint64_t capacity;          /* bytes there is memory for */
    uint64_t reserve;           /* bytes of address range: up to here `data` stays where it is */
    uint64_t moves;             /* how often it has moved */
    uint64_t step;
    uint64_t dirty;             /* bytes that were in use at some time */
    sst_buf_kind kind;
    uint32_t open;
    void *file;
    void *range;                /* the address range, and its bytes */
    size_t range_bytes;
} sst_buf;

/* Zero-initialised: a growing buffer in anonymous memory. */
typedef struct sst_buf_desc {
    sst_buf_kind kind;
    const char *path;           /* FILE: its path. TEMP: a folder, or NULL: $TMPDIR, else /tmp */
    void *memory;               /* FIXED: `capacity` bytes of it, which outlive the buffer */
    uint64_t capacity;          /* bytes to have memory for from the beginning; may be 0 */
    uint64_t reserve;           /* bytes of address range; 0: 64 GiB, 32-bit hosts: `capacity` */
    uint64_t step;              /* grows by multiples of so many bytes; 0: doubles */
} sst_buf_desc;

/* The last failure of a handle, or why a store could not be made or opened. */
typedef struct sst_error {
    int result;                 /* SST_OK: there was none */
    int os_error;               /* errno, or 0 */
    uint64_t offset;            /* in the file, of damage; else 0 */
    uint64_t row;               /* of the stream, of damage; else 0 */
    const char *what;           /* a constant text, never NULL */
} sst_error;

/* Memory. resize: old NULL gives new memory; new_size 0 frees and gives NULL; otherwise the
 * memory grows or shrinks and may move. Aligned to 16 bytes. NULL: no memory, the old is kept.
 * old_size is what was asked for. Called from several threads if the store is used by several. */
typedef struct sst_allocator {
    void *user;
    void *(*resize)(void *user, void *old, size_t old_size, size_t new_size);
} sst_allocator;

/* The caller's fixed memory as an allocator: a stack of blocks. Freeing or growing the newest
 * block gives its memory back or extends it in place; what an older one held stays used until
 * the caller sets used = 0 (when no store is using the arena any more). One thread at a time. */
typedef struct sst_arena {
    void *memory;
    size_t size;                /* bytes of memory */
    size_t used;                /* start with 0 */
    size_t peak;                /* the largest `used` so far */
} sst_arena;

/* Files, clocks, randomness. Every function returns SST_OK or an SST_ERR_*, is retried by itself
 * when interrupted (EINTR), and may be NULL where the host does not offer it. Paths are UTF-8.
 * The structure is copied by the store. */
typedef struct sst_io {
    void *user;                 /* passed to every function */
    /* mode: SST_IO_READ, _WRITE, _CREATE, _EXCLUSIVE. Absent: SST_ERR_NOT_FOUND */
    int (*open)(void *user, const char *path, uint32_t mode, void **file);
    int (*close)(void *user, void *file);
    /* Transfers at most size bytes, *done says how many; 0 written: SST_ERR_FULL or full; 0 read:
     * the end of the file. Offsets of writes to the store file only grow. */
    int (*write_at)(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                    size_t *done);
    int (*read_at)(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                   size_t *done);
    int (*size)(void *user, void *file, uint64_t *size);
    int (*resize)(void *user, void *file, uint64_t size);
    int (*sync)(void *user, void *file);
    /* Really allocates the first size bytes; the file's size stays. */
    int (*reserve)(void *user, void *file, uint64_t size);
    /* mode: SST_IO_READ, and SST_IO_WRITE for a shared writable mapping, which is
     * SST_ERR_UNSUPPORTED where a store into an allocated page can still fail. */
    int (*map)(void *user, void *file, uint64_t offset, size_t size, uint32_t mode, void **base);
    int (*unmap)(void *user, void *file, void *base, size_t size);
    /* SST_IO_LOCK: exclusive, SST_ERR_LOCKED at once, released by close. SST_IO_LOCK_QUERY:
     * SST_ERR_LOCKED while another has it, takes nothing. */
    int (*lock)(void *user, void *file, int how);
    int (*remove)(void *user, const char *path);
    int (*rename)(void *user, const char *from, const char *to);
    int (*sync_dir)(void *user, const char *path);  /* of the directory that holds path */
    int64_t (*now_ns)(void *user, int clock);       /* SST_CLOCK_REALTIME or _MONOTONIC */
    int (*entropy)(void *user, void *bytes, size_t size);
} sst_io;

#define SST_IO_LOCK 1
#define SST_IO_LOCK_QUERY 2

/* How a store is made or opened. Zero is the default everywhere; structures and strings are
 * copied. Members that speak of files mean nothing for stores in memory. */
typedef struct sst_options {
    const sst_allocator *allocator;     /* NULL: malloc */
    const sst_io *io;                   /* NULL: sst_io_default() */
    const char *live_path;              /* the companion, for writer and readers; NULL:
                                           `<path>-live` */
    uint32_t block_bytes;               /* column bytes of a full block: 512 to 1 GiB;
                                           0: 256 KiB */
    uint32_t sync_align;                /* a power of two from 64 to 1 MiB; 0: 4096 */
    uint64_t tail_bytes_max;            /* tails grow up to this, all together; 0: no limit */
    uint32_t sync_interval_ms;          /* looked at when a block is sealed and in sst_poll; */
    uint64_t sync_interval_bytes;       /* 0: never */
    uint64_t seed;                      /* not 0: uuid, salt and session come from it and nothing
                                           else. Required where io has no entropy */
    uint32_t flags;                     /* SST_DEFERRED, SST_VERIFY, SST_TRUST, ... */
    sst_error *error;                   /* written before create or open returns; may be NULL */
} sst_options;

typedef struct sst_info {
    uint8_t uuid[16];
    int64_t created_ns;         /* since 1970 UTC; 0: unknown */
    uint64_t file_bytes;        /* published bytes of the file or image */
    uint64_t synced_bytes;      /* of these known to be on stable storage; memory stores: 0 */
    uint64_t torn_bytes;        /* behind the cut */
    uint64_t recovered_rows;
    uint32_t state;             /* sst_state */
    uint32_t streams;
    int sticky;                 /* the first failed sync, or SST_OK */
    bool kill_safe;             /* rows survive when the process is killed */
    bool tail_missing;          /* rows may be lost: not finished, and no companion of its newest
                                   session was found, or in that rows are missing before others */
} sst_info;

/* A damaged place. stream 0: unknown or the store itself; rows 0: no rows, or unknown. */
typedef struct sst_damage {
    uint32_t stream;            /* number in the file, from 1: index in sst_stream_name plus 1,
                                   unless the declaration of a stream was lost */
    int result;
    uint64_t offset, size;      /* bytes of the file */
    uint64_t first_row, rows;   /* rows that cannot be read, or not completely */
} sst_damage;

/* damage, damage_capacity: set by the caller, the first damage_capacity places are written. The
 * rest is written by sst_verify. */
typedef struct sst_report {
    uint64_t records, rows, bytes, torn_bytes;
    uint64_t damage_count;      /* all of them, also those that did not fit */
    sst_damage *damage;
    size_t damage_capacity;
} sst_report;

/* One field of a stream. shape: dimensions up to the first 0, all 0: scalar. */
typedef struct sst_field {
    const char *name;           /* may be NULL */
    sst_type type;
    uint32_t shape[4];          /* ragged: of one item */
    uint32_t flags;             /* SST_RAGGED */
    uint32_t offset;            /* bytes, of this field in what sst_append is given; not kept in
                                   the file */
} sst_field;

/* A stream. Codecs are SST_ERR_UNSUPPORTED in this version.
 *
 * SST_RAGGED: every row has its own number of items of the shape, 0 to 2^32 - 1; SST_TEXT and
 * SST_BYTES always are. Of several fields each says so itself. SST_TAGGED: every row has a number,
 * such as the kind of an event. SST_KEYED: every row has a key. SST_EQUAL_TIMES: a row may have the
 * time of the row before. SST_UNTIMED: rows have no times, and the stream no timelines.
 *
 * retain_rows, retain_time: memory stores only. The rows that are kept are the newest retain_rows,
 * and those of the last retain_time units before the newest row, from the block with the one in
 * force then on; with both, whatever one of them keeps. 0: that one keeps none, and both 0 keep
 * everything. Memory is for up to two blocks more, a third with SST_DEFERRED, and a block for every
 * handle that holds a view of it (each sst_flush and sst_sync makes a block of the rows that have
 * none); while a query or sst_save is at work, nothing that it may need is given up. Memory for as
 * many blocks as there were at a time is kept for later ones, of which there are at most 2^32 - 1.
 * With STREAMSTORE_NO_READ both are SST_ERR_UNSUPPORTED. */
typedef struct sst_stream_desc {
    const char *name;           /* UTF-8, 1 to SST_MAX_NAME bytes, unique in the store */
    sst_type type;
    uint32_t shape[4];          /* dimensions up to the first 0; {0}: scalar */
    uint32_t flags;
    const sst_field *fields;    /* instead of type and shape */
    uint32_t field_count;
    const char *timelines[SST_MAX_TIMELINES];   /* names of further clocks, up to the first NULL */
    sst_unit time_unit;
    sst_codec codec;
    uint32_t block_bytes;       /* 0: the store's; with retain_rows, if that is less, an eighth of
                                   those or eight rows. Not kept in the file: a later session gives
                                   it again, with SST_OPEN_EXISTING */
    uint64_t retain_rows;       /* 0: see above */
    int64_t retain_time;        /* in units of the stream's times, at least 0 */
} sst_stream_desc;

/* The general row. Zero what does not apply. */
typedef struct sst_row {
    int64_t time;
    const int64_t *timelines;   /* one time per timeline of the stream */
    uint32_t tag;
    sst_key key;
    const void *value;          /* [shape] */
    size_t count;               /* items of a ragged row; fixed: 0 or 1 */
    const sst_cell *cells;      /* one per field, instead of value */
    sst_type type;              /* not 0: type and shape are checked against the stream's */
    uint32_t shape[4];
    uint32_t flags;
} sst_row;

#if defined(STREAMSTORE_STATIC)
#if defined(__GNUC__)
#define SST_API static __attribute__((unused))
#else
#define SST_API static
#endif
#define SST_DECL SST_API
#elif defined(STREAMSTORE_API)
#define SST_API STREAMSTORE_API
#define SST_DECL STREAMSTORE_API
#else
#define SST_API
#define SST_DECL extern
#endif

/* Static functions that are not compiled must not be declared either. */
#if defined(STREAMSTORE_STATIC) && defined(STREAMSTORE_NO_READ)
#define SST_DECLARE_READ 0
#else
#define SST_DECLARE_READ 1
#endif

#if defined(STREAMSTORE_PREFIX)
#define SST_JOIN_EXPANDED(prefix, name) prefix##name
#define SST_JOIN(prefix, name) SST_JOIN_EXPANDED(prefix, name)
#define sst_append SST_JOIN(STREAMSTORE_PREFIX, sst_append)
#define sst_append_bool SST_JOIN(STREAMSTORE_PREFIX, sst_append_bool)
#define sst_append_f32 SST_JOIN(STREAMSTORE_PREFIX, sst_append_f32)
#define sst_append_f64 SST_JOIN(STREAMSTORE_PREFIX, sst_append_f64)
#define sst_append_i32 SST_JOIN(STREAMSTORE_PREFIX, sst_append_i32)
#define sst_append_i64 SST_JOIN(STREAMSTORE_PREFIX, sst_append_i64)
#define sst_append_n SST_JOIN(STREAMSTORE_PREFIX, sst_append_n)
#define sst_append_row SST_JOIN(STREAMSTORE_PREFIX, sst_append_row)
#define sst_append_rows SST_JOIN(STREAMSTORE_PREFIX, sst_append_rows)
#define sst_append_u8 SST_JOIN(STREAMSTORE_PREFIX, sst_append_u8)
#define sst_append_view SST_JOIN(STREAMSTORE_PREFIX, sst_append_view)
#define sst_abort SST_JOIN(STREAMSTORE_PREFIX, sst_abort)
#define sst_arena_allocator SST_JOIN(STREAMSTORE_PREFIX, sst_arena_allocator)
#define sst_at SST_JOIN(STREAMSTORE_PREFIX, sst_at)
#define sst_buf_append SST_JOIN(STREAMSTORE_PREFIX, sst_buf_append)
#define sst_buf_close SST_JOIN(STREAMSTORE_PREFIX, sst_buf_close)
#define sst_buf_open SST_JOIN(STREAMSTORE_PREFIX, sst_buf_open)
#define sst_buf_reset SST_JOIN(STREAMSTORE_PREFIX, sst_buf_reset)
#define sst_buf_resize SST_JOIN(STREAMSTORE_PREFIX, sst_buf_resize)
#define sst_close SST_JOIN(STREAMSTORE_PREFIX, sst_close)
#define sst_crc32c SST_JOIN(STREAMSTORE_PREFIX, sst_crc32c)
#define sst_create SST_JOIN(STREAMSTORE_PREFIX, sst_create)
#define sst_first_row SST_JOIN(STREAMSTORE_PREFIX, sst_first_row)
#define sst_flush SST_JOIN(STREAMSTORE_PREFIX, sst_flush)
#define sst_gather SST_JOIN(STREAMSTORE_PREFIX, sst_gather)
#define sst_gather_field SST_JOIN(STREAMSTORE_PREFIX, sst_gather_field)
#define sst_get_meta SST_JOIN(STREAMSTORE_PREFIX, sst_get_meta)
#define sst_image SST_JOIN(STREAMSTORE_PREFIX, sst_image)
#define sst_io_default SST_JOIN(STREAMSTORE_PREFIX, sst_io_default)
#define sst_locate SST_JOIN(STREAMSTORE_PREFIX, sst_locate)
#define sst_locate_on SST_JOIN(STREAMSTORE_PREFIX, sst_locate_on)
#define sst_memory_bound SST_JOIN(STREAMSTORE_PREFIX, sst_memory_bound)
#define sst_meta_at SST_JOIN(STREAMSTORE_PREFIX, sst_meta_at)
#define sst_open_memory SST_JOIN(STREAMSTORE_PREFIX, sst_open_memory)
#define sst_poll SST_JOIN(STREAMSTORE_PREFIX, sst_poll)
#define sst_remove_meta SST_JOIN(STREAMSTORE_PREFIX, sst_remove_meta)
#define sst_replay_close SST_JOIN(STREAMSTORE_PREFIX, sst_replay_close)
#define sst_replay_next SST_JOIN(STREAMSTORE_PREFIX, sst_replay_next)
#define sst_replay_open SST_JOIN(STREAMSTORE_PREFIX, sst_replay_open)
#define sst_replay_prev SST_JOIN(STREAMSTORE_PREFIX, sst_replay_prev)
#define sst_replay_seek SST_JOIN(STREAMSTORE_PREFIX, sst_replay_seek)
#define sst_result_name SST_JOIN(STREAMSTORE_PREFIX, sst_result_name)
#define sst_result_text SST_JOIN(STREAMSTORE_PREFIX, sst_result_text)
#define sst_rows SST_JOIN(STREAMSTORE_PREFIX, sst_rows)
#define sst_sample SST_JOIN(STREAMSTORE_PREFIX, sst_sample)
#define sst_sample_field SST_JOIN(STREAMSTORE_PREFIX, sst_sample_field)
#define sst_save SST_JOIN(STREAMSTORE_PREFIX, sst_save)
#define sst_set_meta SST_JOIN(STREAMSTORE_PREFIX, sst_set_meta)
#define sst_slice SST_JOIN(STREAMSTORE_PREFIX, sst_slice)
#define sst_snapshot SST_JOIN(STREAMSTORE_PREFIX, sst_snapshot)
#define sst_snapshot_rows SST_JOIN(STREAMSTORE_PREFIX, sst_snapshot_rows)
#define sst_store_error SST_JOIN(STREAMSTORE_PREFIX, sst_store_error)
#define sst_store_info SST_JOIN(STREAMSTORE_PREFIX, sst_store_info)
#define sst_stream_close SST_JOIN(STREAMSTORE_PREFIX, sst_stream_close)
#define sst_stream_count SST_JOIN(STREAMSTORE_PREFIX, sst_stream_count)
#define sst_stream_create SST_JOIN(STREAMSTORE_PREFIX, sst_stream_create)
#define sst_stream_error SST_JOIN(STREAMSTORE_PREFIX, sst_stream_error)
#define sst_stream_finish SST_JOIN(STREAMSTORE_PREFIX, sst_stream_finish)
#define sst_stream_get_meta SST_JOIN(STREAMSTORE_PREFIX, sst_stream_get_meta)
#define sst_stream_info SST_JOIN(STREAMSTORE_PREFIX, sst_stream_info)
#define sst_stream_meta_at SST_JOIN(STREAMSTORE_PREFIX, sst_stream_meta_at)
#define sst_stream_name SST_JOIN(STREAMSTORE_PREFIX, sst_stream_name)
#define sst_stream_open SST_JOIN(STREAMSTORE_PREFIX, sst_stream_open)
#define sst_stream_remove_meta SST_JOIN(STREAMSTORE_PREFIX, sst_stream_remove_meta)
#define sst_stream_set_meta SST_JOIN(STREAMSTORE_PREFIX, sst_stream_set_meta)
#define sst_durable_rows SST_JOIN(STREAMSTORE_PREFIX, sst_durable_rows)
#define sst_open SST_JOIN(STREAMSTORE_PREFIX, sst_open)
#define sst_open_append SST_JOIN(STREAMSTORE_PREFIX, sst_open_append)
#define sst_refresh SST_JOIN(STREAMSTORE_PREFIX, sst_refresh)
#define sst_sync SST_JOIN(STREAMSTORE_PREFIX, sst_sync)
#define sst_verify SST_JOIN(STREAMSTORE_PREFIX, sst_verify)
#define sst_compact SST_JOIN(STREAMSTORE_PREFIX, sst_compact)
#define sst_window SST_JOIN(STREAMSTORE_PREFIX, sst_window)
#define sst_window_ex SST_JOIN(STREAMSTORE_PREFIX, sst_window_ex)
#define sst_window_on SST_JOIN(STREAMSTORE_PREFIX, sst_window_on)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ============================================================================================
 * >>api-memory  Declarations: results, allocators, I/O, hashes.
 * ============================================================================================ */

/* The name of a result, such as "SST_ERR_ORDER"; "SST_ERR_UNKNOWN" for other numbers. */
SST_DECL const char *sst_result_name(int result);

/* A result in words, such as "time is not increasing". */
SST_DECL const char *sst_result_text(int result);

/* An allocator that takes from the caller's fixed memory. The arena and its memory must outlive
 * every store that uses it. */
SST_DECL sst_allocator sst_arena_allocator(sst_arena *arena);

/* An upper bound of the bytes that a memory store with these streams (may be NULL when count is
 * 0) takes from an allocator before the first row is sealed: handles, names, tails, and the first
 * `block_bytes` of the image; of ragged streams while rows have some 50 bytes of items a field, and
 * keys 64: larger ones let the tail grow earlier. What it takes later is the image (its size is
 * what sst_image says; grown by doubling, or exactly where there is no memory to double), 48 bytes
 * per block, and, in queries, 4 bytes per block and column and the scratch of views that cannot
 * point into the image. Of streams with retain_rows and no retain_time all blocks that there will
 * be are counted, as long as tails are sealed when they are full (each sst_flush or sst_sync before
 * may need one more) and rows have as many items. 0: a description is not valid, or there is not so
 * much memory. */
SST_DECL size_t sst_memory_bound(const sst_options *options, const sst_stream_desc *streams,
                                 size_t count);

/* The operating system's files, clocks and randomness, to be used or wrapped: none of its
 * functions looks at `user`. NULL with STREAMSTORE_NO_OS. */
SST_DECL const sst_io *sst_io_default(void);

/* CRC-32C (Castagnoli) of data, as in iSCSI, ext4 and SSE4.2. crc: 0, or the result for the bytes
 * before these. "123456789" is 0xE3069283. */
SST_DECL uint32_t sst_crc32c(const void *data, size_t size, uint32_t crc);

/* ============================================================================================
 * >>api-store  Declarations: create, open, image, metadata, verify.
 * ============================================================================================ */

/* Makes a store. path NULL: in memory; else a file, which is locked against other writers. *out:
 * the store, to be closed with sst_close; NULL on failure. A file that is shorter than its header,
 * or begins with zeros, was never written and is taken over.
 *
 * SST_ERR_EXISTS: there is a file; with SST_REPLACE it is unlinked, never truncated: who has it
 * mapped keeps it. SST_ERR_LOCKED: another process records to it. SST_ERR_ARG: an option is not
 * allowed, no seed where io has no entropy, no allocator with STREAMSTORE_NO_MALLOC.
 * SST_ERR_UNSUPPORTED: io cannot open or write. SST_ERR_NOT_FOUND: no such folder. SST_ERR_FULL,
 * SST_ERR_IO, SST_ERR_MEMORY. */
SST_DECL int sst_create(const char *path, const sst_options *options, sst_store **out);

/* Opens a file for reading, whether it was closed, is being recorded or crashed, without changing
 * or locking anything. The store stays as it is until sst_refresh. Damaged files are opened as far
 * as >>format allows; with SST_VERIFY damage is SST_ERR_CORRUPT. The file is mapped: a program
 * that truncates it meanwhile makes reading fault; SST_NO_MAP reads through io.read_at instead.
 * SST_ERR_NOT_FOUND; SST_ERR_FORMAT: not a store; SST_ERR_UNSUPPORTED: of a newer format;
 * SST_ERR_IO, SST_ERR_ARG, SST_ERR_MEMORY. */
#if SST_DECLARE_READ
SST_DECL int sst_open(const char *path, const sst_options *options, sst_store **out);

/* Opens a file to record on. One that was not closed is recovered first: what lies behind the cut
 * (see >>format) is appended to `<path>-torn` as far as it is whole records, then the file is
 * truncated there. With SST_CREATE a file that is absent, or was never written, is made.
 * SST_ERR_LOCKED: another process records to it. SST_ERR_EXISTS: where the companion has to be lies
 * that of another store (SST_REPLACE replaces it). SST_ERR_UNSUPPORTED: also where a stream is of a
 * kind that this version cannot read. Otherwise as sst_open and sst_create. A failure
 * may leave the recovery half done; doing it again ends in the same rows. */
SST_DECL int sst_open_append(const char *path, const sst_options *options, sst_store **out);
#endif

/* Opens the image of a store for reading. `bytes` must stay as they are until the store and
 * everything lent by it are closed; views point into them where they are aligned to 8 bytes. An
 * image that was cut short or damaged is opened as far as >>format allows. SST_ERR_FORMAT: not a
 * store. SST_ERR_UNSUPPORTED: of a newer format. SST_ERR_CORRUPT: with SST_VERIFY, something is
 * damaged. SST_ERR_ARG, SST_ERR_MEMORY. */
#if SST_DECLARE_READ
SST_DECL int sst_open_memory(const void *bytes, size_t size, const sst_options *options,
                             sst_store **out);
#endif

/* The bytes of a memory store as one array: a finished file. Seals what the tails hold and, if
 * anything is new, adds an index and END. *bytes is lent until the next call that appends, seals,
 * makes a stream, sets metadata or closes. It may need as much memory again as the image has, but
 * where that grows in one piece: on 64-bit hosts, without an allocator, from 1 MiB to 16 GiB.
 * SST_ERR_READ_ONLY: not made by sst_create. SST_ERR_UNSUPPORTED: a file, or rows of a stream are
 * dropped (sst_save writes what there is). SST_ERR_MEMORY. SST_ERR_LIMIT: larger than a size_t. Not
 * beside appenders. */
SST_DECL int sst_image(sst_store *store, const void **bytes, size_t *size);

/* Seals every row that is not sealed yet. SST_ERR_MEMORY, SST_ERR_FULL, SST_ERR_IO: the streams
 * before are sealed, the others keep their rows in their tails. SST_ERR_READ_ONLY. One thread at a
 * time, beside appenders. */
SST_DECL int sst_flush(sst_store *store);

/* Housekeeping: seals the full halves of tails, so that append need not (memory stores have some
 * only with SST_DEFERRED), and syncs when options.sync_interval_ms or _bytes say so. Errors as
 * sst_flush and sst_sync, threads as sst_flush. */
SST_DECL int sst_poll(sst_store *store);

/* Frees the store, its streams and everything they lent. A file is completed first: sealed,
 * indexed, synced (unless SST_NO_SYNC), and marked finished. NULL is fine. Always frees; returns
 * the first error: SST_ERR_FULL, SST_ERR_IO, SST_ERR_MEMORY, or the sync that failed before. The
 * contents of a memory store are gone: sst_image comes before. Alone. */
SST_DECL int sst_close(sst_store *store);

/* Drops a store made by sst_create, removes its file and frees it. SST_ERR_STATE, and nothing
 * happens: it was opened. NULL is SST_ERR_ARG. Alone. */
SST_DECL int sst_abort(sst_store *store);

/* Makes what was appended before the call survive power loss: seals every row, pads the file to
 * options.sync_align, syncs it, and notes that in the file. Does nothing when nothing is new. A
 * failed sync stays: this and every later call returns it, and the file gets no END. On a memory
 * store it only seals. SST_ERR_UNSUPPORTED: io has no sync. SST_ERR_READ_ONLY, SST_ERR_FULL,
 * SST_ERR_IO, SST_ERR_MEMORY. One thread at a time, beside appenders. */
SST_DECL int sst_sync(sst_store *store);

/* Shows a store opened by sst_open the rows and streams that were recorded since; on other stores
 * it does nothing. Views stay valid. SST_ERR_IO, SST_ERR_MEMORY. Alone. */
#if SST_DECLARE_READ
SST_DECL int sst_refresh(sst_store *store);
#endif

/* Facts about the store. Any thread. */
SST_DECL int sst_store_info(sst_store *store, sst_info *out);

/* The last failure of a call on the store, or on the handle of a stream; SST_OK and an empty text
 * when there was none, and for NULL. Not beside calls that can fail. */
SST_DECL void sst_store_error(const sst_store *store, sst_error *out);
SST_DECL void sst_stream_error(const sst_stream *stream, sst_error *out);

/* Checks every record and every checksum of what is published (tails are not). report: see there;
 * may be NULL. SST_ERR_CORRUPT: something is damaged; a torn end alone is SST_OK. SST_ERR_MEMORY.
 * Not beside appenders. */
#if SST_DECLARE_READ
SST_DECL int sst_verify(sst_store *store, sst_report *report);
#endif

/* Writes everything that the store holds into a new file, in large blocks: of options.block_bytes
 * (0: 1 MiB), or, with SST_SINGLE_BLOCK, of whole streams, so that each is one view without a copy
 * (up to 2^32 - 1 rows, 64 GiB a column). Rows keep their numbers; metadata and what is finished
 * stay; uuid and creation time are new. path and the other options are as for sst_create, which
 * makes the file (SST_REPLACE removes one that is there before anything is written); a failure
 * removes it again. A writable source is flushed first. Takes 8 MiB of memory, or a row, whatever
 * the streams hold; the source is read twice.
 * SST_ERR_ARG: path is NULL, or leads to the source itself. SST_ERR_CORRUPT: rows of the source
 * are damaged. SST_ERR_UNSUPPORTED: it has a stream that this version cannot read, or one whose
 * rows are dropped, which has no row 0 to begin with (sst_save numbers anew). Otherwise as
 * sst_create, sst_flush and sst_close. Not beside appenders to the source. */
#if SST_DECLARE_READ
SST_DECL int sst_compact(sst_store *source, const char *path, const sst_options *options);

/* Writes the rows of every stream whose times are in [start, end], both included, into a new file,
 * such as the last seconds before a fault: numbered from 0, rows without times all of them, streams
 * that have none there too, with all metadata. Everything else is as for sst_compact, but that the
 * source is not flushed, and may be appended to meanwhile: rows count as far as they are there when
 * their stream's turn comes. Not beside changes of metadata. */
SST_DECL int sst_save(sst_store *store, const char *path, int64_t start, int64_t end,
                      const sst_options *options);
#endif

/* Metadata: values of any bytes under keys (1 to SST_MAX_NAME bytes of UTF-8) of a store or of
 * a stream. set copies key and value and replaces; value may be NULL when size is 0. get and _at
 * lend: valid until this key is set or removed again, or sst_close; key, value and size may be
 * NULL where not wanted. A value always ends with a 0 byte that size does not count, so that text
 * can be used as it is. Index: 0, 1, ... in the order in which the keys were first set.
 * SST_ERR_NOT_FOUND: no such key or index; SST_ERR_ARG; SST_ERR_READ_ONLY; SST_ERR_MEMORY. Any
 * thread, as long as no other one replaces what this one reads. */
SST_DECL int sst_set_meta(sst_store *store, const char *key, const void *value, size_t size);
SST_DECL int sst_get_meta(sst_store *store, const char *key, const void **value, size_t *size);
SST_DECL int sst_remove_meta(sst_store *store, const char *key);
SST_DECL int sst_meta_at(sst_store *store, uint32_t index, const char **key, const void **value,
                         size_t *size);
SST_DECL int sst_stream_set_meta(sst_stream *stream, const char *key, const void *value,
                                 size_t size);
SST_DECL int sst_stream_get_meta(sst_stream *stream, const char *key, const void **value,
                                 size_t *size);
SST_DECL int sst_stream_remove_meta(sst_stream *stream, const char *key);
SST_DECL int sst_stream_meta_at(sst_stream *stream, uint32_t index, const char **key,
                                const void **value, size_t *size);

/* How many streams the store has, and their names in the order of their creation: valid until
 * sst_close, NULL beyond the end. Any thread. */
SST_DECL uint32_t sst_stream_count(const sst_store *store);
SST_DECL const char *sst_stream_name(const sst_store *store, uint32_t index);

/* ============================================================================================
 * >>api-stream  Declarations: streams and appending.
 * ============================================================================================ */

/* Makes a stream and a handle on it, to be closed with sst_stream_close or by sst_close. Strings
 * are copied. SST_ERR_EXISTS: the name is taken; with SST_OPEN_EXISTING an equal stream is opened
 * instead, and what differs is SST_ERR_TYPE (element type), SST_ERR_SHAPE (shape) or SST_ERR_ARG
 * (number or names of fields, timelines, flags, unit); what it retains stays as it was.
 * SST_ERR_ARG: a description that cannot be: two fields of one name, SST_UNTIMED with timelines,
 * SST_EQUAL_TIMES or retain_time, and retain_rows or retain_time in a file.
 * SST_ERR_LIMIT: too many streams, a row over SST_MAX_ROW_BYTES. SST_ERR_UNSUPPORTED: see
 * sst_stream_desc. SST_ERR_READ_ONLY, SST_ERR_MEMORY. Any thread. */
SST_DECL int sst_stream_create(sst_store *store, const sst_stream_desc *desc, sst_stream **out);

/* Another handle on a stream, to query it from another thread, or to append to it: the first
 * handle that appends is the stream's writer until it is closed. SST_ERR_NOT_FOUND: no such name.
 * SST_ERR_UNSUPPORTED: a stream of a kind that this version does not read. SST_ERR_MEMORY. Any
 * thread. */
SST_DECL int sst_stream_open(sst_store *store, const char *name, sst_stream **out);

/* Description, number of rows, first time of those that are kept, and last time (0 when empty).
 * Each output may be NULL. What *desc points to is valid until sst_close. desc->fields is set where
 * there are several, or the only one has a name, so that *desc describes a like stream to
 * sst_stream_create, but for the offsets, which are 0. SST_ERR_CORRUPT: a time that was asked for
 * is damaged. Any thread. */
#if SST_DECLARE_READ
SST_DECL int sst_stream_info(const sst_stream *stream, sst_stream_desc *desc, uint64_t *rows,
                             int64_t *first_time, int64_t *last_time);
#endif

/* Frees the handle and what its queries assembled; the stream's rows stay. NULL is fine. */
SST_DECL void sst_stream_close(sst_stream *stream);

/* Appends one row to a stream of fixed shape. value: [shape] of the stream's type; where the
 * stream was created with fields, the caller's structure, in which each is at its `offset`. time:
 * larger than that of the row before, or equal (SST_EQUAL_TIMES), or ignored (SST_UNTIMED). A tag
 * is 0. Afterwards the row is there for every query.
 *
 * For every appending function: SST_ERR_ARG: NULL, or the stream has timelines or keys
 * (sst_append_row gives them). SST_ERR_SHAPE: it has ragged fields (sst_append_n, sst_append_row).
 * SST_ERR_READ_ONLY. SST_ERR_FINISHED. SST_ERR_STATE: another handle is the writer; in sst_append
 * also: several fields whose offsets the handle does not know, since it is one of sst_stream_open,
 * or since they overlap.
 * SST_ERR_ORDER: the time is before what may follow. SST_ERR_BUSY: with SST_DEFERRED, sst_poll has
 * to come first. SST_ERR_MEMORY, SST_ERR_FULL, SST_ERR_IO: the tail is full and cannot be sealed.
 * After every one of these nothing was appended, except that calls for several rows may have added
 * leading ones after the last four. One thread at a time per stream. */
SST_DECL int sst_append(sst_stream *stream, int64_t time, const void *value);

/* Appends many rows: times[rows] (may be NULL if untimed), values[rows][shape], tightly packed, to
 * a stream with one field. All times are checked before the first row is added. rows 0 is SST_OK.
 * SST_ERR_SHAPE: several fields. */
SST_DECL int sst_append_rows(sst_stream *stream, const int64_t *times, const void *values,
                             size_t rows);

/* Appends one row of so many items, 0 to 2^32 - 1, to a stream with one ragged field: items[count]
 * [shape]; may be NULL when there are none. SST_ERR_SHAPE: the stream has other fields.
 * SST_ERR_LIMIT: more than SST_MAX_ROW_BYTES. SST_ERR_ARG: text is not UTF-8. */
SST_DECL int sst_append_n(sst_stream *stream, int64_t time, const void *items, size_t count);

/* Appends one row with everything a row can have: one value, or one cell for each field. With
 * row->type, SST_ERR_TYPE and SST_ERR_SHAPE are checked; several fields have none. SST_ERR_ARG:
 * value and cells both, a value for several fields, a value that is NULL (but where a ragged field
 * has no items), a member the stream has no use for (a tag, a key, flags, timelines), timelines or
 * a key missing, text that is not UTF-8. SST_ERR_SHAPE: a count other than 0 or 1 of a fixed field.
 * SST_ERR_LIMIT: more than SST_MAX_ROW_BYTES. */
SST_DECL int sst_append_row(sst_stream *stream, const sst_row *row);

/* Appends the rows of a view of a like stream (same types, shapes, flags and number of timelines):
 * to copy, merge or import. All times are checked before the first row is added. SST_ERR_ARG: the
 * view has other columns, or offsets, text or keys that cannot be. SST_ERR_LIMIT: a row of more
 * than SST_MAX_ROW_BYTES. count 0 is SST_OK. */
SST_DECL int sst_append_view(sst_stream *stream, const sst_view *rows);

/* Appends to a scalar stream of that type. SST_ERR_TYPE: it has another type; SST_ERR_SHAPE: it
 * is not scalar. */
SST_DECL int sst_append_f64(sst_stream *stream, int64_t time, double value);
SST_DECL int sst_append_f32(sst_stream *stream, int64_t time, float value);
SST_DECL int sst_append_i64(sst_stream *stream, int64_t time, int64_t value);
SST_DECL int sst_append_i32(sst_stream *stream, int64_t time, int32_t value);
SST_DECL int sst_append_u8(sst_stream *stream, int64_t time, uint8_t value);
SST_DECL int sst_append_bool(sst_stream *stream, int64_t time, bool value);

/* Ends the stream for good; recorded in the file. Seals its tail; later appends are
 * SST_ERR_FINISHED. Doing it again is SST_OK. SST_ERR_READ_ONLY, SST_ERR_MEMORY. Not while another
 * thread appends to this stream. */
SST_DECL int sst_stream_finish(sst_stream *stream);

/* ============================================================================================
 * >>api-query  Declarations: locate, at, window, slice, sample, gather, snapshot, replay.
 * ============================================================================================
 *
 * Every query: SST_ERR_ARG for NULL and unknown flags; SST_ERR_CORRUPT when a column it needs is
 * damaged, with row and offset in sst_stream_error; SST_ERR_MEMORY when there is no scratch for
 * a view; SST_ERR_UNSUPPORTED when a column is encoded in a way this version does not know. One
 * thread at a time per handle; a second handle may query while another thread appends. */

/* Rows ever appended. Rows keep their numbers. NULL: 0. Any thread; where rows are dropped, this
 * and sst_first_row take the store's lock. */
SST_DECL uint64_t sst_rows(const sst_stream *stream);

/* How many rows, from the first on, survive power loss: those of the last sst_sync that succeeded,
 * or, opened for reading, those known to have been synced. NULL and memory stores: 0. Any
 * thread. */
SST_DECL uint64_t sst_durable_rows(const sst_stream *stream);

/* The oldest row that is kept, see sst_stream_desc; 0 where none are dropped, and for NULL. Any
 * thread. */
SST_DECL uint64_t sst_first_row(const sst_stream *stream);

#if SST_DECLARE_READ

/* The number of the row at a time: the last at or before it, the first at or after it, the
 * nearest (of two equally near: the earlier), or the one exactly there. Of rows with equal times
 * the last one, but at or after the first. SST_ERR_NOT_FOUND: none, *row is unchanged.
 * SST_ERR_STATE, here and in every query by time: the stream has no times. */
SST_DECL int sst_locate(sst_stream *stream, int64_t time, sst_match match, uint64_t *row);

/* The row in force at a time: the last at or before it, with its own time. SST_ERR_NOT_FOUND:
 * time is before the first row; *out is an empty view. */
SST_DECL int sst_at(sst_stream *stream, int64_t time, sst_view *out);

/* Every row in [start, end], both included. None is SST_OK with count 0. */
SST_DECL int sst_window(sst_stream *stream, int64_t start, int64_t end, sst_view *out);

/* The same with flags. SST_HALF_OPEN: [start, end). SST_CARRY: the row in force at start comes
 * first, and its time is given as start. An empty interval (start > end; half-open: start >= end)
 * has no rows whatever the flags. */
SST_DECL int sst_window_ex(sst_stream *stream, int64_t start, int64_t end, uint32_t flags,
                           sst_view *out);

/* Rows first to first + count - 1, as far as there are. SST_ERR_NOT_FOUND: the first one is kept no
 * longer; *out is an empty view. */
SST_DECL int sst_slice(sst_stream *stream, uint64_t first, uint64_t count, sst_view *out);

/* The values in force at n times, in any order, repeats allowed. rows[n]: their row numbers, -1
 * where there is none. values: [n][shape] of the stream's type, zero where there is none;
 * SST_SAMPLE_LINEAR: double [n][shape], linear between the rows around, the last row's behind it,
 * row the one at or before. SST_SAMPLE_NEAREST: as SST_NEAREST of sst_locate. Either output may
 * be NULL. n 0 is SST_OK. SST_ERR_TYPE: values of a ragged field, linear on SST_BOOL.
 * SST_ERR_UNSUPPORTED: linear with STREAMSTORE_NO_FLOAT. After another failure the outputs are
 * undefined. */
SST_DECL int sst_sample(sst_stream *stream, const int64_t *times, size_t n, sst_sampling how,
                        void *values, int64_t *rows);

/* Values [n][shape] and times [n] of rows by number, in any order; -1: zeros. Reads only the
 * columns that are asked for; either output may be NULL. SST_ERR_ARG: a row beyond the end or
 * below -1, nothing is written. SST_ERR_NOT_FOUND: one that is kept no longer, nothing is written.
 * SST_ERR_TYPE: values of a ragged field. SST_ERR_STATE: times of a stream that has none. */
SST_DECL int sst_gather(sst_stream *stream, const int64_t *rows, size_t n, void *values,
                        int64_t *times);

/* The same of one field of several, counted from 0; the two above take the first. SST_ERR_ARG: no
 * such field. */
SST_DECL int sst_sample_field(sst_stream *stream, uint32_t field, const int64_t *times, size_t n,
                              sst_sampling how, void *values, int64_t *rows);
SST_DECL int sst_gather_field(sst_stream *stream, uint32_t field, const int64_t *rows, size_t n,
                              void *values);

/* sst_locate and sst_window_ex by a timeline: timeline counts from 0. Where several rows have the
 * same time on it, at or after is the first of them, the others the last. With
 * SST_CARRY it is the first time on this timeline that is given as start. SST_ERR_ORDER: the
 * timeline is not sorted (it decreases somewhere). */
SST_DECL int sst_locate_on(sst_stream *stream, uint32_t timeline, int64_t time, sst_match match,
                           uint64_t *row);
SST_DECL int sst_window_on(sst_stream *stream, uint32_t timeline, int64_t start, int64_t end,
                           uint32_t flags, sst_view *out);

/* The state at a time: views[n], the row in force in each of n streams, count 0 where there is none
 * yet. The streams may be of different stores; each handle once (a view is lent by its handle until
 * the handle's next query). SST_ERR_ARG: something is NULL, or a handle is there twice. After
 * another failure, that of sst_at for one of them, the views are undefined. */
SST_DECL int sst_snapshot(sst_stream *const *streams, size_t n, int64_t time, sst_view *views);

/* The same at m times, as row numbers for sst_gather or sst_slice: rows[m][n], -1 where there is no
 * row yet. Results as sst_sample. */
SST_DECL int sst_snapshot_rows(sst_stream *const *streams, size_t n, const int64_t *times,
                               size_t m, int64_t *rows);

/* A cursor over the rows of n streams, of one store or of several, in the order of time; rows of
 * the same time in the order of the array. It begins before the first row that is not before
 * `start`. It reads through handles of its own: those that were given may be used and closed
 * meanwhile, but the stores must stay open until sst_replay_close. One thread at a time.
 * SST_ERR_ARG: something is NULL, or n is 0. SST_ERR_MEMORY; otherwise as sst_replay_seek. */
SST_DECL int sst_replay_open(sst_stream *const *streams, size_t n, int64_t start,
                             sst_replay **out);

/* NULL is fine. */
SST_DECL void sst_replay_close(sst_replay *replay);

/* The row behind the cursor, which steps over it: *stream (may be NULL) is its place in the array;
 * the view has one row and is good until the next call with this replay. SST_ERR_NOT_FOUND: there
 * is none, yet: of a store that is being recorded there may be one later. Rows that were dropped
 * meanwhile are stepped over. SST_ERR_CORRUPT: rows of one stream, whose place is in *stream,
 * cannot be read; the next call goes on behind them. Other failures of reading are as in sst_slice,
 * and the next call tries again. After a failure *row has no rows. */
SST_DECL int sst_replay_next(sst_replay *replay, size_t *stream, sst_view *row);

/* The row before the cursor, which steps back over it: after sst_replay_next the same row again. */
SST_DECL int sst_replay_prev(sst_replay *replay, size_t *stream, sst_view *row);

/* Puts the cursor before the first row that is not before `time`. Results as sst_locate, but
 * SST_ERR_NOT_FOUND; after a failure the cursor is where it was. */
SST_DECL int sst_replay_seek(sst_replay *replay, int64_t time);

#endif /* SST_DECLARE_READ */

/* ============================================================================================
 * >>api-buf  Declarations: growable mapped buffers.
 * ============================================================================================
 *
 * An array of bytes that grows at its end: in the process's own memory, on a file without a name
 * (as large as the disk), on a file that stays, or in memory of the caller's. While it grows within
 * its address range (desc.reserve), buf.data stays where it is; beyond, it moves, and buf.moves
 * counts that. What it stands on is allocated before it is touched, so that a full disk is a result
 * and not a signal. One thread at a time. A forked child shares the memory of TEMP and FILE; only
 * one of the two may let those grow or close them. */

/* Makes a buffer, or opens the file of one: its bytes are those of the file then. buf: zeros; desc
 * NULL: a growing buffer in anonymous memory. To be closed with sst_buf_close.
 * SST_ERR_STATE: it is open. SST_ERR_ARG: an unknown kind, FILE without a path, FIXED without
 * memory, numbers above INT64_MAX / 4. SST_ERR_LOCKED: the file belongs to another buffer or is
 * being recorded to. SST_ERR_FULL, SST_ERR_MEMORY, SST_ERR_IO, SST_ERR_NOT_FOUND (no such folder),
 * SST_ERR_EXISTS (a link to a file that is not there), SST_ERR_LIMIT (TEMP: a path above 4064).
 * SST_ERR_UNSUPPORTED: a file with STREAMSTORE_NO_OS or on a file system that can fail a store into
 * allocated pages (btrfs, zfs, network ones); with STREAMSTORE_NO_MALLOC and _NO_OS all but FIXED.
 * A process that dies leaves a FILE with buf.capacity bytes. */
SST_DECL int sst_buf_open(sst_buf *buf, const sst_buf_desc *desc);

/* Adds bytes at the end; they may be bytes of the buffer itself. When that fails nothing has
 * changed. SST_ERR_FULL: no room on the disk or in the caller's memory. SST_ERR_MEMORY. SST_ERR_IO.
 * SST_ERR_STATE: not open. SST_ERR_ARG: bytes is NULL and size is not 0. */
SST_DECL int sst_buf_append(sst_buf *buf, const void *bytes, size_t size);

/* Makes the buffer so large; bytes that are added are 0. Smaller: memory is kept. Results as
 * sst_buf_append. */
SST_DECL int sst_buf_resize(sst_buf *buf, uint64_t size);

/* Makes the buffer empty and keeps its memory. */
SST_DECL void sst_buf_reset(sst_buf *buf);

/* Gives everything back; a FILE is left with buf.size bytes. *buf is zeros afterwards, whatever the
 * result. NULL, or one that is not open, is fine. SST_ERR_IO: the file could not be cut to size. */
SST_DECL int sst_buf_close(sst_buf *buf);

#ifdef __cplusplus
}
#endif

#endif /* STREAMSTORE_H */

#if defined(STREAMSTORE_IMPLEMENTATION) && !defined(STREAMSTORE_IMPLEMENTED)
#define STREAMSTORE_IMPLEMENTED

/* ============================================================================================
 * >>base  Checked arithmetic, little-endian access, atomics, memory, errors.
 * ============================================================================================ */

#include <string.h>

/* The switches as 0 or 1. */
#if defined(STREAMSTORE_NO_OS)
#define SSTI_HAS_OS 0
#else
#define SSTI_HAS_OS 1
#endif
#if defined(STREAMSTORE_NO_MALLOC)
#define SSTI_HAS_MALLOC 0
#else
#define SSTI_HAS_MALLOC 1
#endif
#if defined(STREAMSTORE_NO_READ)
#define SSTI_HAS_READ 0
#else
#define SSTI_HAS_READ 1
#endif
#if defined(STREAMSTORE_NO_FLOAT)
#define SSTI_HAS_FLOAT 0
#else
#define SSTI_HAS_FLOAT 1
#endif
#if defined(STREAMSTORE_NO_TEXT)
#define SSTI_TEXT(text) ""
#else
#define SSTI_TEXT(text) text
#endif
#if defined(STREAMSTORE_NO_THREADS) || defined(STREAMSTORE_NO_OS) || defined(__TINYC__) || \
    !defined(__GNUC__)
#define SSTI_HAS_THREADS 0          /* the last two: no __atomic builtins */
#else
#define SSTI_HAS_THREADS 1
#endif

#if SSTI_HAS_MALLOC
#include <stdlib.h>
#endif

/* For the few functions that every append goes through. */
#if defined(__GNUC__) && SSTI_HAS_OS
#define ssti_prefetch(p) __builtin_prefetch(p)
#define ssti_prefetch_write(p) __builtin_prefetch(p, 1)
#define SSTI_INLINE static inline __attribute__((always_inline))
#else
#define SSTI_INLINE static
#define ssti_prefetch(p) ((void)(p))
#define ssti_prefetch_write(p) ((void)(p))
#endif

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SSTI_BIG_ENDIAN 1
#endif
#endif
#ifndef SSTI_BIG_ENDIAN
#define SSTI_BIG_ENDIAN 0
#endif

#ifndef SSTI_HAS_INT128
#if defined(__SIZEOF_INT128__)
#define SSTI_HAS_INT128 1
#else
#define SSTI_HAS_INT128 0
#endif
#endif
#if SSTI_HAS_INT128
__extension__ typedef unsigned __int128 ssti_uint128;
#endif

/* ThreadSanitizer does not follow fences; there, single accesses carry the order instead. */
#ifndef SSTI_TSAN
#if defined(__SANITIZE_THREAD__)
#define SSTI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SSTI_TSAN 1
#endif
#endif
#endif
#ifndef SSTI_TSAN
#define SSTI_TSAN 0
#endif

/* Sizes that are not format, to be shrunk by tests. */
#ifndef SSTI_INDEX_BLOCKS
#define SSTI_INDEX_BLOCKS 4096u     /* blocks between two INDEX records */
#endif
#ifndef SSTI_TABLE_ROWS
#define SSTI_TABLE_ROWS 32u         /* in a bucket of a time table, at least, when times are even */
#endif
#define SSTI_TABLE_MIN_ROWS (512 * SSTI_TABLE_ROWS)
#ifndef SSTI_TABLE_MIN_BLOCKS
#define SSTI_TABLE_MIN_BLOCKS 8u    /* fewer, and fewer rows, are searched by bisection */
#endif
#ifndef SSTI_TAIL_FIRST_BYTES
#define SSTI_TAIL_FIRST_BYTES 16384u    /* a stream's first half of a tail */
#endif

#define SSTI_BLOCK_BYTES 262144u
#define SSTI_BLOCK_BYTES_MIN 512u
#define SSTI_BLOCK_BYTES_MAX 0x40000000u

/* Evaluates to the caller's return when the expression is not SST_OK. */
#define SSTI_TRY(expression) \
    do { int ssti_try = (expression); if (ssti_try != SST_OK) return ssti_try; } while (0)

/* ---- branches that no test can take ---- */

#ifndef STREAMSTORE_COVERAGE
#define STREAMSTORE_COVERAGE 0          /* 1: they do not count as branches */
#endif
#ifndef SSTI_IMPOSSIBLE
#define SSTI_IMPOSSIBLE() ((void)0)     /* the tests stop here */
#endif

/* What cannot be, by what is said beside it, and is looked at all the same. SSTI_RACE: what is only
 * while another thread or process is between two steps. SSTI_HUGE: what takes more memory or time
 * than a test has. The operands have no effect. */
#if STREAMSTORE_COVERAGE
#define SSTI_NEVER(condition) 0
#define SSTI_RACE(condition) 0
#define SSTI_HUGE(condition) 0
#else
#define SSTI_NEVER(condition) ((condition) ? (SSTI_IMPOSSIBLE(), true) : false)
#define SSTI_RACE(condition) (condition)
#define SSTI_HUGE(condition) (condition)
#endif
/* What can be where size_t has 32 bits. */
#if SIZE_MAX > 0xFFFFFFFFu
#define SSTI_NEVER_64(condition) SSTI_NEVER(condition)
#else
#define SSTI_NEVER_64(condition) (condition)
#endif

/* ---- atomics: single words, acquire and release, and copies that may race ---- */

#if SSTI_HAS_THREADS
#define ssti_atomic_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ssti_atomic_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ssti_atomic_swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define ssti_atomic_or(p, v) ((void)__atomic_fetch_or((p), (v), __ATOMIC_RELAXED))
#define ssti_atomic_claim(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
/* In one order that all threads see: who says something and then looks what another one has said
 * sees it, or is seen. */
#define ssti_atomic_say(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define ssti_atomic_hear(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#if SSTI_TSAN
#define ssti_fence_acquire() ((void)0)
#define ssti_fence_release() ((void)0)
#define ssti_word_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ssti_word_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#else
#define ssti_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define ssti_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define ssti_word_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define ssti_word_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#endif
#else
#define ssti_atomic_load(p) (*(p))
#define ssti_atomic_store(p, v) ((void)(*(p) = (v)))
#define ssti_atomic_or(p, v) ((void)(*(p) |= (v)))
#define ssti_atomic_say(p, v) ((void)(*(p) = (v)))
#define ssti_atomic_hear(p) (*(p))
#define ssti_fence_acquire() ((void)0)
#define ssti_fence_release() ((void)0)
#define ssti_word_load(p) (*(p))
#define ssti_word_store(p, v) ((void)(*(p) = (v)))
#endif

#if SSTI_HAS_THREADS
typedef uintptr_t __attribute__((may_alias)) ssti_word;
typedef uint32_t __attribute__((may_alias)) ssti_word32;

/* Copies into memory that readers may be looking at, in words where those are aligned. */
SSTI_INLINE void ssti_copy_in(void *to, const void *from, size_t size) {
    uint8_t *d = (uint8_t *)to;
    const uint8_t *s = (const uint8_t *)from;
    for (; size != 0 && ((uintptr_t)d & 3) != 0; size--) ssti_word_store(d++, *s++);
    while (size >= 4) {
        bool wide = ((uintptr_t)d & (sizeof(ssti_word) - 1)) == 0 && size >= sizeof(ssti_word);
        for (; wide && size >= sizeof(ssti_word); size -= sizeof(ssti_word)) {
            uintptr_t w;
            memcpy(&w, s, sizeof w);
            ssti_word_store((ssti_word *)(void *)d, w);
            d += sizeof w;
            s += sizeof w;
        }
        if (size >= 4) {
            uint32_t w;
            memcpy(&w, s, 4);
            ssti_word_store((ssti_word32 *)(void *)d, w);
            d += 4;
            s += 4;
            size -= 4;
        }
    }
    for (; size != 0; size--) ssti_word_store(d++, *s++);
}

/* Eight bytes to a multiple of eight. */
SSTI_INLINE void ssti_copy_in8(void *to, const void *from) {
    if (sizeof(ssti_word) == 8) {
        uintptr_t w;
        memcpy(&w, from, sizeof w);
        ssti_word_store((ssti_word *)to, w);
    } else {
        ssti_copy_in(to, from, 8);
    }
}

/* One value of a column, which is aligned as its elements are. */
SSTI_INLINE void ssti_copy_value(void *to, const void *from, size_t size) {
    if (size == 8) {
        ssti_copy_in8(to, from);
    } else if (size == 4) {
        uint32_t w;
        memcpy(&w, from, 4);
        ssti_word_store((ssti_word32 *)to, w);
    } else {
        ssti_copy_in(to, from, size);
    }
}

/* Copies out of memory that a writer may be changing; the caller checks afterwards. */
static void ssti_copy_out(void *to, const void *from, size_t size) {
    uint8_t *d = (uint8_t *)to;
    const uint8_t *s = (const uint8_t *)from;
    if ((((uintptr_t)s | size) & (sizeof(ssti_word) - 1)) == 0) {
        for (; size != 0; size -= sizeof(ssti_word)) {
            uintptr_t w = ssti_word_load((const ssti_word *)(const void *)s);
            memcpy(d, &w, sizeof w);
            d += sizeof w;
            s += sizeof w;
        }
    } else if ((((uintptr_t)s | size) & 3) == 0) {
        for (; size != 0; size -= 4) {
            uint32_t w = ssti_word_load((const ssti_word32 *)(const void *)s);
            memcpy(d, &w, 4);
            d += 4;
            s += 4;
        }
    } else {
        for (; size != 0; size--) *d++ = ssti_word_load(s++);
    }
}
#else
static void ssti_copy_in(void *to, const void *from, size_t size) { memcpy(to, from, size); }
static void ssti_copy_in8(void *to, const void *from) { memcpy(to, from, 8); }
static void ssti_copy_value(void *to, const void *from, size_t size) { memcpy(to, from, size); }
static void ssti_copy_out(void *to, const void *from, size_t size) { memcpy(to, from, size); }
#endif

/* ---- bytes ---- */

#if SSTI_BIG_ENDIAN
static uint16_t ssti_swap16(uint16_t v) { return (uint16_t)((v >> 8) | (v << 8)); }
static uint32_t ssti_swap32(uint32_t v) {
    return ((uint32_t)ssti_swap16((uint16_t)v) << 16) | ssti_swap16((uint16_t)(v >> 16));
}
static uint64_t ssti_swap64(uint64_t v) {
    return ((uint64_t)ssti_swap32((uint32_t)v) << 32) | ssti_swap32((uint32_t)(v >> 32));
}
#else
#define ssti_swap16(v) (v)
#define ssti_swap32(v) (v)
#define ssti_swap64(v) (v)
#endif

#if SSTI_HAS_READ || SSTI_HAS_OS
static uint32_t ssti_get32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return ssti_swap32(v);
}
#endif

#if SSTI_HAS_READ
static uint16_t ssti_get16(const void *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return ssti_swap16(v);
}
#endif

static uint64_t ssti_get64(const void *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ssti_swap64(v);
}

static void ssti_put16(void *p, uint16_t v) {
    v = ssti_swap16(v);
    memcpy(p, &v, sizeof v);
}

static void ssti_put32(void *p, uint32_t v) {
    v = ssti_swap32(v);
    memcpy(p, &v, sizeof v);
}

static void ssti_put64(void *p, uint64_t v) {
    v = ssti_swap64(v);
    memcpy(p, &v, sizeof v);
}

/* Two's complement without relying on the conversion being defined. */
static int64_t ssti_signed(uint64_t v) {
    int64_t s;
    memcpy(&s, &v, sizeof s);
    return s;
}

static int64_t ssti_get_time(const void *p) { return ssti_signed(ssti_get64(p)); }

#if SSTI_BIG_ENDIAN
static void ssti_swap_elements(uint8_t *p, size_t bytes, uint32_t element) {
    size_t i;
    for (i = 0; i + element <= bytes; i += element) {
        uint32_t j;
        for (j = 0; j < element / 2; j++) {
            uint8_t b = p[i + j];
            p[i + j] = p[i + element - 1 - j];
            p[i + element - 1 - j] = b;
        }
    }
}
#else
#define ssti_swap_elements(p, bytes, element) ((void)(p), (void)(bytes), (void)(element))
#endif

static uint64_t ssti_round_up(uint64_t v, uint64_t power_of_two) {
    return (v + power_of_two - 1) & ~(power_of_two - 1);
}

/* Valid UTF-8 without NUL: no overlong forms, no surrogates, at most U+10FFFF (RFC 3629). */
static bool ssti_utf8(const uint8_t *s, size_t size) {
    size_t i = 0;
    while (i < size) {
        uint8_t c = s[i];
        size_t more = c < 0x80 ? 0u : c < 0xE0 ? 1u : c < 0xF0 ? 2u : 3u;
        uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (c == 0 || (c >= 0x80 && c < 0xC2) || c > 0xF4 || more > size - i - 1) return false;
        if (more > 0 && (s[i + 1] < low || s[i + 1] > high)) return false;
        if (more > 1 && (s[i + 2] & 0xC0) != 0x80) return false;
        if (more > 2 && (s[i + 3] & 0xC0) != 0x80) return false;
        i += more + 1;
    }
    return true;
}

/* A reading position in bytes that nobody vouches for. */
typedef struct ssti_cursor {
    const uint8_t *at;
    uint64_t left;
} ssti_cursor;

#if SSTI_HAS_READ
/* The next `size` bytes, or NULL when there are not so many. */
static const uint8_t *ssti_take(ssti_cursor *c, uint64_t size) {
    const uint8_t *p = c->at;
    if (size > c->left) return NULL;
    c->at += (size_t)size;
    c->left -= size;
    return p;
}
#endif

/* ---- numbers from a seed: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, 2014) ---- */

static uint64_t ssti_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* ---- memory ---- */

#if SSTI_HAS_MALLOC
static void *ssti_malloc_resize(void *user, void *old, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}
#endif

static void *ssti_alloc(const sst_allocator *a, size_t size) {
    return a->resize(a->user, NULL, 0, size);
}

static void *ssti_alloc_zero(const sst_allocator *a, size_t size) {
    void *p = ssti_alloc(a, size);
    if (p != NULL) memset(p, 0, size);
    return p;
}

static void ssti_free(const sst_allocator *a, void *p, size_t size) {
    if (p != NULL) (void)a->resize(a->user, p, size, 0);
}

/* Makes room for `count` items in an array that doubles. *items and *capacity are unchanged when
 * there is no memory. */
static int ssti_grow(const sst_allocator *a, void **items, uint32_t *capacity, uint32_t count,
                     size_t item) {
    uint32_t room = *capacity;
    void *p;
    if (count <= room) return SST_OK;
    if (count > UINT32_MAX / 2) return SST_ERR_LIMIT;
    room = room < 4 ? 4 : room * 2;
    if (room < count) room = count;
    if (room > SIZE_MAX / 2 / item) return SST_ERR_MEMORY;
    p = a->resize(a->user, *items, *capacity * item, room * item);
    if (p == NULL) return SST_ERR_MEMORY;
    *items = p;
    *capacity = room;
    return SST_OK;
}

#define SSTI_ARENA_ROUND(size) (((size) + 15u) & ~(size_t)15u)

static void *ssti_arena_resize(void *user, void *old, size_t old_size, size_t new_size) {
    sst_arena *arena = (sst_arena *)user;
    uint8_t *base = (uint8_t *)arena->memory;
    size_t lead = (size_t)(0u - (uintptr_t)base) & 15u;     /* to a multiple of 16 */
    size_t top = arena->used < lead ? lead : arena->used;
    size_t at = old == NULL ? top : (size_t)((uint8_t *)old - base);
    size_t end = at + SSTI_ARENA_ROUND(old_size);
    bool newest = old == NULL || (end < arena->size ? end : arena->size) == top;
    if (!newest) {
        if (new_size <= old_size) return new_size == 0 ? NULL : old;
        at = top;
    }
    if (base == NULL || at > arena->size || new_size > arena->size - at) return NULL;
    top = at + SSTI_ARENA_ROUND(new_size);
    arena->used = top > arena->size ? arena->size : top;
    if (arena->used > arena->peak) arena->peak = arena->used;
    if (!newest) memcpy(base + at, old, old_size);
    return new_size == 0 ? NULL : base + at;
}

SST_API sst_allocator sst_arena_allocator(sst_arena *arena) {
    sst_allocator a;
    a.user = arena;
    a.resize = ssti_arena_resize;
    return a;
}

/* ---- errors ---- */

static int ssti_fail_at(sst_error *e, int result, const char *what, uint64_t offset,
                        uint64_t row) {
    e->result = result;
    e->os_error = 0;
    e->offset = offset;
    e->row = row;
    e->what = what;
    return result;
}

static int ssti_fail(sst_error *e, int result, const char *what) {
    return ssti_fail_at(e, result, what, 0, 0);
}

static void ssti_error_copy(sst_error *out, const sst_error *e) {
    *out = *e;
    if (out->what == NULL) out->what = "";
}

typedef struct ssti_result_words {
    const char *name, *text;
} ssti_result_words;

/* Both texts of a result; there is one entry per code, in their order. */
static ssti_result_words ssti_words(int result) {
    static const ssti_result_words words[] = {
        {SSTI_TEXT("SST_OK"), SSTI_TEXT("no error")},
        {SSTI_TEXT("SST_ERR_ARG"), SSTI_TEXT("an argument is not allowed")},
        {SSTI_TEXT("SST_ERR_MEMORY"), SSTI_TEXT("out of memory")},
        {SSTI_TEXT("SST_ERR_IO"), SSTI_TEXT("reading or writing failed")},
        {SSTI_TEXT("SST_ERR_FULL"), SSTI_TEXT("no room on the disk")},
        {SSTI_TEXT("SST_ERR_EXISTS"), SSTI_TEXT("it exists already")},
        {SSTI_TEXT("SST_ERR_NOT_FOUND"), SSTI_TEXT("there is none")},
        {SSTI_TEXT("SST_ERR_ORDER"), SSTI_TEXT("time is not increasing")},
        {SSTI_TEXT("SST_ERR_TYPE"), SSTI_TEXT("another element type")},
        {SSTI_TEXT("SST_ERR_SHAPE"), SSTI_TEXT("another shape")},
        {SSTI_TEXT("SST_ERR_FINISHED"), SSTI_TEXT("the stream is finished")},
        {SSTI_TEXT("SST_ERR_READ_ONLY"), SSTI_TEXT("the store is open for reading only")},
        {SSTI_TEXT("SST_ERR_LOCKED"), SSTI_TEXT("another process has it locked")},
        {SSTI_TEXT("SST_ERR_FORMAT"), SSTI_TEXT("this is not a store")},
        {SSTI_TEXT("SST_ERR_CORRUPT"), SSTI_TEXT("stored bytes are damaged")},
        {SSTI_TEXT("SST_ERR_LIMIT"), SSTI_TEXT("a limit is exceeded")},
        {SSTI_TEXT("SST_ERR_UNSUPPORTED"), SSTI_TEXT("not supported here")},
        {SSTI_TEXT("SST_ERR_TIMEOUT"), SSTI_TEXT("not within the time given")},
        {SSTI_TEXT("SST_ERR_STATE"), SSTI_TEXT("not possible in this state")},
        {SSTI_TEXT("SST_ERR_BUSY"), SSTI_TEXT("the tail is full until it is polled")},
        {SSTI_TEXT("SST_ERR_UNKNOWN"), SSTI_TEXT("an unknown result")}
    };
    unsigned count = (unsigned)(sizeof words / sizeof words[0]);
    unsigned i = result <= 0 && result > -(int)count ? (unsigned)-result : count - 1;
    return words[i];
}

SST_API const char *sst_result_name(int result) { return ssti_words(result).name; }

SST_API const char *sst_result_text(int result) { return ssti_words(result).text; }

/* ============================================================================================
 * >>os-posix  Linux, the BSDs, macOS: sst_io_default() and a few sstp_ functions.
 * ============================================================================================ */

#if SSTI_HAS_OS

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <sys/vfs.h>
#else
#include <sys/file.h>
#endif

/* Under strict -std=c99 a system header that came first has hidden pread and its kin for good. */
#if defined(__GLIBC__) && !defined(__USE_XOPEN2K8)
#error "streamstore.h: include it before system headers, or compile with -std=gnu99"
#endif

#if SSTI_HAS_THREADS
static void sstp_yield(void) { (void)sched_yield(); }
#endif

/* A word that is 1 in this process and 0 in one forked from it: its page is wiped on fork
 * (madvise(2), MADV_WIPEONFORK, Linux 4.14). NULL: the host cannot. */
static uint32_t *sstp_guard_make(void) {
#if defined(__linux__)
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    if (madvise(page, 4096, 18) != 0) {
        (void)munmap(page, 4096);
        return NULL;
    }
    *(uint32_t *)page = 1;
    return (uint32_t *)page;
#else
    return NULL;
#endif
}

static void sstp_guard_free(uint32_t *guard) {
    if (guard != NULL) (void)munmap((void *)guard, 4096);
}

/* An open file. The number is all there is; it is kept in the pointer itself, plus one. */
static void *ssti_fd_pack(int fd) { return (void *)((intptr_t)fd + 1); }
static int ssti_fd(void *file) { return (int)((intptr_t)file - 1); }

static int ssti_errno_result(void) {
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return SST_ERR_FULL;
    case EEXIST: return SST_ERR_EXISTS;
    case ENOENT: return SST_ERR_NOT_FOUND;
    case ENOMEM: return SST_ERR_MEMORY;
    default: return SST_ERR_IO;
    }
}

/* Offsets that off_t cannot say (32-bit off_t when system headers came first). */
static bool ssti_offset_fits(uint64_t offset) {
    off_t o = (off_t)offset;
    return o >= 0 && !SSTI_NEVER_64((uint64_t)o != offset);
}

static int ssti_posix_open(void *user, const char *path, uint32_t mode, void **file) {
    int flags = (mode & SST_IO_WRITE) != 0 ? O_RDWR : O_RDONLY;
    int fd;
    (void)user;
    *file = NULL;
    if ((mode & SST_IO_CREATE) != 0) flags |= O_CREAT;
    if ((mode & SST_IO_EXCLUSIVE) != 0) flags |= O_EXCL;
    do {
        fd = open(path, flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return ssti_errno_result();
    *file = ssti_fd_pack(fd);
    return SST_OK;
}

static int ssti_posix_close(void *user, void *file) {
    (void)user;
    /* After EINTR the descriptor is gone on Linux and unspecified elsewhere: never again. */
    if (close(ssti_fd(file)) != 0 && errno != EINTR) return ssti_errno_result();
    return SST_OK;
}

static int ssti_posix_write_at(void *user, void *file, uint64_t offset, const void *bytes,
                               size_t size, size_t *done) {
    ssize_t n;
    (void)user;
    *done = 0;
    if (!ssti_offset_fits(offset)) return SST_ERR_FULL;
    do {
        n = pwrite(ssti_fd(file), bytes, size > 0x40000000u ? 0x40000000u : size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return ssti_errno_result();
    *done = (size_t)n;
    return SST_OK;
}

static int ssti_posix_read_at(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                              size_t *done) {
    ssize_t n;
    (void)user;
    *done = 0;
    if (!ssti_offset_fits(offset)) return SST_OK;
    do {
        n = pread(ssti_fd(file), bytes, size > 0x40000000u ? 0x40000000u : size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return ssti_errno_result();
    *done = (size_t)n;
    return SST_OK;
}

static int ssti_posix_size(void *user, void *file, uint64_t *size) {
    struct stat st;
    (void)user;
    *size = 0;
    if (fstat(ssti_fd(file), &st) != 0) return ssti_errno_result();
    *size = (uint64_t)st.st_size;
    return SST_OK;
}

static int ssti_posix_resize(void *user, void *file, uint64_t size) {
    int r;
    (void)user;
    if (!ssti_offset_fits(size)) return SST_ERR_FULL;
    do {
        r = ftruncate(ssti_fd(file), (off_t)size);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? SST_OK : ssti_errno_result();
}

static int ssti_posix_sync(void *user, void *file) {
    int r;
    (void)user;
    do {
#if defined(__linux__)
        r = fdatasync(ssti_fd(file));
#elif defined(F_FULLFSYNC)
        r = fcntl(ssti_fd(file), F_FULLFSYNC);
        if (r != 0 && errno != EINTR) r = fsync(ssti_fd(file));
#else
        r = fsync(ssti_fd(file));
#endif
    } while (r != 0 && errno == EINTR);
    return r == 0 ? SST_OK : ssti_errno_result();
}

static int ssti_posix_reserve(void *user, void *file, uint64_t size) {
    (void)user;
    if (!ssti_offset_fits(size)) return SST_ERR_FULL;
    if (size == 0) return SST_OK;
#if defined(__linux__) && defined(SYS_fallocate)
    {
        long r;
        do {    /* 1: FALLOC_FL_KEEP_SIZE; 32-bit kernels take 64-bit numbers as two words */
#if UINTPTR_MAX > 0xFFFFFFFFu
            r = syscall(SYS_fallocate, ssti_fd(file), 1, (off_t)0, (off_t)size);
#else
            r = syscall(SYS_fallocate, ssti_fd(file), 1, 0L, 0L, (unsigned long)size,
                        (unsigned long)(size >> 32));
#endif
        } while (r != 0 && errno == EINTR);
        if (r == 0) return SST_OK;
        return errno == EOPNOTSUPP || errno == ENOSYS ? SST_ERR_UNSUPPORTED : ssti_errno_result();
    }
#else
    return SST_ERR_UNSUPPORTED;
#endif
}

/* File systems that copy on write, or lie across a network, can fail a store into a page that was
 * allocated, which no program survives. Numbers: linux/magic.h and the file systems' sources. */
static bool ssti_posix_mapping_safe(int fd) {
#if defined(__linux__)
    static const uint32_t unsafe[] = {
        0x9123683Eu /* btrfs */, 0x2FC12FC1u /* zfs */, 0xCA451A4Eu /* bcachefs */,
        0x6969u /* nfs */, 0xFF534D42u /* cifs */, 0xFE534D42u /* smb2 */, 0x517Bu /* smb */,
        0x65735546u /* fuse */, 0x01021997u /* 9p */, 0x00C36400u /* ceph */,
        0x5346414Fu /* afs */, 0x0BD00BD0u /* lustre */, 0x47504653u /* gpfs */
    };
    struct statfs fs;
    size_t i;
    if (fstatfs(fd, &fs) != 0) return false;
    for (i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        if ((uint32_t)fs.f_type == unsafe[i]) return false;
    }
    return true;
#else
    (void)fd;
    return true;
#endif
}

static int ssti_posix_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                          void **base) {
    int protection = (mode & SST_IO_WRITE) != 0 ? PROT_READ | PROT_WRITE : PROT_READ;
    void *p;
    (void)user;
    *base = NULL;
    if (!ssti_offset_fits(offset) || size == 0) return SST_ERR_ARG;
    if ((mode & SST_IO_WRITE) != 0 && !ssti_posix_mapping_safe(ssti_fd(file))) {
        return SST_ERR_UNSUPPORTED;
    }
    p = mmap(NULL, size, protection, MAP_SHARED, ssti_fd(file), (off_t)offset);
    if (p == MAP_FAILED) return ssti_errno_result();
    *base = p;
    return SST_OK;
}

static int ssti_posix_unmap(void *user, void *file, void *base, size_t size) {
    (void)user;
    (void)file;
    return munmap(base, size) == 0 ? SST_OK : ssti_errno_result();
}

/* A range of addresses. file NULL: without memory. Otherwise what the file has there, now and when
 * it has grown; what is beyond its end must not be touched. */
static int sstp_range_make(size_t bytes, void *file, void **range) {
    int protection = PROT_NONE, flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1;
    void *p;
    *range = NULL;
#if defined(MAP_NORESERVE)
    flags |= MAP_NORESERVE;
#endif
    if (file != NULL) {
        if (!ssti_posix_mapping_safe(ssti_fd(file))) return SST_ERR_UNSUPPORTED;
        protection = PROT_READ | PROT_WRITE;
        flags = MAP_SHARED;
        fd = ssti_fd(file);
    }
    p = mmap(NULL, bytes, protection, flags, fd, 0);
    if (p == MAP_FAILED) return file == NULL ? SST_ERR_MEMORY : ssti_errno_result();
    *range = p;
    return SST_OK;
}

static void sstp_range_free(void *range, size_t bytes) { (void)munmap(range, bytes); }

/* Puts memory of the process behind a part of a range, in huge pages where there are any. */
static int sstp_range_back(void *at, size_t bytes) {
    if (mprotect(at, bytes, PROT_READ | PROT_WRITE) != 0) return ssti_errno_result();
#if defined(__linux__)
    if (bytes >= 0x200000u) (void)madvise(at, bytes, 14);      /* MADV_HUGEPAGE */
#endif
    return SST_OK;
}

/* A file without a name in a folder. */
static int sstp_temp_open(const char *folder, void **file) {
    const sst_io *io = sst_io_default();
    char path[4096];
    uint64_t number;
    size_t size, i;
    int result;
    if (folder == NULL || folder[0] == 0) folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == 0) folder = "/tmp";
    size = strlen(folder);
    if (size > sizeof path - 32) return SST_ERR_LIMIT;
    memcpy(path, folder, size);
    memcpy(path + size, "/sst-buf-", 9);
    path[size + 25] = 0;
    do {
        SSTI_TRY(io->entropy(io->user, &number, sizeof number));
        for (i = 0; i < 16; i++, number >>= 4) {
            path[size + 9 + i] = "0123456789abcdef"[number & 15u];
        }
        result = io->open(io->user, path, SST_IO_WRITE | SST_IO_CREATE | SST_IO_EXCLUSIVE, file);
    } while (SSTI_RACE(result == SST_ERR_EXISTS));
    if (result == SST_OK) (void)unlink(path);
    return result;
}

/* Open-file-description locks on Linux: unlike POSIX record locks they do not vanish when
 * another descriptor of the same file is closed, and they hold between threads (fcntl(2)). */
static int ssti_posix_lock(void *user, void *file, int how) {
    (void)user;
#if defined(__linux__)
    struct flock l;
    int r;
    memset(&l, 0, sizeof l);
    l.l_type = F_WRLCK;
    l.l_whence = SEEK_SET;
    do {    /* 36 and 37: F_OFD_GETLK and F_OFD_SETLK */
        r = fcntl(ssti_fd(file), how == SST_IO_LOCK_QUERY ? 36 : 37, &l);
    } while (r != 0 && errno == EINTR);
    if (r != 0) return errno == EAGAIN || errno == EACCES ? SST_ERR_LOCKED : ssti_errno_result();
    return how == SST_IO_LOCK_QUERY && l.l_type != F_UNLCK ? SST_ERR_LOCKED : SST_OK;
#else
    int r;
    do {
        r = flock(ssti_fd(file), LOCK_EX | LOCK_NB);
    } while (r != 0 && errno == EINTR);
    if (r != 0) return errno == EWOULDBLOCK ? SST_ERR_LOCKED : ssti_errno_result();
    if (how == SST_IO_LOCK_QUERY) (void)flock(ssti_fd(file), LOCK_UN);
    return SST_OK;
#endif
}

static int ssti_posix_remove(void *user, const char *path) {
    (void)user;
    return unlink(path) == 0 ? SST_OK : ssti_errno_result();
}

static int ssti_posix_rename(void *user, const char *from, const char *to) {
    (void)user;
    return rename(from, to) == 0 ? SST_OK : ssti_errno_result();
}

/* Opens the directory that holds path: up to its last slash, or the current one. */
static int ssti_posix_sync_dir(void *user, const char *path) {
    char directory[4096];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    int fd, r;
    (void)user;
    if (size >= sizeof directory - 1) return SST_ERR_LIMIT;
    if (size != 0) memcpy(directory, path, size);
    else directory[size++] = '.';
    directory[size] = 0;
    do {
        fd = open(directory, O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return ssti_errno_result();
    do {
        r = fsync(fd);
    } while (r != 0 && errno == EINTR);
    r = r == 0 || errno == EINVAL ? SST_OK : ssti_errno_result();   /* EINVAL: not offered */
    (void)close(fd);
    return r;
}

static int64_t ssti_posix_now_ns(void *user, int clock) {
    struct timespec ts;
    (void)user;
    if (clock_gettime(clock == SST_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int ssti_posix_entropy(void *user, void *bytes, size_t size) {
    uint8_t *to = (uint8_t *)bytes;
    int fd;
    (void)user;
    do {
        fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return ssti_errno_result();
    while (size != 0) {
        ssize_t n = read(fd, to, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        to += n;
        size -= (size_t)n;
    }
    (void)close(fd);
    return size == 0 ? SST_OK : SST_ERR_IO;
}

SST_API const sst_io *sst_io_default(void) {
    static const sst_io io = {
        NULL,               ssti_posix_open,    ssti_posix_close,  ssti_posix_write_at,
        ssti_posix_read_at, ssti_posix_size,    ssti_posix_resize, ssti_posix_sync,
        ssti_posix_reserve, ssti_posix_map,     ssti_posix_unmap,  ssti_posix_lock,
        ssti_posix_remove,  ssti_posix_rename,  ssti_posix_sync_dir,
        ssti_posix_now_ns,  ssti_posix_entropy
    };
    return &io;
}

#endif /* SSTI_HAS_OS */

/* ============================================================================================
 * >>os-none  No operating system.
 * ============================================================================================ */

#if !SSTI_HAS_OS

SST_API const sst_io *sst_io_default(void) { return NULL; }

static uint32_t *sstp_guard_make(void) { return NULL; }

static void sstp_guard_free(uint32_t *guard) { (void)guard; }

#endif

/* A lock is a word: held for the time of sealing a block or making a stream. */
#if SSTI_HAS_THREADS
static void ssti_lock(uint32_t *lock) {
    unsigned tries = 0;
    while (ssti_atomic_swap(lock, 1u) != 0) {
        while (ssti_atomic_load(lock) != 0) {
            if (++tries > 64) sstp_yield();
        }
    }
}

static void ssti_unlock(uint32_t *lock) { ssti_atomic_store(lock, 0u); }
#else
#define ssti_lock(lock) ((void)(lock))
#define ssti_unlock(lock) ((void)(lock))
#endif

/* ============================================================================================
 * >>hash  CRC-32C.
 * ============================================================================================
 *
 * Castagnoli, Braeuer, Herrmann: Optimization of cyclic redundancy-check codes with 24 and 32
 * parity bits, 1993. Tables: slicing by 8 (Kounavis, Berry: A systematic approach to building
 * high performance software-based CRC generators, 2005). With the processor's instruction three
 * chunks are taken side by side, since its latency is three times its throughput, and joined
 * by multiplying with x^(8n) in GF(2)[x] (Gopal et al.: Fast CRC computation for iSCSI polynomial
 * using CRC32 instruction, Intel 2011). */

#define SSTI_CRC_POLY 0x82F63B78u       /* reflected */
#define SSTI_CRC_CHUNK 2048u            /* bytes of one of three chunks */
#define SSTI_CRC_SHIFT_1 0x0D65762Au    /* x^(8 * 2048) mod the polynomial, reflected */
#define SSTI_CRC_SHIFT_2 0x35D73A62u    /* x^(8 * 4096) */

#if SSTI_HAS_OS && defined(__GNUC__) && !defined(__TINYC__) && defined(__x86_64__)
#define SSTI_CRC_X86 1
#else
#define SSTI_CRC_X86 0
#endif
#if SSTI_HAS_OS && defined(__GNUC__) && !defined(__TINYC__) && defined(__aarch64__) && \
    (defined(__linux__) || defined(__APPLE__)) && !SSTI_BIG_ENDIAN
#define SSTI_CRC_ARM 1
#else
#define SSTI_CRC_ARM 0
#endif
#define SSTI_CRC_SLICES (SSTI_HAS_OS ? 8 : 1)   /* firmware: 1 KiB of tables instead of 8 */

/* table[k][b]: the checksum of byte b followed by k zero bytes. First, since C++ does not allow
 * an array to be declared before it is defined here. */
static const uint32_t ssti_crc_table[SSTI_CRC_SLICES][256] = {
    {
        0x00000000, 0xF26B8303, 0xE13B70F7, 0x1350F3F4, 0xC79A971F, 0x35F1141C, 0x26A1E7E8,
        0xD4CA64EB, 0x8AD958CF, 0x78B2DBCC, 0x6BE22838, 0x9989AB3B, 0x4D43CFD0, 0xBF284CD3,
        0xAC78BF27, 0x5E133C24, 0x105EC76F, 0xE235446C, 0xF165B798, 0x030E349B, 0xD7C45070,
        0x25AFD373, 0x36FF2087, 0xC494A384, 0x9A879FA0, 0x68EC1CA3, 0x7BBCEF57, 0x89D76C54,
        0x5D1D08BF, 0xAF768BBC, 0xBC267848, 0x4E4DFB4B, 0x20BD8EDE, 0xD2D60DDD, 0xC186FE29,
        0x33ED7D2A, 0xE72719C1, 0x154C9AC2, 0x061C6936, 0xF477EA35, 0xAA64D611, 0x580F5512,
        0x4B5FA6E6, 0xB93425E5, 0x6DFE410E, 0x9F95C20D, 0x8CC531F9, 0x7EAEB2FA, 0x30E349B1,
        0xC288CAB2, 0xD1D83946, 0x23B3BA45, 0xF779DEAE, 0x05125DAD, 0x1642AE59, 0xE4292D5A,
        0xBA3A117E, 0x4851927D, 0x5B016189, 0xA96AE28A, 0x7DA08661, 0x8FCB0562, 0x9C9BF696,
        0x6EF07595, 0x417B1DBC, 0xB3109EBF, 0xA0406D4B, 0x522BEE48, 0x86E18AA3, 0x748A09A0,
        0x67DAFA54, 0x95B17957, 0xCBA24573, 0x39C9C670, 0x2A993584, 0xD8F2B687, 0x0C38D26C,
        0xFE53516F, 0xED03A29B, 0x1F682198, 0x5125DAD3, 0xA34E59D0, 0xB01EAA24, 0x42752927,
        0x96BF4DCC, 0x64D4CECF, 0x77843D3B, 0x85EFBE38, 0xDBFC821C, 0x2997011F, 0x3AC7F2EB,
        0xC8AC71E8, 0x1C661503, 0xEE0D9600, 0xFD5D65F4, 0x0F36E6F7, 0x61C69362, 0x93AD1061,
        0x80FDE395, 0x72966096, 0xA65C047D, 0x5437877E, 0x4767748A, 0xB50CF789, 0xEB1FCBAD,
        0x197448AE, 0x0A24BB5A, 0xF84F3859, 0x2C855CB2, 0xDEEEDFB1, 0xCDBE2C45, 0x3FD5AF46,
        0x7198540D, 0x83F3D70E, 0x90A324FA, 0x62C8A7F9, 0xB602C312, 0x44694011, 0x5739B3E5,
        0xA55230E6, 0xFB410CC2, 0x092A8FC1, 0x1A7A7C35, 0xE811FF36, 0x3CDB9BDD, 0xCEB018DE,
        0xDDE0EB2A, 0x2F8B6829, 0x82F63B78, 0x709DB87B, 0x63CD4B8F, 0x91A6C88C, 0x456CAC67,
        0xB7072F64, 0xA457DC90, 0x563C5F93, 0x082F63B7, 0xFA44E0B4, 0xE9141340, 0x1B7F9043,
        0xCFB5F4A8, 0x3DDE77AB, 0x2E8E845F, 0xDCE5075C, 0x92A8FC17, 0x60C37F14, 0x73938CE0,
        0x81F80FE3, 0x55326B08, 0xA759E80B, 0xB4091BFF, 0x466298FC, 0x1871A4D8, 0xEA1A27DB,
        0xF94AD42F, 0x0B21572C, 0xDFEB33C7, 0x2D80B0C4, 0x3ED04330, 0xCCBBC033, 0xA24BB5A6,
        0x502036A5, 0x4370C551, 0xB11B4652, 0x65D122B9, 0x97BAA1BA, 0x84EA524E, 0x7681D14D,
        0x2892ED69, 0xDAF96E6A, 0xC9A99D9E, 0x3BC21E9D, 0xEF087A76, 0x1D63F975, 0x0E330A81,
        0xFC588982, 0xB21572C9, 0x407EF1CA, 0x532E023E, 0xA145813D, 0x758FE5D6, 0x87E466D5,
        0x94B49521, 0x66DF1622, 0x38CC2A06, 0xCAA7A905, 0xD9F75AF1, 0x2B9CD9F2, 0xFF56BD19,
        0x0D3D3E1A, 0x1E6DCDEE, 0xEC064EED, 0xC38D26C4, 0x31E6A5C7, 0x22B65633, 0xD0DDD530,
        0x0417B1DB, 0xF67C32D8, 0xE52CC12C, 0x1747422F, 0x49547E0B, 0xBB3FFD08, 0xA86F0EFC,
        0x5A048DFF, 0x8ECEE914, 0x7CA56A17, 0x6FF599E3, 0x9D9E1AE0, 0xD3D3E1AB, 0x21B862A8,
        0x32E8915C, 0xC083125F, 0x144976B4, 0xE622F5B7, 0xF5720643, 0x07198540, 0x590AB964,
        0xAB613A67, 0xB831C993, 0x4A5A4A90, 0x9E902E7B, 0x6CFBAD78, 0x7FAB5E8C, 0x8DC0DD8F,
        0xE330A81A, 0x115B2B19, 0x020BD8ED, 0xF0605BEE, 0x24AA3F05, 0xD6C1BC06, 0xC5914FF2,
        0x37FACCF1, 0x69E9F0D5, 0x9B8273D6, 0x88D28022, 0x7AB90321, 0xAE7367CA, 0x5C18E4C9,
        0x4F48173D, 0xBD23943E, 0xF36E6F75, 0x0105EC76, 0x12551F82, 0xE03E9C81, 0x34F4F86A,
        0xC69F7B69, 0xD5CF889D, 0x27A40B9E, 0x79B737BA, 0x8BDCB4B9, 0x988C474D, 0x6AE7C44E,
        0xBE2DA0A5, 0x4C4623A6, 0x5F16D052, 0xAD7D5351
    }
#if SSTI_HAS_OS
    ,
    {
        0x00000000, 0x13A29877, 0x274530EE, 0x34E7A899, 0x4E8A61DC, 0x5D28F9AB, 0x69CF5132,
        0x7A6DC945, 0x9D14C3B8, 0x8EB65BCF, 0xBA51F356, 0xA9F36B21, 0xD39EA264, 0xC03C3A13,
        0xF4DB928A, 0xE7790AFD, 0x3FC5F181, 0x2C6769F6, 0x1880C16F, 0x0B225918, 0x714F905D,
        0x62ED082A, 0x560AA0B3, 0x45A838C4, 0xA2D13239, 0xB173AA4E, 0x859402D7, 0x96369AA0,
        0xEC5B53E5, 0xFFF9CB92, 0xCB1E630B, 0xD8BCFB7C, 0x7F8BE302, 0x6C297B75, 0x58CED3EC,
        0x4B6C4B9B, 0x310182DE, 0x22A31AA9, 0x1644B230, 0x05E62A47, 0xE29F20BA, 0xF13DB8CD,
        0xC5DA1054, 0xD6788823, 0xAC154166, 0xBFB7D911, 0x8B507188, 0x98F2E9FF, 0x404E1283,
        0x53EC8AF4, 0x670B226D, 0x74A9BA1A, 0x0EC4735F, 0x1D66EB28, 0x298143B1, 0x3A23DBC6,
        0xDD5AD13B, 0xCEF8494C, 0xFA1FE1D5, 0xE9BD79A2, 0x93D0B0E7, 0x80722890, 0xB4958009,
        0xA737187E, 0xFF17C604, 0xECB55E73, 0xD852F6EA, 0xCBF06E9D, 0xB19DA7D8, 0xA23F3FAF,
        0x96D89736, 0x857A0F41, 0x620305BC, 0x71A19DCB, 0x45463552, 0x56E4AD25, 0x2C896460,
        0x3F2BFC17, 0x0BCC548E, 0x186ECCF9, 0xC0D23785, 0xD370AFF2, 0xE797076B, 0xF4359F1C,
        0x8E585659, 0x9DFACE2E, 0xA91D66B7, 0xBABFFEC0, 0x5DC6F43D, 0x4E646C4A, 0x7A83C4D3,
        0x69215CA4, 0x134C95E1, 0x00EE0D96, 0x3409A50F, 0x27AB3D78, 0x809C2506, 0x933EBD71,
        0xA7D915E8, 0xB47B8D9F, 0xCE1644DA, 0xDDB4DCAD, 0xE9537434, 0xFAF1EC43, 0x1D88E6BE,
        0x0E2A7EC9, 0x3ACDD650, 0x296F4E27, 0x53028762, 0x40A01F15, 0x7447B78C, 0x67E52FFB,
        0xBF59D487, 0xACFB4CF0, 0x981CE469, 0x8BBE7C1E, 0xF1D3B55B, 0xE2712D2C, 0xD69685B5,
        0xC5341DC2, 0x224D173F, 0x31EF8F48, 0x050827D1, 0x16AABFA6, 0x6CC776E3, 0x7F65EE94,
        0x4B82460D, 0x5820DE7A, 0xFBC3FAF9, 0xE861628E, 0xDC86CA17, 0xCF245260, 0xB5499B25,
        0xA6EB0352, 0x920CABCB, 0x81AE33BC, 0x66D73941, 0x7575A136, 0x419209AF, 0x523091D8,
        0x285D589D, 0x3BFFC0EA, 0x0F186873, 0x1CBAF004, 0xC4060B78, 0xD7A4930F, 0xE3433B96,
        0xF0E1A3E1, 0x8A8C6AA4, 0x992EF2D3, 0xADC95A4A, 0xBE6BC23D, 0x5912C8C0, 0x4AB050B7,
        0x7E57F82E, 0x6DF56059, 0x1798A91C, 0x043A316B, 0x30DD99F2, 0x237F0185, 0x844819FB,
        0x97EA818C, 0xA30D2915, 0xB0AFB162, 0xCAC27827, 0xD960E050, 0xED8748C9, 0xFE25D0BE,
        0x195CDA43, 0x0AFE4234, 0x3E19EAAD, 0x2DBB72DA, 0x57D6BB9F, 0x447423E8, 0x70938B71,
        0x63311306, 0xBB8DE87A, 0xA82F700D, 0x9CC8D894, 0x8F6A40E3, 0xF50789A6, 0xE6A511D1,
        0xD242B948, 0xC1E0213F, 0x26992BC2, 0x353BB3B5, 0x01DC1B2C, 0x127E835B, 0x68134A1E,
        0x7BB1D269, 0x4F567AF0, 0x5CF4E287, 0x04D43CFD, 0x1776A48A, 0x23910C13, 0x30339464,
        0x4A5E5D21, 0x59FCC556, 0x6D1B6DCF, 0x7EB9F5B8, 0x99C0FF45, 0x8A626732, 0xBE85CFAB,
        0xAD2757DC, 0xD74A9E99, 0xC4E806EE, 0xF00FAE77, 0xE3AD3600, 0x3B11CD7C, 0x28B3550B,
        0x1C54FD92, 0x0FF665E5, 0x759BACA0, 0x663934D7, 0x52DE9C4E, 0x417C0439, 0xA6050EC4,
        0xB5A796B3, 0x81403E2A, 0x92E2A65D, 0xE88F6F18, 0xFB2DF76F, 0xCFCA5FF6, 0xDC68C781,
        0x7B5FDFFF, 0x68FD4788, 0x5C1AEF11, 0x4FB87766, 0x35D5BE23, 0x26772654, 0x12908ECD,
        0x013216BA, 0xE64B1C47, 0xF5E98430, 0xC10E2CA9, 0xD2ACB4DE, 0xA8C17D9B, 0xBB63E5EC,
        0x8F844D75, 0x9C26D502, 0x449A2E7E, 0x5738B609, 0x63DF1E90, 0x707D86E7, 0x0A104FA2,
        0x19B2D7D5, 0x2D557F4C, 0x3EF7E73B, 0xD98EEDC6, 0xCA2C75B1, 0xFECBDD28, 0xED69455F,
        0x97048C1A, 0x84A6146D, 0xB041BCF4, 0xA3E32483
    },
    {
        0x00000000, 0xA541927E, 0x4F6F520D, 0xEA2EC073, 0x9EDEA41A, 0x3B9F3664, 0xD1B1F617,
        0x74F06469, 0x38513EC5, 0x9D10ACBB, 0x773E6CC8, 0xD27FFEB6, 0xA68F9ADF, 0x03CE08A1,
        0xE9E0C8D2, 0x4CA15AAC, 0x70A27D8A, 0xD5E3EFF4, 0x3FCD2F87, 0x9A8CBDF9, 0xEE7CD990,
        0x4B3D4BEE, 0xA1138B9D, 0x045219E3, 0x48F3434F, 0xEDB2D131, 0x079C1142, 0xA2DD833C,
        0xD62DE755, 0x736C752B, 0x9942B558, 0x3C032726, 0xE144FB14, 0x4405696A, 0xAE2BA919,
        0x0B6A3B67, 0x7F9A5F0E, 0xDADBCD70, 0x30F50D03, 0x95B49F7D, 0xD915C5D1, 0x7C5457AF,
        0x967A97DC, 0x333B05A2, 0x47CB61CB, 0xE28AF3B5, 0x08A433C6, 0xADE5A1B8, 0x91E6869E,
        0x34A714E0, 0xDE89D493, 0x7BC846ED, 0x0F382284, 0xAA79B0FA, 0x40577089, 0xE516E2F7,
        0xA9B7B85B, 0x0CF62A25, 0xE6D8EA56, 0x43997828, 0x37691C41, 0x92288E3F, 0x78064E4C,
        0xDD47DC32, 0xC76580D9, 0x622412A7, 0x880AD2D4, 0x2D4B40AA, 0x59BB24C3, 0xFCFAB6BD,
        0x16D476CE, 0xB395E4B0, 0xFF34BE1C, 0x5A752C62, 0xB05BEC11, 0x151A7E6F, 0x61EA1A06,
        0xC4AB8878, 0x2E85480B, 0x8BC4DA75, 0xB7C7FD53, 0x12866F2D, 0xF8A8AF5E, 0x5DE93D20,
        0x29195949, 0x8C58CB37, 0x66760B44, 0xC337993A, 0x8F96C396, 0x2AD751E8, 0xC0F9919B,
        0x65B803E5, 0x1148678C, 0xB409F5F2, 0x5E273581, 0xFB66A7FF, 0x26217BCD, 0x8360E9B3,
        0x694E29C0, 0xCC0FBBBE, 0xB8FFDFD7, 0x1DBE4DA9, 0xF7908DDA, 0x52D11FA4, 0x1E704508,
        0xBB31D776, 0x511F1705, 0xF45E857B, 0x80AEE112, 0x25EF736C, 0xCFC1B31F, 0x6A802161,
        0x56830647, 0xF3C29439, 0x19EC544A, 0xBCADC634, 0xC85DA25D, 0x6D1C3023, 0x8732F050,
        0x2273622E, 0x6ED23882, 0xCB93AAFC, 0x21BD6A8F, 0x84FCF8F1, 0xF00C9C98, 0x554D0EE6,
        0xBF63CE95, 0x1A225CEB, 0x8B277743, 0x2E66E53D, 0xC448254E, 0x6109B730, 0x15F9D359,
        0xB0B84127, 0x5A968154, 0xFFD7132A, 0xB3764986, 0x1637DBF8, 0xFC191B8B, 0x595889F5,
        0x2DA8ED9C, 0x88E97FE2, 0x62C7BF91, 0xC7862DEF, 0xFB850AC9, 0x5EC498B7, 0xB4EA58C4,
        0x11ABCABA, 0x655BAED3, 0xC01A3CAD, 0x2A34FCDE, 0x8F756EA0, 0xC3D4340C, 0x6695A672,
        0x8CBB6601, 0x29FAF47F, 0x5D0A9016, 0xF84B0268, 0x1265C21B, 0xB7245065, 0x6A638C57,
        0xCF221E29, 0x250CDE5A, 0x804D4C24, 0xF4BD284D, 0x51FCBA33, 0xBBD27A40, 0x1E93E83E,
        0x5232B292, 0xF77320EC, 0x1D5DE09F, 0xB81C72E1, 0xCCEC1688, 0x69AD84F6, 0x83834485,
        0x26C2D6FB, 0x1AC1F1DD, 0xBF8063A3, 0x55AEA3D0, 0xF0EF31AE, 0x841F55C7, 0x215EC7B9,
        0xCB7007CA, 0x6E3195B4, 0x2290CF18, 0x87D15D66, 0x6DFF9D15, 0xC8BE0F6B, 0xBC4E6B02,
        0x190FF97C, 0xF321390F, 0x5660AB71, 0x4C42F79A, 0xE90365E4, 0x032DA597, 0xA66C37E9,
        0xD29C5380, 0x77DDC1FE, 0x9DF3018D, 0x38B293F3, 0x7413C95F, 0xD1525B21, 0x3B7C9B52,
        0x9E3D092C, 0xEACD6D45, 0x4F8CFF3B, 0xA5A23F48, 0x00E3AD36, 0x3CE08A10, 0x99A1186E,
        0x738FD81D, 0xD6CE4A63, 0xA23E2E0A, 0x077FBC74, 0xED517C07, 0x4810EE79, 0x04B1B4D5,
        0xA1F026AB, 0x4BDEE6D8, 0xEE9F74A6, 0x9A6F10CF, 0x3F2E82B1, 0xD50042C2, 0x7041D0BC,
        0xAD060C8E, 0x08479EF0, 0xE2695E83, 0x4728CCFD, 0x33D8A894, 0x96993AEA, 0x7CB7FA99,
        0xD9F668E7, 0x9557324B, 0x3016A035, 0xDA386046, 0x7F79F238, 0x0B899651, 0xAEC8042F,
        0x44E6C45C, 0xE1A75622, 0xDDA47104, 0x78E5E37A, 0x92CB2309, 0x378AB177, 0x437AD51E,
        0xE63B4760, 0x0C158713, 0xA954156D, 0xE5F54FC1, 0x40B4DDBF, 0xAA9A1DCC, 0x0FDB8FB2,
        0x7B2BEBDB, 0xDE6A79A5, 0x3444B9D6, 0x91052BA8
    },
    {
        0x00000000, 0xDD45AAB8, 0xBF672381, 0x62228939, 0x7B2231F3, 0xA6679B4B, 0xC4451272,
        0x1900B8CA, 0xF64463E6, 0x2B01C95E, 0x49234067, 0x9466EADF, 0x8D665215, 0x5023F8AD,
        0x32017194, 0xEF44DB2C, 0xE964B13D, 0x34211B85, 0x560392BC, 0x8B463804, 0x924680CE,
        0x4F032A76, 0x2D21A34F, 0xF06409F7, 0x1F20D2DB, 0xC2657863, 0xA047F15A, 0x7D025BE2,
        0x6402E328, 0xB9474990, 0xDB65C0A9, 0x06206A11, 0xD725148B, 0x0A60BE33, 0x6842370A,
        0xB5079DB2, 0xAC072578, 0x71428FC0, 0x136006F9, 0xCE25AC41, 0x2161776D, 0xFC24DDD5,
        0x9E0654EC, 0x4343FE54, 0x5A43469E, 0x8706EC26, 0xE524651F, 0x3861CFA7, 0x3E41A5B6,
        0xE3040F0E, 0x81268637, 0x5C632C8F, 0x45639445, 0x98263EFD, 0xFA04B7C4, 0x27411D7C,
        0xC805C650, 0x15406CE8, 0x7762E5D1, 0xAA274F69, 0xB327F7A3, 0x6E625D1B, 0x0C40D422,
        0xD1057E9A, 0xABA65FE7, 0x76E3F55F, 0x14C17C66, 0xC984D6DE, 0xD0846E14, 0x0DC1C4AC,
        0x6FE34D95, 0xB2A6E72D, 0x5DE23C01, 0x80A796B9, 0xE2851F80, 0x3FC0B538, 0x26C00DF2,
        0xFB85A74A, 0x99A72E73, 0x44E284CB, 0x42C2EEDA, 0x9F874462, 0xFDA5CD5B, 0x20E067E3,
        0x39E0DF29, 0xE4A57591, 0x8687FCA8, 0x5BC25610, 0xB4868D3C, 0x69C32784, 0x0BE1AEBD,
        0xD6A40405, 0xCFA4BCCF, 0x12E11677, 0x70C39F4E, 0xAD8635F6, 0x7C834B6C, 0xA1C6E1D4,
        0xC3E468ED, 0x1EA1C255, 0x07A17A9F, 0xDAE4D027, 0xB8C6591E, 0x6583F3A6, 0x8AC7288A,
        0x57828232, 0x35A00B0B, 0xE8E5A1B3, 0xF1E51979, 0x2CA0B3C1, 0x4E823AF8, 0x93C79040,
        0x95E7FA51, 0x48A250E9, 0x2A80D9D0, 0xF7C57368, 0xEEC5CBA2, 0x3380611A, 0x51A2E823,
        0x8CE7429B, 0x63A399B7, 0xBEE6330F, 0xDCC4BA36, 0x0181108E, 0x1881A844, 0xC5C402FC,
        0xA7E68BC5, 0x7AA3217D, 0x52A0C93F, 0x8FE56387, 0xEDC7EABE, 0x30824006, 0x2982F8CC,
        0xF4C75274, 0x96E5DB4D, 0x4BA071F5, 0xA4E4AAD9, 0x79A10061, 0x1B838958, 0xC6C623E0,
        0xDFC69B2A, 0x02833192, 0x60A1B8AB, 0xBDE41213, 0xBBC47802, 0x6681D2BA, 0x04A35B83,
        0xD9E6F13B, 0xC0E649F1, 0x1DA3E349, 0x7F816A70, 0xA2C4C0C8, 0x4D801BE4, 0x90C5B15C,
        0xF2E73865, 0x2FA292DD, 0x36A22A17, 0xEBE780AF, 0x89C50996, 0x5480A32E, 0x8585DDB4,
        0x58C0770C, 0x3AE2FE35, 0xE7A7548D, 0xFEA7EC47, 0x23E246FF, 0x41C0CFC6, 0x9C85657E,
        0x73C1BE52, 0xAE8414EA, 0xCCA69DD3, 0x11E3376B, 0x08E38FA1, 0xD5A62519, 0xB784AC20,
        0x6AC10698, 0x6CE16C89, 0xB1A4C631, 0xD3864F08, 0x0EC3E5B0, 0x17C35D7A, 0xCA86F7C2,
        0xA8A47EFB, 0x75E1D443, 0x9AA50F6F, 0x47E0A5D7, 0x25C22CEE, 0xF8878656, 0xE1873E9C,
        0x3CC29424, 0x5EE01D1D, 0x83A5B7A5, 0xF90696D8, 0x24433C60, 0x4661B559, 0x9B241FE1,
        0x8224A72B, 0x5F610D93, 0x3D4384AA, 0xE0062E12, 0x0F42F53E, 0xD2075F86, 0xB025D6BF,
        0x6D607C07, 0x7460C4CD, 0xA9256E75, 0xCB07E74C, 0x16424DF4, 0x106227E5, 0xCD278D5D,
        0xAF050464, 0x7240AEDC, 0x6B401616, 0xB605BCAE, 0xD4273597, 0x09629F2F, 0xE6264403,
        0x3B63EEBB, 0x59416782, 0x8404CD3A, 0x9D0475F0, 0x4041DF48, 0x22635671, 0xFF26FCC9,
        0x2E238253, 0xF36628EB, 0x9144A1D2, 0x4C010B6A, 0x5501B3A0, 0x88441918, 0xEA669021,
        0x37233A99, 0xD867E1B5, 0x05224B0D, 0x6700C234, 0xBA45688C, 0xA345D046, 0x7E007AFE,
        0x1C22F3C7, 0xC167597F, 0xC747336E, 0x1A0299D6, 0x782010EF, 0xA565BA57, 0xBC65029D,
        0x6120A825, 0x0302211C, 0xDE478BA4, 0x31035088, 0xEC46FA30, 0x8E647309, 0x5321D9B1,
        0x4A21617B, 0x9764CBC3, 0xF54642FA, 0x2803E842
    },
    {
        0x00000000, 0x38116FAC, 0x7022DF58, 0x4833B0F4, 0xE045BEB0, 0xD854D11C, 0x906761E8,
        0xA8760E44, 0xC5670B91, 0xFD76643D, 0xB545D4C9, 0x8D54BB65, 0x2522B521, 0x1D33DA8D,
        0x55006A79, 0x6D1105D5, 0x8F2261D3, 0xB7330E7F, 0xFF00BE8B, 0xC711D127, 0x6F67DF63,
        0x5776B0CF, 0x1F45003B, 0x27546F97, 0x4A456A42, 0x725405EE, 0x3A67B51A, 0x0276DAB6,
        0xAA00D4F2, 0x9211BB5E, 0xDA220BAA, 0xE2336406, 0x1BA8B557, 0x23B9DAFB, 0x6B8A6A0F,
        0x539B05A3, 0xFBED0BE7, 0xC3FC644B, 0x8BCFD4BF, 0xB3DEBB13, 0xDECFBEC6, 0xE6DED16A,
        0xAEED619E, 0x96FC0E32, 0x3E8A0076, 0x069B6FDA, 0x4EA8DF2E, 0x76B9B082, 0x948AD484,
        0xAC9BBB28, 0xE4A80BDC, 0xDCB96470, 0x74CF6A34, 0x4CDE0598, 0x04EDB56C, 0x3CFCDAC0,
        0x51EDDF15, 0x69FCB0B9, 0x21CF004D, 0x19DE6FE1, 0xB1A861A5, 0x89B90E09, 0xC18ABEFD,
        0xF99BD151, 0x37516AAE, 0x0F400502, 0x4773B5F6, 0x7F62DA5A, 0xD714D41E, 0xEF05BBB2,
        0xA7360B46, 0x9F2764EA, 0xF236613F, 0xCA270E93, 0x8214BE67, 0xBA05D1CB, 0x1273DF8F,
        0x2A62B023, 0x625100D7, 0x5A406F7B, 0xB8730B7D, 0x806264D1, 0xC851D425, 0xF040BB89,
        0x5836B5CD, 0x6027DA61, 0x28146A95, 0x10050539, 0x7D1400EC, 0x45056F40, 0x0D36DFB4,
        0x3527B018, 0x9D51BE5C, 0xA540D1F0, 0xED736104, 0xD5620EA8, 0x2CF9DFF9, 0x14E8B055,
        0x5CDB00A1, 0x64CA6F0D, 0xCCBC6149, 0xF4AD0EE5, 0xBC9EBE11, 0x848FD1BD, 0xE99ED468,
        0xD18FBBC4, 0x99BC0B30, 0xA1AD649C, 0x09DB6AD8, 0x31CA0574, 0x79F9B580, 0x41E8DA2C,
        0xA3DBBE2A, 0x9BCAD186, 0xD3F96172, 0xEBE80EDE, 0x439E009A, 0x7B8F6F36, 0x33BCDFC2,
        0x0BADB06E, 0x66BCB5BB, 0x5EADDA17, 0x169E6AE3, 0x2E8F054F, 0x86F90B0B, 0xBEE864A7,
        0xF6DBD453, 0xCECABBFF, 0x6EA2D55C, 0x56B3BAF0, 0x1E800A04, 0x269165A8, 0x8EE76BEC,
        0xB6F60440, 0xFEC5B4B4, 0xC6D4DB18, 0xABC5DECD, 0x93D4B161, 0xDBE70195, 0xE3F66E39,
        0x4B80607D, 0x73910FD1, 0x3BA2BF25, 0x03B3D089, 0xE180B48F, 0xD991DB23, 0x91A26BD7,
        0xA9B3047B, 0x01C50A3F, 0x39D46593, 0x71E7D567, 0x49F6BACB, 0x24E7BF1E, 0x1CF6D0B2,
        0x54C56046, 0x6CD40FEA, 0xC4A201AE, 0xFCB36E02, 0xB480DEF6, 0x8C91B15A, 0x750A600B,
        0x4D1B0FA7, 0x0528BF53, 0x3D39D0FF, 0x954FDEBB, 0xAD5EB117, 0xE56D01E3, 0xDD7C6E4F,
        0xB06D6B9A, 0x887C0436, 0xC04FB4C2, 0xF85EDB6E, 0x5028D52A, 0x6839BA86, 0x200A0A72,
        0x181B65DE, 0xFA2801D8, 0xC2396E74, 0x8A0ADE80, 0xB21BB12C, 0x1A6DBF68, 0x227CD0C4,
        0x6A4F6030, 0x525E0F9C, 0x3F4F0A49, 0x075E65E5, 0x4F6DD511, 0x777CBABD, 0xDF0AB4F9,
        0xE71BDB55, 0xAF286BA1, 0x9739040D, 0x59F3BFF2, 0x61E2D05E, 0x29D160AA, 0x11C00F06,
        0xB9B60142, 0x81A76EEE, 0xC994DE1A, 0xF185B1B6, 0x9C94B463, 0xA485DBCF, 0xECB66B3B,
        0xD4A70497, 0x7CD10AD3, 0x44C0657F, 0x0CF3D58B, 0x34E2BA27, 0xD6D1DE21, 0xEEC0B18D,
        0xA6F30179, 0x9EE26ED5, 0x36946091, 0x0E850F3D, 0x46B6BFC9, 0x7EA7D065, 0x13B6D5B0,
        0x2BA7BA1C, 0x63940AE8, 0x5B856544, 0xF3F36B00, 0xCBE204AC, 0x83D1B458, 0xBBC0DBF4,
        0x425B0AA5, 0x7A4A6509, 0x3279D5FD, 0x0A68BA51, 0xA21EB415, 0x9A0FDBB9, 0xD23C6B4D,
        0xEA2D04E1, 0x873C0134, 0xBF2D6E98, 0xF71EDE6C, 0xCF0FB1C0, 0x6779BF84, 0x5F68D028,
        0x175B60DC, 0x2F4A0F70, 0xCD796B76, 0xF56804DA, 0xBD5BB42E, 0x854ADB82, 0x2D3CD5C6,
        0x152DBA6A, 0x5D1E0A9E, 0x650F6532, 0x081E60E7, 0x300F0F4B, 0x783CBFBF, 0x402DD013,
        0xE85BDE57, 0xD04AB1FB, 0x9879010F, 0xA0686EA3
    },
    {
        0x00000000, 0xEF306B19, 0xDB8CA0C3, 0x34BCCBDA, 0xB2F53777, 0x5DC55C6E, 0x697997B4,
        0x8649FCAD, 0x6006181F, 0x8F367306, 0xBB8AB8DC, 0x54BAD3C5, 0xD2F32F68, 0x3DC34471,
        0x097F8FAB, 0xE64FE4B2, 0xC00C303E, 0x2F3C5B27, 0x1B8090FD, 0xF4B0FBE4, 0x72F90749,
        0x9DC96C50, 0xA975A78A, 0x4645CC93, 0xA00A2821, 0x4F3A4338, 0x7B8688E2, 0x94B6E3FB,
        0x12FF1F56, 0xFDCF744F, 0xC973BF95, 0x2643D48C, 0x85F4168D, 0x6AC47D94, 0x5E78B64E,
        0xB148DD57, 0x370121FA, 0xD8314AE3, 0xEC8D8139, 0x03BDEA20, 0xE5F20E92, 0x0AC2658B,
        0x3E7EAE51, 0xD14EC548, 0x570739E5, 0xB83752FC, 0x8C8B9926, 0x63BBF23F, 0x45F826B3,
        0xAAC84DAA, 0x9E748670, 0x7144ED69, 0xF70D11C4, 0x183D7ADD, 0x2C81B107, 0xC3B1DA1E,
        0x25FE3EAC, 0xCACE55B5, 0xFE729E6F, 0x1142F576, 0x970B09DB, 0x783B62C2, 0x4C87A918,
        0xA3B7C201, 0x0E045BEB, 0xE13430F2, 0xD588FB28, 0x3AB89031, 0xBCF16C9C, 0x53C10785,
        0x677DCC5F, 0x884DA746, 0x6E0243F4, 0x813228ED, 0xB58EE337, 0x5ABE882E, 0xDCF77483,
        0x33C71F9A, 0x077BD440, 0xE84BBF59, 0xCE086BD5, 0x213800CC, 0x1584CB16, 0xFAB4A00F,
        0x7CFD5CA2, 0x93CD37BB, 0xA771FC61, 0x48419778, 0xAE0E73CA, 0x413E18D3, 0x7582D309,
        0x9AB2B810, 0x1CFB44BD, 0xF3CB2FA4, 0xC777E47E, 0x28478F67, 0x8BF04D66, 0x64C0267F,
        0x507CEDA5, 0xBF4C86BC, 0x39057A11, 0xD6351108, 0xE289DAD2, 0x0DB9B1CB, 0xEBF65579,
        0x04C63E60, 0x307AF5BA, 0xDF4A9EA3, 0x5903620E, 0xB6330917, 0x828FC2CD, 0x6DBFA9D4,
        0x4BFC7D58, 0xA4CC1641, 0x9070DD9B, 0x7F40B682, 0xF9094A2F, 0x16392136, 0x2285EAEC,
        0xCDB581F5, 0x2BFA6547, 0xC4CA0E5E, 0xF076C584, 0x1F46AE9D, 0x990F5230, 0x763F3929,
        0x4283F2F3, 0xADB399EA, 0x1C08B7D6, 0xF338DCCF, 0xC7841715, 0x28B47C0C, 0xAEFD80A1,
        0x41CDEBB8, 0x75712062, 0x9A414B7B, 0x7C0EAFC9, 0x933EC4D0, 0xA7820F0A, 0x48B26413,
        0xCEFB98BE, 0x21CBF3A7, 0x1577387D, 0xFA475364, 0xDC0487E8, 0x3334ECF1, 0x0788272B,
        0xE8B84C32, 0x6EF1B09F, 0x81C1DB86, 0xB57D105C, 0x5A4D7B45, 0xBC029FF7, 0x5332F4EE,
        0x678E3F34, 0x88BE542D, 0x0EF7A880, 0xE1C7C399, 0xD57B0843, 0x3A4B635A, 0x99FCA15B,
        0x76CCCA42, 0x42700198, 0xAD406A81, 0x2B09962C, 0xC439FD35, 0xF08536EF, 0x1FB55DF6,
        0xF9FAB944, 0x16CAD25D, 0x22761987, 0xCD46729E, 0x4B0F8E33, 0xA43FE52A, 0x90832EF0,
        0x7FB345E9, 0x59F09165, 0xB6C0FA7C, 0x827C31A6, 0x6D4C5ABF, 0xEB05A612, 0x0435CD0B,
        0x308906D1, 0xDFB96DC8, 0x39F6897A, 0xD6C6E263, 0xE27A29B9, 0x0D4A42A0, 0x8B03BE0D,
        0x6433D514, 0x508F1ECE, 0xBFBF75D7, 0x120CEC3D, 0xFD3C8724, 0xC9804CFE, 0x26B027E7,
        0xA0F9DB4A, 0x4FC9B053, 0x7B757B89, 0x94451090, 0x720AF422, 0x9D3A9F3B, 0xA98654E1,
        0x46B63FF8, 0xC0FFC355, 0x2FCFA84C, 0x1B736396, 0xF443088F, 0xD200DC03, 0x3D30B71A,
        0x098C7CC0, 0xE6BC17D9, 0x60F5EB74, 0x8FC5806D, 0xBB794BB7, 0x544920AE, 0xB206C41C,
        0x5D36AF05, 0x698A64DF, 0x86BA0FC6, 0x00F3F36B, 0xEFC39872, 0xDB7F53A8, 0x344F38B1,
        0x97F8FAB0, 0x78C891A9, 0x4C745A73, 0xA344316A, 0x250DCDC7, 0xCA3DA6DE, 0xFE816D04,
        0x11B1061D, 0xF7FEE2AF, 0x18CE89B6, 0x2C72426C, 0xC3422975, 0x450BD5D8, 0xAA3BBEC1,
        0x9E87751B, 0x71B71E02, 0x57F4CA8E, 0xB8C4A197, 0x8C786A4D, 0x63480154, 0xE501FDF9,
        0x0A3196E0, 0x3E8D5D3A, 0xD1BD3623, 0x37F2D291, 0xD8C2B988, 0xEC7E7252, 0x034E194B,
        0x8507E5E6, 0x6A378EFF, 0x5E8B4525, 0xB1BB2E3C
    },
    {
        0x00000000, 0x68032CC8, 0xD0065990, 0xB8057558, 0xA5E0C5D1, 0xCDE3E919, 0x75E69C41,
        0x1DE5B089, 0x4E2DFD53, 0x262ED19B, 0x9E2BA4C3, 0xF628880B, 0xEBCD3882, 0x83CE144A,
        0x3BCB6112, 0x53C84DDA, 0x9C5BFAA6, 0xF458D66E, 0x4C5DA336, 0x245E8FFE, 0x39BB3F77,
        0x51B813BF, 0xE9BD66E7, 0x81BE4A2F, 0xD27607F5, 0xBA752B3D, 0x02705E65, 0x6A7372AD,
        0x7796C224, 0x1F95EEEC, 0xA7909BB4, 0xCF93B77C, 0x3D5B83BD, 0x5558AF75, 0xED5DDA2D,
        0x855EF6E5, 0x98BB466C, 0xF0B86AA4, 0x48BD1FFC, 0x20BE3334, 0x73767EEE, 0x1B755226,
        0xA370277E, 0xCB730BB6, 0xD696BB3F, 0xBE9597F7, 0x0690E2AF, 0x6E93CE67, 0xA100791B,
        0xC90355D3, 0x7106208B, 0x19050C43, 0x04E0BCCA, 0x6CE39002, 0xD4E6E55A, 0xBCE5C992,
        0xEF2D8448, 0x872EA880, 0x3F2BDDD8, 0x5728F110, 0x4ACD4199, 0x22CE6D51, 0x9ACB1809,
        0xF2C834C1, 0x7AB7077A, 0x12B42BB2, 0xAAB15EEA, 0xC2B27222, 0xDF57C2AB, 0xB754EE63,
        0x0F519B3B, 0x6752B7F3, 0x349AFA29, 0x5C99D6E1, 0xE49CA3B9, 0x8C9F8F71, 0x917A3FF8,
        0xF9791330, 0x417C6668, 0x297F4AA0, 0xE6ECFDDC, 0x8EEFD114, 0x36EAA44C, 0x5EE98884,
        0x430C380D, 0x2B0F14C5, 0x930A619D, 0xFB094D55, 0xA8C1008F, 0xC0C22C47, 0x78C7591F,
        0x10C475D7, 0x0D21C55E, 0x6522E996, 0xDD279CCE, 0xB524B006, 0x47EC84C7, 0x2FEFA80F,
        0x97EADD57, 0xFFE9F19F, 0xE20C4116, 0x8A0F6DDE, 0x320A1886, 0x5A09344E, 0x09C17994,
        0x61C2555C, 0xD9C72004, 0xB1C40CCC, 0xAC21BC45, 0xC422908D, 0x7C27E5D5, 0x1424C91D,
        0xDBB77E61, 0xB3B452A9, 0x0BB127F1, 0x63B20B39, 0x7E57BBB0, 0x16549778, 0xAE51E220,
        0xC652CEE8, 0x959A8332, 0xFD99AFFA, 0x459CDAA2, 0x2D9FF66A, 0x307A46E3, 0x58796A2B,
        0xE07C1F73, 0x887F33BB, 0xF56E0EF4, 0x9D6D223C, 0x25685764, 0x4D6B7BAC, 0x508ECB25,
        0x388DE7ED, 0x808892B5, 0xE88BBE7D, 0xBB43F3A7, 0xD340DF6F, 0x6B45AA37, 0x034686FF,
        0x1EA33676, 0x76A01ABE, 0xCEA56FE6, 0xA6A6432E, 0x6935F452, 0x0136D89A, 0xB933ADC2,
        0xD130810A, 0xCCD53183, 0xA4D61D4B, 0x1CD36813, 0x74D044DB, 0x27180901, 0x4F1B25C9,
        0xF71E5091, 0x9F1D7C59, 0x82F8CCD0, 0xEAFBE018, 0x52FE9540, 0x3AFDB988, 0xC8358D49,
        0xA036A181, 0x1833D4D9, 0x7030F811, 0x6DD54898, 0x05D66450, 0xBDD31108, 0xD5D03DC0,
        0x8618701A, 0xEE1B5CD2, 0x561E298A, 0x3E1D0542, 0x23F8B5CB, 0x4BFB9903, 0xF3FEEC5B,
        0x9BFDC093, 0x546E77EF, 0x3C6D5B27, 0x84682E7F, 0xEC6B02B7, 0xF18EB23E, 0x998D9EF6,
        0x2188EBAE, 0x498BC766, 0x1A438ABC, 0x7240A674, 0xCA45D32C, 0xA246FFE4, 0xBFA34F6D,
        0xD7A063A5, 0x6FA516FD, 0x07A63A35, 0x8FD9098E, 0xE7DA2546, 0x5FDF501E, 0x37DC7CD6,
        0x2A39CC5F, 0x423AE097, 0xFA3F95CF, 0x923CB907, 0xC1F4F4DD, 0xA9F7D815, 0x11F2AD4D,
        0x79F18185, 0x6414310C, 0x0C171DC4, 0xB412689C, 0xDC114454, 0x1382F328, 0x7B81DFE0,
        0xC384AAB8, 0xAB878670, 0xB66236F9, 0xDE611A31, 0x66646F69, 0x0E6743A1, 0x5DAF0E7B,
        0x35AC22B3, 0x8DA957EB, 0xE5AA7B23, 0xF84FCBAA, 0x904CE762, 0x2849923A, 0x404ABEF2,
        0xB2828A33, 0xDA81A6FB, 0x6284D3A3, 0x0A87FF6B, 0x17624FE2, 0x7F61632A, 0xC7641672,
        0xAF673ABA, 0xFCAF7760, 0x94AC5BA8, 0x2CA92EF0, 0x44AA0238, 0x594FB2B1, 0x314C9E79,
        0x8949EB21, 0xE14AC7E9, 0x2ED97095, 0x46DA5C5D, 0xFEDF2905, 0x96DC05CD, 0x8B39B544,
        0xE33A998C, 0x5B3FECD4, 0x333CC01C, 0x60F48DC6, 0x08F7A10E, 0xB0F2D456, 0xD8F1F89E,
        0xC5144817, 0xAD1764DF, 0x15121187, 0x7D113D4F
    },
    {
        0x00000000, 0x493C7D27, 0x9278FA4E, 0xDB448769, 0x211D826D, 0x6821FF4A, 0xB3657823,
        0xFA590504, 0x423B04DA, 0x0B0779FD, 0xD043FE94, 0x997F83B3, 0x632686B7, 0x2A1AFB90,
        0xF15E7CF9, 0xB86201DE, 0x847609B4, 0xCD4A7493, 0x160EF3FA, 0x5F328EDD, 0xA56B8BD9,
        0xEC57F6FE, 0x37137197, 0x7E2F0CB0, 0xC64D0D6E, 0x8F717049, 0x5435F720, 0x1D098A07,
        0xE7508F03, 0xAE6CF224, 0x7528754D, 0x3C14086A, 0x0D006599, 0x443C18BE, 0x9F789FD7,
        0xD644E2F0, 0x2C1DE7F4, 0x65219AD3, 0xBE651DBA, 0xF759609D, 0x4F3B6143, 0x06071C64,
        0xDD439B0D, 0x947FE62A, 0x6E26E32E, 0x271A9E09, 0xFC5E1960, 0xB5626447, 0x89766C2D,
        0xC04A110A, 0x1B0E9663, 0x5232EB44, 0xA86BEE40, 0xE1579367, 0x3A13140E, 0x732F6929,
        0xCB4D68F7, 0x827115D0, 0x593592B9, 0x1009EF9E, 0xEA50EA9A, 0xA36C97BD, 0x782810D4,
        0x31146DF3, 0x1A00CB32, 0x533CB615, 0x8878317C, 0xC1444C5B, 0x3B1D495F, 0x72213478,
        0xA965B311, 0xE059CE36, 0x583BCFE8, 0x1107B2CF, 0xCA4335A6, 0x837F4881, 0x79264D85,
        0x301A30A2, 0xEB5EB7CB, 0xA262CAEC, 0x9E76C286, 0xD74ABFA1, 0x0C0E38C8, 0x453245EF,
        0xBF6B40EB, 0xF6573DCC, 0x2D13BAA5, 0x642FC782, 0xDC4DC65C, 0x9571BB7B, 0x4E353C12,
        0x07094135, 0xFD504431, 0xB46C3916, 0x6F28BE7F, 0x2614C358, 0x1700AEAB, 0x5E3CD38C,
        0x857854E5, 0xCC4429C2, 0x361D2CC6, 0x7F2151E1, 0xA465D688, 0xED59ABAF, 0x553BAA71,
        0x1C07D756, 0xC743503F, 0x8E7F2D18, 0x7426281C, 0x3D1A553B, 0xE65ED252, 0xAF62AF75,
        0x9376A71F, 0xDA4ADA38, 0x010E5D51, 0x48322076, 0xB26B2572, 0xFB575855, 0x2013DF3C,
        0x692FA21B, 0xD14DA3C5, 0x9871DEE2, 0x4335598B, 0x0A0924AC, 0xF05021A8, 0xB96C5C8F,
        0x6228DBE6, 0x2B14A6C1, 0x34019664, 0x7D3DEB43, 0xA6796C2A, 0xEF45110D, 0x151C1409,
        0x5C20692E, 0x8764EE47, 0xCE589360, 0x763A92BE, 0x3F06EF99, 0xE44268F0, 0xAD7E15D7,
        0x572710D3, 0x1E1B6DF4, 0xC55FEA9D, 0x8C6397BA, 0xB0779FD0, 0xF94BE2F7, 0x220F659E,
        0x6B3318B9, 0x916A1DBD, 0xD856609A, 0x0312E7F3, 0x4A2E9AD4, 0xF24C9B0A, 0xBB70E62D,
        0x60346144, 0x29081C63, 0xD3511967, 0x9A6D6440, 0x4129E329, 0x08159E0E, 0x3901F3FD,
        0x703D8EDA, 0xAB7909B3, 0xE2457494, 0x181C7190, 0x51200CB7, 0x8A648BDE, 0xC358F6F9,
        0x7B3AF727, 0x32068A00, 0xE9420D69, 0xA07E704E, 0x5A27754A, 0x131B086D, 0xC85F8F04,
        0x8163F223, 0xBD77FA49, 0xF44B876E, 0x2F0F0007, 0x66337D20, 0x9C6A7824, 0xD5560503,
        0x0E12826A, 0x472EFF4D, 0xFF4CFE93, 0xB67083B4, 0x6D3404DD, 0x240879FA, 0xDE517CFE,
        0x976D01D9, 0x4C2986B0, 0x0515FB97, 0x2E015D56, 0x673D2071, 0xBC79A718, 0xF545DA3F,
        0x0F1CDF3B, 0x4620A21C, 0x9D642575, 0xD4585852, 0x6C3A598C, 0x250624AB, 0xFE42A3C2,
        0xB77EDEE5, 0x4D27DBE1, 0x041BA6C6, 0xDF5F21AF, 0x96635C88, 0xAA7754E2, 0xE34B29C5,
        0x380FAEAC, 0x7133D38B, 0x8B6AD68F, 0xC256ABA8, 0x19122CC1, 0x502E51E6, 0xE84C5038,
        0xA1702D1F, 0x7A34AA76, 0x3308D751, 0xC951D255, 0x806DAF72, 0x5B29281B, 0x1215553C,
        0x230138CF, 0x6A3D45E8, 0xB179C281, 0xF845BFA6, 0x021CBAA2, 0x4B20C785, 0x906440EC,
        0xD9583DCB, 0x613A3C15, 0x28064132, 0xF342C65B, 0xBA7EBB7C, 0x4027BE78, 0x091BC35F,
        0xD25F4436, 0x9B633911, 0xA777317B, 0xEE4B4C5C, 0x350FCB35, 0x7C33B612, 0x866AB316,
        0xCF56CE31, 0x14124958, 0x5D2E347F, 0xE54C35A1, 0xAC704886, 0x7734CFEF, 0x3E08B2C8,
        0xC451B7CC, 0x8D6DCAEB, 0x56294D82, 0x1F1530A5
    }
#endif
};

static uint32_t ssti_crc_bytes(uint32_t crc, const uint8_t *p, size_t size) {
    for (; size != 0; size--) crc = (crc >> 8) ^ ssti_crc_table[0][(crc ^ *p++) & 255u];
    return crc;
}

static uint32_t ssti_crc_soft(uint32_t crc, const uint8_t *p, size_t size) {
#if SSTI_HAS_OS
    for (; size >= 8; size -= 8) {
        uint32_t a = ssti_get32(p) ^ crc;
        uint32_t b = ssti_get32(p + 4);
        crc = ssti_crc_table[7][a & 255u] ^ ssti_crc_table[6][(a >> 8) & 255u] ^
              ssti_crc_table[5][(a >> 16) & 255u] ^ ssti_crc_table[4][a >> 24] ^
              ssti_crc_table[3][b & 255u] ^ ssti_crc_table[2][(b >> 8) & 255u] ^
              ssti_crc_table[1][(b >> 16) & 255u] ^ ssti_crc_table[0][b >> 24];
        p += 8;
    }
#endif
    return ssti_crc_bytes(crc, p, size);
}

#if SSTI_CRC_X86 || SSTI_CRC_ARM

#if SSTI_CRC_X86
#define SSTI_CRC_TARGET __attribute__((target("sse4.2")))
#define ssti_crc_word(crc, word) \
    ((uint32_t)__builtin_ia32_crc32di((unsigned long long)(crc), (unsigned long long)(word)))

static bool ssti_crc_hard_there(void) { return __builtin_cpu_supports("sse4.2") != 0; }
#else
#define SSTI_CRC_TARGET
static uint32_t ssti_crc_word(uint32_t crc, uint64_t word) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}

#if defined(__APPLE__)
static bool ssti_crc_hard_there(void) { return true; }
#else
#include <sys/auxv.h>
/* 16: AT_HWCAP; bit 7: HWCAP_CRC32. */
static bool ssti_crc_hard_there(void) { return (getauxval(16) & (1ul << 7)) != 0; }
#endif
#endif

/* a * b mod the polynomial; bit 31 is x^0. */
static uint32_t ssti_crc_multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    int i;
    for (i = 0; i < 32; i++) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = (b >> 1) ^ (SSTI_CRC_POLY & (0u - (b & 1u)));
    }
    return product;
}

SSTI_CRC_TARGET
static uint32_t ssti_crc_hard(uint32_t crc, const uint8_t *p, size_t size) {
    for (; size >= 3 * SSTI_CRC_CHUNK; size -= 3 * SSTI_CRC_CHUNK) {
        uint32_t a = crc, b = 0, c = 0;
        size_t i;
        for (i = 0; i < SSTI_CRC_CHUNK; i += 8) {
            a = ssti_crc_word(a, ssti_get64(p + i));
            b = ssti_crc_word(b, ssti_get64(p + SSTI_CRC_CHUNK + i));
            c = ssti_crc_word(c, ssti_get64(p + 2 * SSTI_CRC_CHUNK + i));
        }
        crc = ssti_crc_multiply(a, SSTI_CRC_SHIFT_2) ^ ssti_crc_multiply(b, SSTI_CRC_SHIFT_1) ^ c;
        p += 3 * SSTI_CRC_CHUNK;
    }
    for (; size >= 8; size -= 8) {
        crc = ssti_crc_word(crc, ssti_get64(p));
        p += 8;
    }
    return ssti_crc_bytes(crc, p, size);
}

#endif

SST_API uint32_t sst_crc32c(const void *data, size_t size, uint32_t crc) {
    const uint8_t *p = (const uint8_t *)data;
#if SSTI_CRC_X86 || SSTI_CRC_ARM
    if (ssti_crc_hard_there()) return ~ssti_crc_hard(~crc, p, size);
#endif
    return ~ssti_crc_soft(~crc, p, size);
}

/* ============================================================================================
 * >>buf  Growable mapped buffers.
 * ============================================================================================ */

#define SSTI_BUF_PAGE 65536u            /* a multiple of every system's pages; the first capacity */
#define SSTI_BUF_ALIGN 0x200000u        /* huge pages */

#if SSTI_HAS_OS

#define SSTI_BUF_RESERVE ((uint64_t)(sizeof(void *) >= 8 ? 1 : 0) << 36)

/* The bytes of the file: when it is opened, those it had. */
static uint64_t ssti_buf_length(const sst_buf *b) {
    return b->capacity < b->size ? b->size : b->capacity;
}

/* Writes zeros up to there, and over those that the file has, for they may be holes. */
static int ssti_buf_write(const sst_buf *b, uint64_t capacity) {
    static const uint8_t zeros[4096] = {0};
    const sst_io *io = sst_io_default();
    uint64_t at = b->capacity, length = ssti_buf_length(b);
    uint8_t bytes[512];                 /* no file system has smaller blocks */
    size_t done;
    while (at < capacity) {
        size_t size = sizeof zeros;
        if (at < length) {
            size = length - at < sizeof bytes ? (size_t)(length - at) : sizeof bytes;
            SSTI_TRY(io->read_at(io->user, b->file, at, bytes, size, &done));
            if (done != 0 && memcmp(bytes, zeros, done) != 0) {
                at += done;
                continue;
            }
        }
        SSTI_TRY(io->write_at(io->user, b->file, at, zeros, size, &done));
        if (done == 0) return SST_ERR_FULL;
        at += done;
    }
    return SST_OK;
}

/* Really allocates the file's bytes, and makes them part of it. A failure puts the size back. */
static int ssti_buf_allocate(const sst_buf *b, uint64_t capacity) {
    const sst_io *io = sst_io_default();
    int result = io->reserve(io->user, b->file, capacity);
    if (result == SST_ERR_UNSUPPORTED) result = ssti_buf_write(b, capacity);
    if (result == SST_OK) result = io->resize(io->user, b->file, capacity);
    if (result != SST_OK) (void)io->resize(io->user, b->file, ssti_buf_length(b));
    return result;
}

/* Takes a range of addresses of at least so many bytes; larger ones are asked for first. */
static int ssti_buf_range(sst_buf *b, uint64_t least, uint64_t reserve) {
    size_t lead = b->file != NULL ? 0 : SSTI_BUF_ALIGN - 1;
    int result = SST_ERR_MEMORY;
    b->range = NULL;
    b->reserve = ssti_round_up(reserve < least ? least : reserve, SSTI_BUF_PAGE);
    for (;;) {
        if (!SSTI_NEVER_64(b->reserve > SIZE_MAX / 2)) {
            b->range_bytes = (size_t)b->reserve + lead;
            result = sstp_range_make(b->range_bytes, b->file, &b->range);
        }
        if (result == SST_OK) break;
        if (b->reserve <= least || result == SST_ERR_UNSUPPORTED) return result;
        b->reserve = ssti_round_up(b->reserve / 2 < least ? least : b->reserve / 2, SSTI_BUF_PAGE);
    }
    b->data = (uint8_t *)b->range + ((0u - (uintptr_t)b->range) & lead);
    return SST_OK;
}

/* Gets memory for so many bytes, in a larger range where they do not fit the one there is. */
static int ssti_buf_room(sst_buf *b, uint64_t capacity) {
    const sst_io *io = sst_io_default();
    sst_buf to = *b;
    int result = SST_OK;
    bool moves;
    capacity = ssti_round_up(capacity, SSTI_BUF_PAGE);
    moves = capacity > b->reserve;
    if (SSTI_NEVER_64(capacity > SIZE_MAX / 2)) return SST_ERR_MEMORY;
    if (b->file != NULL) SSTI_TRY(ssti_buf_allocate(b, capacity));
    if (moves) {
        to.capacity = 0;
        result = ssti_buf_range(&to, capacity, 2 * b->reserve);
    }
    if (result == SST_OK && b->file == NULL) {
        result = sstp_range_back((uint8_t *)to.data + (size_t)to.capacity,
                                 (size_t)(capacity - to.capacity));
    }
    if (result == SST_OK && SSTI_NEVER(to.data == NULL)) result = SST_ERR_MEMORY;
    if (result != SST_OK) {
        if (moves && to.range != NULL) sstp_range_free(to.range, to.range_bytes);
        if (b->file != NULL) (void)io->resize(io->user, b->file, ssti_buf_length(b));
        return result;
    }
    if (moves) {
        if (b->file == NULL) {
            memcpy(to.data, b->data, (size_t)b->size);
            to.dirty = b->size;
        }
        sstp_range_free(b->range, b->range_bytes);
        if (b->capacity != 0) to.moves++;
    }
    to.capacity = capacity;
    *b = to;
    return SST_OK;
}

/* Opens the file of a FILE. made: there was none. */
static int ssti_buf_file(sst_buf *b, const char *path, bool *made) {
    const sst_io *io = sst_io_default();
    int result = io->open(io->user, path, SST_IO_READ | SST_IO_WRITE, &b->file);
    if (result == SST_ERR_NOT_FOUND) {
        result = io->open(io->user, path,
                          SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE | SST_IO_EXCLUSIVE, &b->file);
        *made = result == SST_OK;
    }
    SSTI_TRY(result);
    result = io->lock(io->user, b->file, SST_IO_LOCK);
    if (result == SST_ERR_LOCKED) *made = false;    /* it is somebody else's */
    if (result == SST_OK) result = io->size(io->user, b->file, &b->size);
    b->dirty = b->size;
    return result;
}

static int ssti_buf_free(sst_buf *b) {
    const sst_io *io = sst_io_default();
    int result = SST_OK, closed;
    sstp_range_free(b->range, b->range_bytes);
    if (b->file == NULL) return SST_OK;
    if (b->kind == SST_BUF_FILE) result = io->resize(io->user, b->file, b->size);
    closed = io->close(io->user, b->file);
    return result != SST_OK ? result : closed;
}

static int ssti_buf_begin(sst_buf *b, const sst_buf_desc *desc) {
    const sst_io *io = sst_io_default();
    uint64_t capacity = desc->capacity;
    bool made = false;
    int result = SST_OK;
    if (b->kind == SST_BUF_TEMP) result = sstp_temp_open(desc->path, &b->file);
    if (b->kind == SST_BUF_FILE) result = ssti_buf_file(b, desc->path, &made);
    if (capacity < b->size) capacity = b->size;
    if (result == SST_OK) {
        result = ssti_buf_range(b, ssti_round_up(capacity, SSTI_BUF_PAGE) + SSTI_BUF_PAGE,
                                desc->reserve != 0 ? desc->reserve : SSTI_BUF_RESERVE);
    }
    if (result == SST_OK && capacity != 0) result = ssti_buf_room(b, capacity);
    if (result == SST_OK) return SST_OK;
    if (b->range != NULL) sstp_range_free(b->range, b->range_bytes);
    if (made) (void)io->remove(io->user, desc->path);
    if (b->file != NULL) (void)io->close(io->user, b->file);
    return result;
}

#else   /* no operating system: the C library's memory, or none */

static int ssti_buf_room(sst_buf *b, uint64_t capacity) {
#if SSTI_HAS_MALLOC
    volatile uintptr_t old = (uintptr_t)b->data;    /* a number: what it named may be gone */
    void *p = SSTI_NEVER_64(capacity > SIZE_MAX / 2) ? NULL
              : ssti_malloc_resize(NULL, b->data, (size_t)b->capacity, (size_t)capacity);
    if (p == NULL) return SST_ERR_MEMORY;
    if (b->capacity != 0 && (uintptr_t)p != old) b->moves++;
    b->data = p;
    b->capacity = b->reserve = b->dirty = capacity;
    return SST_OK;
#else
    (void)b;
    (void)capacity;
    return SST_ERR_UNSUPPORTED;
#endif
}

static int ssti_buf_free(sst_buf *b) {
#if SSTI_HAS_MALLOC
    if (b->data != NULL) (void)ssti_malloc_resize(NULL, b->data, (size_t)b->capacity, 0);
#else
    (void)b;
#endif
    return SST_OK;
}

static int ssti_buf_begin(sst_buf *b, const sst_buf_desc *desc) {
    if (b->kind != SST_BUF_ANON || !SSTI_HAS_MALLOC) return SST_ERR_UNSUPPORTED;
    return desc->capacity == 0 ? SST_OK : ssti_buf_room(b, desc->capacity);
}

#endif

/* Gets memory for `size` bytes and for some to come; where there is none for those, for so many. */
static int ssti_buf_grow(sst_buf *b, uint64_t size) {
    uint64_t want = b->capacity < SSTI_BUF_PAGE / 2 ? SSTI_BUF_PAGE : 2 * b->capacity;
    int result;
    if (size <= b->capacity) return SST_OK;
    if (b->kind == SST_BUF_FIXED) return SST_ERR_FULL;
    if (size > INT64_MAX / 4) return SST_ERR_MEMORY;
    if (b->step != 0) {
        uint64_t over = size % b->step;
        want = over == 0 ? size : size - over + b->step;
    }
    if (want < size) want = size;
    result = ssti_buf_room(b, want);
    if (result == SST_OK || want == size) return result;
    return ssti_buf_room(b, size);
}

SST_API int sst_buf_open(sst_buf *buf, const sst_buf_desc *desc) {
    static const sst_buf_desc anonymous = {SST_BUF_ANON, NULL, NULL, 0, 0, 0};
    sst_buf b;
    if (buf == NULL) return SST_ERR_ARG;
    if (buf->open != 0) return SST_ERR_STATE;
    if (desc == NULL) desc = &anonymous;
    if ((unsigned)desc->kind > SST_BUF_FIXED || desc->step > INT64_MAX / 4 ||
        desc->capacity > INT64_MAX / 4 || desc->reserve > INT64_MAX / 4 ||
        (desc->kind == SST_BUF_FILE && desc->path == NULL) ||
        (desc->kind == SST_BUF_FIXED && desc->memory == NULL) ||
        (desc->kind == SST_BUF_FIXED && SSTI_NEVER_64(desc->capacity > SIZE_MAX))) {
        return SST_ERR_ARG;
    }
    memset(&b, 0, sizeof b);
    b.kind = desc->kind;
    b.step = desc->step;
    b.open = 1;
    if (b.kind == SST_BUF_FIXED) {
        b.data = desc->memory;
        b.capacity = b.reserve = b.dirty = desc->capacity;
    } else {
        SSTI_TRY(ssti_buf_begin(&b, desc));
    }
    *buf = b;
    return SST_OK;
}

SST_API int sst_buf_append(sst_buf *buf, const void *bytes, size_t size) {
    const uint8_t *from = (const uint8_t *)bytes;
    uintptr_t at;
    if (buf == NULL || (bytes == NULL && size != 0)) return SST_ERR_ARG;
    if (buf->open == 0) return SST_ERR_STATE;
    if (size == 0) return SST_OK;
    at = (uintptr_t)from - (uintptr_t)buf->data;        /* of its own bytes, which may move */
    if (size > buf->capacity - buf->size) {
        bool own = buf->data != NULL && at < buf->size;
        uint64_t end = buf->size + size;
        SSTI_TRY(ssti_buf_grow(buf, end < size ? UINT64_MAX : end));
        if (own) from = (const uint8_t *)buf->data + at;
    }
    if (SSTI_NEVER(buf->data == NULL)) return SST_ERR_MEMORY;
    memmove((uint8_t *)buf->data + (size_t)buf->size, from, size);
    buf->size += size;
    if (buf->dirty < buf->size) buf->dirty = buf->size;
    return SST_OK;
}

SST_API int sst_buf_resize(sst_buf *buf, uint64_t size) {
    if (buf == NULL) return SST_ERR_ARG;
    if (buf->open == 0) return SST_ERR_STATE;
    SSTI_TRY(ssti_buf_grow(buf, size));
    if (size > buf->size) {             /* what was never in use is 0 */
        uint64_t end = size < buf->dirty ? size : buf->dirty;
        if (end > buf->size) {
            memset((uint8_t *)buf->data + (size_t)buf->size, 0, (size_t)(end - buf->size));
        }
        if (buf->dirty < size) buf->dirty = size;
    }
    buf->size = size;
    return SST_OK;
}

SST_API void sst_buf_reset(sst_buf *buf) {
    if (buf != NULL) buf->size = 0;
}

SST_API int sst_buf_close(sst_buf *buf) {
    int result = SST_OK;
    if (buf == NULL || buf->open == 0) return SST_OK;
    if (buf->kind != SST_BUF_FIXED) result = ssti_buf_free(buf);
    memset(buf, 0, sizeof *buf);
    return result;
}

/* ============================================================================================
 * >>record  Reading and writing records: the only code that knows the bytes.
 * ============================================================================================ */

#define SSTI_RECORD_BYTES 64u           /* a record header, a file header, the alignment of both */
#define SSTI_ENTRY_BYTES 32u            /* of a block's directory */
#define SSTI_PAGE_BYTES 4096u
#define SSTI_ALIGN_FROM 65536u          /* blocks from this size have page-aligned columns */
#define SSTI_SESSION_STEP 0x1000000u    /* 2^24 */
#define SSTI_PART_BYTES (SSTI_HAS_OS ? 4096u : 256u)    /* of the stack, to read through */
#define SSTI_SEGMENT_BYTES 0x4000000u   /* a mapping: 64 MiB of address range */
#ifndef SSTI_PIECE_BYTES
#define SSTI_PIECE_BYTES 1048576u       /* format; only tests make it smaller */
#endif

enum {
    SSTI_STREAM = 1, SSTI_BLOCK, SSTI_META, SSTI_INDEX, SSTI_SYNC, SSTI_END, SSTI_SKIP,
    SSTI_FINISH, SSTI_TABLE,
    SSTI_MUST_UNDERSTAND = 128,
    SSTI_META_REMOVED = 1, SSTI_END_UNSYNCED = 1,
    SSTI_KIND_TIME = 1, SSTI_KIND_TIMELINE, SSTI_KIND_TAG, SSTI_KIND_KEY_OFFSETS, SSTI_KIND_KEYS,
    SSTI_KIND_OFFSETS, SSTI_KIND_VALUES, SSTI_KIND_ROW_FLAGS, SSTI_KIND_PIECES,
    SSTI_VERSION_MAJOR = 1, SSTI_VERSION_MINOR = 0
};

/* Rules that the promises of >>manual rest on. The crash lab of the tests breaks one at a time, and
 * has to notice; everywhere else SSTI_BROKEN is 0. */
enum {
    SSTI_RULE_SALT = 1,             /* records and companions of another file do not count */
    SSTI_RULE_OFFSET,               /* nor records that lie somewhere else */
    SSTI_RULE_JUMP,                 /* a session's sequence numbers line up with no earlier ones */
    SSTI_RULE_SYNC,                 /* a sync syncs the file */
    SSTI_RULE_SYNC_DIR,             /* and, the first time, the directory */
    SSTI_RULE_SYNC_ORDER,           /* SYNC is written after that */
    SSTI_RULE_END_ORDER,            /* and so is END */
    SSTI_RULE_PADDING,              /* what is synced shares no sector with what comes later */
    SSTI_RULE_STICKY,               /* a failed sync stays failed */
    SSTI_RULE_CUT,                  /* nothing behind the cut counts */
    SSTI_RULE_COLUMNS,              /* at the cut a block counts if all its columns validate */
    SSTI_RULE_INDEX,                /* an INDEX is believed as far as it agrees */
    SSTI_RULE_TORN,                 /* what is cut off is saved */
    SSTI_RULE_TORN_SYNC,            /* and synced before it is cut off */
    SSTI_RULE_TAIL_ORDER,           /* a half is written before it is used again */
    SSTI_RULE_CHECK_WORDS,          /* rows of a tail count by their check words */
    SSTI_RULE_SESSION,              /* a companion counts in its own session */
    SSTI_RULE_GAP,                  /* a tail joins where its rows follow */
    SSTI_RULE_RECOVERY_ORDER,       /* the old companion goes when its rows are in the store */
    SSTI_RULE_CLOSE_ORDER,          /* and so in closing */
    SSTI_RULES
};
#ifndef SSTI_BROKEN
#define SSTI_BROKEN(rule) 0
#endif

static const uint8_t ssti_file_magic[8] = {0x89, 'S', 'S', 'T', '\r', '\n', 0x1A, '\n'};
static const uint8_t ssti_record_magic[4] = {'S', 'R', 'E', 'C'};
static const uint8_t ssti_live_magic[8] = {0x89, 'S', 'S', 'L', '\r', '\n', 0x1A, '\n'};
#define SSTI_LIVE_LENGTH 64u            /* in the companion: where the published length stands */

/* A record header, decoded. */
typedef struct ssti_header {
    uint8_t type, flags;
    uint32_t salt, sequence, stream, rows;
    uint64_t payload;               /* bytes */
    uint64_t first_row;             /* SYNC: synced length; END: offset of the INDEX */
    int64_t first_time, last_time;
    uint32_t crc;                   /* of the payload */
} ssti_header;

/* A directory entry, decoded. offset is in bytes from the start of the record. */
typedef struct ssti_entry {
    uint8_t kind, codec;
    uint16_t part;
    uint32_t crc;
    uint64_t offset, stored, decoded;
} ssti_entry;

/* Part of a memory store's image: whole records, which never move. `data` is aligned to 64. */
typedef struct ssti_extent {
    uint8_t *data;
    void *memory;                   /* what the allocator gave */
    size_t memory_bytes;
    size_t used, capacity;
    uint64_t base;                  /* file offset of data[0] */
} ssti_extent;

/* A hash table from names to numbers above 0: open addressing, linear probing, never more than
 * half full. The names themselves are elsewhere; the caller compares. */
typedef struct ssti_map_slot {
    uint32_t hash, value;           /* value 0: free */
} ssti_map_slot;

typedef struct ssti_map {
    ssti_map_slot *slots;
    uint32_t capacity, used;
} ssti_map;

/* One key of the metadata of a store or stream. */
typedef struct ssti_meta {
    char *key;                      /* followed by 0 */
    uint8_t *value;                 /* followed by 0 */
    size_t key_bytes, size;
} ssti_meta;

/* Removed entries have no key, until ssti_metas_compact closes the gaps. */
typedef struct ssti_metas {
    ssti_meta *items;
    uint32_t count, capacity;
    uint32_t live;
    ssti_map map;                   /* from keys to places in items, plus one */
} ssti_metas;

typedef struct ssti_series ssti_series;
typedef struct ssti_batch ssti_batch;

#define SSTI_CHUNK_FIRST 8u
#define SSTI_CHUNKS 29              /* of doubling size, from that: over 2^32 items */
#define SSTI_SERIES_CHUNKS 14       /* the same for SST_MAX_STREAMS */
#define SSTI_LIST_CHUNKS (SSTI_HAS_READ ? SSTI_CHUNKS : 1)  /* see ssti_list */

struct sst_store {
    sst_allocator allocator;
    sst_io io;
    uint32_t flags, block_bytes;
    uint32_t syncing;               /* a sync is under way */
    uint32_t lock;                  /* extents, sequence, streams, metadata, handles */
    uint32_t error_lock;
    sst_error error;
    sst_error detail;               /* of what fails under the lock */
    const uint32_t *alive;          /* a word that is 0 in a forked child */
    uint32_t *guard;                /* what sstp_guard_make gave, or NULL */
    bool writable;
    bool recording;                 /* opened while another process writes it */
    bool exclusive;                 /* opened with the lock: nobody else writes it */
    bool direct;                    /* views may point into the bytes */
    bool finished;                  /* its last record is END */
    bool indexed;                   /* opened by its END and INDEX, not by hopping */
    uint8_t header[SSTI_RECORD_BYTES];
    uint32_t salt;
    uint64_t random;                /* state */
    /* a file: through io; its mapped parts never move */
    char *path, *live_path;
    void *file;
    bool created;                   /* by this handle: sst_abort may remove it */
    bool directory_synced;
    int read_error;                 /* of the last failed read, or SST_OK */
    ssti_extent *segments;          /* `base` is the offset, `data` the mapping */
    uint32_t segment_count, segment_capacity;
    /* the companion: mapped for writing, see >>live */
    void *live;                     /* the file, or NULL: tails are in memory */
    ssti_extent *parts;             /* its mappings: `base` is the offset, `used` is allocated */
    uint32_t part_count, part_capacity;
    uint64_t live_bytes;            /* of the file */
    uint64_t session;
    uint64_t recovered_rows;
    bool tail_found;                /* a companion of the newest session was there */
    bool tail_lost;                 /* there should have been one, or it has a gap */
    bool header_lost;               /* that of the file is damaged */
    uint8_t *staging;               /* where records are put together */
    size_t staging_bytes;
    ssti_batch *batch;              /* blocks of one flush that wait in staging, or NULL */
    size_t batched;                 /* bytes of them, behind which the next record is put */
    uint64_t reserved;              /* bytes of the file that are allocated */
    uint64_t written;               /* how far a write has been tried */
    /* opened: an image in memory, or a file */
    const uint8_t *image;
    uint64_t file_bytes;            /* what counts: up to the cut */
    uint64_t torn_bytes;
    uint64_t synced;                /* S of >>format; of a writer: what its last sync made sure */
    uint64_t sync_end;              /* `end` behind the last SYNC: nothing is new at it */
    int64_t sync_ns;                /* when that was, by the monotonic clock */
    uint32_t sync_align, sync_interval_ms;
    uint64_t sync_interval_bytes;
    int sticky;                     /* the first failed sync, or SST_OK */
    uint32_t index_lies;            /* an entry of the INDEX is not what the record says */
    /* being written */
#if SSTI_HAS_OS
    bool buffered;                  /* a large image is in this */
    sst_buf buffer;
#endif
    ssti_extent *extents;
    uint32_t extent_count, extent_capacity;
    ssti_extent *retired;           /* replaced by one contiguous extent; views point there */
    uint32_t retired_count, retired_capacity;
    uint32_t retains;               /* 1: there is a stream whose rows are dropped */
    uint32_t sequence;              /* of the next record */
    uint64_t end;                   /* file offset of the next record */
    uint64_t index_offset;          /* of the newest INDEX, or 0 */
    uint32_t unindexed;             /* blocks since */
    bool ended;                     /* nothing new since END */
    /* streams in the order of their numbers */
    ssti_series **series[SSTI_SERIES_CHUNKS];
    uint32_t series_count;
    uint32_t series_last;           /* the largest stream number in the file */
    ssti_map names;                 /* from names to stream numbers */
    ssti_metas metas;
    sst_stream *handles;
    uint64_t tail_bytes, tail_bytes_max;    /* of all halves; 0: no limit */
    ssti_extent *spare;             /* memory of halves that were outgrown */
    uint32_t spare_count, spare_capacity;
};

/* Item i of an array in chunks that never move: its chunk and its place there. */
static uint32_t ssti_chunk(uint32_t i, uint32_t *place) {
    uint64_t n = (uint64_t)i + SSTI_CHUNK_FIRST;
    uint32_t chunk = 0;
#if defined(__GNUC__)
    chunk = 60u - (uint32_t)__builtin_clzll(n);     /* 2^3 is the first chunk */
#else
    while ((n >> chunk) >= 2 * SSTI_CHUNK_FIRST) chunk++;
#endif
    *place = (uint32_t)(n - ((uint64_t)SSTI_CHUNK_FIRST << chunk));
    return chunk;
}

#define SSTI_CHUNK_ITEMS(chunk) ((size_t)SSTI_CHUNK_FIRST << (chunk))

/* ---- names ---- */

static uint32_t ssti_map_hash(const void *name, size_t size) {
    return sst_crc32c(name, size, 0) * 0x9E3779B1u;
}

/* Goes through the values whose names may be equal: *at is 0 first. 0: no more. */
static uint32_t ssti_map_next(const ssti_map *map, uint32_t hash, uint32_t *at) {
    uint32_t mask = map->capacity - 1;
    if (map->capacity == 0) return 0;
    for (;;) {
        const ssti_map_slot *slot = &map->slots[(hash + *at) & mask];
        if (slot->value == 0) return 0;
        (*at)++;
        if (slot->hash == hash) return slot->value;
    }
}

static void ssti_map_set(ssti_map *map, uint32_t hash, uint32_t value) {
    uint32_t at = hash;
    while (map->slots[at & (map->capacity - 1)].value != 0) at++;
    at &= map->capacity - 1;
    map->slots[at].hash = hash;
    map->slots[at].value = value;
    map->used++;
}

static void ssti_map_free(const sst_allocator *a, ssti_map *map) {
    ssti_free(a, map->slots, map->capacity * sizeof(ssti_map_slot));
    memset(map, 0, sizeof *map);
}

/* Makes room for one more name, so that ssti_map_set cannot fail. */
static int ssti_map_room(const sst_allocator *a, ssti_map *map) {
    ssti_map larger;
    uint32_t i;
    if ((map->used + 1) * 2 <= map->capacity) return SST_OK;
    if (map->capacity > 0x10000000u) return SST_ERR_LIMIT;
    larger.used = 0;
    larger.capacity = map->capacity == 0 ? 8 : map->capacity * 2;
    larger.slots = (ssti_map_slot *)ssti_alloc_zero(a, larger.capacity * sizeof(ssti_map_slot));
    if (larger.slots == NULL) return SST_ERR_MEMORY;
    for (i = 0; i < map->capacity; i++) {
        const ssti_map_slot *slot = &map->slots[i];
        if (slot->value != 0) ssti_map_set(&larger, slot->hash, slot->value);
    }
    ssti_map_free(a, map);
    *map = larger;
    return SST_OK;
}

/* ---- headers and entries ---- */

static uint32_t ssti_header_crc(const uint8_t *record, uint64_t offset) {
    uint8_t place[8];
    ssti_put64(place, SSTI_BROKEN(OFFSET) ? 0 : offset);
    return sst_crc32c(place, 8, sst_crc32c(record, 60, 0));
}

static void ssti_header_encode(const ssti_header *h, uint64_t offset, uint8_t *to) {
    memset(to, 0, SSTI_RECORD_BYTES);
    memcpy(to, ssti_record_magic, 4);
    to[4] = h->type;
    to[5] = h->flags;
    ssti_put32(to + 8, h->salt);
    ssti_put32(to + 12, h->sequence);
    ssti_put32(to + 16, h->stream);
    ssti_put32(to + 20, h->rows);
    ssti_put64(to + 24, h->payload);
    ssti_put64(to + 32, h->first_row);
    ssti_put64(to + 40, (uint64_t)h->first_time);
    ssti_put64(to + 48, (uint64_t)h->last_time);
    ssti_put32(to + 56, h->crc);
    ssti_put32(to + 60, ssti_header_crc(to, offset));
}

static void ssti_file_header_seal(uint8_t *header) {
    ssti_put32(header + 60, sst_crc32c(header, 60, 0));
}

static void ssti_entry_encode(const ssti_entry *e, uint8_t *to) {
    memset(to, 0, SSTI_ENTRY_BYTES);
    to[0] = e->kind;
    to[1] = e->codec;
    ssti_put16(to + 2, e->part);
    ssti_put32(to + 8, (uint32_t)(e->offset / 64 - 1));
    ssti_put32(to + 12, e->crc);
    ssti_put64(to + 16, e->stored);
    ssti_put64(to + 24, e->decoded);
}

#if SSTI_HAS_READ

static void ssti_entry_decode(const uint8_t *from, ssti_entry *e) {
    e->kind = from[0];
    e->codec = from[1];
    e->part = ssti_get16(from + 2);
    e->offset = ((uint64_t)ssti_get32(from + 8) + 1) * 64;
    e->crc = ssti_get32(from + 12);
    e->stored = ssti_get64(from + 16);
    e->decoded = ssti_get64(from + 24);
}

/* Decodes a record header that was copied out of the file. False: magic or crc are wrong. */
static bool ssti_header_decode(const uint8_t *from, uint64_t offset, ssti_header *h) {
    if (memcmp(from, ssti_record_magic, 4) != 0) return false;
    if (ssti_get32(from + 60) != ssti_header_crc(from, offset)) return false;
    h->type = from[4];
    h->flags = from[5];
    h->salt = ssti_get32(from + 8);
    h->sequence = ssti_get32(from + 12);
    h->stream = ssti_get32(from + 16);
    h->rows = ssti_get32(from + 20);
    h->payload = ssti_get64(from + 24);
    h->first_row = ssti_get64(from + 32);
    h->first_time = ssti_get_time(from + 40);
    h->last_time = ssti_get_time(from + 48);
    h->crc = ssti_get32(from + 56);
    return true;
}

#endif

/* How much of the file counts. */
static uint64_t ssti_length(const sst_store *store) {
    return store->writable ? store->end : store->file_bytes;
}

/* ---- the bytes of a memory store ---- */

#define SSTI_EXTENT_FIRST 16384u        /* bytes of the first one, or a block */

static int ssti_extent_make(const sst_allocator *a, ssti_extent *e, size_t capacity) {
    if (capacity > SIZE_MAX - 64) return SST_ERR_MEMORY;
    memset(e, 0, sizeof *e);
    e->memory_bytes = capacity + 64;
    e->memory = ssti_alloc(a, e->memory_bytes);
    if (e->memory == NULL) return SST_ERR_MEMORY;
    e->data = (uint8_t *)e->memory + ((0u - (uintptr_t)e->memory) & 63u);
    e->capacity = capacity;
    return SST_OK;
}

/* Makes room for the extents among the retired ones, so that ssti_extents_move cannot fail. */
static int ssti_extents_room(sst_store *store) {
    return ssti_grow(&store->allocator, (void **)&store->retired, &store->retired_capacity,
                     store->retired_count + store->extent_count, sizeof(ssti_extent));
}

/* Copies all extents into one, which takes their place; they stay for who looks at them. */
static void ssti_extents_move(sst_store *store, const ssti_extent *to) {
    uint32_t i;
    for (i = 0; i < store->extent_count; i++) {
        const ssti_extent *e = &store->extents[i];
        memcpy(to->data + (size_t)e->base, e->data, e->used);
        store->retired[store->retired_count++] = *e;
    }
    store->extents[0] = *to;
    store->extents[0].used = (size_t)store->end;
    store->extent_count = 1;
}

#if SSTI_HAS_OS

#ifndef SSTI_BUFFER_FROM
#define SSTI_BUFFER_FROM 1048576u       /* smaller images are not worth a range of addresses */
#endif
#ifndef SSTI_BUFFER_RESERVE
#define SSTI_BUFFER_RESERVE 0x400000000u        /* 16 GiB */
#endif

/* Opens the buffer of an image that becomes so large, and moves what there is into it. */
static int ssti_buffer_open(sst_store *store, uint64_t need) {
    sst_buf *b = &store->buffer;
    ssti_extent e;
    sst_buf_desc desc;
    int result;
    memset(&desc, 0, sizeof desc);
    memset(&e, 0, sizeof e);
    desc.reserve = SSTI_BUFFER_RESERVE;
    desc.capacity = 2 * need;
    SSTI_TRY(ssti_extents_room(store));
    SSTI_TRY(sst_buf_open(b, &desc));
    result = b->reserve < desc.reserve ? SST_ERR_MEMORY : SST_OK;   /* addresses are scarce here */
    if (result != SST_OK) {
        (void)sst_buf_close(b);
        return result;
    }
    e.data = (uint8_t *)b->data;
    e.capacity = (size_t)b->capacity;
    ssti_extents_move(store, &e);
    return SST_OK;
}

/* Room in the buffer that a large image is in, where memory is not the caller's: it grows in one
 * piece as far as it need not move. SST_ERR_LIMIT: not there. */
static int ssti_extent_buffer(sst_store *store, size_t size) {
    sst_buf *b = &store->buffer;
    uint64_t need = store->end + size, want;
    if (!store->buffered || need < SSTI_BUFFER_FROM || need > SSTI_BUFFER_RESERVE) {
        return SST_ERR_LIMIT;
    }
    if (b->open == 0) {
        store->buffered = ssti_buffer_open(store, need) == SST_OK;
        return store->buffered ? SST_OK : SST_ERR_LIMIT;
    }
    if (SSTI_HUGE(store->extents[0].data != b->data || store->extent_count > 1)) {
        return SST_ERR_LIMIT;           /* more was needed once, for what was not written then */
    }
    want = 2 * b->capacity < b->reserve ? 2 * b->capacity : b->reserve;
    if (want < need || ssti_buf_room(b, want) != SST_OK) SSTI_TRY(ssti_buf_room(b, need));
    store->extents[0].capacity = (size_t)b->capacity;
    return SST_OK;
}

#endif

/* Room for `size` more bytes in one piece: in the newest extent, or in a new one as large as all
 * before it, or, where there is no memory for that, just large enough. */
static int ssti_extent_room(sst_store *store, size_t size) {
    const sst_allocator *a = &store->allocator;
    uint32_t n = store->extent_count;
    uint64_t want = store->block_bytes < SSTI_EXTENT_FIRST ? store->block_bytes : SSTI_EXTENT_FIRST;
    ssti_extent e;
    if (n != 0 && store->extents[n - 1].capacity - store->extents[n - 1].used >= size) {
        return SST_OK;
    }
    SSTI_TRY(ssti_grow(a, (void **)&store->extents, &store->extent_capacity, n + 1, sizeof e));
#if SSTI_HAS_OS
    {
        int result = ssti_extent_buffer(store, size);
        if (result != SST_ERR_LIMIT) return result;
    }
#endif
    if (want < store->end) want = store->end;
    if (want > SIZE_MAX / 4) want = SIZE_MAX / 4;
    if (want < size || ssti_extent_make(a, &e, (size_t)want) != SST_OK) {
        SSTI_TRY(ssti_extent_make(a, &e, size));
    }
    e.base = store->end;
    store->extents[n] = e;
    store->extent_count = n + 1;
    return SST_OK;
}

/* ---- writing: begin gives the place, the caller fills it, commit publishes ---- */

typedef struct ssti_draft {
    ssti_header header;             /* to be filled before commit */
    uint8_t *record;                /* where the record header goes; the payload follows */
    uint64_t offset;                /* of the record in the file */
    uint32_t skip;                  /* bytes of the SKIP before it */
} ssti_draft;

/* Memory of at least so many bytes for records on their way to a file; what waits there stays. The
 * first is for a small block at once: fixed memory grows only at its end. */
static int ssti_staging_room(sst_store *store, size_t size) {
    const sst_allocator *a = &store->allocator;
    size_t least = store->block_bytes < SSTI_EXTENT_FIRST ? store->block_bytes : SSTI_EXTENT_FIRST;
    uint8_t *p;
    if (size <= store->staging_bytes) return SST_OK;
    if (store->batched != 0) size += size / 2;
    if (size < least + 256) size = least + 256;
    p = (uint8_t *)a->resize(a->user, store->staging, store->staging_bytes, size);
    if (p == NULL) return SST_ERR_MEMORY;
    store->staging = p;
    store->staging_bytes = size;
    return SST_OK;
}

/* A draft at the end of the file. `column` is the place of a block's first column in the record, 0
 * otherwise. */
static void ssti_draft_begin(const sst_store *store, ssti_draft *d, uint8_t type,
                             uint64_t payload, uint64_t column) {
    memset(d, 0, sizeof *d);
    if (column != 0 && payload >= SSTI_ALIGN_FROM) {
        d->skip = (uint32_t)((0u - (store->end + column)) & (SSTI_PAGE_BYTES - 1));
    }
    d->offset = store->end + d->skip;
    d->header.type = type;
    d->header.payload = payload;
    d->header.salt = store->salt;
    d->header.sequence = store->sequence + (d->skip != 0);
}

/* Under the lock. Until commit nothing has changed but the room for the record. */
static int ssti_record_begin(sst_store *store, ssti_draft *d, uint8_t type, uint64_t payload,
                             uint64_t column) {
    uint64_t total;
    ssti_draft_begin(store, d, type, payload, column);
    if (payload > SIZE_MAX / 4) return SST_ERR_MEMORY;
    total = d->skip + SSTI_RECORD_BYTES + ssti_round_up(payload, 64);
    if (store->file != NULL) {
        SSTI_TRY(ssti_staging_room(store, store->batched + (size_t)total));
        d->record = store->staging + store->batched + d->skip;
    } else {
        ssti_extent *e;
        SSTI_TRY(ssti_extent_room(store, (size_t)total));
        e = &store->extents[store->extent_count - 1];
        d->record = e->data + e->used + d->skip;
    }
    return SST_OK;
}

/* Writes bytes at an offset of the file; where there is less room than asked for, what was written
 * does not count and is written again. */
static int ssti_file_write(sst_store *store, void *file, uint64_t offset, const uint8_t *bytes,
                           size_t size) {
    while (size != 0) {
        size_t done = 0;
        SSTI_TRY(store->io.write_at(store->io.user, file, offset, bytes, size, &done));
        if (done == 0 || done > size) return done == 0 ? SST_ERR_FULL : SST_ERR_IO;
        bytes += done;
        size -= done;
        offset += done;
    }
    return SST_OK;
}

/* Reads from a file until there is so much or the file ends; *got says how much. */
static int ssti_file_read(const sst_store *store, void *file, uint64_t offset, void *to,
                          size_t size, size_t *got) {
    uint8_t *p = (uint8_t *)to;
    *got = 0;
    if (store->io.read_at == NULL) return SST_ERR_UNSUPPORTED;
    while (*got < size) {
        size_t done = 0, left = size - *got;
        SSTI_TRY(store->io.read_at(store->io.user, file, offset + *got, p + *got, left, &done));
        if (done == 0 || done > left) break;
        *got += done;
    }
    return SST_OK;
}

#define SSTI_RESERVE_MAX 0x4000000u     /* 64 MiB */

/* Allocates the file ahead, as much again as there is, so that the file system need not find room
 * at every write. Where it does not want to, the write itself will tell. */
static void ssti_file_reserve(sst_store *store, uint64_t end) {
    uint64_t ahead = end < SSTI_RESERVE_MAX ? end : SSTI_RESERVE_MAX;
    if (store->io.reserve == NULL || end <= store->reserved) return;
    ahead = ssti_round_up(end + ahead, SSTI_PAGE_BYTES);
    if (store->io.reserve(store->io.user, store->file, ahead) == SST_OK) store->reserved = ahead;
    else store->reserved = ssti_round_up(end, 0x100000u);       /* asked again a MiB later */
}

/* Writes whole records at an offset of the store file, with the room ahead of them. */
static int ssti_records_write(sst_store *store, uint64_t offset, const uint8_t *bytes,
                              size_t size) {
    ssti_file_reserve(store, offset + size);
    if (store->written < offset + size) store->written = offset + size;
    return ssti_file_write(store, store->file, offset, bytes, size);
}

/* Tells live readers how long the file is, in units of 64 bytes: a hint. */
static void ssti_live_publish(sst_store *store) {
    uint32_t words[2];
    words[0] = (uint32_t)(store->end / 64);
    words[1] = (uint32_t)(store->end / 64 >> 32);
    ssti_copy_in(store->parts[0].data + SSTI_LIVE_LENGTH, words, sizeof words);
}

/* Writes the header of the record into the draft, and the SKIP before it. */
static void ssti_draft_encode(const sst_store *store, const ssti_draft *d) {
    if (d->skip != 0) {
        ssti_header skip;
        memset(&skip, 0, sizeof skip);
        skip.type = SSTI_SKIP;
        skip.salt = store->salt;
        skip.sequence = store->sequence;
        skip.payload = d->skip - SSTI_RECORD_BYTES;
        memset(d->record - d->skip, 0, d->skip);
        ssti_header_encode(&skip, store->end, d->record - d->skip);
    }
    ssti_header_encode(&d->header, d->offset, d->record);
}

/* Completes a record that is in memory as a whole. */
static void ssti_draft_close(const sst_store *store, const ssti_draft *d) {
    size_t payload = (size_t)d->header.payload;
    memset(d->record + SSTI_RECORD_BYTES + payload, 0,
           (size_t)ssti_round_up(payload, 64) - payload);
    ssti_draft_encode(store, d);
}

/* Completes the record, and writes it or, while blocks are gathered, leaves it in staging. */
static int ssti_record_commit(sst_store *store, ssti_draft *d) {
    uint64_t padded = ssti_round_up(d->header.payload, 64);
    uint64_t total = d->skip + SSTI_RECORD_BYTES + padded;
    uint8_t *bytes = d->record - d->skip;
    ssti_draft_close(store, d);
    if (store->file == NULL) store->extents[store->extent_count - 1].used += (size_t)total;
    else if (store->batch != NULL) store->batched += (size_t)total;
    else SSTI_TRY(ssti_records_write(store, store->end, bytes, (size_t)total));
    store->end += total;
    store->sequence = d->header.sequence + 1;
    store->ended = d->header.type == SSTI_END;
    if (store->live != NULL && store->batch == NULL) ssti_live_publish(store);
    return SST_OK;
}

/* The same for a payload that is checksummed as a whole. */
static int ssti_record_commit_whole(sst_store *store, ssti_draft *d) {
    d->header.crc = sst_crc32c(d->record + SSTI_RECORD_BYTES, (size_t)d->header.payload, 0);
    return ssti_record_commit(store, d);
}

static uint8_t *ssti_draft_payload(const ssti_draft *d) { return d->record + SSTI_RECORD_BYTES; }

/* A record without payload. */
static int ssti_record_bare(sst_store *store, uint8_t type, uint32_t stream, uint64_t first_row,
                            int64_t first_time) {
    ssti_draft d;
    SSTI_TRY(ssti_record_begin(store, &d, type, 0, 0));
    d.header.stream = stream;
    d.header.first_row = first_row;
    d.header.first_time = first_time;
    return ssti_record_commit_whole(store, &d);
}

#if SSTI_HAS_READ

/* ---- reading: hopping from header to header ---- */

static const uint8_t *ssti_extent_bytes(const ssti_extent *e, uint64_t offset, uint64_t size) {
    uint64_t at = offset - e->base;
    if (offset < e->base || at > e->used || size > e->used - at) return NULL;
    return e->data + (size_t)at;
}

/* Where bytes [offset, offset + size) of the file are in memory, or NULL. Not while another thread
 * may be mapping or sealing. */
static const uint8_t *ssti_bytes(const sst_store *store, uint64_t offset, uint64_t size) {
    uint32_t low = 0, high = store->extent_count;
    if (store->image != NULL) {
        if (offset > store->file_bytes || size > store->file_bytes - offset) return NULL;
        return store->image + (size_t)offset;
    }
    while (high - low > 1) {        /* the last extent that begins at or before offset */
        uint32_t middle = low + (high - low) / 2;
        if (store->extents[middle].base <= offset) low = middle;
        else high = middle;
    }
    if (high != 0) return ssti_extent_bytes(&store->extents[low], offset, size);
    for (low = 0; low < store->segment_count; low++) {
        const uint8_t *p = ssti_extent_bytes(&store->segments[low], offset, size);
        if (p != NULL) return p;
    }
    return NULL;
}

/* Reads from a file. False: it has not so many bytes there, or reading fails, which is noted. */
static bool ssti_read_at(sst_store *store, uint64_t offset, void *to, size_t size) {
    size_t got;
    int result = ssti_file_read(store, store->file, offset, to, size, &got);
    if (result != SST_OK) ssti_atomic_store(&store->read_error, result);
    return result == SST_OK && got == size;
}

/* The checksum of bytes of a file, read by position. */
static bool ssti_crc_read(sst_store *store, uint64_t offset, uint64_t size, uint32_t *crc) {
    uint8_t part[SSTI_PART_BYTES];
    for (*crc = 0; size != 0;) {
        size_t n = size < sizeof part ? (size_t)size : sizeof part;
        if (!ssti_read_at(store, offset, part, n)) return false;
        *crc = sst_crc32c(part, n, *crc);
        offset += n;
        size -= n;
    }
    return true;
}

/* Copies bytes of the file, as far as it counts. */
static bool ssti_copy_at(sst_store *store, uint64_t offset, void *to, size_t size) {
    uint64_t length = ssti_length(store);
    const uint8_t *p;
    if (offset > length || size > length - offset) return false;
    p = ssti_bytes(store, offset, size);
    if (p == NULL) return store->file != NULL && ssti_read_at(store, offset, to, size);
    memcpy(to, p, size);
    return true;
}

/* The checksum of bytes of the file. */
static bool ssti_crc_at(sst_store *store, uint64_t offset, uint64_t size, uint32_t *crc) {
    uint64_t length = ssti_length(store);
    const uint8_t *p = NULL;
    /* what has a header that validates lies within the file */
    if (SSTI_NEVER(offset > length) || SSTI_NEVER(size > length - offset)) return false;
    if (!SSTI_NEVER_64(size > SIZE_MAX)) p = ssti_bytes(store, offset, size);
    if (p == NULL) {
        return !SSTI_NEVER(store->file == NULL) && ssti_crc_read(store, offset, size, crc);
    }
    *crc = sst_crc32c(p, (size_t)size, 0);
    return true;
}

/* Bytes of the file in memory: where they are, or in a copy that ssti_unload frees. */
typedef struct ssti_loaded {
    const uint8_t *bytes;
    void *memory;
    size_t size;
} ssti_loaded;

static void ssti_unload(sst_store *store, ssti_loaded *l) {
    ssti_free(&store->allocator, l->memory, l->size);
    l->memory = NULL;
}

/* SST_ERR_CORRUPT: the file has not so many bytes. */
static int ssti_load(sst_store *store, uint64_t offset, uint64_t size, ssti_loaded *l) {
    uint64_t length = ssti_length(store);
    memset(l, 0, sizeof *l);
    if (offset > length || size > length - offset || size > SIZE_MAX / 4) return SST_ERR_CORRUPT;
    l->size = (size_t)size;
    l->bytes = ssti_bytes(store, offset, size);
    if (l->bytes != NULL) return SST_OK;
    l->memory = ssti_alloc(&store->allocator, l->size == 0 ? 1 : l->size);
    if (l->size == 0) l->size = 1;
    if (l->memory == NULL) return SST_ERR_MEMORY;
    l->bytes = (const uint8_t *)l->memory;
    if (ssti_copy_at(store, offset, l->memory, (size_t)size)) return SST_OK;
    ssti_unload(store, l);
    return SST_ERR_CORRUPT;
}

/* How many bytes of a payload its header's crc covers; false: not within the file. */
static bool ssti_payload_covered(sst_store *store, uint64_t offset, const ssti_header *h,
                                 uint64_t *size) {
    uint8_t count[4];
    *size = h->payload;
    if (h->type != SSTI_BLOCK) return true;
    if (h->payload < SSTI_ENTRY_BYTES ||
        !ssti_copy_at(store, offset + SSTI_RECORD_BYTES, count, 4)) return false;
    *size = ((uint64_t)ssti_get32(count) + 1) * SSTI_ENTRY_BYTES;
    return *size <= h->payload;
}

/* Does the payload, which lies within the file, match the header's crc? */
static bool ssti_payload_sound(sst_store *store, uint64_t offset, const ssti_header *h) {
    uint64_t size;
    uint32_t crc;
    if (h->type == SSTI_SKIP) return true;
    return ssti_payload_covered(store, offset, h, &size) &&
           ssti_crc_at(store, offset + SSTI_RECORD_BYTES, size, &crc) && crc == h->crc;
}

/* Reads a header of this file that lies, with its payload, below the end. */
static bool ssti_header_at(sst_store *store, uint64_t offset, ssti_header *h) {
    uint64_t length = ssti_length(store);
    uint8_t copy[SSTI_RECORD_BYTES];
    if (!ssti_copy_at(store, offset, copy, sizeof copy)) return false;
    if (!ssti_header_decode(copy, offset, h)) return false;
    if (h->salt != store->salt && !SSTI_BROKEN(SALT)) return false;
    return h->payload <= length - offset - SSTI_RECORD_BYTES;
}

/* The next multiple of 64, from `at` on, where something begins like a record; or the end: of the
 * file, or of as much of it as is asked for. */
static uint64_t ssti_seek_magic(sst_store *store, uint64_t at, uint64_t length) {
    uint8_t part[SSTI_PART_BYTES];
    while (at < length && length - at >= SSTI_RECORD_BYTES) {
        size_t n = length - at < sizeof part ? (size_t)(length - at) : sizeof part, i;
        if (!ssti_copy_at(store, at, part, n)) return length;
        for (i = 0; i + SSTI_RECORD_BYTES <= n; i += 64) {
            if (memcmp(part + i, ssti_record_magic, 4) == 0) return at + i;
        }
        at += i;
    }
    return length;
}

typedef struct ssti_walk {
    sst_store *store;
    uint64_t at;                    /* where the next record should begin */
    uint32_t sequence;              /* of the record before */
    ssti_header header;             /* of the record found */
    uint64_t offset;                /* of it */
    uint64_t gap;                   /* where what was stepped over begins; offset when nothing */
    uint64_t synced;                /* S, or UINT64_MAX while it is not known */
    ssti_header next;               /* of the record behind it, when next_at is not 0 */
    uint64_t next_at;
    bool sound;                     /* its payload validates too */
} ssti_walk;

static void ssti_walk_begin(ssti_walk *w, sst_store *store) {
    memset(w, 0, sizeof *w);
    w->store = store;
    w->at = SSTI_RECORD_BYTES;
    w->synced = store->synced;
    w->sequence = UINT32_MAX;       /* so that 0 is next */
}

/* Does the sequence number continue the one before? */
static bool ssti_walk_follows(uint32_t before, const ssti_header *h) {
    uint32_t step = h->sequence - before;
    return step == 1 || (h->type == SSTI_SYNC && h->rows == before && step != 0 &&
                         step <= SSTI_SESSION_STEP);
}

/* Does a record that should be whole end where its header says? One that does not would hide those
 * within it, as soon as the file is long enough for it. */
static bool ssti_walk_ends(ssti_walk *w, uint64_t at, const ssti_header *h) {
    uint64_t end = at + SSTI_RECORD_BYTES + ssti_round_up(h->payload, 64);
    ssti_header next;
    if (at >= w->synced || h->payload < SSTI_RECORD_BYTES) return true;
    if (ssti_header_at(w->store, end, &next) && ssti_walk_follows(h->sequence, &next)) {
        w->next = next;
        w->next_at = end;
        return true;
    }
    for (;;) {
        at = ssti_seek_magic(w->store, at + 64, end);
        if (at >= end) return true;
        if (ssti_header_at(w->store, at, &next)) return false;
    }
}

/* Goes to the next record whose header validates. False at the end of the file; then the range
 * from gap on holds none. */
static bool ssti_walk_next(ssti_walk *w) {
    bool lost = false;
    uint64_t at = w->at;
    uint64_t length = ssti_length(w->store);
    w->gap = at;
    while (at <= length && length - at >= SSTI_RECORD_BYTES) {
        ssti_header *h = &w->header;
        bool known = at == w->next_at;
        if (known) *h = w->next;
        if (known || ssti_header_at(w->store, at, h)) {
            uint32_t step = h->sequence - w->sequence;
            if ((lost ? step != 0 && step < 0x80000000u : ssti_walk_follows(w->sequence, h)) &&
                ssti_walk_ends(w, at, h)) {
                w->offset = at;
                if (!lost) w->gap = at;
                w->sequence = h->sequence;
                w->sound = ssti_payload_sound(w->store, at, h);
                w->at = at + SSTI_RECORD_BYTES + ssti_round_up(h->payload, 64);
                return true;
            }
        }
        lost = true;
        at = ssti_seek_magic(w->store, at + 64, length);
    }
    w->offset = lost ? length : at;
    return false;
}

/* ---- the columns of a block ---- */

/* A block's directory, checked as far as >>format says before its entries are used. */
typedef struct ssti_directory {
    sst_store *store;
    const uint8_t *record;          /* where the record is in memory, or NULL */
    uint64_t offset;                /* of the record in the file */
    uint64_t bytes;                 /* of the record: header and payload */
    uint32_t count;                 /* entries */
} ssti_directory;

/* Copies bytes of the record, which lie within it. */
static bool ssti_directory_copy(const ssti_directory *d, uint64_t at, void *to, size_t size) {
    if (d->record != NULL) memcpy(to, d->record + (size_t)at, size);
    else if (d->store->file != NULL) return ssti_read_at(d->store, d->offset + at, to, size);
    else return ssti_copy_at(d->store, d->offset + at, to, size);
    return true;
}

static bool ssti_directory_crc(const ssti_directory *d, uint64_t at, uint64_t size,
                               uint32_t *crc) {
    if (d->record == NULL) {
        /* Of a file by position: others may be mapping and sealing. */
        return d->store->file != NULL ? ssti_crc_read(d->store, d->offset + at, size, crc)
                                      : ssti_crc_at(d->store, d->offset + at, size, crc);
    }
    *crc = sst_crc32c(d->record + (size_t)at, (size_t)size, 0);
    return true;
}

/* Decodes entry i. False: it points outside of the record. */
static bool ssti_directory_entry(const ssti_directory *d, uint32_t i, ssti_entry *e) {
    uint8_t copy[SSTI_ENTRY_BYTES];
    uint64_t columns = SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * ((uint64_t)d->count + 1);
    if (!ssti_directory_copy(d, columns - SSTI_ENTRY_BYTES * ((uint64_t)d->count - i), copy,
                             sizeof copy)) memset(copy, 0, sizeof copy);
    ssti_entry_decode(copy, e);
    return e->offset >= columns && e->offset <= d->bytes && e->stored <= d->bytes - e->offset;
}

/* Finds the first entry of a kind. *index: where it is to be expected, then where it is. */
static bool ssti_directory_find(const ssti_directory *d, uint8_t kind, uint32_t part,
                                ssti_entry *e, uint32_t *index) {
    uint32_t i, first = *index;
    if (first < d->count && ssti_directory_entry(d, first, e) && e->kind == kind &&
        e->part == part) return true;
    for (i = 0; i < d->count; i++) {
        bool sound = ssti_directory_entry(d, i, e);
        if (e->kind == kind && e->part == part) {
            *index = i;
            return sound;
        }
    }
    return false;
}

static bool ssti_entry_sound(const ssti_directory *d, const ssti_entry *e) {
    uint32_t crc;
    return ssti_directory_crc(d, e->offset, e->stored, &crc) && crc == e->crc;
}

static bool ssti_entry_large(const ssti_entry *e) {
    return e->codec == 0 && e->kind != SSTI_KIND_PIECES && e->stored > SSTI_PIECE_BYTES;
}

/* The entry with the piece checksums of the large column `index`, itself checked. */
static bool ssti_directory_pieces(const ssti_directory *d, const ssti_entry *e, uint32_t index,
                                  ssti_entry *pieces) {
    uint32_t i = 0;
    uint64_t count = (e->stored + SSTI_PIECE_BYTES - 1) / SSTI_PIECE_BYTES;
    return ssti_directory_find(d, SSTI_KIND_PIECES, index, pieces, &i) && pieces->codec == 0 &&
           pieces->stored == count * 4 && pieces->crc == e->crc && ssti_entry_sound(d, pieces);
}

static bool ssti_piece_sound(const ssti_directory *d, const ssti_entry *e,
                             const ssti_entry *pieces, uint64_t i) {
    uint64_t at = i * SSTI_PIECE_BYTES;
    uint64_t left = e->stored - at;
    uint8_t want[4];
    uint32_t crc;
    return ssti_directory_copy(d, pieces->offset + i * 4, want, 4) &&
           ssti_directory_crc(d, e->offset + at, left < SSTI_PIECE_BYTES ? left : SSTI_PIECE_BYTES,
                              &crc) && crc == ssti_get32(want);
}

/* Checks everything that entry i vouches for. */
static bool ssti_directory_check(const ssti_directory *d, uint32_t i) {
    ssti_entry e, pieces;
    uint64_t k;
    if (!ssti_directory_entry(d, i, &e)) return false;
    if (!ssti_entry_large(&e)) return ssti_entry_sound(d, &e);
    if (!ssti_directory_pieces(d, &e, i, &pieces)) return false;
    for (k = 0; k * 4 < pieces.stored; k++) {
        if (!ssti_piece_sound(d, &e, &pieces, k)) return false;
    }
    return true;
}

/* Opens the directory of a block whose header and directory were found sound. record: where it
 * is in memory, or NULL. */
static bool ssti_directory_open(ssti_directory *d, sst_store *store, uint64_t offset,
                                const ssti_header *h, const uint8_t *record) {
    uint64_t most = h->payload / SSTI_ENTRY_BYTES;
    uint8_t count[4];
    d->store = store;
    d->record = record;
    d->offset = offset;
    d->bytes = SSTI_RECORD_BYTES + h->payload;
    d->count = 0;
    if (most == 0 || !ssti_directory_copy(d, SSTI_RECORD_BYTES, count, 4)) return false;
    d->count = ssti_get32(count);
    return d->count < most;
}

static bool ssti_directory_sound(const ssti_directory *d, const ssti_header *h) {
    uint64_t size = SSTI_ENTRY_BYTES * ((uint64_t)d->count + 1);
    uint32_t crc;
    return !SSTI_NEVER(h->payload < size) && ssti_directory_crc(d, SSTI_RECORD_BYTES, size, &crc) &&
           crc == h->crc;
}

static bool ssti_block_sound(sst_store *store, uint64_t offset, const ssti_header *h) {
    ssti_directory d;
    uint32_t i;
    if (!ssti_directory_open(&d, store, offset, h, NULL)) return false;
    for (i = 0; i < d.count; i++) {
        if (!ssti_directory_check(&d, i)) return false;
    }
    return true;
}

#endif /* SSTI_HAS_READ */

/* ============================================================================================
 * >>index  Block lists, INDEX and TABLE records.
 * ============================================================================================ */

/* A sealed block: 48 bytes of memory each. Never changes once it is counted. */
typedef struct ssti_block {
    uint64_t offset;                /* of its record */
    const uint8_t *data;            /* its record in memory; NULL: not mapped (yet) */
    uint64_t first_row;
    int64_t first_time, last_time;
    uint32_t rows;
    uint32_t trusted;               /* made by this handle in memory: no checksum is needed */
} ssti_block;

#if SSTI_HAS_READ
/* What readers know of the blocks of a chunk, made at the first use.
 *
 * where[block * wheres + column]: 0: not looked at; else the column was found sound (its pieces,
 * with SSTI_WHERE_LARGE, have bits of their own, until all are) and begins this many 64-byte units
 * after the start of its record. Behind those of the columns are, two words each, the bytes of the
 * columns of items. pieces[block * columns + column]: bits of a large column. */
typedef struct ssti_known {
    uint32_t *where;
    uint32_t **pieces;
} ssti_known;
#endif

#define SSTI_WHERE_LARGE 0x80000000u

/* The blocks of a stream, in chunks that never move, so that readers need no lock. Where the oldest
 * are dropped, or nobody reads and those in INDEX records need not be known any more, it is a ring,
 * in the first chunk: block i, counted from the first there ever was, is at place i modulo the
 * size. */
typedef struct ssti_list {
    ssti_block *chunks[SSTI_LIST_CHUNKS];
#if SSTI_HAS_READ
    ssti_known known[SSTI_LIST_CHUNKS];
#endif
    uint32_t count;                 /* released after the block was written */
    uint32_t ring;                  /* places of a ring, a power of two; 0: it is none */
    struct ssti_list *older;        /* replaced by this one, but readers may be using it */
} ssti_list;

/* A time table, see TABLE in >>format. Hints only. */
typedef struct ssti_table {
    const uint8_t *entries;
    uint64_t bytes;                 /* of entries and of the tables of crowded buckets */
    uint64_t count;
    int64_t first, last;
    uint32_t blocks;
    uint8_t shift, row_bits, width;
    void *memory;                   /* what entries lie in when they are not in the file */
    size_t memory_bytes;
    struct ssti_table *older;       /* freed with the store: readers may be using it */
} ssti_table;

/* One column of a stream's rows. The rows of a column of items (item_bytes is not 0) have as many
 * items as the column before it, one of offsets, says.
 *
 * Where a column of offsets is pointed to, that is where its first row's items end; the number
 * before it, where they begin, is there too. */
typedef struct ssti_column {
    uint8_t kind;
    uint8_t element;                /* bytes of one number */
    uint16_t part;
    uint32_t row_bytes;             /* 0 of a column of items */
    uint32_t item_bytes;
    uint32_t slot;                  /* of columns of items: counted from 0 */
} ssti_column;

static bool ssti_is_offsets(const ssti_column *c) {
    return c->kind == SSTI_KIND_OFFSETS || c->kind == SSTI_KIND_KEY_OFFSETS;
}

/* A further clock. sorted: 0 not known, 1 it never decreases, 2 it does somewhere. first, last:
 * of the rows in blocks. */
typedef struct ssti_clock {
    int64_t first, last;
    uint32_t sorted;
} ssti_clock;

enum { SSTI_SORTED_UNKNOWN = 0, SSTI_SORTED = 1, SSTI_UNSORTED = 2 };

/* In the 64 bytes before the record of a block that can be dropped. */
typedef struct ssti_slab {
    struct ssti_slab *next;
    void *memory;                   /* the allocator's */
    size_t bytes;                   /* of that */
} ssti_slab;

/* What a stream has whose oldest rows are dropped. */
typedef struct ssti_keep {
    uint64_t rows;                  /* retain_rows, retain_time */
    int64_t time;
    ssti_slab *dropped;             /* memory of blocks, into which views may point */
    ssti_slab *unused;              /* and into which none does */
} ssti_keep;

/* One half of a tail. While generation is odd, or when it has changed since, what was read of the
 * half means nothing. Its memory is never given back before the store is closed. */
typedef struct ssti_half {
    uint8_t *base;                  /* the columns, laid out for `capacity` rows, check words */
    size_t bytes;                   /* from base on */
    uint64_t place;                 /* of base in the companion, or 0 */
    size_t front;                   /* bytes before base, for what a block has before its columns */
    uint64_t first_row;
    uint64_t *regions;              /* room for the items of the columns of items, in bytes */
    uint32_t budget;                /* bytes of columns that it was planned for */
    uint32_t capacity;
    uint32_t count;                 /* rows, released after they were written */
    uint32_t generation;
    uint32_t state;                 /* SSTI_HALF_... */
} ssti_half;

enum { SSTI_HALF_NONE = 0, SSTI_HALF_EMPTY, SSTI_HALF_ACTIVE, SSTI_HALF_FULL };

/* What all handles of a stream share. */
struct ssti_series {
    sst_store *store;
    uint32_t number;                /* in the file, from 1 */
    uint32_t block_bytes;
    char *text;                     /* name, timelines, fields' names, each followed by 0 */
    size_t text_bytes;
    const char *name;
    const char **timelines;
    uint32_t timeline_count;
    uint32_t flags;
    sst_unit unit;
    bool readable;                  /* of a kind that this version reads */
    bool timed, strict;             /* rows have times; every one is larger than the one before */
    sst_field *fields;
    ssti_column *columns;           /* time, timelines, tag, fields, as far as there are */
    uint32_t field_count, column_count;
    uint32_t clock_count;           /* of them time and timelines */
    uint32_t tag_column;            /* if there are tags */
    uint32_t key_column;            /* of the bytes of keys, if there are: between their offsets
                                       and the flags of rows */
    uint32_t items_count;           /* columns of items */
    uint32_t where_count;           /* words that are known of a block */
    uint32_t *field_columns;        /* per field: of its values, before which offsets may be */
    size_t arrays_bytes;
    ssti_entry *entries;            /* of the block that is written: two per column. These arrays
                                       lie in one piece of memory, which begins here */
    uint64_t *starts;               /* of that block's columns of items: their first byte */
    uint64_t *tail_regions;         /* of the four halves that a companion may describe, and of a
                                       copy of one */
    uint8_t **work;                 /* two pointers per column, of who has the lock */
    uint64_t row_bytes;             /* of all columns */
    ssti_keep *keep;                /* NULL: all rows are kept */
    int64_t first_time;             /* of the first block, where it may be in the list no more */
    uint32_t first_block;           /* that new queries see */
    uint32_t kept_block;            /* before it none are in the list any more */
    ssti_list *list;
#if SSTI_HAS_READ
    ssti_table *table;
    uint32_t table_tried;           /* blocks there were when a table was last asked for */
    uint32_t table_blocks;          /* that its record covers */
#endif
    uint64_t table_offset;          /* of the TABLE record, or 0 */
    uint32_t indexed;               /* blocks in INDEX records */
    uint32_t finished;
    uint64_t claimed;               /* rows in blocks by an INDEX, where blocks were lost: numbers
                                       go on there */
    uint64_t durable, syncing;      /* rows on stable storage; rows that a sync is making so */
    ssti_clock *clocks;             /* per timeline */
    ssti_metas metas;
    /* the tail; `half` is the active one */
    ssti_half halves[2];
    uint32_t half_count;            /* 0: every row becomes a block at once */
    uint32_t half;
    sst_stream *writer;             /* the handle that appends */
    /* the writer's own: what it knows of the active half, and of the last row */
    uint8_t **fill;                 /* where the columns of the half begin */
    uint32_t *fill_items;           /* how many items the columns of items have, by slot */
    uint32_t *mean_items;           /* how many bytes a row had in the half before, by slot */
    uint32_t *fill_check;           /* its check words; NULL without a companion */
    uint8_t *slot;                  /* the stream's descriptors in the companion, or NULL */
    uint64_t check_seed;
    uint32_t fill_count, fill_capacity;
    uint32_t fill_limit;            /* up to where the short way goes: see ssti_tail_near */
    uint32_t fill_bytes;            /* of the value, where rows are that and a time; else 0 */
    uint32_t fill_fields;           /* where rows are fixed fields and a time; else 0 */
    sst_type fill_scalar;           /* of that, where it is one number; else 0 */
    uint32_t fill_ragged;           /* bytes of an item, where rows are such items and a time; else
                                       0 */
    uint32_t fill_room;             /* how many of them the half has room for */
    bool fill_text;                 /* those items are text */
    const uint32_t *fill_alive;     /* the store's */
    uint64_t fill_first;            /* its first row */
    uint32_t *fill_published;       /* its row count */
    bool any;                       /* a row was appended */
    int64_t last_time;              /* INT64_MAX until then, so that the short way is not taken */
    int64_t *clock_last;            /* per timeline */
};

/* May a row at time b follow on one at time a? */
SSTI_INLINE bool ssti_follows(const ssti_series *s, int64_t a, int64_t b) {
    return b > a || (b == a && !s->strict);
}

/* Where block i of a list is: its chunk and the place there. */
SSTI_INLINE uint32_t ssti_list_place(const ssti_list *list, uint32_t i, uint32_t *place) {
    if (list->ring == 0) return ssti_chunk(i, place);
    *place = i & (list->ring - 1);
    return 0;
}

static size_t ssti_list_items(const ssti_list *list, uint32_t chunk) {
    return list->ring != 0 ? list->ring : SSTI_CHUNK_ITEMS(chunk);
}

static const ssti_block *ssti_list_at(const ssti_list *list, uint32_t i) {
    uint32_t place, chunk = ssti_list_place(list, i, &place);
    return &list->chunks[chunk][place];
}

/* The row behind the last block. */
static uint64_t ssti_list_end(const ssti_list *list, uint32_t count) {
    const ssti_block *b;
    if (count == 0) return 0;
    b = ssti_list_at(list, count - 1);
    return b->first_row + b->rows;
}

/* The row that the next block begins with, when so many are in those there are. */
static uint64_t ssti_claimed_rows(const ssti_series *s, uint64_t sealed) {
    uint64_t claimed;
    ssti_copy_out(&claimed, &s->claimed, sizeof claimed);
    return sealed > claimed ? sealed : claimed;
}

/* The same under the lock. */
static uint64_t ssti_sealed_rows(const ssti_series *s) {
    return ssti_claimed_rows(s, ssti_list_end(s->list, s->list->count));
}

#if SSTI_HAS_READ
static void ssti_claim_rows(ssti_series *s, uint64_t rows) {
    ssti_copy_in(&s->claimed, &rows, sizeof rows);
}
#endif

/* Makes room for one more block, so that ssti_list_push cannot fail. */
static int ssti_list_room(ssti_list *list, const sst_allocator *a) {
    uint32_t place, chunk = ssti_list_place(list, list->count, &place);
    if (list->count == UINT32_MAX) return SST_ERR_LIMIT;
    if (list->chunks[chunk] == NULL) {
        size_t bytes = ssti_list_items(list, chunk) * sizeof(ssti_block);
        list->chunks[chunk] = (ssti_block *)ssti_alloc(a, bytes);
        if (list->chunks[chunk] == NULL) return SST_ERR_MEMORY;
    }
    return SST_OK;
}

#if SSTI_HAS_READ
static void ssti_known_free(ssti_known *known, const sst_allocator *a, const ssti_series *s,
                            size_t items) {
    size_t k;
    for (k = 0; known->pieces != NULL && k < items * s->column_count; k++) {
        uint32_t *bits = known->pieces[k];      /* the first word is the size */
        if (bits != NULL) ssti_free(a, bits, bits[0]);
    }
    ssti_free(a, known->pieces, items * s->column_count * sizeof(uint32_t *));
    ssti_free(a, known->where, items * s->where_count * sizeof(uint32_t));
}
#endif

static void ssti_list_free(ssti_list *list, const sst_allocator *a, const ssti_series *s) {
#if !SSTI_HAS_READ
    (void)s;
#endif
    while (list != NULL) {
        ssti_list *older = list->older;
        uint32_t i;
        for (i = 0; i < SSTI_LIST_CHUNKS; i++) {
            size_t n = ssti_list_items(list, i);
#if SSTI_HAS_READ
            ssti_known_free(&list->known[i], a, s, n);
#endif
            ssti_free(a, list->chunks[i], n * sizeof(ssti_block));
        }
        ssti_free(a, list, sizeof *list);
        list = older;
    }
}

/* A ring of so many places. NULL: no memory. */
static ssti_list *ssti_ring_new(const sst_allocator *a, uint32_t places) {
    ssti_list *list = (ssti_list *)ssti_alloc_zero(a, sizeof *list);
    if (list != NULL) list->ring = places;
    return list;
}

/* The same for a stream's list. A ring whose place is taken is replaced by one twice as large,
 * which takes its blocks over. Under the lock. */
static int ssti_block_room(ssti_series *s) {
    const sst_allocator *a = &s->store->allocator;
    ssti_list *list = s->list, *larger;
    uint32_t i, place;
    SSTI_TRY(ssti_list_room(list, a));
    if (list->ring == 0 || list->count - s->kept_block < list->ring) return SST_OK;
    if (SSTI_HUGE(list->ring > UINT32_MAX / 4)) return SST_ERR_LIMIT;
    larger = ssti_ring_new(a, list->ring * 2);
    if (larger == NULL) return SST_ERR_MEMORY;
    larger->count = list->count;
    if (ssti_list_room(larger, a) != SST_OK) {
        ssti_list_free(larger, a, s);
        return SST_ERR_MEMORY;
    }
    for (i = s->kept_block; i != list->count; i++) {
        (void)ssti_list_place(larger, i, &place);
        larger->chunks[0][place] = *ssti_list_at(list, i);
    }
    ssti_atomic_store(&s->list, larger);
    if (SSTI_HAS_READ) larger->older = list;
    else ssti_list_free(list, a, s);
    return SST_OK;
}

#if SSTI_HAS_READ
/* Nothing is known of the block that is about to take a place of a ring. Under the lock. */
static void ssti_ring_clear(const ssti_series *s) {
    uint32_t place, *where = ssti_atomic_load(&s->list->known[0].where);
    if (s->list->ring == 0 || where == NULL) return;
    (void)ssti_list_place(s->list, s->list->count, &place);
    memset(where + (size_t)place * s->where_count, 0, s->where_count * sizeof *where);
}
#else
#define ssti_ring_clear(s) ((void)(s))
#endif

static void ssti_list_push(ssti_list *list, const ssti_block *block) {
    uint32_t place, chunk = ssti_list_place(list, list->count, &place);
    if (SSTI_NEVER(list->chunks[chunk] == NULL)) return;
    list->chunks[chunk][place] = *block;
    ssti_atomic_store(&list->count, list->count + 1);
}

static ssti_series *ssti_series_at(const sst_store *store, uint32_t i) {
    uint32_t place, chunk = ssti_chunk(i, &place);
    return store->series[chunk][place];
}

/* The place of stream `number`: its index, or, with *found false, where it belongs. */
static uint32_t ssti_series_find(const sst_store *store, uint32_t number, bool *found) {
    uint32_t low = 0, high = store->series_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ssti_series_at(store, middle)->number < number) low = middle + 1;
        else high = middle;
    }
    *found = low < store->series_count && ssti_series_at(store, low)->number == number;
    return low;
}

/* What a handle last read of a file that is not mapped. */
typedef struct ssti_cache {
    uint8_t *bytes;
    size_t size, capacity;
    uint64_t offset;
} ssti_cache;

/* ---- a stream's columns in blocks ---- */

#if SSTI_HAS_READ

/* What one query goes by: the rows there were when it began. */
typedef struct ssti_look {
    ssti_series *series;
    sst_error *error;
    ssti_cache *cache;
    ssti_list *list;
    uint32_t first, blocks;         /* the oldest one, and the one behind the newest */
    uint32_t *hint;                 /* block of the last answer */
    uint64_t oldest;                /* row that is kept */
    uint64_t sealed;                /* rows in blocks */
    uint64_t rows;                  /* all */
    bool unchecked;                 /* once, for what is only a hint: without checksums or maps */
} ssti_look;

typedef struct ssti_range {
    uint64_t first, count;
} ssti_range;

/* Anything but the record header that the file does not bear out. */
static int ssti_corrupt(const ssti_look *k, const ssti_block *b, const char *what) {
    return ssti_fail_at(k->error, SST_ERR_CORRUPT, what, b->offset, b->first_row);
}

/* Remembers, once per store, that the index is wrong: see ssti_index_mend. */
static void ssti_index_distrust(sst_store *store) {
#if SSTI_HAS_THREADS
    uint32_t honest = 0;
    (void)ssti_atomic_claim(&store->index_lies, &honest, 1u);
#else
    if (store->index_lies == 0) store->index_lies = 1;
#endif
}

/* Has a record room for so many rows, all columns being raw? This, and not only the length of the
 * file, decides whether it is a block of the stream: the file may grow, and what it holds may not
 * change by that. */
static bool ssti_block_fits(const ssti_series *s, const ssti_block *b, const ssti_header *h) {
    return b->rows * s->row_bytes <= h->payload;
}

/* Compares a block with its record and opens its directory. checked: one of its columns was found
 * before, so that nobody reads the directory, which grows with the columns, for each of them. */
static int ssti_block_open(const ssti_look *k, const ssti_block *b, bool checked,
                           ssti_directory *d) {
    sst_store *store = k->series->store;
    const uint8_t *record = ssti_atomic_load(&b->data);
    uint8_t copy[SSTI_RECORD_BYTES];
    ssti_header h;
    if (record != NULL) memcpy(copy, record, sizeof copy);
    else if (!ssti_read_at(store, b->offset, copy, sizeof copy)) {
        return ssti_corrupt(k, b, SSTI_TEXT("a block cannot be read"));
    }
    if (!ssti_header_decode(copy, b->offset, &h) || h.salt != store->salt ||
        (b->offset < store->file_bytes &&
         h.payload > store->file_bytes - b->offset - SSTI_RECORD_BYTES)) {
        return ssti_corrupt(k, b, SSTI_TEXT("the header of a block is damaged"));
    }
    if ((h.type != SSTI_BLOCK || h.stream != k->series->number || h.rows != b->rows ||
         h.first_row != b->first_row || h.first_time != b->first_time ||
         h.last_time != b->last_time || !ssti_block_fits(k->series, b, &h)) &&
        !SSTI_BROKEN(INDEX)) {
        ssti_index_distrust(store);
        return ssti_corrupt(k, b, SSTI_TEXT("the index does not say what the block says"));
    }
    if (!ssti_directory_open(d, store, b->offset, &h, record) ||
        (!checked && !ssti_directory_sound(d, &h))) {
        return ssti_corrupt(k, b, SSTI_TEXT("the directory of a block is damaged"));
    }
    return SST_OK;
}

/* The bits of the pieces found sound of a block's large column of so many bytes; NULL: no memory.
 * The first word is the allocation's size. */
static uint32_t *ssti_piece_bits(const ssti_look *k, uint32_t block, uint32_t column,
                                 uint64_t bytes) {
    const sst_allocator *a = &k->series->store->allocator;
    uint32_t place, chunk = ssti_list_place(k->list, block, &place);
    uint32_t columns = k->series->column_count;
    ssti_known *known = &k->list->known[chunk];
    uint32_t **pieces = ssti_atomic_load(&known->pieces);
    uint32_t *bits, *made;
    uint64_t words = bytes / SSTI_PIECE_BYTES / 32 + 2;
    if (pieces == NULL) {
        size_t all = ssti_list_items(k->list, chunk) * columns * sizeof(uint32_t *);
        uint32_t **fresh = (uint32_t **)ssti_alloc_zero(a, all);
        if (fresh == NULL) return NULL;
#if SSTI_HAS_THREADS
        if (!ssti_atomic_claim(&known->pieces, &pieces, fresh)) ssti_free(a, fresh, all);
        else pieces = fresh;
#else
        pieces = known->pieces = fresh;
#endif
    }
    pieces += (size_t)place * columns + column;
    bits = ssti_atomic_load(pieces);
    if (bits != NULL) return bits;
    if (SSTI_HUGE(words > 0x3FFFFFFFu)) return NULL;
    made = (uint32_t *)ssti_alloc_zero(a, (size_t)words * 4);
    if (made == NULL) return NULL;
    made[0] = (uint32_t)(words * 4);
#if SSTI_HAS_THREADS
    if (!ssti_atomic_claim(pieces, &bits, made)) ssti_free(a, made, (size_t)words * 4);
    else bits = made;
#else
    bits = *pieces = made;
#endif
    return bits;
}

/* Are the first n bits set? */
static bool ssti_bits_all(const uint32_t *bits, uint64_t n) {
    uint64_t i;
    for (i = 0; i < n / 32; i++) {
        if (ssti_atomic_load(&bits[i]) != UINT32_MAX) return false;
    }
    return n % 32 == 0 || ssti_atomic_load(&bits[i]) == ((uint32_t)1 << (n % 32)) - 1;
}

static int ssti_column_find(const ssti_look *k, uint32_t block, uint32_t column, ssti_range rows,
                            const uint8_t **out);

/* The bytes of a column of a block that was checked. */
static uint64_t ssti_column_bytes(const ssti_look *k, uint32_t block, uint32_t column) {
    const ssti_column *col = &k->series->columns[column];
    uint32_t place, chunk = ssti_list_place(k->list, block, &place);
    const uint32_t *words;
    if (col->item_bytes == 0) {
        return (uint64_t)ssti_list_at(k->list, block)->rows * col->row_bytes +
               (ssti_is_offsets(col) ? 4 : 0);
    }
    words = ssti_atomic_load(&k->list->known[chunk].where);
    words += (size_t)place * k->series->where_count + k->series->column_count +
             2 * (size_t)col->slot;
    return ssti_word_load(words) | (uint64_t)ssti_word_load(words + 1) << 32;
}

/* The bytes that it has to have: of a column of items what its offsets say. */
static int ssti_column_wanted(const ssti_look *k, uint32_t block, uint32_t column,
                              uint64_t *bytes) {
    const ssti_column *col = &k->series->columns[column];
    const uint8_t *end;
    ssti_range last;
    if (col->item_bytes == 0) {
        *bytes = ssti_column_bytes(k, block, column);
        return SST_OK;
    }
    last.first = ssti_list_at(k->list, block)->rows - 1;
    last.count = 1;
    SSTI_TRY(ssti_column_find(k, block, column - 1, last, &end));
    *bytes = (uint64_t)ssti_get32(end) * col->item_bytes;
    return SST_OK;
}

/* Checks the pieces of a large column that some bytes lie in, where that was not done before. When
 * all are known to be sound, *where tells so from now on, but not of offsets, whose order is looked
 * at each time. */
static int ssti_pieces_check(const ssti_look *k, uint32_t block, uint32_t column,
                             ssti_range bytes, uint32_t *where) {
    const ssti_block *b = ssti_list_at(k->list, block);
    const ssti_column *col = &k->series->columns[column];
    uint64_t i = bytes.first / SSTI_PIECE_BYTES, all;
    uint64_t end = (bytes.first + bytes.count - 1) / SSTI_PIECE_BYTES + 1;
    uint32_t index = column, *bits;
    ssti_directory d;
    ssti_entry e, pieces;
    bool open = false;
    if (bytes.count == 0) return SST_OK;
    all = ssti_column_bytes(k, block, column);
    bits = ssti_piece_bits(k, block, column, all);
    if (bits == NULL) return ssti_fail(k->error, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
    bits++;
    for (; i < end; i++) {
        if ((ssti_atomic_load(&bits[i / 32]) >> (i % 32) & 1u) != 0) continue;
        if (!open) {
            SSTI_TRY(ssti_block_open(k, b, false, &d));
            if (!ssti_directory_find(&d, col->kind, col->part, &e, &index) ||
                e.stored != all || !ssti_directory_pieces(&d, &e, index, &pieces)) {
                return ssti_corrupt(k, b, SSTI_TEXT("a column is damaged"));
            }
            open = true;
        }
        if (!ssti_piece_sound(&d, &e, &pieces, i)) {
            uint64_t row = col->row_bytes == 0 ? 0 : i * SSTI_PIECE_BYTES / col->row_bytes;
            return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a column is damaged"),
                                b->offset + e.offset + i * SSTI_PIECE_BYTES, b->first_row + row);
        }
        ssti_atomic_or(&bits[i / 32], 1u << (i % 32));
    }
    if (open && !ssti_is_offsets(col) &&
        ssti_bits_all(bits, (all + SSTI_PIECE_BYTES - 1) / SSTI_PIECE_BYTES)) {
        ssti_word_store(where, ssti_word_load(where) & ~SSTI_WHERE_LARGE);
    }
    return SST_OK;
}

/* Do the offsets of a block begin with 0, and none is below the one before? */
static bool ssti_offsets_sound(const ssti_directory *d, const ssti_entry *e, uint32_t rows) {
    uint8_t part[SSTI_PART_BYTES];
    uint32_t i, before = 0, wrong = 0;
    uint64_t at, end = ((uint64_t)rows + 1) * 4;
    for (at = 0; at < end; at += sizeof part) {
        size_t n = end - at < sizeof part ? (size_t)(end - at) : sizeof part;
        if (!ssti_directory_copy(d, e->offset + at, part, n)) return false;
        if (at == 0) wrong = ssti_get32(part);
        for (i = 0; i < n; i += 4) {
            wrong |= (uint32_t)(ssti_get32(part + i) < before);
            before = ssti_get32(part + i);
        }
    }
    return wrong == 0;
}

/* Are the times in order from the block's first to its last? */
static bool ssti_times_sound(const ssti_series *s, const ssti_block *b, const uint8_t *times) {
    uint32_t i;
    int64_t before = ssti_get_time(times);
    if (before != b->first_time) return false;
    for (i = 1; i < b->rows; i++) {
        int64_t t = ssti_get_time(times + (size_t)i * 8);
        if (!ssti_follows(s, before, t)) return false;
        before = t;
    }
    return before == b->last_time;
}

/* Is nothing of a block's columns checked? */
static bool ssti_block_trusted(const ssti_look *k, const ssti_block *b) {
    return b->trusted != 0 || (k->series->store->flags & SST_TRUST) != 0 || k->unchecked;
}

/* Looks at a column for the first time: finds it, checks it, and notes where it is, in *at too. */
static int ssti_column_check(const ssti_look *k, uint32_t block, uint32_t column, uint32_t *where,
                             uint32_t *at) {
    const ssti_block *b = ssti_list_at(k->list, block);
    const ssti_column *col = &k->series->columns[column];
    bool trust = ssti_block_trusted(k, b), large, checked;
    ssti_directory d;
    ssti_entry e, pieces;
    uint64_t bytes;
    uint32_t index = column, found;
    SSTI_TRY(ssti_column_wanted(k, block, column, &bytes));
    checked = ssti_word_load(where - column) != 0 ||        /* times, or all in turn */
              (column != 0 && ssti_word_load(where - 1) != 0);
    SSTI_TRY(ssti_block_open(k, b, checked, &d));
    if (!ssti_directory_find(&d, col->kind, col->part, &e, &index)) {
        return ssti_corrupt(k, b, SSTI_TEXT("a column is missing"));
    }
    if (e.codec != 0) {
        return ssti_fail_at(k->error, SST_ERR_UNSUPPORTED, SSTI_TEXT("an unknown codec"),
                            b->offset, b->first_row);
    }
    if (e.stored != bytes || e.decoded != e.stored) {
        return ssti_corrupt(k, b, SSTI_TEXT("a column has the wrong size"));
    }
    if (e.offset / 64 >= SSTI_WHERE_LARGE) {
        return ssti_fail_at(k->error, SST_ERR_LIMIT, SSTI_TEXT("a block is too large"), b->offset,
                            b->first_row);
    }
    found = (uint32_t)(e.offset / 64);
    large = ssti_entry_large(&e);
    if (!trust && (large ? !ssti_directory_pieces(&d, &e, index, &pieces)
                         : !ssti_entry_sound(&d, &e))) {
        return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a column is damaged"),
                            b->offset + e.offset, b->first_row);
    }
    if (large && (!trust || ssti_is_offsets(col))) found |= SSTI_WHERE_LARGE;
    if (!trust && !large && col->kind == SSTI_KIND_TIME && d.record != NULL &&
        !ssti_times_sound(k->series, b, d.record + (size_t)e.offset)) {
        return ssti_corrupt(k, b, SSTI_TEXT("the times of a block are not in order"));
    }
    if (!large && ssti_is_offsets(col) && !ssti_offsets_sound(&d, &e, b->rows)) {
        return ssti_corrupt(k, b, SSTI_TEXT("the offsets of a block are not in order"));
    }
    if (!k->unchecked) {
        if (col->item_bytes != 0) {
            uint32_t *words = where - column + k->series->column_count + 2 * (size_t)col->slot;
            ssti_word_store(words, (uint32_t)bytes);
            ssti_word_store(words + 1, (uint32_t)(bytes >> 32));
        }
        ssti_atomic_store(where, found);
    }
    *at = found;
    return SST_OK;
}

/* The places of the columns of a chunk's blocks, made at the first use. */
static uint32_t *ssti_known_where(const ssti_look *k, uint32_t chunk) {
    ssti_known *known = &k->list->known[chunk];
    uint32_t *where = ssti_atomic_load(&known->where);
    if (where == NULL) {
        const sst_allocator *a = &k->series->store->allocator;
        size_t items = ssti_list_items(k->list, chunk);
        size_t bytes = items * k->series->where_count * sizeof(uint32_t);
        uint32_t *made = (uint32_t *)ssti_alloc_zero(a, bytes);
        if (made == NULL) return NULL;
#if SSTI_HAS_THREADS
        if (!ssti_atomic_claim(&known->where, &where, made)) ssti_free(a, made, bytes);
        else where = made;
#else
        where = known->where = made;
#endif
    }
    return where;
}

/* The mapped segment that bytes of the file lie in, as far as it is mapped, or NULL. Two segments
 * overlap only where a block lies across their border. */
static ssti_extent *ssti_segment_find(sst_store *store, uint64_t offset, uint64_t size) {
    uint32_t i = store->segment_count;
    while (i != 0) {
        ssti_extent *e = &store->segments[--i];
        if (e->base <= offset && size <= e->capacity && offset - e->base <= e->capacity - size) {
            return e;
        }
    }
    return NULL;
}

/* Maps the part of the file that a record lies in: whole multiples of 64 MiB of address range,
 * never unmapped before the store is closed. Of them only what counts of the file is looked at.
 * Under the lock. */
static const uint8_t *ssti_segment_map(sst_store *store, uint64_t offset, uint64_t size) {
    ssti_extent *e = ssti_segment_find(store, offset, size);
    uint64_t base = offset & ~(uint64_t)(SSTI_SEGMENT_BYTES - 1);
    uint64_t bytes = ssti_round_up(offset + size - base, SSTI_SEGMENT_BYTES);
    if (e == NULL) {
        ssti_extent made;
        void *memory;
        if (bytes > SIZE_MAX / 4 ||
            ssti_grow(&store->allocator, (void **)&store->segments, &store->segment_capacity,
                      store->segment_count + 1, sizeof made) != SST_OK ||
            store->io.map(store->io.user, store->file, base, (size_t)bytes, SST_IO_READ,
                          &memory) != SST_OK) return NULL;
        memset(&made, 0, sizeof made);
        made.data = (uint8_t *)memory;
        made.memory = memory;
        made.memory_bytes = made.capacity = (size_t)bytes;
        made.base = base;
        e = &store->segments[store->segment_count++];
        *e = made;
    }
    if (e->used < offset + size - e->base) e->used = (size_t)(offset + size - e->base);
    return e->data + (size_t)(offset - e->base);
}

/* Where a block's record is in memory; NULL: it has to be read. */
static const uint8_t *ssti_block_data(const ssti_look *k, uint32_t block) {
    uint32_t place, chunk = ssti_list_place(k->list, block, &place);
    ssti_block *b = &k->list->chunks[chunk][place];
    const uint8_t *data = ssti_atomic_load(&b->data);
    sst_store *store = k->series->store;
    uint8_t copy[SSTI_RECORD_BYTES];
    ssti_header h;
    if (data != NULL || SSTI_NEVER(store->file == NULL) || store->io.map == NULL ||
        (store->flags & SST_NO_MAP) != 0) return data;
    if (!ssti_read_at(store, b->offset, copy, sizeof copy) ||
        !ssti_header_decode(copy, b->offset, &h)) return NULL;
    ssti_lock(&store->lock);
    if (h.payload <= ssti_length(store) - b->offset - SSTI_RECORD_BYTES) {
        data = ssti_segment_map(store, b->offset, SSTI_RECORD_BYTES + h.payload);
        if (data != NULL) ssti_atomic_store(&b->data, data);
    }
    ssti_unlock(&store->lock);
    return data;
}

/* Reads bytes of the file into the handle's cache, where they are not in it already. */
static int ssti_cache_read(const ssti_look *k, const ssti_block *b, uint64_t offset, uint64_t size,
                           const uint8_t **out) {
    const sst_allocator *a = &k->series->store->allocator;
    ssti_cache *c = k->cache;
    if (c == NULL) return ssti_fail(k->error, SST_ERR_STATE, SSTI_TEXT("nowhere to read to"));
    if (offset < c->offset || offset - c->offset > c->size ||
        size > c->size - (offset - c->offset)) {
        if (size > SIZE_MAX / 4) return ssti_fail(k->error, SST_ERR_MEMORY, SSTI_TEXT("too large"));
        c->size = 0;
        if (c->bytes == NULL || c->capacity < size) {
            size_t room = size == 0 ? 1 : (size_t)size;     /* rows may have no items */
            uint8_t *p = (uint8_t *)ssti_alloc(a, room);
            if (p == NULL) {
                return ssti_fail(k->error, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
            }
            ssti_free(a, c->bytes, c->capacity);
            c->bytes = p;
            c->capacity = room;
        }
        if (!ssti_read_at(k->series->store, offset, c->bytes, (size_t)size)) {
            return ssti_corrupt(k, b, SSTI_TEXT("a block cannot be read"));
        }
        c->offset = offset;
        c->size = (size_t)size;
    }
    *out = c->bytes + (size_t)(offset - c->offset);
    return SST_OK;
}

/* Finds rows of a column; of a column of items, bytes. */
static int ssti_column_find(const ssti_look *k, uint32_t block, uint32_t column, ssti_range rows,
                            const uint8_t **out) {
    uint32_t place, chunk = ssti_list_place(k->list, block, &place);
    uint32_t *where = ssti_known_where(k, chunk);
    const ssti_column *col = &k->series->columns[column];
    const ssti_block *b = &k->list->chunks[chunk][place];
    const uint8_t *data = ssti_atomic_load(&b->data);
    size_t unit = col->item_bytes != 0 ? 1 : col->row_bytes, before = ssti_is_offsets(col) ? 4 : 0;
    ssti_range bytes;
    uint64_t offset, all;
    uint32_t at;
    if (where == NULL) return ssti_fail(k->error, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
    if (data == NULL && !k->unchecked) data = ssti_block_data(k, block);
    where += (size_t)place * k->series->where_count + column;
    at = ssti_atomic_load(where);
    if (at == 0) SSTI_TRY(ssti_column_check(k, block, column, where, &at));
    bytes.first = rows.first * unit;
    bytes.count = rows.count * unit + before;
    all = ssti_column_bytes(k, block, column);
    if (SSTI_NEVER(bytes.first > all) || SSTI_NEVER(bytes.count > all - bytes.first)) {
        return ssti_corrupt(k, b, SSTI_TEXT("the offsets of a block are not in order"));
    }
    if ((at & SSTI_WHERE_LARGE) != 0 && !ssti_block_trusted(k, b)) {
        SSTI_TRY(ssti_pieces_check(k, block, column, bytes, where));
    }
    offset = (uint64_t)(at & ~SSTI_WHERE_LARGE) * 64;
    if (data != NULL) {
        *out = data + (size_t)(offset + bytes.first) + before;
        return SST_OK;
    }
    if (all <= SSTI_PIECE_BYTES) {      /* the whole column at once */
        SSTI_TRY(ssti_cache_read(k, b, b->offset + offset, all, out));
        *out += (size_t)bytes.first + before;
        return SST_OK;
    }
    SSTI_TRY(ssti_cache_read(k, b, b->offset + offset + bytes.first, bytes.count, out));
    *out += before;
    return SST_OK;
}

/* A block that lies in memory, and where its columns were found. */
typedef struct ssti_ready {
    const ssti_block *b;
    const uint8_t *data;
    const uint32_t *where;
} ssti_ready;

/* False: nobody has looked at the block. */
SSTI_INLINE bool ssti_block_ready(const ssti_look *k, uint32_t block, ssti_ready *out) {
    uint32_t place, chunk = ssti_list_place(k->list, block, &place);
    const uint32_t *where = ssti_atomic_load(&k->list->known[chunk].where);
    out->b = &k->list->chunks[chunk][place];
    out->data = ssti_atomic_load(&out->b->data);
    if (where == NULL) return false;
    out->where = where + (size_t)place * k->series->where_count;
    return out->data != NULL;
}

/* A column that is known to be sound as a whole; NULL: it is not. */
SSTI_INLINE const uint8_t *ssti_column_ready(const ssti_ready *r, uint32_t column) {
    uint32_t at = ssti_word_load(r->where + column);
    return at - 1u >= SSTI_WHERE_LARGE - 1u ? NULL : r->data + (size_t)at * 64;
}

/* Lends rows of one column of a block, checked: until the next call where blocks are read and not
 * mapped. A read that failed must not pass for damage. */
static int ssti_column_rows(const ssti_look *k, uint32_t block, uint32_t column, ssti_range rows,
                            const uint8_t **out) {
    sst_store *store = k->series->store;
    int result = ssti_column_find(k, block, column, rows, out);
    int failed = ssti_atomic_load(&store->read_error);
    if (result != SST_ERR_CORRUPT || failed == SST_OK) return result;
    ssti_atomic_store(&store->read_error, (int)SST_OK);
    return ssti_fail(k->error, failed, SSTI_TEXT("a block could not be read"));
}

/* The block that holds a row below k->sealed; SST_ERR_CORRUPT when the block was lost. */
static int ssti_block_of_row(const ssti_look *k, uint64_t row, uint32_t *block) {
    uint32_t low = *k->hint, high = k->blocks, step = 1;
    const ssti_block *b;
    if (low < high && low >= k->first) {
        b = ssti_list_at(k->list, low);
        if (row >= b->first_row && row - b->first_row < b->rows) {
            *block = low;
            return SST_OK;
        }
    }
    /* most blocks have as many rows as the others: doubling steps from where it would be then */
    low = (uint32_t)(row / (k->sealed / high + 1));
    if (low < k->first) low = k->first;
    if (ssti_list_at(k->list, low)->first_row <= row) {
        while (low + step < high && ssti_list_at(k->list, low + step)->first_row <= row) {
            low += step;
            step *= 2;
        }
        if (low + step < high) high = low + step;
    } else {
        do {
            high = low;
            low = low - k->first > step ? low - step : k->first;
            step *= 2;
        } while (low != k->first && ssti_list_at(k->list, low)->first_row > row);
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (ssti_list_at(k->list, middle)->first_row <= row) low = middle;
        else high = middle;
    }
    b = ssti_list_at(k->list, low);
    *block = *k->hint = low;
    if (row < b->first_row || row - b->first_row >= b->rows) {
        return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a block is lost"), b->offset,
                            row);
    }
    return SST_OK;
}

/* Looks at every time of a timeline in blocks: the first, the last, and whether it decreases. */
static int ssti_clock_survey(const ssti_look *k, uint32_t timeline, ssti_clock *out) {
    uint32_t b;
    memset(out, 0, sizeof *out);
    out->sorted = SSTI_SORTED;
    for (b = 0; b < k->blocks; b++) {
        const uint8_t *p;
        ssti_range all;
        uint64_t i;
        all.first = 0;
        all.count = ssti_list_at(k->list, b)->rows;
        SSTI_TRY(ssti_column_rows(k, b, 1 + timeline, all, &p));
        if (b == 0) out->first = out->last = ssti_get_time(p);
        for (i = 0; i < all.count; i++) {
            int64_t t = ssti_get_time(p + (size_t)i * 8);
            if (t < out->last) out->sorted = SSTI_UNSORTED;
            out->last = t;
        }
    }
    return SST_OK;
}

/* ---- the time table ---- */

#define SSTI_TABLE_WIDER 7u             /* doublings of that where times are very even */
#define SSTI_TABLE_CROWD 8u             /* times as many rows are a crowd */
#define SSTI_TABLE_DEPTH 4u             /* tables that one may have to look into */
#define SSTI_TABLE_PART_HEAD 32u
#define SSTI_TABLE_UNIT 16u

static uint64_t ssti_table_entry(const ssti_table *t, const uint8_t *entries, uint64_t i) {
    return t->width == 4 ? ssti_get32(entries + (size_t)i * 4)
                         : ssti_get64(entries + (size_t)i * 8);
}

/* The bit that tells the entry of a crowded bucket. */
static uint64_t ssti_table_mark(const ssti_table *t) {
    return (uint64_t)1 << (t->width * 8 - 1);
}

/* What a table knows of a time: that the first row later than it is at `low`, at `high` or
 * between; and where in its bucket the time is. */
typedef struct ssti_place {
    uint64_t low, high;             /* block << row_bits | row */
    uint32_t share;                 /* of the bucket before the time, of 2^32 */
} ssti_place;

/* A share of the way from 0 to 1 << shift, or to `width` where that is not 0, of 2^32. */
SSTI_INLINE uint32_t ssti_table_share(uint64_t at, uint32_t shift, uint64_t width) {
    if (width != 0) {
        while (width > UINT32_MAX) {
            width >>= 8;
            at >>= 8;
        }
        return (uint32_t)((at << 32) / (width + 1));
    }
    return (uint32_t)(shift > 32 ? at >> (shift - 32) : at << (32 - shift));
}

/* The head of the table of a crowded bucket, when it lies within the bytes there are. */
static const uint8_t *ssti_table_part(const ssti_table *t, uint64_t entry) {
    uint64_t at = (entry & ~ssti_table_mark(t)) * SSTI_TABLE_UNIT;
    const uint8_t *head;
    if (at > t->bytes || t->bytes - at < SSTI_TABLE_PART_HEAD) return NULL;
    head = t->entries + (size_t)at;
    if (head[28] > 63 || ssti_get32(head + 24) >
                             (t->bytes - at - SSTI_TABLE_PART_HEAD) / t->width) return NULL;
    return head;
}

/* Goes through the tables to a bucket. The time is one that the first of them covers. False: a
 * table is not as it should be. */
static bool ssti_table_find(const ssti_table *t, int64_t time, ssti_place *out) {
    const uint8_t *entries = t->entries, *part;
    uint64_t count = t->count, mark = ssti_table_mark(t), bucket;
    int64_t first = t->first;
    uint64_t span = (uint64_t)t->last - (uint64_t)first;
    uint32_t shift = t->shift, depth;
    for (depth = 0; depth < SSTI_TABLE_DEPTH; depth++) {
        uint64_t at = (uint64_t)time - (uint64_t)first, begin;
        bucket = at >> shift;
        if (bucket + 1 >= count) return false;
        begin = bucket << shift;
        out->low = ssti_table_entry(t, entries, bucket);
        out->high = ssti_table_entry(t, entries, bucket + 1);
        out->share = ssti_table_share(at - begin, shift, bucket + 2 < count ? 0 : span - begin);
        if ((out->high & mark) != 0) {
            part = ssti_table_part(t, out->high);
            if (part == NULL) return false;
            out->high = ssti_get64(part + 16);
        }
        if ((out->low & mark) == 0) return true;
        part = ssti_table_part(t, out->low);
        if (part == NULL) return false;
        out->low = ssti_get64(part + 16);
        first = ssti_get_time(part);
        if (time < first) out->high = out->low;
        else if (time >= ssti_get_time(part + 8)) out->low = out->high;
        if (out->low == out->high) return true;
        span = ssti_get64(part + 8) - (uint64_t)first;
        count = ssti_get32(part + 24);
        shift = part[28];
        entries = part + SSTI_TABLE_PART_HEAD;
    }
    return false;
}

/* Is a table worth its bytes? Fewer blocks and rows are searched by bisection. */
static bool ssti_table_worth(const ssti_look *k) {
    return k->series->timed && k->series->keep == NULL &&
           (k->blocks >= SSTI_TABLE_MIN_BLOCKS || k->sealed >= SSTI_TABLE_MIN_ROWS);
}

/* A table that is being made, of the first one's size or a crowded bucket's. */
typedef struct ssti_part {
    uint64_t low, high;             /* its rows */
    uint64_t at;                    /* of its entries behind the first table's */
    uint64_t count;
    int64_t first, last;
    uint32_t shift, depth;
    uint64_t crowd;                 /* a bucket with more rows gets a table of its own */
} ssti_part;

typedef struct ssti_table_draft {
    const ssti_look *k;
    ssti_table *t;
    uint32_t used, capacity;        /* of its memory, in units */
} ssti_table_draft;

static uint64_t ssti_draft_entry(const ssti_table_draft *d, const ssti_part *p, uint64_t i) {
    return ssti_table_entry(d->t, (const uint8_t *)d->t->memory + (size_t)p->at, i);
}

static void ssti_draft_set(const ssti_table_draft *d, const ssti_part *p, uint64_t i,
                           uint64_t entry) {
    uint8_t *to = (uint8_t *)d->t->memory + (size_t)p->at + (size_t)i * d->t->width;
    if (d->t->width == 4) ssti_put32(to, (uint32_t)entry);
    else ssti_put64(to, entry);
}

/* Chooses the buckets of a table for so many rows from its first time to the last, and gets memory
 * for a head and entries. */
static int ssti_draft_room(ssti_table_draft *d, ssti_part *p, uint64_t rows, size_t head) {
    uint64_t span = (uint64_t)p->last - (uint64_t)p->first, bytes, units;
    p->shift = 0;
    while (p->shift < 63 && (span >> p->shift) >= rows / SSTI_TABLE_ROWS + 1) p->shift++;
    p->count = (span >> p->shift) + 2;
    bytes = ssti_round_up(head + p->count * d->t->width, SSTI_TABLE_UNIT);
    units = d->used + bytes / SSTI_TABLE_UNIT;
    if (SSTI_HUGE(units > UINT32_MAX / 2)) return SST_ERR_LIMIT;
    SSTI_TRY(ssti_grow(&d->k->series->store->allocator, &d->t->memory, &d->capacity,
                       (uint32_t)units, SSTI_TABLE_UNIT));
    p->crowd = SSTI_TABLE_CROWD * SSTI_TABLE_ROWS;
    p->at = (uint64_t)d->used * SSTI_TABLE_UNIT + head;
    memset((uint8_t *)d->t->memory + (size_t)d->used * SSTI_TABLE_UNIT, 0, (size_t)bytes);
    d->used = (uint32_t)units;
    return SST_OK;
}

/* How long after the table's first time a row is. */
SSTI_INLINE uint64_t ssti_draft_after(const ssti_part *p, const uint8_t *times, uint64_t i) {
    return (uint64_t)ssti_get_time(times + (size_t)i * 8) - (uint64_t)p->first;
}

/* The first row from `i` on that is so long after the first time, or `count`. It is sought `step`
 * rows on first, then farther and farther (Bentley, Yao: An almost optimal algorithm for unbounded
 * searching, 1976). */
static uint64_t ssti_draft_seek(const ssti_part *p, const uint8_t *times, ssti_range rows,
                                uint64_t step, uint64_t after) {
    uint64_t low = rows.first, high = low + step;
    if (ssti_draft_after(p, times, low) >= after) return low;
    while (high < rows.count && ssti_draft_after(p, times, high) < after) {
        low = high;
        high += step;
        step *= 2;
    }
    if (high > rows.count) high = rows.count;
    if (high - low > 1 && ssti_draft_after(p, times, high - 1) < after) return high;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (ssti_draft_after(p, times, middle) < after) low = middle;
        else high = middle;
    }
    return high;
}

/* Fills the entries of a table that begin in one block: row by row where the buckets are narrow. */
static int ssti_draft_block(const ssti_table_draft *d, const ssti_part *p, uint32_t block,
                            ssti_range rows, uint64_t *next) {
    while (rows.count != 0) {           /* by pieces, since large columns may have to be read */
        ssti_range part = rows, left;
        const uint8_t *times;
        uint64_t step = SSTI_TABLE_ROWS, row;
        if (part.count > SSTI_PIECE_BYTES / 8) part.count = SSTI_PIECE_BYTES / 8;
        SSTI_TRY(ssti_column_rows(d->k, block, 0, part, &times));
        left.first = 0;
        left.count = part.count;
        for (; *next + 1 < p->count; (*next)++) {
            row = ssti_draft_seek(p, times, left, step, *next << p->shift);
            if (row == left.count) break;
            ssti_draft_set(d, p, *next, (uint64_t)block << d->t->row_bits | (part.first + row));
            if (row != left.first) step = row - left.first;
            left.first = row;
        }
        rows.first += part.count;
        rows.count -= part.count;
    }
    return SST_OK;
}

/* Fills the entries of a table in one pass over the times of its rows. */
static int ssti_draft_fill(const ssti_table_draft *d, const ssti_part *p) {
    uint64_t next = 0, mask = ((uint64_t)1 << d->t->row_bits) - 1;
    uint32_t block = (uint32_t)(p->low >> d->t->row_bits);
    uint32_t end = (uint32_t)(p->high >> d->t->row_bits);
    ssti_range rows;
    rows.first = p->low & mask;
    for (; block < end; block++, rows.first = 0) {
        rows.count = ssti_list_at(d->k->list, block)->rows - rows.first;
        SSTI_TRY(ssti_draft_block(d, p, block, rows, &next));
    }
    if ((p->high & mask) != 0) {
        rows.count = (p->high & mask) - rows.first;
        SSTI_TRY(ssti_draft_block(d, p, block, rows, &next));
    }
    while (next < p->count) ssti_draft_set(d, p, next++, p->high);
    return SST_OK;
}

/* The rows from a place to another one: those there are, whatever their numbers say. */
static uint64_t ssti_draft_rows(const ssti_table_draft *d, uint64_t from, uint64_t to) {
    uint64_t mask = ((uint64_t)1 << d->t->row_bits) - 1, rows = (to & mask) - (from & mask);
    uint32_t block = (uint32_t)(from >> d->t->row_bits), end = (uint32_t)(to >> d->t->row_bits);
    for (; block < end; block++) rows += ssti_list_at(d->k->list, block)->rows;
    return rows;
}

/* The time of the row at a place, or of the one before it. */
static int ssti_draft_time(const ssti_table_draft *d, uint64_t place, bool before, int64_t *time) {
    uint32_t block = (uint32_t)(place >> d->t->row_bits);
    ssti_range row;
    const uint8_t *p;
    row.first = place & (((uint64_t)1 << d->t->row_bits) - 1);
    row.count = 1;
    if (before && row.first == 0) row.first = ssti_list_at(d->k->list, --block)->rows;
    if (before) row.first--;
    SSTI_TRY(ssti_column_rows(d->k, block, 0, row, &p));
    *time = ssti_get_time(p);
    return SST_OK;
}

/* Would most rows be where one expects them if 1 << wider buckets were one? Looks at where the
 * buckets there are begin. */
static bool ssti_draft_even(const ssti_table_draft *d, const ssti_part *p, uint32_t wider) {
    uint64_t i, step = (uint64_t)1 << wider, wrong = 0, all = ssti_draft_rows(d, p->low, p->high);
    for (i = 0; i + 1 < p->count; i += step) {
        uint64_t end = i + step < p->count ? i + step : p->count - 1, k, row = 0;
        uint64_t width = i + step + 1 < p->count
                             ? 0 : (uint64_t)p->last - (uint64_t)p->first - (i << p->shift);
        uint64_t place = ssti_draft_entry(d, p, i);
        uint64_t rows = ssti_draft_rows(d, place, ssti_draft_entry(d, p, end));
        for (k = i + 1; k < end; k++) {
            uint32_t share = ssti_table_share((k - i) << p->shift, p->shift + wider, width);
            uint64_t next = ssti_draft_entry(d, p, k), n = ssti_draft_rows(d, place, next);
            uint64_t guess = share * (rows + 1) >> 32;
            row += n;
            place = next;
            if (row > guess + 2 || row + 2 < guess) wrong += n;
        }
        if (wrong > all / 32) return false;
    }
    return true;
}

/* Makes buckets wider while that costs nothing: what is left of the table stays in nearer memory. A
 * bucket is to lie in one block, or two. */
static void ssti_draft_widen(ssti_table_draft *d, ssti_part *p) {
    uint64_t most = d->k->sealed / d->t->blocks / 2, i;
    uint32_t wider = 0;
    while (wider < SSTI_TABLE_WIDER && p->count > 3 && p->shift + wider < 63 &&
           (uint64_t)(2 * SSTI_TABLE_ROWS) << (wider + 1) <= most) wider++;
    while (wider != 0 && !ssti_draft_even(d, p, wider)) wider--;
    if (wider == 0) return;
    p->count = ((p->count - 2) >> wider) + 2;
    for (i = 1; i + 1 < p->count; i++) ssti_draft_set(d, p, i, ssti_draft_entry(d, p, i << wider));
    ssti_draft_set(d, p, p->count - 1, p->high);
    p->shift += wider;
    p->crowd <<= wider;
    d->used = (uint32_t)(ssti_round_up(p->at + p->count * d->t->width, SSTI_TABLE_UNIT) /
                         SSTI_TABLE_UNIT);
}

/* Fills a table, then makes those of its crowded buckets. Times that pauses or a clock that was set
 * have torn apart crowd in few buckets of any one width (compare Crotty: Hist-Tree, CIDR 2021). */
static int ssti_draft_table(ssti_table_draft *d, ssti_part *p) {
    uint64_t i, place = p->low, end;
    SSTI_TRY(ssti_draft_fill(d, p));
    ssti_draft_widen(d, p);
    for (i = 0; i + 1 < p->count && p->depth + 1 < SSTI_TABLE_DEPTH; i++, place = end) {
        uint64_t unit = d->used, rows;
        ssti_part part;
        uint8_t *head;
        end = ssti_draft_entry(d, p, i + 1);
        rows = ssti_draft_rows(d, place, end);
        if (rows <= p->crowd) continue;
        part.low = place;
        part.high = end;
        part.depth = p->depth + 1;
        SSTI_TRY(ssti_draft_time(d, place, false, &part.first));
        SSTI_TRY(ssti_draft_time(d, end, true, &part.last));
        if (part.last <= part.first) continue;
        SSTI_TRY(ssti_draft_room(d, &part, rows, SSTI_TABLE_PART_HEAD));
        SSTI_TRY(ssti_draft_table(d, &part));
        head = (uint8_t *)d->t->memory + (size_t)part.at - SSTI_TABLE_PART_HEAD;
        ssti_put64(head, (uint64_t)part.first);
        ssti_put64(head + 8, (uint64_t)part.last);
        ssti_put64(head + 16, place);
        ssti_put32(head + 24, (uint32_t)part.count);
        head[28] = (uint8_t)part.shift;
        ssti_draft_set(d, p, i, ssti_table_mark(d->t) | unit);
    }
    return SST_OK;
}

/* Chooses how a place is written, and the first table. */
static int ssti_table_plan(ssti_table_draft *d, ssti_part *p) {
    const ssti_look *k = d->k;
    ssti_table *t = d->t;
    uint64_t most = 1, rows = 0;
    uint32_t i, block_bits = 0;
    memset(t, 0, sizeof *t);
    memset(p, 0, sizeof *p);
    t->blocks = k->blocks;
    t->first = p->first = ssti_list_at(k->list, 0)->first_time;
    t->last = p->last = ssti_list_at(k->list, k->blocks - 1)->last_time;
    for (i = 0; i < k->blocks; i++) {
        uint32_t n = ssti_list_at(k->list, i)->rows;
        rows += n;
        if (n > most) most = n;
    }
    while (t->row_bits < 32 && (most >> t->row_bits) != 0) t->row_bits++;
    while ((t->blocks >> block_bits) != 0) block_bits++;
    if (SSTI_HUGE(t->row_bits + block_bits > 63)) return SST_ERR_LIMIT;
    t->width = t->row_bits + block_bits < 32 ? 4 : 8;
    p->high = (uint64_t)t->blocks << t->row_bits;
    return ssti_draft_room(d, p, rows, 0);
}

/* A table of all blocks of the look in memory of its own, or NULL: it is only a help. */
static ssti_table *ssti_table_make(const ssti_look *k) {
    const sst_allocator *a = &k->series->store->allocator;
    ssti_table_draft d;
    ssti_part root;
    int result;
    memset(&d, 0, sizeof d);
    d.k = k;
    d.t = (ssti_table *)ssti_alloc(a, sizeof *d.t);
    if (d.t == NULL) return NULL;
    result = ssti_table_plan(&d, &root);
    if (result == SST_OK) result = ssti_draft_table(&d, &root);
    d.t->count = root.count;
    d.t->shift = (uint8_t)root.shift;
    d.t->memory_bytes = (size_t)d.capacity * SSTI_TABLE_UNIT;
    if (result == SST_OK) {             /* what was too much goes back */
        size_t bytes = (size_t)d.used * SSTI_TABLE_UNIT;
        void *less = a->resize(a->user, d.t->memory, d.t->memory_bytes, bytes);
        if (less != NULL) {
            d.t->memory = less;
            d.t->memory_bytes = bytes;
        }
    }
    d.t->entries = (const uint8_t *)d.t->memory;
    d.t->bytes = (uint64_t)d.used * SSTI_TABLE_UNIT;
    if (result == SST_OK) return d.t;
    ssti_free(a, d.t->memory, d.t->memory_bytes);
    ssti_free(a, d.t, sizeof *d.t);
    return NULL;
}

/* The table of a TABLE record, or NULL when it is not as it should be. */
static ssti_table *ssti_table_load(const ssti_look *k, uint64_t offset) {
    sst_store *store = k->series->store;
    ssti_loaded l;
    const uint8_t *p;
    ssti_header h;
    ssti_table *t;
    if (!ssti_header_at(store, offset, &h) || h.type != SSTI_TABLE ||
        h.stream != k->series->number || h.payload < 64 ||
        ssti_load(store, offset + SSTI_RECORD_BYTES, h.payload, &l) != SST_OK) return NULL;
    p = l.bytes;
    t = (ssti_table *)ssti_alloc_zero(&store->allocator, sizeof *t);
    if (t != NULL) {
        t->blocks = ssti_get32(p + 4);
        t->first = ssti_get_time(p + 8);
        t->last = ssti_get_time(p + 16);
        t->shift = p[24];
        t->row_bits = p[25];
        t->width = p[26];
        t->count = ssti_get64(p + 32);
        t->entries = p + 64;
        t->bytes = h.payload - 64;
        t->memory = l.memory;
        t->memory_bytes = l.size;
    }
    if (t != NULL && sst_crc32c(p, l.size, 0) == h.crc && ssti_get32(p) == 1 && t->blocks != 0 &&
        t->blocks <= k->blocks && t->first <= t->last && t->shift <= 63 && t->row_bits <= 32 &&
        (t->width == 4 || t->width == 8) && t->count <= t->bytes / t->width &&
        t->count == (((uint64_t)t->last - (uint64_t)t->first) >> t->shift) + 2) return t;
    ssti_free(&store->allocator, t, sizeof *t);
    ssti_unload(store, &l);
    return NULL;
}

static void ssti_table_free(const sst_allocator *a, ssti_table *t) {
    while (t != NULL) {
        ssti_table *older = t->older;
        ssti_free(a, t->memory, t->memory_bytes);
        ssti_free(a, t, sizeof *t);
        t = older;
    }
}

/* Makes a table, or finds it in the file, and puts it before those there are. */
static void ssti_table_add(const ssti_look *k) {
    ssti_series *s = k->series;
    ssti_table *made = NULL, *newest = ssti_atomic_load(&s->table);
    sst_error unused;
    ssti_look look = *k;
    look.error = &unused;       /* a damaged column is reported by the queries that need it */
    if (s->table_offset != 0 && newest == NULL) made = ssti_table_load(&look, s->table_offset);
    if (made == NULL) made = ssti_table_make(&look);
    if (made == NULL) return;
#if SSTI_HAS_THREADS
    do {
        made->older = newest;
    } while (!ssti_atomic_claim(&s->table, &newest, made));
#else
    made->older = newest;
    s->table = made;
#endif
}

/* The table to search by, or NULL. Made at the first query, and again when the blocks have
 * doubled, by the first thread that asks; others search without it meanwhile. */
static const ssti_table *ssti_table_get(const ssti_look *k) {
    ssti_series *s = k->series;
    uint32_t tried;
    if (!ssti_table_worth(k)) return NULL;
    tried = ssti_atomic_load(&s->table_tried);
    if (k->blocks / 2 >= tried) {
#if SSTI_HAS_THREADS
        bool lost = !ssti_atomic_claim(&s->table_tried, &tried, k->blocks);
        if (!SSTI_RACE(lost)) ssti_table_add(k);
#else
        s->table_tried = k->blocks;
        ssti_table_add(k);
#endif
    }
    return ssti_atomic_load(&s->table);
}

#endif /* SSTI_HAS_READ */

/* ---- definitions: STREAM and META payloads, as records and in an INDEX ---- */

#define SSTI_STREAM_FIXED_BYTES 8u
#define SSTI_FIELD_BYTES 32u

static uint32_t ssti_type_bytes(sst_type type) {
    static const uint8_t bytes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 1};
    return (unsigned)type < sizeof bytes ? bytes[type] : 0;
}

/* Elements of a shape; false: more than a row may have. */
static bool ssti_shape_elements(const uint32_t *shape, uint64_t *elements) {
    int i;
    *elements = 1;
    for (i = 0; i < 4 && shape[i] != 0; i++) {
        *elements *= shape[i];
        if (*elements > SST_MAX_ROW_BYTES) return false;
    }
    return true;
}

static int ssti_shape_rank(const uint32_t *shape) {
    int rank = 0;
    while (rank < 4 && shape[rank] != 0) rank++;
    return rank;
}

/* A stream's definition before there is a stream: from a description, whose `fields` it points to,
 * or from a STREAM record, of which it points to the fields and to the strings behind them. */
typedef struct ssti_definition {
    uint32_t number, flags, timeline_count, field_count;
    uint32_t kinds;                 /* flags of all fields together */
    bool plain;                     /* every field is one that can be */
    uint32_t ragged_count;
    uint64_t fixed_bytes;           /* of a row's fixed fields */
    uint64_t value_bytes;           /* and of one item of each of the others */
    size_t text_bytes;              /* of all names, each followed by 0 */
    sst_unit unit;
    sst_span name, timelines[SST_MAX_TIMELINES];
    const sst_field *fields;        /* NULL: */
    const uint8_t *records;
    ssti_cursor names;              /* of the fields */
    sst_field one;                  /* of a description without fields */
} ssti_definition;

static void ssti_span_put(uint8_t **to, const char *text) {
    size_t size = strlen(text);
    ssti_put16(*to, (uint16_t)size);
    memcpy(*to + 2, text, size);
    *to += 2 + size;
}

static size_t ssti_stream_payload_bytes(const ssti_series *s) {
    size_t strings = 1 + (size_t)s->timeline_count + s->field_count;    /* each a byte longer */
    return SSTI_STREAM_FIXED_BYTES + SSTI_FIELD_BYTES * (size_t)s->field_count + s->text_bytes +
           strings;
}

static void ssti_stream_payload(const ssti_series *s, uint8_t *to) {
    size_t fixed = SSTI_STREAM_FIXED_BYTES + SSTI_FIELD_BYTES * (size_t)s->field_count;
    uint8_t *text = to + fixed;
    uint32_t i, k;
    memset(to, 0, fixed);
    ssti_put32(to, s->flags);
    to[4] = (uint8_t)s->unit;
    to[5] = (uint8_t)s->timeline_count;
    ssti_put16(to + 6, (uint16_t)s->field_count);
    for (i = 0; i < s->field_count; i++) {
        const sst_field *f = &s->fields[i];
        uint8_t *p = to + SSTI_STREAM_FIXED_BYTES + SSTI_FIELD_BYTES * i;
        p[0] = (uint8_t)f->type;
        p[1] = (uint8_t)ssti_shape_rank(f->shape);
        ssti_put32(p + 4, f->flags);
        for (k = 0; k < 4; k++) ssti_put32(p + 8 + 4 * k, f->shape[k]);
    }
    ssti_span_put(&text, s->name);
    for (i = 0; i < s->timeline_count; i++) ssti_span_put(&text, s->timelines[i]);
    for (i = 0; i < s->field_count; i++) ssti_span_put(&text, s->fields[i].name);
}

static uint64_t ssti_meta_payload_bytes(const ssti_meta *m) {
    return 2 + (uint64_t)m->key_bytes + m->size;
}

static void ssti_meta_payload(const ssti_meta *m, uint8_t *to) {
    ssti_put16(to, (uint16_t)m->key_bytes);
    memcpy(to + 2, m->key, m->key_bytes);
    memcpy(to + 2 + m->key_bytes, m->value, m->size);
}

/* ---- metadata in memory ---- */

static ssti_meta *ssti_meta_find(const ssti_metas *metas, const void *key, size_t size) {
    uint32_t hash = ssti_map_hash(key, size), at = 0, item;
    while ((item = ssti_map_next(&metas->map, hash, &at)) != 0) {
        ssti_meta *m = &metas->items[item - 1];
        if (m->key != NULL && m->key_bytes == size && memcmp(m->key, key, size) == 0) return m;
    }
    return NULL;
}

static void ssti_meta_free(const sst_allocator *a, ssti_meta *m) {
    if (m->key != NULL) ssti_free(a, m->key, m->key_bytes + 1);
    if (m->value != NULL) ssti_free(a, m->value, m->size + 1);
    m->key = NULL;
    m->value = NULL;
}

/* A copy of key and value, each with a 0 behind it. */
static int ssti_meta_make(const sst_allocator *a, sst_span key, sst_span value, ssti_meta *m) {
    memset(m, 0, sizeof *m);
    m->key_bytes = key.size;
    m->size = value.size;
    if (value.size > SIZE_MAX / 4) return SST_ERR_MEMORY;
    m->key = (char *)ssti_alloc(a, key.size + 1);
    m->value = (uint8_t *)ssti_alloc(a, value.size + 1);
    if (m->key == NULL || m->value == NULL) {
        ssti_meta_free(a, m);
        return SST_ERR_MEMORY;
    }
    memcpy(m->key, key.data, key.size);
    if (value.size != 0) memcpy(m->value, value.data, value.size);
    m->key[key.size] = 0;
    m->value[value.size] = 0;
    return SST_OK;
}

/* Closes the gaps of removed entries; the order stays. */
static void ssti_metas_compact(ssti_metas *metas) {
    uint32_t i, n = 0;
    if (metas->live == metas->count) return;
    memset(metas->map.slots, 0, metas->map.capacity * sizeof(ssti_map_slot));
    metas->map.used = 0;
    for (i = 0; i < metas->count; i++) {
        ssti_meta m = metas->items[i];
        if (m.key == NULL) continue;
        metas->items[n++] = m;
        ssti_map_set(&metas->map, ssti_map_hash(m.key, m.key_bytes), n);
    }
    metas->count = n;
}

/* Makes room for one more key, so that ssti_meta_put cannot fail. */
static int ssti_metas_room(const sst_allocator *a, ssti_metas *metas) {
    if (metas->live < metas->count / 2) ssti_metas_compact(metas);
    SSTI_TRY(ssti_map_room(a, &metas->map));
    return ssti_grow(a, (void **)&metas->items, &metas->capacity, metas->count + 1,
                     sizeof(ssti_meta));
}

/* Puts an entry in the place of the one with its key, or at the end. */
static void ssti_meta_put(const sst_allocator *a, ssti_metas *metas, const ssti_meta *m) {
    ssti_meta *old = ssti_meta_find(metas, m->key, m->key_bytes);
    if (old != NULL) {
        ssti_meta_free(a, old);
        *old = *m;
        return;
    }
    metas->items[metas->count++] = *m;
    metas->live++;
    ssti_map_set(&metas->map, ssti_map_hash(m->key, m->key_bytes), metas->count);
}

static void ssti_meta_drop(const sst_allocator *a, ssti_metas *metas, ssti_meta *m) {
    ssti_meta_free(a, m);
    metas->live--;
}

static void ssti_metas_free(const sst_allocator *a, ssti_metas *metas) {
    uint32_t i;
    for (i = 0; i < metas->count; i++) ssti_meta_free(a, &metas->items[i]);
    ssti_free(a, metas->items, metas->capacity * sizeof(ssti_meta));
    ssti_map_free(a, &metas->map);
    memset(metas, 0, sizeof *metas);
}

/* ---- streams in memory ---- */

/* Text and bytes are ragged whether they say so or not. */
static bool ssti_field_ragged(const sst_field *f) {
    return f->type > SST_F64 || (f->flags & SST_RAGGED) != 0;
}

/* Bytes of one field in a row, or of one of its items. */
static uint64_t ssti_field_bytes(const sst_field *f) {
    uint64_t elements;
    (void)ssti_shape_elements(f->shape, &elements);
    return elements * ssti_type_bytes(f->type);
}

/* Is this a kind of stream whose rows this version reads and writes? */
static bool ssti_definition_readable(const ssti_definition *d) {
    const uint32_t known = SST_TAGGED | SST_KEYED | SST_UNTIMED | SST_EQUAL_TIMES;
    bool untimed = (d->flags & SST_UNTIMED) != 0;
    return d->plain && (d->flags & ~known) == 0 && (d->kinds & ~(uint32_t)SST_RAGGED) == 0 &&
           !(untimed && (d->timeline_count != 0 || (d->flags & SST_EQUAL_TIMES) != 0));
}

/* Columns of a stream's rows. */
static uint32_t ssti_definition_columns(const ssti_definition *d) {
    return ((d->flags & SST_UNTIMED) == 0) + d->timeline_count + ((d->flags & SST_TAGGED) != 0) +
           ((d->flags & SST_KEYED) != 0 ? 3u : 0u) + d->field_count + d->ragged_count;
}

static uint32_t ssti_definition_items(const ssti_definition *d) {
    return d->ragged_count + ((d->flags & SST_KEYED) != 0);
}

/* The memory of a stream's arrays: see ssti_series_arrays. */
static size_t ssti_arrays_bytes(const ssti_definition *d) {
    size_t columns = ssti_definition_columns(d), items = ssti_definition_items(d);
    return columns * (2 * sizeof(ssti_entry) + 3 * sizeof(uint8_t *) + sizeof(ssti_column) +
                      sizeof(uint64_t)) +
           d->field_count * (sizeof(sst_field) + sizeof(uint32_t)) +
           d->timeline_count * (sizeof(ssti_clock) + sizeof(int64_t) + sizeof(char *)) +
           items * (7 * sizeof(uint64_t) + 2 * sizeof(uint32_t));
}

/* Memory for what a stream has per column and per field. */
static int ssti_series_arrays(const sst_allocator *a, ssti_series *s, const ssti_definition *d) {
    uint32_t columns = ssti_definition_columns(d), items = ssti_definition_items(d);
    s->arrays_bytes = ssti_arrays_bytes(d);
    s->entries = (ssti_entry *)ssti_alloc_zero(a, s->arrays_bytes);
    if (s->entries == NULL) return SST_ERR_MEMORY;
    s->starts = (uint64_t *)(void *)(s->entries + 2 * columns);
    s->halves[0].regions = s->starts + columns;
    s->halves[1].regions = s->halves[0].regions + items;
    s->tail_regions = s->halves[1].regions + items;
    s->clocks = (ssti_clock *)(void *)(s->tail_regions + 5 * items);
    s->clock_last = (int64_t *)(void *)(s->clocks + d->timeline_count);
    s->timelines = (const char **)(void *)(s->clock_last + d->timeline_count);
    s->fields = (sst_field *)(void *)(s->timelines + d->timeline_count);
    s->work = (uint8_t **)(void *)(s->fields + d->field_count);
    s->fill = s->work + 2 * columns;
    s->columns = (ssti_column *)(void *)(s->fill + columns);
    s->field_columns = (uint32_t *)(void *)(s->columns + columns);
    s->fill_items = s->field_columns + d->field_count;
    s->mean_items = s->fill_items + items;
    return SST_OK;
}

static ssti_column *ssti_series_column(ssti_series *s, uint8_t kind, uint32_t part,
                                       uint32_t element, uint64_t row_bytes) {
    ssti_column *c = &s->columns[s->column_count++];
    c->kind = kind;
    c->part = (uint16_t)part;
    c->element = (uint8_t)element;
    c->row_bytes = (uint32_t)row_bytes;
    s->row_bytes += row_bytes;
    return c;
}

/* A column of items, of so many bytes each, and that of offsets before it. */
static void ssti_series_items(ssti_series *s, uint8_t kind, uint32_t part, uint32_t element,
                              uint64_t item_bytes) {
    ssti_column *c;
    (void)ssti_series_column(s, kind == SSTI_KIND_KEYS ? SSTI_KIND_KEY_OFFSETS
                                                       : SSTI_KIND_OFFSETS, part, 4, 4);
    c = ssti_series_column(s, kind, part, element, 0);
    c->item_bytes = (uint32_t)item_bytes;
    c->slot = s->items_count++;
}

static char *ssti_text_copy(char **to, sst_span text) {
    char *copy = *to;
    if (text.size != 0) memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *to += text.size + 1;
    return copy;
}

/* Gives the memory of blocks back. */
static void ssti_slabs_free(const sst_allocator *a, ssti_slab *slab) {
    while (slab != NULL) {
        ssti_slab *next = slab->next;
        ssti_free(a, slab->memory, slab->bytes);
        slab = next;
    }
}

static ssti_slab *ssti_slab_of(const ssti_block *b) {
    return (ssti_slab *)((uintptr_t)b->data - 64);
}

/* Takes a block off the list: its memory may still be looked at. Under the lock. */
static void ssti_block_drop(ssti_series *s) {
    ssti_slab *slab = ssti_slab_of(ssti_list_at(s->list, s->kept_block++));
    slab->next = s->keep->dropped;
    s->keep->dropped = slab;
}

static void ssti_series_free(const sst_allocator *a, ssti_series *s) {
    uint32_t i;
    if (s == NULL) return;
    if (s->keep != NULL) {
        while (s->kept_block != s->list->count) ssti_block_drop(s);
        ssti_slabs_free(a, s->keep->dropped);
        ssti_slabs_free(a, s->keep->unused);
        ssti_free(a, s->keep, sizeof *s->keep);
    }
    for (i = 0; i < 2; i++) {
        ssti_half *h = &s->halves[i];
        if (h->place == 0 && h->base != NULL) {
            ssti_free(a, h->base - h->front, h->front + h->bytes);
        }
    }
#if SSTI_HAS_READ
    ssti_table_free(a, s->table);
#endif
    ssti_list_free(s->list, a, s);
    ssti_metas_free(a, &s->metas);
    ssti_free(a, s->entries, s->arrays_bytes);
    ssti_free(a, s->text, s->text_bytes);
    ssti_free(a, s, sizeof *s);
}

/* Field i of a definition; of a record they are taken one after the other, with *names first
 * d->names. What is in the record was checked. */
static void ssti_definition_field(const ssti_definition *d, uint32_t i, ssti_cursor *names,
                                  sst_field *out, sst_span *name) {
    uint32_t k;
#if SSTI_HAS_READ
    if (d->fields == NULL) {
        const uint8_t *p = d->records + SSTI_FIELD_BYTES * (size_t)i;
        memset(out, 0, sizeof *out);
        out->type = (sst_type)p[0];
        out->flags = ssti_get32(p + 4) & ~0xFFFFu;
        for (k = 0; k < 4; k++) out->shape[k] = ssti_get32(p + 8 + 4 * k);
        name->size = ssti_get16(names->at);
        name->data = names->at + 2;
        names->at += 2 + name->size;
        return;
    }
#else
    (void)names;
#endif
    *out = d->fields[i];
    for (k = (uint32_t)ssti_shape_rank(out->shape); k < 4; k++) out->shape[k] = 0;
    name->data = out->name;
    name->size = out->name == NULL ? 0 : strlen(out->name);
}

/* Takes the fields of a definition, and makes them columns. */
static void ssti_series_fields(ssti_series *s, const ssti_definition *d, char **text) {
    ssti_cursor names = d->names;
    uint32_t i;
    s->field_count = d->field_count;
    for (i = 0; i < d->field_count; i++) {
        sst_field *f = &s->fields[i];
        sst_span name;
        uint32_t element;
        ssti_definition_field(d, i, &names, f, &name);
        f->name = ssti_text_copy(text, name);
        f->offset = 0;
        element = ssti_type_bytes(f->type);
        if (ssti_field_ragged(f)) {
            f->flags |= SST_RAGGED;
            ssti_series_items(s, SSTI_KIND_VALUES, i, element, ssti_field_bytes(f));
        } else {
            (void)ssti_series_column(s, SSTI_KIND_VALUES, i, element, ssti_field_bytes(f));
        }
        s->field_columns[i] = s->column_count - 1;
    }
}

/* A stream of a definition that was checked. NULL: no memory. */
static ssti_series *ssti_series_new(sst_store *store, const ssti_definition *d) {
    const sst_allocator *a = &store->allocator;
    ssti_series *s = (ssti_series *)ssti_alloc_zero(a, sizeof *s);
    uint32_t i;
    char *text;
    if (s == NULL) return NULL;
    s->store = store;
    s->number = d->number;
    s->text_bytes = d->text_bytes;
    s->text = text = (char *)ssti_alloc(a, s->text_bytes);
    s->list = (ssti_list *)ssti_alloc_zero(a, sizeof *s->list);
    if (text == NULL || s->list == NULL ||
        ssti_series_arrays(a, s, d) != SST_OK) {
        ssti_series_free(a, s);
        return NULL;
    }
    s->name = ssti_text_copy(&text, d->name);
    s->timeline_count = d->timeline_count;
    s->flags = d->flags;
    s->unit = d->unit;
    s->readable = ssti_definition_readable(d);
    s->timed = (d->flags & SST_UNTIMED) == 0;
    s->strict = (d->flags & SST_EQUAL_TIMES) == 0;
    if (s->timed) (void)ssti_series_column(s, SSTI_KIND_TIME, 0, 8, 8);
    for (i = 0; i < d->timeline_count; i++) {
        s->timelines[i] = ssti_text_copy(&text, d->timelines[i]);
        (void)ssti_series_column(s, SSTI_KIND_TIMELINE, i, 8, 8);
    }
    s->clock_count = s->tag_column = s->column_count;
    if ((d->flags & SST_TAGGED) != 0) (void)ssti_series_column(s, SSTI_KIND_TAG, 0, 4, 4);
    s->key_column = s->column_count + 1;
    if ((d->flags & SST_KEYED) != 0) {
        ssti_series_items(s, SSTI_KIND_KEYS, 0, 1, 1);
        (void)ssti_series_column(s, SSTI_KIND_ROW_FLAGS, 0, 1, 1);
    }
    ssti_series_fields(s, d, &text);
    s->where_count = s->column_count + 2 * s->items_count;
    if (s->timed && s->column_count == 1 + s->field_count) s->fill_fields = s->field_count;
    if (s->timed && s->column_count == 3 && s->items_count == 1) {
        s->fill_ragged = s->columns[2].item_bytes;
        s->fill_text = s->fields[0].type == SST_TEXT;
    }
    if (s->fill_fields == 1) s->fill_bytes = s->columns[1].row_bytes;
    if (s->fill_bytes != 0 && s->fields[0].shape[0] == 0) s->fill_scalar = s->fields[0].type;
    s->block_bytes = store->block_bytes;
    s->last_time = INT64_MAX;
    if (!SSTI_HAS_READ) s->list->ring = SSTI_CHUNK_FIRST;
    return s;
}

/* Makes room for one more stream, so that ssti_series_insert cannot fail. */
static int ssti_series_room(sst_store *store) {
    uint32_t place, chunk = ssti_chunk(store->series_count, &place);
    if (store->series_count >= SST_MAX_STREAMS) return SST_ERR_LIMIT;
    if (store->series[chunk] == NULL) {
        size_t bytes = SSTI_CHUNK_ITEMS(chunk) * sizeof(ssti_series *);
        store->series[chunk] = (ssti_series **)ssti_alloc(&store->allocator, bytes);
        if (store->series[chunk] == NULL) return SST_ERR_MEMORY;
    }
    return ssti_map_room(&store->allocator, &store->names);
}

/* Inserts a stream at index `at`; in the middle only while a damaged file is being opened. */
static void ssti_series_insert(sst_store *store, uint32_t at, ssti_series *s) {
    uint32_t i, place, chunk;
    for (i = store->series_count; i > at; i--) {
        chunk = ssti_chunk(i, &place);
        store->series[chunk][place] = ssti_series_at(store, i - 1);
    }
    chunk = ssti_chunk(at, &place);
    store->series[chunk][place] = s;
    ssti_map_set(&store->names, ssti_map_hash(s->name, strlen(s->name)), s->number);
    if (store->series_last < s->number) store->series_last = s->number;
    ssti_atomic_store(&store->series_count, store->series_count + 1);
}

static ssti_series *ssti_series_named(const sst_store *store, const void *name, size_t size) {
    uint32_t hash = ssti_map_hash(name, size), at = 0, number;
    while ((number = ssti_map_next(&store->names, hash, &at)) != 0) {
        bool found;
        ssti_series *s = ssti_series_at(store, ssti_series_find(store, number, &found));
        if (strlen(s->name) == size && memcmp(s->name, name, size) == 0) return s;
    }
    return NULL;
}

/* ---- writing an INDEX ---- */

/* A place to write to that can also only be measured. */
typedef struct ssti_sink {
    uint8_t *to;                    /* NULL: only count */
    uint64_t bytes;
} ssti_sink;

/* Room for `size` bytes, or NULL while measuring. */
static uint8_t *ssti_sink_room(ssti_sink *sink, uint64_t size) {
    uint8_t *p = sink->to == NULL ? NULL : sink->to + (size_t)sink->bytes;
    sink->bytes += size;
    return p;
}

/* The head of a definition; returns where its payload goes. */
static uint8_t *ssti_sink_define(ssti_sink *sink, uint8_t type, uint32_t stream,
                                 uint64_t payload) {
    uint64_t padded = ssti_round_up(payload, 8);
    uint8_t *p = ssti_sink_room(sink, 16 + padded);
    if (p == NULL) return NULL;
    memset(p, 0, 16);
    p[0] = type;
    ssti_put32(p + 4, stream);
    ssti_put64(p + 8, payload);
    memset(p + 16 + (size_t)payload, 0, (size_t)(padded - payload));
    return p + 16;
}

static uint32_t ssti_index_metas(ssti_sink *sink, const ssti_metas *metas, uint32_t stream) {
    uint32_t i;
    for (i = 0; i < metas->count; i++) {
        const ssti_meta *m = &metas->items[i];
        uint8_t *p;
        if (m->key == NULL) continue;
        p = ssti_sink_define(sink, SSTI_META, stream, ssti_meta_payload_bytes(m));
        if (p != NULL) ssti_meta_payload(m, p);
    }
    return metas->live;
}

static uint32_t ssti_index_definitions(ssti_sink *sink, const sst_store *store) {
    uint32_t i, count = ssti_index_metas(sink, &store->metas, 0);
    for (i = 0; i < store->series_count; i++) {
        const ssti_series *s = ssti_series_at(store, i);
        uint8_t *p = ssti_sink_define(sink, SSTI_STREAM, s->number, ssti_stream_payload_bytes(s));
        if (p != NULL) ssti_stream_payload(s, p);
        count += 1 + ssti_index_metas(sink, &s->metas, s->number);
        if (s->finished != 0) {
            (void)ssti_sink_define(sink, SSTI_FINISH, s->number, 0);
            count++;
        }
    }
    return count;
}

#define SSTI_INDEX_HEAD_BYTES 96u
#define SSTI_INDEX_STREAM_BYTES 64u
#define SSTI_INDEX_CLOCK_BYTES 24u
#define SSTI_INDEX_BLOCK_BYTES 40u

static void ssti_index_block(ssti_sink *sink, const ssti_block *b) {
    uint8_t *p = ssti_sink_room(sink, SSTI_INDEX_BLOCK_BYTES);
    if (p == NULL) return;
    ssti_put64(p, b->offset);
    ssti_put64(p + 8, b->first_row);
    ssti_put64(p + 16, (uint64_t)b->first_time);
    ssti_put64(p + 24, (uint64_t)b->last_time);
    ssti_put32(p + 32, b->rows);
    ssti_put32(p + 36, 0);
}

static void ssti_index_stream(ssti_sink *sink, const ssti_series *s) {
    uint32_t i, blocks = s->list->count;
    uint8_t *p = ssti_sink_room(sink, SSTI_INDEX_STREAM_BYTES +
                                      SSTI_INDEX_CLOCK_BYTES * s->timeline_count);
    if (p != NULL) {
        memset(p, 0, SSTI_INDEX_STREAM_BYTES + SSTI_INDEX_CLOCK_BYTES * s->timeline_count);
        ssti_put32(p, s->number);
        ssti_put32(p + 4, s->timeline_count);
        ssti_put64(p + 8, ssti_sealed_rows(s));
        if (blocks != 0) {
            int64_t first = s->list->ring == 0 ? ssti_list_at(s->list, 0)->first_time
                                               : s->first_time;
            ssti_put64(p + 16, (uint64_t)first);
            ssti_put64(p + 24, (uint64_t)ssti_list_at(s->list, blocks - 1)->last_time);
        }
        ssti_put64(p + 32, s->table_offset);
        ssti_put32(p + 48, blocks - s->indexed);
        for (i = 0; i < s->timeline_count; i++) {
            const ssti_clock *c = &s->clocks[i];
            uint8_t *q = p + SSTI_INDEX_STREAM_BYTES + SSTI_INDEX_CLOCK_BYTES * i;
            ssti_put64(q, (uint64_t)c->first);
            ssti_put64(q + 8, (uint64_t)c->last);
            ssti_put32(q + 16, ssti_atomic_load(&c->sorted) != SSTI_UNSORTED);
        }
    }
    for (i = s->indexed; i < blocks; i++) ssti_index_block(sink, ssti_list_at(s->list, i));
}

static void ssti_index_put(ssti_sink *sink, const sst_store *store) {
    uint8_t *p = ssti_sink_room(sink, SSTI_INDEX_HEAD_BYTES);
    uint64_t before = sink->bytes;
    uint32_t i, count = ssti_index_definitions(sink, store);
    if (p != NULL) {
        memset(p, 0, SSTI_INDEX_HEAD_BYTES);
        memcpy(p, store->header, SSTI_RECORD_BYTES);
        ssti_put64(p + 64, store->index_offset);
        ssti_put32(p + 72, count);
        ssti_put32(p + 76, store->series_count);
        ssti_put64(p + 80, sink->bytes - before);
    }
    for (i = 0; i < store->series_count; i++) ssti_index_stream(sink, ssti_series_at(store, i));
}

/* Blocks after which an INDEX is written. Who only records has them in memory until then: in less
 * than a block has. */
static uint32_t ssti_index_blocks(const sst_store *store) {
#if SSTI_HAS_READ
    (void)store;
    return SSTI_INDEX_BLOCKS;
#else
    uint32_t few = store->block_bytes / 64;     /* 8 at least */
    return few < SSTI_INDEX_BLOCKS ? few : SSTI_INDEX_BLOCKS;
#endif
}

/* Writes an INDEX of everything new. Under the lock. */
static int ssti_index_write(sst_store *store) {
    ssti_sink sink;
    ssti_draft d;
    uint32_t i;
    memset(&sink, 0, sizeof sink);
    ssti_index_put(&sink, store);
    SSTI_TRY(ssti_record_begin(store, &d, SSTI_INDEX, sink.bytes, 0));
    sink.to = ssti_draft_payload(&d);
    sink.bytes = 0;
    ssti_index_put(&sink, store);
    SSTI_TRY(ssti_record_commit_whole(store, &d));
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        s->indexed = s->list->count;
        if (!SSTI_HAS_READ) s->kept_block = s->indexed;
    }
    store->index_offset = d.offset;
    store->unindexed = 0;
    return SST_OK;
}

#if SSTI_HAS_READ

/* ---- reading definitions ---- */

static bool ssti_take_text(ssti_cursor *c, sst_span *text) {
    const uint8_t *p = ssti_take(c, 2);
    if (p == NULL) return false;
    text->size = ssti_get16(p);
    text->data = ssti_take(c, text->size);
    return text->data != NULL && ssti_utf8((const uint8_t *)text->data, text->size);
}

/* One field of a STREAM record. */
static bool ssti_take_field(ssti_cursor *c, ssti_definition *d) {
    const uint8_t *p = ssti_take(c, SSTI_FIELD_BYTES);
    sst_field f;
    uint64_t elements;
    int i;
    memset(&f, 0, sizeof f);
    if (p == NULL || p[0] < SST_BOOL || p[0] > SST_BYTES || p[1] > 4) return false;
    for (i = 0; i < 4; i++) {
        f.shape[i] = ssti_get32(p + 8 + 4 * i);
        if ((f.shape[i] != 0) != (i < p[1])) return false;
    }
    f.type = (sst_type)p[0];
    f.flags = ssti_get32(p + 4) & ~0xFFFFu;
    if (!ssti_shape_elements(f.shape, &elements)) return false;
    d->value_bytes += ssti_field_bytes(&f);
    d->kinds |= f.flags;
    if (ssti_field_ragged(&f)) d->ragged_count++;
    else d->fixed_bytes += ssti_field_bytes(&f);
    if (f.type > SST_F64 && p[1] != 0) d->plain = false;
    return d->value_bytes <= SST_MAX_ROW_BYTES;
}

/* Reads the payload of a STREAM record. */
static bool ssti_take_stream(ssti_cursor c, ssti_definition *d) {
    const uint8_t *p = ssti_take(&c, SSTI_STREAM_FIXED_BYTES);
    sst_span text;
    uint32_t i;
    if (p == NULL || p[4] > SST_TICKS || p[5] > SST_MAX_TIMELINES) return false;
    d->flags = ssti_get32(p) & ~0xFFFFu;
    d->unit = (sst_unit)p[4];
    d->timeline_count = p[5];
    d->field_count = ssti_get16(p + 6);
    d->records = c.at;
    d->plain = true;
    if (d->field_count == 0 || d->field_count > SST_MAX_FIELDS) return false;
    for (i = 0; i < d->field_count; i++) {
        if (!ssti_take_field(&c, d)) return false;
    }
    if (!ssti_take_text(&c, &d->name) || d->name.size == 0) return false;
    d->text_bytes = d->name.size + 1;
    for (i = 0; i < d->timeline_count; i++) {
        if (!ssti_take_text(&c, &d->timelines[i]) || d->timelines[i].size == 0) return false;
        d->text_bytes += d->timelines[i].size + 1;
    }
    d->names = c;
    for (i = 0; i < d->field_count; i++) {
        if (!ssti_take_text(&c, &text)) return false;
        d->text_bytes += text.size + 1;
    }
    return true;
}

/* A stream that the file declares. One that is known already is left as it is. */
static int ssti_define_checked(sst_store *store, uint32_t number, ssti_cursor payload) {
    ssti_definition d;
    ssti_series *s;
    uint32_t at;
    bool found;
    memset(&d, 0, sizeof d);
    at = ssti_series_find(store, number, &found);
    if (!ssti_take_stream(payload, &d)) return SST_ERR_CORRUPT;
    if (found) return SST_OK;
    if (ssti_series_named(store, d.name.data, d.name.size) != NULL) return SST_ERR_CORRUPT;
    d.number = number;
    SSTI_TRY(ssti_series_room(store));
    s = ssti_series_new(store, &d);
    if (s == NULL) return SST_ERR_MEMORY;
    ssti_series_insert(store, at, s);
    return SST_OK;
}

/* The same of a copy: a mapped file may be changing. */
static int ssti_define_stream(sst_store *store, uint32_t number, ssti_cursor payload) {
    const sst_allocator *a = &store->allocator;
    size_t size = (size_t)payload.left;
    uint8_t *copy;
    int result;
    if (number == 0 || number > SST_MAX_STREAMS || size == 0) return SST_ERR_CORRUPT;
    copy = (uint8_t *)ssti_alloc(a, size);
    if (copy == NULL) return SST_ERR_MEMORY;
    memcpy(copy, payload.at, size);
    payload.at = copy;
    result = ssti_define_checked(store, number, payload);
    ssti_free(a, copy, size);
    return result;
}

static int ssti_define_meta(sst_store *store, ssti_metas *metas, uint8_t flags,
                            ssti_cursor payload) {
    sst_span key, value;
    ssti_meta m, *old;
    if (!ssti_take_text(&payload, &key) || key.size == 0) return SST_ERR_CORRUPT;
    if ((flags & SSTI_META_REMOVED) != 0) {
        old = ssti_meta_find(metas, key.data, key.size);
        if (old != NULL) ssti_meta_drop(&store->allocator, metas, old);
        return SST_OK;
    }
    value.data = payload.at;
    value.size = (size_t)payload.left;
    SSTI_TRY(ssti_metas_room(&store->allocator, metas));
    SSTI_TRY(ssti_meta_make(&store->allocator, key, value, &m));
    ssti_meta_put(&store->allocator, metas, &m);
    return SST_OK;
}

/* Applies a STREAM, META or FINISH. SST_ERR_CORRUPT: it makes no sense. */
static int ssti_define(sst_store *store, const ssti_header *h, ssti_cursor payload) {
    ssti_series *s = NULL;
    if (h->type == SSTI_STREAM) return ssti_define_stream(store, h->stream, payload);
    if (h->stream != 0) {
        bool found;
        uint32_t at = ssti_series_find(store, h->stream, &found);
        if (!found) return SST_ERR_CORRUPT;
        s = ssti_series_at(store, at);
    }
    if (h->type == SSTI_META) {
        return ssti_define_meta(store, s == NULL ? &store->metas : &s->metas, h->flags, payload);
    }
    if (h->type != SSTI_FINISH || s == NULL) return SST_ERR_CORRUPT;
    s->finished = 1;
    return SST_OK;
}

/* The next definition of an INDEX: head and payload. */
static bool ssti_take_definition(ssti_cursor *c, ssti_header *h, ssti_cursor *payload) {
    const uint8_t *p = ssti_take(c, 16);
    if (p == NULL) return false;
    memset(h, 0, sizeof *h);
    h->type = p[0];
    h->flags = p[1];
    h->stream = ssti_get32(p + 4);
    payload->left = ssti_get64(p + 8);
    payload->at = ssti_take(c, payload->left);
    return payload->at != NULL && ssti_take(c, (0u - payload->left) & 7u) != NULL;
}

/* Applies the definitions of an INDEX payload, which replace the metadata known so far: what was
 * lost to damage before it is in force again. */
static int ssti_index_define(sst_store *store, ssti_cursor c) {
    const uint8_t *head = ssti_take(&c, SSTI_INDEX_HEAD_BYTES);
    ssti_cursor definitions, check, payload;
    ssti_header h;
    uint32_t i, count;
    if (head == NULL) return SST_ERR_CORRUPT;
    count = ssti_get32(head + 72);
    definitions.left = ssti_get64(head + 80);
    definitions.at = ssti_take(&c, definitions.left);
    if (definitions.at == NULL) return SST_ERR_CORRUPT;
    check = definitions;
    for (i = 0; i < count; i++) {
        if (!ssti_take_definition(&check, &h, &payload)) return SST_ERR_CORRUPT;
    }
    if (check.left != 0) return SST_ERR_CORRUPT;
    ssti_metas_free(&store->allocator, &store->metas);
    for (i = 0; i < store->series_count; i++) {
        ssti_metas_free(&store->allocator, &ssti_series_at(store, i)->metas);
    }
    for (i = 0; i < count; i++) {
        bool there = ssti_take_definition(&definitions, &h, &payload);
        if (SSTI_RACE(!there)) return SST_ERR_CORRUPT;  /* a mapped file may be changing */
        SSTI_TRY(ssti_define(store, &h, payload));
    }
    return SST_OK;
}

/* ---- reading block lists ---- */

/* Where a block with so many raw rows ends at the earliest: no two blocks of a file overlap, so
 * that the rows of a stream are never more than fit into the file. */
static uint64_t ssti_block_end(const ssti_series *s, const ssti_block *b) {
    return b->offset + SSTI_RECORD_BYTES + b->rows * s->row_bytes;
}

/* Adds a block of the file to a stream's list, if it can follow what is there. */
static int ssti_list_add(const ssti_series *s, ssti_list *list, const ssti_block *b) {
    const ssti_block *last = list->count == 0 ? NULL : ssti_list_at(list, list->count - 1);
    if (ssti_block_end(s, b) > ssti_length(s->store)) return SST_ERR_CORRUPT;
    if (b->rows == 0 || b->first_row > INT64_MAX - (uint64_t)b->rows) return SST_ERR_CORRUPT;
    if (b->first_time > b->last_time || (s->strict && s->timed &&
        (uint64_t)b->last_time - (uint64_t)b->first_time < b->rows - 1u)) return SST_ERR_CORRUPT;
    if (b->rows == 1 && b->first_time != b->last_time) return SST_ERR_CORRUPT;
    if (!s->timed && (b->first_time != 0 || b->last_time != 0)) return SST_ERR_CORRUPT;
    if (last != NULL && (b->offset < ssti_block_end(s, last) ||
                         (s->timed && !ssti_follows(s, last->last_time, b->first_time)) ||
                         b->first_row < last->first_row + last->rows)) return SST_ERR_CORRUPT;
    SSTI_TRY(ssti_list_room(list, &s->store->allocator));
    ssti_list_push(list, b);
    return SST_OK;
}

/* The blocks of one stream in one INDEX payload. */
static int ssti_index_take_blocks(sst_store *store, ssti_series *s, ssti_cursor *c,
                                  uint32_t count) {
    uint32_t i;
    for (i = 0; i < count; i++) {
        const uint8_t *p = ssti_take(c, SSTI_INDEX_BLOCK_BYTES);
        ssti_block b;
        if (p == NULL) return SST_ERR_CORRUPT;
        memset(&b, 0, sizeof b);
        b.offset = ssti_get64(p);
        b.first_row = ssti_get64(p + 8);
        b.first_time = ssti_get_time(p + 16);
        b.last_time = ssti_get_time(p + 24);
        b.rows = ssti_get32(p + 32);
        if (b.offset % 64 != 0 || b.offset < SSTI_RECORD_BYTES) return SST_ERR_CORRUPT;
        if (b.offset > store->file_bytes ||
            store->file_bytes - b.offset < SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES) {
            return SST_ERR_CORRUPT;
        }
        b.data = ssti_bytes(store, b.offset, SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES);
        if (!s->readable) continue;
        if (b.first_row != ssti_list_end(s->list, s->list->count)) return SST_ERR_CORRUPT;
        SSTI_TRY(ssti_list_add(s, s->list, &b));
    }
    return SST_OK;
}

/* One stream's part of an INDEX payload. newest: take its summary and compare it. */
static int ssti_index_take_stream(sst_store *store, ssti_cursor *c, bool newest) {
    const uint8_t *p = ssti_take(c, SSTI_INDEX_STREAM_BYTES), *q;
    ssti_series *s;
    uint32_t i, at, timelines;
    bool found;
    if (p == NULL) return SST_ERR_CORRUPT;
    at = ssti_series_find(store, ssti_get32(p), &found);
    timelines = ssti_get32(p + 4);
    if (!found) return SST_ERR_CORRUPT;
    s = ssti_series_at(store, at);
    if (timelines != s->timeline_count) return SST_ERR_CORRUPT;
    q = ssti_take(c, SSTI_INDEX_CLOCK_BYTES * (uint64_t)timelines);
    if (q == NULL) return SST_ERR_CORRUPT;
    SSTI_TRY(ssti_index_take_blocks(store, s, c, ssti_get32(p + 48)));
    if (!newest || !s->readable) return SST_OK;
    at = s->list->count;
    if (ssti_get64(p + 8) != ssti_list_end(s->list, at)) return SST_ERR_CORRUPT;
    if (at != 0 && (ssti_get_time(p + 16) != ssti_list_at(s->list, 0)->first_time ||
                    ssti_get_time(p + 24) != ssti_list_at(s->list, at - 1)->last_time)) {
        return SST_ERR_CORRUPT;
    }
    s->table_offset = ssti_get64(p + 32);
    s->indexed = at;
    for (i = 0; i < timelines; i++) {
        s->clocks[i].first = ssti_get_time(q + 24 * i);
        s->clocks[i].last = ssti_get_time(q + 24 * i + 8);
        s->clocks[i].sorted = ssti_get32(q + 24 * i + 16) == 1 ? SSTI_SORTED : SSTI_UNSORTED;
    }
    return SST_OK;
}

/* Something before this INDEX was lost: rows keep the numbers that it knows, though blocks are
 * missing. Never more than fit before it. */
static void ssti_index_claim(sst_store *store, uint64_t offset, ssti_cursor c) {
    const uint8_t *head = ssti_take(&c, SSTI_INDEX_HEAD_BYTES), *p;
    uint32_t i, at;
    bool found;
    if (SSTI_NEVER(head == NULL)) return;       /* ssti_index_define has looked at both */
    p = ssti_take(&c, ssti_get64(head + 80));
    if (SSTI_RACE(p == NULL)) return;
    for (i = 0; i < ssti_get32(head + 76); i++) {
        p = ssti_take(&c, SSTI_INDEX_STREAM_BYTES);
        if (p == NULL) return;
        at = ssti_series_find(store, ssti_get32(p), &found);
        if (found && ssti_get64(p + 8) <= offset / ssti_series_at(store, at)->row_bytes) {
            ssti_claim_rows(ssti_series_at(store, at), ssti_get64(p + 8));
        }
        if (ssti_take(&c, (uint64_t)SSTI_INDEX_CLOCK_BYTES * ssti_get32(p + 4)) == NULL ||
            ssti_take(&c, (uint64_t)SSTI_INDEX_BLOCK_BYTES * ssti_get32(p + 48)) == NULL) return;
    }
}

/* Loads the payload of the INDEX at an offset. SST_ERR_CORRUPT: there is none. */
static int ssti_index_at(sst_store *store, uint64_t offset, ssti_loaded *l, ssti_cursor *c) {
    ssti_header h;
    memset(l, 0, sizeof *l);
    if (offset % 64 != 0 || !ssti_header_at(store, offset, &h) || h.type != SSTI_INDEX ||
        h.payload < SSTI_INDEX_HEAD_BYTES) return SST_ERR_CORRUPT;
    SSTI_TRY(ssti_load(store, offset + SSTI_RECORD_BYTES, h.payload, l));
    c->at = l->bytes;
    c->left = h.payload;
    if (sst_crc32c(c->at, (size_t)c->left, 0) == h.crc || SSTI_BROKEN(INDEX)) return SST_OK;
    ssti_unload(store, l);
    return SST_ERR_CORRUPT;
}

/* Takes the block lists of one INDEX, and of the newest the summaries. */
static int ssti_index_take(sst_store *store, ssti_cursor c, bool newest) {
    const uint8_t *head = ssti_take(&c, SSTI_INDEX_HEAD_BYTES);
    uint32_t i, streams = ssti_get32(head + 76);
    if (ssti_take(&c, ssti_get64(head + 80)) == NULL) return SST_ERR_CORRUPT;
    for (i = 0; i < streams; i++) SSTI_TRY(ssti_index_take_stream(store, &c, newest));
    return newest && streams != store->series_count ? SST_ERR_CORRUPT : SST_OK;
}

/* Goes back along the chain of INDEX records; the definitions are those of the newest. */
static int ssti_index_chain(sst_store *store, uint64_t newest, uint64_t **chain, uint32_t *count,
                            uint32_t *capacity) {
    uint64_t offset = newest;
    while (offset != 0) {
        ssti_loaded l;
        ssti_cursor c;
        uint64_t before;
        int result;
        SSTI_TRY(ssti_index_at(store, offset, &l, &c));
        before = ssti_get64(c.at + 64);
        result = *count == 0 ? ssti_index_define(store, c) : SST_OK;
        ssti_unload(store, &l);
        SSTI_TRY(result);
        if (before >= offset) return SST_ERR_CORRUPT;
        SSTI_TRY(ssti_grow(&store->allocator, (void **)chain, capacity, *count + 1,
                           sizeof **chain));
        (*chain)[(*count)++] = offset;
        offset = before;
    }
    return SST_OK;
}

/* Reads the chain of INDEX records that ends at `newest`: the definitions of the newest, then the
 * block lists from the oldest on. SST_ERR_CORRUPT: it does not agree, the file has to be read by
 * hopping. */
static int ssti_index_load(sst_store *store, uint64_t newest) {
    uint64_t *chain = NULL;
    uint32_t count = 0, capacity = 0;
    int result = ssti_index_chain(store, newest, &chain, &count, &capacity);
    while (count != 0 && result == SST_OK) {
        ssti_loaded l;
        ssti_cursor c;
        count--;
        result = ssti_index_at(store, chain[count], &l, &c);
        if (result == SST_OK) {
            result = ssti_index_take(store, c, count == 0);
            ssti_unload(store, &l);
        }
    }
    ssti_free(&store->allocator, chain, capacity * sizeof *chain);
    if (result == SST_OK) store->index_offset = newest;
    return result;
}

#endif /* SSTI_HAS_READ */

/* ============================================================================================
 * >>live  The companion: tails that survive the process.
 * ============================================================================================
 *
 * `<path>-live` holds the halves of all tails, in shared mappings whose pages belong to the kernel:
 * whatever kills the process, the rows are there. It is no interchange format; this version reads
 * what this version wrote, on the same kind of machine. Numbers are the host's own.
 *
 *     0     8   magic 89 53 53 4C 0D 0A 1A 0A
 *     8     4   version of this layout
 *     12    4   salt of the store
 *     16   16   uuid of the store
 *     32    8   session id: that of the newest session SYNC of the store, or the companion is an
 *               older session's and means nothing
 *     40    4   crc of bytes 0..39
 *     64    8   published length of the store in units of 64 bytes; a hint
 *     128 8*29  offsets of the tables of streams: table k has 8 << k slots of 512 bytes
 *
 * A stream's slot has two halves of 256 bytes, each with two descriptors that take turns, so that
 * one is whole at any time: uint32 generation, uint32 capacity in rows, uint64 first row, uint64
 * offset of the half, uint64 bytes of the half, zero bytes, and at 60 the crc of bytes 0..59.
 *
 * A half is its columns, each at a multiple of 64, and then uint32 check[capacity]: a hash of the
 * session id, the stream, the row number and the row's bytes. Rows count while it holds: nothing
 * else says which rows are there, so that no order of writes has to be trusted. Offsets begin with
 * that of the first row, 0. Where there are columns of items the half ends with uint64 bytes of the
 * room for each of them, padded to 64. */

#define SSTI_LIVE_VERSION 3u
#define SSTI_LIVE_TABLES 128u
#define SSTI_LIVE_SLOT 512u
#define SSTI_LIVE_HALF 256u
#define SSTI_LIVE_DESCRIPTOR 64u

/* A step of the check word's hash: multiply and fold, as in Fibonacci hashing (Knuth: The art of
 * computer programming 3, 6.4). */
SSTI_INLINE uint64_t ssti_check_step(uint64_t h, uint64_t word) {
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 32);
}

/* A step of two words: the halves of their product are folded, as in wyhash (Wang Yi, 2019). One
 * factor is there once more, for what the other one takes it times may be 0. */
SSTI_INLINE uint64_t ssti_check_pair(uint64_t h, uint64_t first, uint64_t second) {
    uint64_t a = h ^ first, b = second ^ 0x9E3779B97F4A7C15u;
#if SSTI_HAS_INT128
    ssti_uint128 product = (ssti_uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ a;
#else
    uint64_t al = a & UINT32_MAX, ah = a >> 32, bl = b & UINT32_MAX, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (middle & UINT32_MAX);
    return (a * b) ^ (ah * bh + (middle >> 32) + (other >> 32)) ^ a;
#endif
}

/* A word of what is hashed, which is copied to the same place behind `to`, unless that is NULL. */
SSTI_INLINE uint64_t ssti_check_word(const uint8_t *p, uint8_t *to, size_t at) {
    uint64_t w;
    memcpy(&w, p + at, 8);
    if (to != NULL) memcpy(to + at, &w, 8);
    return w;
}

/* The bytes from `at` on, copied as well unless `to` is NULL. What is left at the end, less than a
 * word, is taken with bytes before it, where there are. */
SSTI_INLINE uint64_t ssti_check_rest(uint64_t h, const uint8_t *p, size_t size, uint8_t *to,
                                     size_t at) {
    uint64_t w;
    for (; size - at >= 8; at += 8) h = ssti_check_step(h, ssti_check_word(p, to, at));
    if (size == at) return h;
    if (size >= 8) return ssti_check_step(h, ssti_check_word(p, to, size - 8));
    if (to != NULL) memcpy(to, p, size);
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + size - 4, 4);
        return ssti_check_step(h, first | (uint64_t)last << 32);
    }
    for (w = 0; size != 0; size--) w = w << 8 | p[size - 1];
    return ssti_check_step(h, w);
}

SSTI_INLINE uint64_t ssti_check_bytes(uint64_t h, const uint8_t *p, size_t size) {
    return ssti_check_rest(h, p, size, NULL, 0);
}

/* The same for long rows: two lanes, since a multiplication waits for the one before. */
SSTI_INLINE uint64_t ssti_check_lanes(uint64_t h, const uint8_t *p, size_t size, uint8_t *to) {
    uint64_t a = h, b = ~h;
    size_t at = 0;
    for (; size - at >= 32; at += 32) {
        uint64_t w = ssti_check_word(p, to, at), x = ssti_check_word(p, to, at + 8);
        uint64_t y = ssti_check_word(p, to, at + 16), z = ssti_check_word(p, to, at + 24);
        a = ssti_check_pair(a, w, x);
        b = ssti_check_pair(b, y, z);
    }
    return ssti_check_rest(ssti_check_step(a, b), p, size, to, at);
}

static uint64_t ssti_check_long(uint64_t h, const uint8_t *p, size_t size) {
    return ssti_check_lanes(h, p, size, NULL);
}

SSTI_INLINE uint64_t ssti_check_column(uint64_t h, const uint8_t *p, size_t size) {
    return size >= 64 ? ssti_check_long(h, p, size) : ssti_check_bytes(h, p, size);
}

/* The same of what is copied into a tail in one go. Items lie anywhere, so these are no atomic
 * words: who copies them out meanwhile finds by generation or check word that they mean nothing. */
SSTI_INLINE uint64_t ssti_check_copy(uint64_t h, const uint8_t *p, size_t size, uint8_t *to) {
#if SSTI_TSAN
    ssti_copy_in(to, p, size);
    return ssti_check_column(h, p, size);
#else
    return size >= 64 ? ssti_check_lanes(h, p, size, to) : ssti_check_rest(h, p, size, to, 0);
#endif
}

SSTI_INLINE uint32_t ssti_check_fold(uint64_t h) { return (uint32_t)(h >> 16); }

static const uint64_t ssti_nothing[32] = {0};

/* The items of a row: from the first byte on, so many bytes. offsets: the end of the row's items,
 * as the host writes numbers. False: they end before they begin. */
SSTI_INLINE bool ssti_row_items(const ssti_column *items, const uint8_t *offsets, size_t *first,
                                size_t *bytes) {
    uint32_t span[2];
    memcpy(span, offsets - 4, sizeof span);
    *first = (size_t)span[0] * items->item_bytes;
    *bytes = (size_t)(span[1] - span[0]) * items->item_bytes;
    return span[0] <= span[1];
}

/* The check word of row `row`, whose columns begin at columns[i] + at * row bytes. The items of
 * ragged rows are there. */
static uint32_t ssti_check_row(const ssti_series *s, const uint8_t *const *columns, size_t at,
                               uint64_t row) {
    uint64_t h = ssti_check_step(s->check_seed, row);
    uint32_t c;
    for (c = 0; c < s->column_count; c++) {
        size_t size = s->columns[c].row_bytes, first;
        if (ssti_is_offsets(&s->columns[c])) {
            (void)ssti_row_items(&s->columns[c + 1], columns[c] + at * 4, &first, &size);
            h = ssti_check_step(h, size);
            h = ssti_check_column(h, columns[c + 1] + first, size);
            c++;
            continue;
        }
        const uint8_t *p = columns[c] == NULL ? (const uint8_t *)ssti_nothing
                                              : columns[c] + at * size;
        h = ssti_check_column(h, p, size);
    }
    return ssti_check_fold(h);
}

/* What the check words of a stream begin with. */
static uint64_t ssti_check_seed(uint64_t session, uint32_t number) {
    return ssti_check_step(session, number);
}

/* The last bytes of a half in a companion: how many bytes of items it has room for, by slot. */
static size_t ssti_half_foot(const ssti_series *s) {
    return (size_t)ssti_round_up((uint64_t)s->items_count * 8, 64);
}

/* Where a column that begins at `at` of a half is pointed to, and where the next one begins.
 * Offsets are pointed to behind their first one. */
SSTI_INLINE size_t ssti_half_column(const ssti_series *s, uint32_t column, uint32_t rows,
                                    const uint64_t *regions, size_t *at) {
    const ssti_column *c = &s->columns[column];
    size_t first = ssti_is_offsets(c) ? 4 : 0, place = *at + first;
    uint64_t bytes = c->item_bytes != 0 ? regions[c->slot] : (uint64_t)rows * c->row_bytes;
    *at += (size_t)ssti_round_up(first + bytes, 64);
    return place;
}

/* Where the columns of a half begin; returns the bytes of all. regions: room for items, by slot. */
static size_t ssti_half_layout(const ssti_series *s, uint8_t *base, uint32_t rows,
                               const uint64_t *regions, uint8_t **columns) {
    size_t at = 0;
    uint32_t c;
    for (c = 0; c < s->column_count; c++) {
        size_t place = ssti_half_column(s, c, rows, regions, &at);
        if (columns != NULL) columns[c] = base + place;
    }
    return at;
}

/* ---- the writer's side ---- */

/* Allocates and maps more of the companion, so that `bytes` fit in one piece. Its size grows by a
 * half, in mappings of 64 MiB of address range that stay where they are. Under the lock. */
static int ssti_live_grow(sst_store *store, uint64_t bytes) {
    const sst_io *io = &store->io;
    ssti_extent *e = store->part_count == 0 ? NULL : &store->parts[store->part_count - 1];
    uint64_t end, want;
    if (e == NULL || e->capacity - e->used < bytes) {
        ssti_extent part;
        void *base;
        uint64_t size = ssti_round_up(bytes, SSTI_PAGE_BYTES);
        if (size < SSTI_SEGMENT_BYTES) size = SSTI_SEGMENT_BYTES;
        if (size > SIZE_MAX / 4) return SST_ERR_MEMORY;
        SSTI_TRY(ssti_grow(&store->allocator, (void **)&store->parts, &store->part_capacity,
                           store->part_count + 1, sizeof part));
        memset(&part, 0, sizeof part);
        part.base = e == NULL ? 0 : e->base + e->capacity;
        SSTI_TRY(io->map(io->user, store->live, part.base, (size_t)size,
                         SST_IO_READ | SST_IO_WRITE, &base));
        part.data = (uint8_t *)base;
        part.memory = base;
        part.memory_bytes = part.capacity = (size_t)size;
        store->parts[store->part_count++] = part;
        e = &store->parts[store->part_count - 1];
    }
    end = e->base + e->used + bytes;
    if (end <= store->live_bytes) return SST_OK;
    want = ssti_round_up(end + (end < SSTI_SEGMENT_BYTES ? end / 2 : SSTI_SEGMENT_BYTES / 2),
                         SSTI_PAGE_BYTES);
    if (want > e->base + e->capacity) want = e->base + e->capacity;
    if (io->reserve(io->user, store->live, want) != SST_OK) {
        want = ssti_round_up(end, SSTI_PAGE_BYTES);
        SSTI_TRY(io->reserve(io->user, store->live, want));
    }
    SSTI_TRY(io->resize(io->user, store->live, want));
    store->live_bytes = want;
    return SST_OK;
}

/* A piece of the companion, at a multiple of 64, zeroed and so touched. Under the lock. */
static int ssti_live_alloc(sst_store *store, uint64_t bytes, uint8_t **out, uint64_t *place) {
    ssti_extent *e;
    bytes = ssti_round_up(bytes, 64);
    SSTI_TRY(ssti_live_grow(store, bytes));
    e = &store->parts[store->part_count - 1];
    *out = e->data + e->used;
    *place = e->base + e->used;
    memset(*out, 0, (size_t)bytes);
    e->used += (size_t)bytes;
    return SST_OK;
}

/* Writes the descriptor of a half over the older of its two. */
static void ssti_live_describe(const ssti_series *s, uint32_t which) {
    const ssti_half *h = &s->halves[which];
    uint32_t turn = h->generation / 2 % 2;
    uint8_t d[SSTI_LIVE_DESCRIPTOR];
    if (s->slot == NULL) return;
    memset(d, 0, sizeof d);
    ssti_put32(d, h->generation);
    ssti_put32(d + 4, h->capacity);
    ssti_put64(d + 8, h->first_row);
    ssti_put64(d + 16, h->place);
    ssti_put64(d + 24, h->bytes);
    ssti_put32(d + 60, sst_crc32c(d, 60, 0));
    ssti_copy_in(s->slot + which * SSTI_LIVE_HALF + turn * SSTI_LIVE_DESCRIPTOR, d, sizeof d);
}

/* The slot of a stream. Under the lock. */
static int ssti_live_slot(sst_store *store, ssti_series *s) {
    uint32_t place, chunk = ssti_chunk(s->number - 1, &place);
    uint8_t *head, *table;
    uint64_t offset;
    if (store->live == NULL) return SST_OK;
    head = store->parts[0].data + SSTI_LIVE_TABLES + 8 * chunk;
    offset = ssti_get64(head);
    if (offset == 0) {
        uint64_t bytes = SSTI_CHUNK_ITEMS(chunk) * SSTI_LIVE_SLOT;
        SSTI_TRY(ssti_live_alloc(store, bytes, &table, &offset));
        ssti_put64(head, offset);
    } else {
        uint32_t i = store->part_count - 1;
        while (store->parts[i].base > offset) i--;
        table = store->parts[i].data + (size_t)(offset - store->parts[i].base);
    }
    s->slot = table + (size_t)place * SSTI_LIVE_SLOT;
    s->check_seed = ssti_check_seed(store->session, s->number);
    return SST_OK;
}

/* SST_OK: the file at a path begins with these bytes. SST_ERR_NOT_FOUND: it does not, or there is
 * none. Who removes a file by its name makes sure that it is still its own. */
static int ssti_path_holds(const sst_store *store, const char *path, const uint8_t *bytes,
                           size_t size) {
    const sst_io *io = &store->io;
    uint8_t head[SSTI_RECORD_BYTES];
    size_t got;
    void *file = NULL;
    int result;
    if (io->read_at == NULL) return SST_OK;
    SSTI_TRY(io->open(io->user, path, SST_IO_READ, &file));
    result = ssti_file_read(store, file, 0, head, size, &got);
    (void)io->close(io->user, file);
    SSTI_TRY(result);
    return got == size && memcmp(head, bytes, size) == 0 ? SST_OK : SST_ERR_NOT_FOUND;
}

/* Removes the companion, if it is that of this session. */
static int ssti_live_remove(sst_store *store) {
    int result;
    if (store->live == NULL || store->io.remove == NULL) return SST_OK;
    result = ssti_path_holds(store, store->live_path, store->parts[0].data, 44);
    if (result == SST_OK) result = store->io.remove(store->io.user, store->live_path);
    return result == SST_ERR_NOT_FOUND ? SST_OK : result;
}

static void ssti_live_unmap(sst_store *store) {
    const sst_io *io = &store->io;
    uint32_t i;
    for (i = 0; i < store->part_count; i++) {
        ssti_extent *e = &store->parts[i];
        if (io->unmap != NULL) {
            (void)io->unmap(io->user, store->live, e->memory, e->memory_bytes);
        }
    }
    ssti_free(&store->allocator, store->parts, store->part_capacity * sizeof(ssti_extent));
    store->parts = NULL;
    store->part_count = store->part_capacity = 0;
    if (store->live != NULL) (void)io->close(io->user, store->live);
    store->live = NULL;
    store->live_bytes = 0;
}

/* The first page of a new companion. */
static int ssti_live_begin(sst_store *store) {
    uint8_t *p;
    uint64_t place;
    SSTI_TRY(ssti_live_alloc(store, SSTI_PAGE_BYTES, &p, &place));
    memcpy(p, ssti_live_magic, 8);
    ssti_put32(p + 8, SSTI_LIVE_VERSION);
    ssti_put32(p + 12, store->salt);
    memcpy(p + 16, store->header + 16, 16);
    ssti_put64(p + 32, store->session);
    ssti_put32(p + 40, sst_crc32c(p, 40, 0));
    ssti_live_publish(store);
    return SST_OK;
}

/* Makes the companion of a session, under another name, and puts it in its place. Where the host
 * cannot map, or could not keep its word about allocated pages, the tails stay in memory. */
static int ssti_live_make(sst_store *store, const char *temporary) {
    const sst_io *io = &store->io;
    const uint32_t mode = SST_IO_READ | SST_IO_WRITE;
    uint32_t i;
    int result;
    SSTI_TRY(io->open(io->user, temporary, mode | SST_IO_CREATE, &store->live));
    result = io->resize(io->user, store->live, 0);
    if (result == SST_OK) result = ssti_live_begin(store);
    for (i = 0; i < store->series_count && result == SST_OK; i++) {
        result = ssti_live_slot(store, ssti_series_at(store, i));
    }
    if (result == SST_OK) result = io->rename(io->user, temporary, store->live_path);
    if (result == SST_OK) return SST_OK;
    for (i = 0; i < store->series_count; i++) ssti_series_at(store, i)->slot = NULL;
    ssti_live_unmap(store);
    if (io->remove != NULL) (void)io->remove(io->user, temporary);
    return result == SST_ERR_UNSUPPORTED ? SST_OK : result;
}

/* ============================================================================================
 * >>stream  Streams: tails, append, seal.
 * ============================================================================================ */

struct sst_stream {
    ssti_series *series;
    sst_stream *next, *previous;    /* handles of the store */
    sst_error error;
    bool placed;                    /* the offsets of several fields are known */
    uint32_t *offsets;              /* of the fields in what sst_append is given */
    const uint8_t **in;             /* a row that is being appended: per column */
    uint32_t *spans;                /* of it, two numbers per column of items: 0, items */
    uint8_t *key;                   /* where its key is put together */
    size_t key_bytes;
    uint8_t key_flags;
#if SSTI_HAS_READ
    uint32_t hint;                  /* block of the last answer */
    sst_column *fields;             /* of the last view */
    const void *held;               /* the ssti_slab that it points into, or NULL */
    uint32_t pinned;                /* the oldest block that a query may use, plus one; 0: none */
    ssti_cache cache;               /* what was read of a file that is not mapped */
    uint8_t *scratch;               /* where views are assembled */
    size_t scratch_bytes;
#endif
};

/* Rows to be appended: so many from `first` on of one array per column, which are in the order of
 * ssti_series.columns. Without an array of tags they are 0. Columns of items begin where offset 0
 * is. */
typedef struct ssti_rows {
    const uint8_t *const *columns;
    size_t first, count;
    const uint64_t *room;           /* rows of a tail, to whose memory others can write: bytes of
                                       items there can be, by slot; else NULL */
} ssti_rows;

SSTI_INLINE const uint8_t *ssti_rows_at(const ssti_series *s, const ssti_rows *rows, uint32_t c) {
    if (rows->columns[c] == NULL) return (const uint8_t *)ssti_nothing;
    return rows->columns[c] + rows->first * s->columns[c].row_bytes;
}

/* How many of so many rows can be taken at once. */
static size_t ssti_rows_most(const ssti_series *s, const ssti_rows *rows, size_t count) {
    const size_t tags = sizeof ssti_nothing / 4;
    bool tagged = (s->flags & SST_TAGGED) == 0 || rows->columns[s->tag_column] != NULL;
    return tagged || count < tags ? count : tags;
}

static int ssti_os_error(int result) {
#if SSTI_HAS_OS
    return result == SST_ERR_IO || result == SST_ERR_FULL ? errno : 0;
#else
    (void)result;
    return 0;
#endif
}

static int ssti_store_fail(sst_store *store, int result, const char *what) {
    int os_error = ssti_os_error(result);
    bool alive = *store->alive != 0;    /* in a forked child nobody would ever unlock */
    if (alive) ssti_lock(&store->error_lock);
    (void)ssti_fail(&store->error, result, what);
    store->error.os_error = os_error;
    if (alive) ssti_unlock(&store->error_lock);
    return result;
}

static int ssti_stream_fail(sst_stream *stream, int result, const char *what) {
    return ssti_fail(&stream->error, result, what);
}

/* ---- how many rows there are ---- */

/* The row behind those of a half. False: it changed meanwhile, or is being changed. */
static bool ssti_half_end(ssti_half *h, uint64_t *end) {
    uint32_t generation = ssti_atomic_load(&h->generation), count;
    uint64_t first_row;
    if (generation % 2 != 0) return false;
    ssti_copy_out(&first_row, &h->first_row, sizeof first_row);
    count = ssti_atomic_load(&h->count);
    ssti_fence_acquire();
    *end = first_row + count;
    return ssti_word_load(&h->generation) == generation;
}

/* Rows of the stream by its tail; 0 where the blocks alone tell. The active half is changed only
 * while it has no rows but those in blocks: then the other one, which may be full, has the last,
 * unless it is being changed, too: then they are in blocks. */
static uint64_t ssti_tail_rows(ssti_series *s) {
    uint64_t end;
    for (;;) {
        uint32_t which = ssti_atomic_load(&s->half);
        if (ssti_half_end(&s->halves[which], &end)) return end;
        if (SSTI_RACE(ssti_atomic_load(&s->half) != which)) continue;
        if (ssti_half_end(&s->halves[1 - which], &end)) return end;
        if (ssti_atomic_load(&s->halves[1 - which].generation) % 2 != 0) return 0;
    }
}

/* Rows of the stream: in blocks and in the tail. */
static uint64_t ssti_series_rows(ssti_series *s) {
    uint64_t rows = ssti_tail_rows(s);
    const ssti_list *list = ssti_atomic_load(&s->list);
    uint64_t sealed = ssti_list_end(list, ssti_atomic_load(&list->count));
    return ssti_claimed_rows(s, rows > sealed ? rows : sealed);
}

/* ---- dropping the oldest rows ----
 *
 * Each block of a stream with retention has memory of its own, a slab, which is used again when the
 * block was dropped and nobody looks at it. Queries take no lock: each says which block it begins
 * with (it pins that), and makes sure that this one was not dropped meanwhile. Who drops blocks
 * says so first, and then looks at what is pinned: of the two one sees the other (Michael: Hazard
 * pointers, safe memory reclamation for lock-free objects, 2004). A view in place outlives its
 * query: the handle holds its slab until the next one. */

#if SSTI_HAS_READ

static void ssti_pin(sst_stream *stream) {
    ssti_series *s = stream->series;
    uint32_t first;
    if (s->keep == NULL) return;
    do {
        first = ssti_atomic_load(&s->first_block);
        ssti_atomic_say(&stream->pinned, first + 1);
    } while (SSTI_RACE(ssti_atomic_hear(&s->first_block) != first));
}

static void ssti_unpin(sst_stream *stream) {
    if (stream->series->keep != NULL) ssti_atomic_store(&stream->pinned, 0u);
}

/* Rows of the stream, for who has pinned nothing: any thread may ask. */
static uint64_t ssti_rows_now(ssti_series *s) {
    uint64_t rows;
    if (s->keep == NULL) return ssti_series_rows(s);
    ssti_lock(&s->store->lock);         /* nothing is dropped meanwhile */
    rows = ssti_series_rows(s);
    ssti_unlock(&s->store->lock);
    return rows;
}

/* The time that rows have to be in force since; false: they all are. */
static bool ssti_retain_limit(const ssti_series *s, int64_t newest, int64_t *limit) {
    if (newest < INT64_MIN + s->keep->time) return false;
    *limit = newest - s->keep->time;
    return true;
}

/* Is a block, which is not the newest, kept no longer, when there are so many rows? */
static bool ssti_block_due(const ssti_series *s, uint32_t block, uint64_t rows, int64_t newest) {
    const ssti_block *b = ssti_list_at(s->list, block);
    int64_t limit;
    if (s->keep->rows != 0 && rows - (b->first_row + b->rows) < s->keep->rows) return false;
    return s->keep->time == 0 || (ssti_retain_limit(s, newest, &limit) &&
                                   ssti_list_at(s->list, block + 1)->first_time <= limit);
}

/* The oldest block that a query may be using, or older: one that is being said may be withdrawn.
 * Under the lock. */
static uint32_t ssti_pinned_block(const ssti_series *s) {
    uint32_t low = s->first_block;
    const sst_stream *h;
    for (h = s->store->handles; h != NULL; h = h->next) {
        uint32_t pin = h->series == s ? ssti_atomic_hear(&h->pinned) : 0;
        if (SSTI_RACE(pin != 0 && pin - 1 < low)) low = pin - 1;
    }
    return low;
}

static bool ssti_slab_held(const ssti_series *s, const ssti_slab *slab) {
    const sst_stream *h;
    for (h = s->store->handles; h != NULL; h = h->next) {
        if (h->series == s && ssti_atomic_load(&h->held) == (const void *)slab) return true;
    }
    return false;
}

/* Drops the blocks that are due, and finds the memory that can be used again, before so many rows
 * become the next one. last: the time of the last of them, which may not be there yet. Under the
 * lock. */
static void ssti_retain(ssti_series *s, uint64_t count, int64_t last) {
    uint32_t first = s->first_block, low;
    uint64_t rows = ssti_series_rows(s), sealed = ssti_sealed_rows(s);
    int64_t newest = last;
    ssti_slab **from = &s->keep->dropped;
    if (sealed == 0) return;
    if (rows < sealed + count) newest = ssti_list_at(s->list, s->list->count - 1)->last_time;
    while (s->list->count - first > 1 && ssti_block_due(s, first, rows, newest)) first++;
    if (first != s->first_block) ssti_atomic_say(&s->first_block, first);
    low = ssti_pinned_block(s);
    while (s->kept_block < low) ssti_block_drop(s);
    while (*from != NULL) {
        ssti_slab *slab = *from;
        if (ssti_slab_held(s, slab)) {
            from = &slab->next;
            continue;
        }
        *from = slab->next;
        slab->next = s->keep->unused;
        s->keep->unused = slab;
    }
}

/* Memory for a record of so many bytes: the smallest there is that has room, or new, for which the
 * largest one goes that has none. So there are never more slabs than there were blocks at a time,
 * and one. NULL: no memory. Under the lock. */
static uint8_t *ssti_slab_take(ssti_series *s, size_t size) {
    const sst_allocator *a = &s->store->allocator;
    ssti_slab **from, **best = NULL, *slab;
    size_t bytes = size + 128;          /* the slab, and to a multiple of 64 */
    void *memory;
    for (from = &s->keep->unused; *from != NULL; from = &(*from)->next) {
        bool room = (*from)->bytes >= bytes, had = best != NULL && (*best)->bytes >= bytes;
        if (best == NULL || (room && !had) ||
            (room == had && room == ((*from)->bytes < (*best)->bytes))) best = from;
    }
    if (best != NULL) {
        slab = *best;
        *best = slab->next;
        if (slab->bytes >= bytes) return (uint8_t *)slab + 64;
        ssti_free(a, slab->memory, slab->bytes);
    }
    memory = ssti_alloc(a, bytes);
    if (memory == NULL) return NULL;
    slab = (ssti_slab *)(void *)((uint8_t *)memory + ((0u - (uintptr_t)memory) & 63u));
    slab->memory = memory;
    slab->bytes = bytes;
    return (uint8_t *)slab + 64;
}

/* A draft in memory of its own, which is no part of the image. Under the lock. */
static int ssti_slab_begin(ssti_series *s, ssti_draft *d, uint64_t payload) {
    ssti_draft_begin(s->store, d, SSTI_BLOCK, payload, 0);
    if (SSTI_NEVER_64(payload > SIZE_MAX / 4)) return SST_ERR_MEMORY;
    d->record = ssti_slab_take(s, SSTI_RECORD_BYTES + (size_t)ssti_round_up(payload, 64));
    return d->record == NULL ? SST_ERR_MEMORY : SST_OK;
}

#else
#define ssti_rows_now(s) ssti_series_rows(s)
#define ssti_retain(s, count, last) ((void)(count))
#define ssti_slab_begin(s, d, payload) SST_ERR_UNSUPPORTED
#endif

/* ---- sealing: under the lock ---- */

/* Bytes of each column of a block of rows, and where the items begin that it has. SST_ERR_CORRUPT:
 * the offsets of a tail are not in order. */
static int ssti_block_measure(const ssti_series *s, const ssti_rows *rows) {
    uint32_t c;
    size_t i;
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        ssti_entry *e = &s->entries[c];
        memset(e, 0, sizeof *e);
        e->kind = col->kind;
        e->part = col->part;
        e->stored = rows->count * (uint64_t)col->row_bytes;
        if (ssti_is_offsets(col)) e->stored += 4;
        if (col->item_bytes != 0) {
            const uint8_t *offsets = ssti_rows_at(s, rows, c - 1);
            uint32_t start, end;
            memcpy(&start, offsets - 4, 4);
            for (i = 0, end = start; i < rows->count; i++) {
                uint32_t next;
                memcpy(&next, offsets + i * 4, 4);
                if (next < end) return SST_ERR_CORRUPT;
                end = next;
            }
            if (rows->room != NULL && (uint64_t)end * col->item_bytes > rows->room[col->slot]) {
                return SST_ERR_CORRUPT;
            }
            s->starts[c] = (uint64_t)start * col->item_bytes;
            e->stored = (uint64_t)(end - start) * col->item_bytes;
        }
        e->decoded = e->stored;
    }
    return SST_OK;
}

/* Lays out a block's record, whose columns were measured: the entries get their offsets, large
 * columns one more for their pieces. Returns the number of entries and the bytes of the payload. */
static uint32_t ssti_block_layout(const ssti_series *s, uint64_t *payload) {
    ssti_entry *entries = s->entries;
    uint32_t c, n = s->column_count;
    uint64_t at;
    for (c = 0; c < s->column_count; c++) {
        ssti_entry *e = &entries[c];
        if (e->stored > SSTI_PIECE_BYTES) {
            ssti_entry *pieces = &entries[n++];
            memset(pieces, 0, sizeof *pieces);
            pieces->kind = SSTI_KIND_PIECES;
            pieces->part = (uint16_t)c;
            pieces->stored = (e->stored + SSTI_PIECE_BYTES - 1) / SSTI_PIECE_BYTES * 4;
            pieces->decoded = pieces->stored;
        }
    }
    at = SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * ((uint64_t)n + 1);
    for (c = 0; c < n; c++) {
        entries[c].offset = ssti_round_up(at, 64);
        at = entries[c].offset + entries[c].stored;
    }
    *payload = at - SSTI_RECORD_BYTES;
    return n;
}

static void ssti_zero_gap(uint8_t *record, uint64_t from, uint64_t to) {
    memset(record + (size_t)from, 0, (size_t)(to - from));
}

/* Fills in the checksums of a large column's pieces, and its own. */
static void ssti_block_pieces(uint8_t *record, ssti_entry *pieces, ssti_entry *large) {
    uint64_t i;
    for (i = 0; i * 4 < pieces->stored; i++) {
        uint64_t left = large->stored - i * SSTI_PIECE_BYTES;
        size_t size = left < SSTI_PIECE_BYTES ? (size_t)left : SSTI_PIECE_BYTES;
        const uint8_t *p = record + (size_t)(large->offset + i * SSTI_PIECE_BYTES);
        ssti_put32(record + (size_t)(pieces->offset + i * 4), sst_crc32c(p, size, 0));
    }
    pieces->crc = sst_crc32c(record + (size_t)pieces->offset, (size_t)pieces->stored, 0);
    large->crc = pieces->crc;
}

static void ssti_block_directory(uint8_t *record, const ssti_entry *entries, uint32_t n) {
    uint32_t c;
    memset(record + SSTI_RECORD_BYTES, 0, SSTI_ENTRY_BYTES);
    ssti_put32(record + SSTI_RECORD_BYTES, n);
    for (c = 0; c < n; c++) {
        ssti_entry_encode(&entries[c], record + SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * (c + 1));
    }
}

/* Copies offsets, counted from the first row's first item, which is put before them. */
static void ssti_offsets_copy(uint8_t *to, const uint8_t *offsets, size_t rows) {
    uint32_t start, end;
    size_t i;
    memcpy(&start, offsets - 4, 4);
    memset(to, 0, 4);
    for (i = 0; i < rows; i++) {
        memcpy(&end, offsets + i * 4, 4);
        end -= start;
        memcpy(to + (i + 1) * 4, &end, 4);
    }
}

/* Copies the columns to their places and makes the directory. */
static void ssti_block_fill(const ssti_series *s, const ssti_rows *rows, uint8_t *record,
                            ssti_entry *entries, uint32_t n) {
    uint32_t c;
    uint64_t at = SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * ((uint64_t)n + 1);
    for (c = 0; c < n; c++) {
        ssti_entry *e = &entries[c];
        uint8_t *to = record + (size_t)e->offset;
        const uint8_t *from;
        bool offsets;
        ssti_zero_gap(record, at, e->offset);
        at = e->offset + e->stored;
        if (e->kind == SSTI_KIND_PIECES) {
            ssti_block_pieces(record, e, &entries[e->part]);
            continue;
        }
        from = s->columns[c].item_bytes != 0 ? rows->columns[c] + (size_t)s->starts[c]
                                             : ssti_rows_at(s, rows, c);
        offsets = ssti_is_offsets(&s->columns[c]);
        if (to != (offsets ? from - 4 : from)) {
            if (offsets) ssti_offsets_copy(to, from, rows->count);
            else if (e->stored != 0) memcpy(to, from, (size_t)e->stored);
            ssti_swap_elements(to, (size_t)e->stored, s->columns[c].element);
        }
        if (e->stored <= SSTI_PIECE_BYTES) e->crc = sst_crc32c(to, (size_t)e->stored, 0);
    }
    ssti_block_directory(record, entries, n);
}

static int64_t ssti_native_time(const uint8_t *p) {
    int64_t t;
    memcpy(&t, p, sizeof t);
    return t;
}

/* First and last time on every clock. */
typedef struct ssti_edges {
    int64_t first[1 + SST_MAX_TIMELINES], last[1 + SST_MAX_TIMELINES];
} ssti_edges;

static void ssti_edges_of(const ssti_series *s, const ssti_rows *rows, ssti_edges *edges) {
    uint32_t c;
    memset(edges, 0, sizeof *edges);
    for (c = 0; c < s->clock_count; c++) {
        const uint8_t *p = ssti_rows_at(s, rows, c);
        edges->first[c] = ssti_native_time(p);
        edges->last[c] = ssti_native_time(p + (rows->count - 1) * 8);
    }
}

/* Makes a written block one of its stream: from now on readers find its rows there. */
static void ssti_block_publish(ssti_series *s, const ssti_block *b, const ssti_edges *edges) {
    uint32_t i;
    for (i = 0; i < s->timeline_count; i++) {
        if (b->first_row == 0) s->clocks[i].first = edges->first[1 + i];
        s->clocks[i].last = edges->last[1 + i];
    }
    if (b->first_row == 0) s->first_time = b->first_time;
    ssti_ring_clear(s);
    ssti_list_push(s->list, b);
    /* An INDEX is a cache: without memory for it, it is tried again at the next block. */
    if (s->store->retains != 0) return; /* the image, which has not all blocks, is lent to nobody */
    if (++s->store->unindexed >= ssti_index_blocks(s->store)) (void)ssti_index_write(s->store);
}

/* The small blocks of one flush, one of a stream, which are written together and published then.
 * Their rows stay in the tails until the lock is given back. */
#define SSTI_BATCH_BLOCKS (SSTI_HAS_OS ? 32u : 4u)
#define SSTI_BATCH_BYTES 262144u
#define SSTI_BATCH_STREAMS 256u        /* looked at in one hold of the lock */

struct ssti_batch {
    uint32_t count;
    uint32_t sequence;              /* of the first */
    ssti_series *series[SSTI_BATCH_BLOCKS];
    ssti_block blocks[SSTI_BATCH_BLOCKS];
    ssti_edges edges[SSTI_BATCH_BLOCKS];
};

static void ssti_batch_begin(sst_store *store, ssti_batch *g) {
    g->count = 0;
    g->sequence = store->sequence;
    store->batch = store->file == NULL ? NULL : g;
}

static void ssti_batch_add(ssti_batch *g, ssti_series *s, const ssti_block *b,
                           const ssti_edges *edges) {
    g->series[g->count] = s;
    g->blocks[g->count] = *b;
    g->edges[g->count++] = *edges;
}

/* Does a block of the stream wait? Streams come one after the other. */
static bool ssti_batch_has(const ssti_batch *g, const ssti_series *s) {
    return g != NULL && g->count != 0 && SSTI_RACE(g->series[g->count - 1] == s);
}

/* Writes what was gathered and publishes it; after a failure none of it was ever there. */
static int ssti_batch_end(sst_store *store) {
    ssti_batch *g = store->batch;
    uint64_t start = store->end - store->batched;
    size_t bytes = store->batched;
    uint32_t i;
    int result = SST_OK;
    store->batch = NULL;
    store->batched = 0;
    if (g == NULL || bytes == 0) return SST_OK;
    result = ssti_records_write(store, start, store->staging, bytes);
    if (result != SST_OK) {
        store->end = start;
        store->sequence = g->sequence;
        return result;
    }
    if (store->live != NULL) ssti_live_publish(store);
    for (i = 0; i < g->count; i++) ssti_block_publish(g->series[i], &g->blocks[i], &g->edges[i]);
    return SST_OK;
}

/* Do the columns that were measured lie just as they do in a block's record of n entries? In a half
 * they do, unless somebody else has written over its first offset. */
static bool ssti_block_placed(const ssti_series *s, uint32_t n) {
    return n == s->column_count && (s->items_count == 0 || s->starts[n - 1] == 0);
}

/* Writes rows (at most 2^32 - 1) as the next block of the stream and publishes it. place: NULL, or
 * where the columns lie just as they do in a block's record, with room before them for the record's
 * head and a SKIP: then they are written from there. */
static int ssti_block_write(ssti_series *s, const ssti_rows *rows, uint8_t *place) {
    sst_store *store = s->store;
    ssti_entry *entries = s->entries;
    ssti_draft d;
    ssti_block b;
    ssti_edges edges;
    uint64_t payload;
    uint32_t n;
    SSTI_TRY(ssti_block_measure(s, rows));
    n = ssti_block_layout(s, &payload);
    ssti_edges_of(s, rows, &edges);
    if (s->keep != NULL) ssti_retain(s, rows->count, edges.last[0]);
    SSTI_TRY(ssti_block_room(s));
    if (s->keep != NULL) {
        SSTI_TRY(ssti_slab_begin(s, &d, payload));
    } else if (place != NULL && ssti_block_placed(s, n)) {
        ssti_draft_begin(store, &d, SSTI_BLOCK, payload, entries[0].offset);
        d.record = place - entries[0].offset;
    } else {
        SSTI_TRY(ssti_record_begin(store, &d, SSTI_BLOCK, payload, entries[0].offset));
    }
    ssti_block_fill(s, rows, d.record, entries, n);
    d.header.stream = s->number;
    d.header.rows = (uint32_t)rows->count;
    d.header.first_row = ssti_sealed_rows(s);
    d.header.first_time = edges.first[0];
    d.header.last_time = edges.last[0];
    d.header.crc = sst_crc32c(ssti_draft_payload(&d), SSTI_ENTRY_BYTES * ((size_t)n + 1), 0);
    if (s->keep != NULL) ssti_draft_close(store, &d);
    else SSTI_TRY(ssti_record_commit(store, &d));
    memset(&b, 0, sizeof b);
    b.offset = d.offset;
    if (store->file == NULL) {
        b.data = d.record;
        b.trusted = 1;
    }
    b.first_row = d.header.first_row;
    b.first_time = d.header.first_time;
    b.last_time = d.header.last_time;
    b.rows = d.header.rows;
    if (store->batch != NULL) ssti_batch_add(store->batch, s, &b, &edges);
    else ssti_block_publish(s, &b, &edges);
    return SST_OK;
}

/* ---- tails ---- */

/* Rows of a half of so many column bytes. */
static uint32_t ssti_half_rows(const ssti_series *s, uint32_t bytes) {
    uint64_t rows = bytes / s->row_bytes;
    if (rows >= 1024) rows -= rows % 1024;
    return rows < 4 ? 4 : (uint32_t)rows;
}

/* While a half is changed, its generation is odd. Who reads the odd number sees every block that
 * was written before. */
static void ssti_half_open(ssti_half *h) {
    ssti_atomic_store(&h->generation, h->generation + 1);
    ssti_fence_release();
}

static void ssti_half_done(ssti_half *h) { ssti_atomic_store(&h->generation, h->generation + 1); }

/* Memory for a half: in the companion, or the allocator's; outgrown by another stream if there is
 * some of that size. Under the lock. */
static int ssti_half_memory(sst_store *store, size_t bytes, ssti_extent *out) {
    uint32_t i, n = store->spare_count;
    for (i = n; i != 0 && n - i < 64; i--) {
        ssti_extent *e = &store->spare[i - 1];
        if (e->memory_bytes == bytes) {
            *out = *e;
            *e = store->spare[--store->spare_count];
            return SST_OK;
        }
    }
    memset(out, 0, sizeof *out);
    out->memory_bytes = bytes;
    if (store->live != NULL) {
        SSTI_TRY(ssti_live_alloc(store, bytes, &out->data, &out->base));
        out->memory = out->data;
        return SST_OK;
    }
    out->memory = ssti_alloc(&store->allocator, bytes);
    out->data = (uint8_t *)out->memory;
    return out->memory == NULL ? SST_ERR_MEMORY : SST_OK;
}

/* Bytes of a half, without what is before its base: columns and, in a companion, check words and
 * the room for items. */
static size_t ssti_half_bytes(const ssti_series *s, uint32_t rows, const uint64_t *regions) {
    size_t bytes = ssti_half_layout(s, NULL, rows, regions, NULL);
    if (s->slot != NULL) bytes += (size_t)ssti_round_up((uint64_t)rows * 4, 64) + ssti_half_foot(s);
    return bytes;
}

/* Room before the columns, where a full half becomes a block of a file as it is: for header and
 * directory and, where the block is page-aligned, a SKIP. Items, which may be less than there is
 * room for, are the last column then. */
static size_t ssti_half_front(const ssti_series *s, uint32_t rows, const uint64_t *regions) {
    size_t head = SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * ((size_t)s->column_count + 1);
    bool last = s->items_count == 1 && s->columns[s->column_count - 1].item_bytes != 0;
    if (s->store->file == NULL || SSTI_BIG_ENDIAN || (s->items_count != 0 && !last)) return 0;
    head = (size_t)ssti_round_up(head, 64);
    if (head + ssti_half_layout(s, NULL, rows, regions, NULL) < SSTI_ALIGN_FROM) return head;
    return head + SSTI_PAGE_BYTES;
}

/* Writes the first offset, 0, of every column of offsets. */
static void ssti_half_begin_items(const ssti_series *s, const ssti_half *h, uint8_t *base,
                                  uint32_t capacity) {
    const uint32_t none = 0;
    size_t at = 0;
    uint32_t c;
    for (c = 0; c < s->column_count; c++) {
        size_t place = ssti_half_column(s, c, capacity, h->regions, &at);
        if (ssti_is_offsets(&s->columns[c])) ssti_copy_in(base + place - 4, &none, 4);
    }
}

static void ssti_half_place(ssti_series *s, ssti_half *h, const ssti_extent *e,
                            uint32_t capacity) {
    size_t front = ssti_half_front(s, capacity, s->starts);
    uint8_t *base = e->data + front, *foot = e->data + e->memory_bytes - ssti_half_foot(s);
    uint32_t c;
    ssti_half_open(h);
    for (c = 0; c < s->items_count; c++) {
        ssti_copy_in(&h->regions[c], &s->starts[c], 8);
        if (s->slot != NULL) ssti_copy_in(foot + 8 * (size_t)c, &s->starts[c], 8);
    }
    ssti_half_begin_items(s, h, base, capacity);
    ssti_word_store(&h->base, base);
    h->bytes = e->memory_bytes - front;
    h->place = e->base == 0 ? 0 : e->base + front;
    h->front = front;
    ssti_word_store(&h->count, 0u);     /* its rows are in blocks; the new memory has none */
    ssti_word_store(&h->capacity, capacity);
    ssti_half_done(h);
    ssti_live_describe(s, h == &s->halves[1]);
}

/* Plans a half of so many column bytes: rows, and in s->starts the room for items, by what rows had
 * in the half before. Returns the bytes of its memory; where rows are ragged these are of few
 * sizes, so that a half can be laid out anew where it is. Under the lock. */
static size_t ssti_half_plan(ssti_series *s, uint32_t bytes, uint32_t *rows) {
    uint64_t row_bytes = s->row_bytes, total, step = 1024;
    uint32_t i;
    if (s->items_count == 0) {
        *rows = ssti_half_rows(s, bytes);
        return ssti_half_front(s, *rows, s->starts) + ssti_half_bytes(s, *rows, s->starts);
    }
    for (i = 0; i < s->items_count; i++) row_bytes += s->mean_items[i];
    *rows = (uint32_t)(bytes / row_bytes);
    if (*rows >= 1024) *rows -= *rows % 1024;
    if (*rows < 4) *rows = 4;
    for (i = 0; i < s->items_count; i++) {
        uint64_t items = (uint64_t)*rows * s->mean_items[i];
        s->starts[i] = ssti_round_up(items + items / 8 + 64, 64);
    }
    total = ssti_half_front(s, *rows, s->starts) + ssti_half_bytes(s, *rows, s->starts);
    while (step * 4 < total) step *= 2;
    return (size_t)ssti_round_up(total, step);
}

#define SSTI_MEAN_FIRST 48u             /* bytes that a row's items are taken to have at first */

/* The first memory of a half. Under the lock. */
static int ssti_half_make(ssti_series *s, ssti_half *h) {
    uint32_t rows, i;
    size_t bytes;
    ssti_extent e;
    h->budget = s->block_bytes < SSTI_TAIL_FIRST_BYTES || (s->keep != NULL && s->keep->rows != 0)
                    ? s->block_bytes : SSTI_TAIL_FIRST_BYTES;
    for (i = 0; i < s->items_count; i++) {
        if (s->mean_items[i] == 0) s->mean_items[i] = SSTI_MEAN_FIRST;
    }
    bytes = ssti_half_plan(s, h->budget, &rows);
    SSTI_TRY(ssti_half_memory(s->store, bytes, &e));
    s->store->tail_bytes += e.memory_bytes;
    ssti_half_place(s, h, &e, rows);
    return SST_OK;
}

/* Gives a half whose rows are in blocks memory of another size, or lays it out anew in its own. The
 * old memory is kept for other streams: a reader may still be copying from it. False: there is no
 * room for it. Under the lock. */
static bool ssti_half_resize(ssti_series *s, ssti_half *h, uint32_t budget) {
    sst_store *store = s->store;
    uint32_t rows;
    size_t bytes = ssti_half_plan(s, budget, &rows), old_bytes = h->front + h->bytes;
    ssti_extent e, old;
    memset(&old, 0, sizeof old);
    old.memory = old.data = h->base - h->front;
    old.memory_bytes = old_bytes;
    old.base = h->place == 0 ? 0 : h->place - h->front;
    if (bytes == old_bytes) {
        h->budget = budget;
        if (s->items_count != 0) ssti_half_place(s, h, &old, rows);
        return true;
    }
    if (store->tail_bytes_max != 0 && bytes > old_bytes &&
        store->tail_bytes + bytes - old_bytes > store->tail_bytes_max) return false;
    if (ssti_grow(&store->allocator, (void **)&store->spare, &store->spare_capacity,
                  store->spare_count + 1, sizeof e) != SST_OK) return false;
    if (ssti_half_memory(store, bytes, &e) != SST_OK) return false;
    store->tail_bytes += bytes - old_bytes;
    h->budget = budget;
    ssti_half_place(s, h, &e, rows);
    if (SSTI_HAS_THREADS || store->live != NULL) store->spare[store->spare_count++] = old;
    else ssti_free(&store->allocator, old.memory, old.memory_bytes);
    return true;
}

/* Gives a half that was full and sealed twice the room, up to a block, where there is room; where
 * rows are ragged it is laid out for such rows as it had. Under the lock. */
static void ssti_half_grow(ssti_series *s, ssti_half *h) {
    uint32_t budget = h->budget > s->block_bytes / 2 ? s->block_bytes : h->budget * 2, c;
    (void)ssti_half_layout(s, h->base, h->capacity, h->regions, s->work);
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        uint32_t items;
        uint64_t mean;
        if (col->item_bytes == 0 || SSTI_NEVER(h->count == 0)) continue;
        memcpy(&items, s->work[c - 1] + (size_t)(h->count - 1) * 4, 4);
        mean = (uint64_t)items * col->item_bytes / h->count;
        if (SSTI_RACE(mean > s->block_bytes)) mean = s->block_bytes;
        s->mean_items[col->slot] = (uint32_t)mean + 1;
    }
    if (budget > h->budget || s->items_count != 0) (void)ssti_half_resize(s, h, budget);
}

/* Lays out a half without rows so that a row fits that is not too large for a tail. False: there is
 * no room. Under the lock. */
static bool ssti_half_fit(ssti_series *s, ssti_half *h, const ssti_rows *row) {
    uint64_t want = s->row_bytes;
    uint32_t c, budget = h->budget;
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        size_t first, bytes;
        if (col->item_bytes == 0) continue;
        (void)ssti_row_items(col, ssti_rows_at(s, row, c - 1), &first, &bytes);
        if (s->mean_items[col->slot] < bytes) s->mean_items[col->slot] = (uint32_t)bytes;
        want += s->mean_items[col->slot];
    }
    while (budget < s->block_bytes && budget / 4 < want) budget *= 2;
    if (budget > s->block_bytes) budget = s->block_bytes;
    return ssti_half_resize(s, h, budget);
}

#define SSTI_NEAR_ROWS 8u

/* A few rows before a turn, what it needs is fetched, since another thread had it last: first the
 * description of the other half, then what that points at. */
static void ssti_tail_near(ssti_series *s) {
    uint32_t which = s->half_count == 2 ? 1 - s->half : s->half, c;
    const ssti_half *h = &s->halves[which];
    size_t at = 0;
    if (s->fill_capacity - s->fill_count > SSTI_NEAR_ROWS) {
        ssti_prefetch_write(h);
        ssti_prefetch_write((const uint8_t *)(h + 1) - 1);
        if (s->slot != NULL) {
            ssti_prefetch_write(s->slot + which * SSTI_LIVE_HALF);
            ssti_prefetch_write(s->slot + which * SSTI_LIVE_HALF + SSTI_LIVE_DESCRIPTOR);
        }
        s->fill_limit = s->fill_capacity - SSTI_NEAR_ROWS;
        return;
    }
    s->fill_limit = s->fill_capacity;
    if (ssti_atomic_load(&h->state) != SSTI_HALF_EMPTY) return;
    for (c = 0; c < s->column_count; c++) {
        const uint8_t *p = h->base + ssti_half_column(s, c, h->capacity, h->regions, &at);
        ssti_prefetch_write(p);
        ssti_prefetch_write(p + 64);
    }
    ssti_prefetch_write(h->base + at);  /* the check words */
}

/* Makes a half the one that is filled. The writer's. */
static void ssti_half_activate(ssti_series *s, uint32_t which, uint64_t first_row) {
    ssti_half *h = &s->halves[which];
    size_t columns;
    ssti_half_open(h);
    ssti_copy_in(&h->first_row, &first_row, sizeof first_row);
    ssti_word_store(&h->count, 0u);
    ssti_half_done(h);
    ssti_live_describe(s, which);
    ssti_atomic_store(&h->state, (uint32_t)SSTI_HALF_ACTIVE);
    ssti_atomic_store(&s->half, which);
    columns = ssti_half_layout(s, h->base, h->capacity, h->regions, s->fill);
    memset(s->fill_items, 0, s->items_count * sizeof *s->fill_items);
    s->fill_check = s->slot == NULL ? NULL : (uint32_t *)(void *)(h->base + columns);
    s->fill_count = 0;
    s->fill_capacity = h->capacity;
    s->fill_alive = s->store->alive;
    s->fill_limit = h->capacity > 4 * SSTI_NEAR_ROWS ? h->capacity - 2 * SSTI_NEAR_ROWS
                                                     : h->capacity;
    if (s->fill_ragged != 0) {
        uint64_t room = h->regions[0] / s->fill_ragged;
        s->fill_room = SSTI_HUGE(room > UINT32_MAX) ? UINT32_MAX : (uint32_t)room;
    }
    s->fill_first = first_row;
    s->fill_published = &h->count;
}

/* Seals the rows of a half that no block has yet, or gathers them. Under the lock. */
static int ssti_half_seal(ssti_series *s, ssti_half *h) {
    uint64_t end = ssti_sealed_rows(s);
    uint32_t count = ssti_atomic_load(&h->count);
    bool whole = end == h->first_row && count == h->capacity && h->front != 0 &&
                 s->store->batch == NULL;
    bool twice;
    ssti_rows rows;
    if (end < h->first_row || end - h->first_row >= count) return SST_OK;
    twice = ssti_batch_has(s->store->batch, s);
    if (SSTI_RACE(twice)) return SST_OK;        /* the writer turned to its other half meanwhile */
    (void)ssti_half_layout(s, h->base, h->capacity, h->regions, s->work);
    rows.columns = (const uint8_t *const *)s->work;
    rows.first = (size_t)(end - h->first_row);
    rows.count = count - rows.first;
    rows.room = h->regions;
    return ssti_block_write(s, &rows, whole ? h->base : NULL);
}

/* Seals a full half and lays it out anew, unless the other one has to be sealed first. Under the
 * lock. */
static int ssti_half_renew(ssti_series *s, ssti_half *h) {
    if (s->slot != NULL && SSTI_BROKEN(TAIL_ORDER)) {
        memset(h->base + ssti_half_layout(s, NULL, h->capacity, h->regions, NULL), 0,
               h->capacity * 4u);
    }
    SSTI_TRY(ssti_half_seal(s, h));
    if (ssti_sealed_rows(s) < h->first_row + h->count) return SST_OK;
    ssti_half_grow(s, h);
    ssti_atomic_store(&h->state, (uint32_t)SSTI_HALF_EMPTY);
    return SST_OK;
}

/* Seals what the tail holds: the full halves, or all of them. Which one is the older may change
 * while one looks; the younger one is left alone until the older is sealed, and looked at again.
 * A full half is written from where it is, after what was gathered. Under the lock. */
static int ssti_tail_seal(ssti_series *s, bool all) {
    uint32_t i, first = 1 - ssti_atomic_load(&s->half);
    int result = SST_OK;
    for (i = 0; i < 3 && result == SST_OK; i++) {
        ssti_half *h = &s->halves[(first + i) % 2];
        uint32_t state = ssti_atomic_load(&h->state);
        if (state == SSTI_HALF_FULL) {
            ssti_batch *g = s->store->batch;
            if (g != NULL) result = ssti_batch_end(s->store);
            if (result == SST_OK) result = ssti_half_renew(s, h);
            if (g != NULL) ssti_batch_begin(s->store, g);
        } else if (state == SSTI_HALF_ACTIVE && all) {
            result = ssti_half_seal(s, h);
        }
    }
    return result;
}

/* Gives the writer, whose half is full or who has none yet, a half to go on with. */
static int ssti_tail_turn(ssti_series *s) {
    bool first = ssti_atomic_load(&s->halves[0].state) == SSTI_HALF_NONE;
    uint32_t which = s->half_count == 2 && !first ? 1 - s->half : s->half;
    ssti_half *now = &s->halves[s->half], *next = &s->halves[which];
    uint64_t first_row = now->first_row + s->fill_count;
    if (ssti_atomic_load(&now->state) == SSTI_HALF_ACTIVE) {
        s->fill_capacity = s->fill_count;       /* it is no longer the writer's, come what may */
        s->fill_limit = 0;
        ssti_atomic_store(&now->state, (uint32_t)SSTI_HALF_FULL);
    }
    if (ssti_atomic_load(&next->state) != SSTI_HALF_EMPTY) {
        bool full = ssti_atomic_load(&next->state) == SSTI_HALF_FULL;
        int result = SST_OK;
        if (full && (s->store->flags & SST_DEFERRED) != 0) return SST_ERR_BUSY;
        ssti_lock(&s->store->lock);
        full = ssti_atomic_load(&next->state) == SSTI_HALF_FULL;    /* sst_poll may have been */
        if (full) result = ssti_half_renew(s, next);
        else if (next->base == NULL) result = ssti_half_make(s, next);
        ssti_unlock(&s->store->lock);
        if (result != SST_OK) return result;
        if (full && ssti_atomic_load(&next->state) == SSTI_HALF_FULL) return SST_ERR_BUSY;
    }
    ssti_half_activate(s, which, first_row);
    return SST_OK;
}

/* ---- syncing ---- */

/* Seals some streams from *next on: the full halves, or all rows. Under the lock, which is not held
 * for all of them. */
static int ssti_store_seal_some(sst_store *store, bool all, uint32_t *next, uint32_t count) {
    uint32_t end = count - *next > SSTI_BATCH_STREAMS ? *next + SSTI_BATCH_STREAMS : count;
    int result = SST_OK, written;
    ssti_batch g;
    ssti_batch_begin(store, &g);
    while (*next < end && g.count < SSTI_BATCH_BLOCKS && store->batched < SSTI_BATCH_BYTES) {
        result = ssti_tail_seal(ssti_series_at(store, *next), all);
        if (result != SST_OK) break;
        (*next)++;
    }
    if (result == SST_ERR_MEMORY && g.count != 0) result = SST_OK;  /* again, with staging empty */
    written = ssti_batch_end(store);
    return result != SST_OK ? result : written;
}

/* Seals the full halves of all streams, or all rows. */
static int ssti_store_seal(sst_store *store, bool all) {
    uint32_t next = 0, n = ssti_atomic_load(&store->series_count);
    while (next < n) {
        int result;
        ssti_lock(&store->lock);
        result = ssti_store_seal_some(store, all, &next, n);
        ssti_unlock(&store->lock);
        if (result != SST_OK) {
            return ssti_store_fail(store, result, SSTI_TEXT("a tail could not be sealed"));
        }
    }
    return SST_OK;
}

/* Rows in the blocks that lie before an offset. */
static uint64_t ssti_rows_before(const ssti_series *s, uint64_t offset) {
    uint32_t low = 0, high = s->list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ssti_list_at(s->list, middle)->offset < offset) low = middle + 1;
        else high = middle;
    }
    return ssti_list_end(s->list, low);
}

/* Pads the file to options.sync_align: what a sync makes sure shares no sector with what is written
 * later, so that a torn sector cannot take it along. Under the lock. */
static int ssti_sync_pad(sst_store *store) {
    uint64_t padded = ssti_round_up(store->end, store->sync_align);
    ssti_draft d;
    if (padded == store->end || SSTI_BROKEN(PADDING)) return SST_OK;
    SSTI_TRY(ssti_record_begin(store, &d, SSTI_SKIP, padded - store->end - SSTI_RECORD_BYTES, 0));
    memset(ssti_draft_payload(&d), 0, (size_t)d.header.payload);
    return ssti_record_commit(store, &d);
}

/* Pads the file and notes what a sync is about to make sure. Under the lock. */
static int ssti_sync_begin(sst_store *store, uint64_t *length) {
    uint32_t i;
    SSTI_TRY(ssti_sync_pad(store));
    *length = store->end;
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        s->syncing = ssti_list_end(s->list, s->list->count);
    }
    return SST_OK;
}

/* The file, and the first time the folder that it is in, unless a synced END says that this was
 * done. */
static int ssti_sync_file(sst_store *store) {
    const sst_io *io = &store->io;
    if (io->sync == NULL) return SST_ERR_UNSUPPORTED;
    if (!SSTI_BROKEN(SYNC)) SSTI_TRY(io->sync(io->user, store->file));
    if (store->directory_synced || io->sync_dir == NULL || SSTI_BROKEN(SYNC_DIR)) return SST_OK;
    SSTI_TRY(io->sync_dir(io->user, store->path));
    store->directory_synced = true;
    return SST_OK;
}

/* Notes that everything below `length` is on stable storage. Under the lock. */
static int ssti_sync_done(sst_store *store, uint64_t length) {
    bool whole = store->end == length;      /* nothing was sealed meanwhile */
    uint32_t i;
    if (store->sticky != SST_OK) return store->sticky;
    if (store->synced < length) store->synced = length;
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        if (s->syncing > s->durable) s->durable = s->syncing;
    }
    if (store->io.now_ns != NULL) {
        store->sync_ns = store->io.now_ns(store->io.user, SST_CLOCK_MONOTONIC);
    }
    SSTI_TRY(ssti_record_bare(store, SSTI_SYNC, 0, length, 0));
    if (whole) store->sync_end = store->end;
    return SST_OK;
}

/* Syncing itself happens outside of the lock: appenders may seal meanwhile. A failed sync is never
 * tried again: the system may have dropped the pages that it could not write (Rebello et al.: Can
 * applications recover from fsync failures?, 2020). */
static int ssti_sync(sst_store *store) {
    uint64_t length = 0;
    bool nothing;
    int result;
    if (store->io.sync == NULL) return SST_ERR_UNSUPPORTED;
    ssti_lock(&store->lock);
    result = store->sticky;
    nothing = store->end == store->sync_end;
    if (result == SST_OK && !nothing) result = ssti_sync_begin(store, &length);
    if (SSTI_BROKEN(SYNC_ORDER) && length != 0) (void)ssti_sync_done(store, length);
    ssti_unlock(&store->lock);
    if (result != SST_OK || nothing) return result;
    result = ssti_sync_file(store);
    ssti_lock(&store->lock);
    if (result == SST_OK) result = ssti_sync_done(store, length);
    else if (!SSTI_BROKEN(STICKY)) store->sticky = result;
    ssti_unlock(&store->lock);
    return result;
}

/* Seals and syncs when an interval has passed, unless another thread is at it. A sync that fails
 * is sticky. */
static int ssti_sync_interval(sst_store *store) {
    const sst_io *io = &store->io;
    bool due;
    int result;
    if ((store->sync_interval_bytes == 0 && store->sync_interval_ms == 0) ||
        (store->flags & SST_NO_SYNC) != 0) return SST_OK;
    ssti_lock(&store->lock);
    due = store->sync_interval_bytes != 0 &&
          store->end - store->synced >= store->sync_interval_bytes;
    if (!due && store->sync_interval_ms != 0 && io->now_ns != NULL) {
        int64_t now = io->now_ns(io->user, SST_CLOCK_MONOTONIC);
        due = now - store->sync_ns >= (int64_t)store->sync_interval_ms * 1000000;
    }
    ssti_unlock(&store->lock);
    if (!due) return SST_OK;
#if SSTI_HAS_THREADS
    if (ssti_atomic_swap(&store->syncing, 1u) != 0) return SST_OK;
#endif
    result = ssti_store_seal(store, true);
    if (result == SST_OK) result = ssti_sync(store);
    ssti_unlock(&store->syncing);
    return result;
}

/* An appender that has sealed a block may also have to sync. What fails then does not fail the
 * append: it is sticky. */
static void ssti_append_sync(sst_store *store) {
    if (store->file == NULL || (store->flags & SST_DEFERRED) != 0) return;
    (void)ssti_sync_interval(store);
}

/* ---- appending ---- */

/* Notes the times on further clocks of rows that are about to be published. */
static void ssti_clocks_note(ssti_series *s, const ssti_rows *rows) {
    uint32_t k;
    size_t i;
    for (k = 0; k < s->timeline_count; k++) {
        int64_t last = s->clock_last[k];
        for (i = 0; i < rows->count; i++) {
            int64_t t = ssti_native_time(ssti_rows_at(s, rows, 1 + k) + i * 8);
            if ((s->any || i != 0) && t < last) {
                ssti_atomic_store(&s->clocks[k].sorted, (uint32_t)SSTI_UNSORTED);
            }
            last = t;
        }
        s->clock_last[k] = last;
    }
}

/* Notes what the next rows have to follow on. */
static void ssti_last_note(ssti_series *s, const ssti_rows *rows) {
    ssti_clocks_note(s, rows);
    s->any = true;
    if (s->timed) {
        s->last_time = ssti_native_time(ssti_rows_at(s, rows, 0) + (rows->count - 1) * 8);
    }
}

/* Rows that are too large for a tail become blocks at once; where they are dropped, each one of its
 * own, so that one's memory is right for the next. */
static int ssti_append_direct(ssti_series *s, const ssti_rows *in) {
    ssti_rows rows = *in;
    size_t left = in->count;
    uint64_t most = s->block_bytes / s->row_bytes;
    if (most == 0 || s->items_count != 0 || s->keep != NULL) most = 1;
    for (; left != 0; left -= rows.count, rows.first += rows.count) {
        int result;
        rows.count = ssti_rows_most(s, &rows, left < most ? left : (size_t)most);
        ssti_lock(&s->store->lock);
        result = ssti_block_write(s, &rows, NULL);
        ssti_unlock(&s->store->lock);
        if (result != SST_OK) return result;
        ssti_append_sync(s->store);
        ssti_last_note(s, &rows);
    }
    return SST_OK;
}

/* Writes the check words of rows that are about to be published. */
static void ssti_append_check(ssti_series *s, const ssti_rows *rows) {
    uint64_t first = s->fill_first + s->fill_count;
    size_t i = 0;
    if (s->fill_bytes == 8) {           /* the most frequent rows, in line */
        const uint8_t *times = ssti_rows_at(s, rows, 0), *values = ssti_rows_at(s, rows, 1);
        for (; i < rows->count; i++) {
            uint64_t h = ssti_check_step(s->check_seed, first + i);
            h = ssti_check_bytes(h, times + i * 8, 8);
            h = ssti_check_bytes(h, values + i * 8, 8);
            ssti_word_store(&s->fill_check[s->fill_count + i], ssti_check_fold(h));
        }
    }
    for (; i < rows->count; i++) {
        uint32_t check = ssti_check_row(s, rows->columns, rows->first + i, first + i);
        ssti_word_store(&s->fill_check[s->fill_count + i], check);
    }
}

/* How many of the rows there is room for in the half that is filled. */
static size_t ssti_fill_fits(const ssti_series *s, const ssti_rows *rows) {
    const uint64_t *regions = s->halves[s->half].regions;
    size_t i, most = s->fill_capacity - s->fill_count;
    uint32_t c;
    most = ssti_rows_most(s, rows, rows->count < most ? rows->count : most);
    for (c = 0; c < s->column_count && s->items_count != 0 && most != 0; c++) {
        const ssti_column *col = &s->columns[c];
        const uint8_t *offsets;
        uint32_t start, end;
        uint64_t room;
        if (col->item_bytes == 0) continue;
        room = regions[col->slot] / col->item_bytes - s->fill_items[col->slot];
        offsets = ssti_rows_at(s, rows, c - 1);
        memcpy(&start, offsets - 4, 4);
        for (i = 0; i < most; i++) {
            memcpy(&end, offsets + i * 4, 4);
            if (end - start > room) most = i;
        }
    }
    return most;
}

/* Copies rows, for which there is room, behind those of the half. */
static void ssti_fill_copy(ssti_series *s, const ssti_rows *rows) {
    uint32_t c, n = s->fill_count;
    size_t i;
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        const uint8_t *from = ssti_rows_at(s, rows, c);
        uint32_t *items, start, end = 0;
        if (!ssti_is_offsets(col)) {
            ssti_copy_in(s->fill[c] + n * (size_t)col->row_bytes, from,
                         rows->count * col->row_bytes);
            continue;
        }
        col++;
        items = &s->fill_items[col->slot];
        memcpy(&start, from - 4, 4);
        for (i = 0; i < rows->count; i++) {
            memcpy(&end, from + i * 4, 4);
            end = end - start + *items;
            ssti_copy_in(s->fill[c] + (n + i) * 4, &end, 4);
        }
        c++;
        ssti_copy_in(s->fill[c] + (size_t)*items * col->item_bytes,
                     rows->columns[c] + (size_t)start * col->item_bytes,
                     (size_t)(end - *items) * col->item_bytes);
        *items = end;
    }
}

/* A row that is too large for the tail becomes a block of its own, behind what the tail holds. The
 * half begins anew under the lock, or sst_flush could seal its old rows as the next ones. */
static int ssti_append_large(ssti_series *s, const ssti_rows *row) {
    ssti_half *h = &s->halves[s->half];
    uint64_t first_row;
    int result;
    ssti_lock(&s->store->lock);
    result = ssti_tail_seal(s, true);
    if (result == SST_OK) result = ssti_block_write(s, row, NULL);
    first_row = ssti_sealed_rows(s);
    if (result != SST_OK) {
        ssti_unlock(&s->store->lock);
        return result;
    }
    if (ssti_atomic_load(&h->state) != SSTI_HALF_NONE) {    /* active, or full and now empty */
        ssti_half_activate(s, s->half, first_row);
    } else {
        ssti_half_open(h);
        ssti_copy_in(&h->first_row, &first_row, sizeof first_row);
        ssti_half_done(h);
    }
    ssti_unlock(&s->store->lock);
    ssti_append_sync(s->store);
    ssti_last_note(s, row);
    return SST_OK;
}

/* A row for which there is no room in the half: makes room. *large: there cannot be. */
static int ssti_fill_turn(ssti_series *s, const ssti_rows *rows, bool *large) {
    uint64_t bytes = s->row_bytes;
    ssti_rows row = *rows;
    uint32_t c;
    bool fits;
    *large = false;
    for (c = 0; c < s->column_count && s->items_count != 0; c++) {
        size_t first, size;
        if (s->columns[c].item_bytes == 0) continue;
        (void)ssti_row_items(&s->columns[c], ssti_rows_at(s, rows, c - 1), &first, &size);
        bytes += size;
    }
    *large = bytes > s->block_bytes / 4;
    if (*large) return SST_OK;
    if (s->fill_count != 0 || s->fill_capacity == 0) {
        SSTI_TRY(ssti_tail_turn(s));
        ssti_append_sync(s->store);
        return SST_OK;
    }
    row.count = 1;
    ssti_lock(&s->store->lock);
    fits = ssti_half_fit(s, &s->halves[s->half], &row);
    ssti_unlock(&s->store->lock);
    *large = !fits;
    if (fits) ssti_half_activate(s, s->half, s->fill_first);
    return SST_OK;
}

/* Appends rows whose times were checked. */
static int ssti_append_checked(ssti_series *s, const ssti_rows *in) {
    ssti_rows rows = *in, part;
    if (s->half_count == 0) return ssti_append_direct(s, in);
    while (rows.count != 0) {
        bool large;
        part = rows;
        part.count = ssti_fill_fits(s, &rows);
        if (part.count == 0) {
            part.count = 1;
            SSTI_TRY(ssti_fill_turn(s, &rows, &large));
            if (!large) continue;
            SSTI_TRY(ssti_append_large(s, &part));
        } else {
            if (s->fill_count >= s->fill_limit) ssti_tail_near(s);
            ssti_fill_copy(s, &part);
            if (s->fill_check != NULL) ssti_append_check(s, &part);
            ssti_last_note(s, &part);
            s->fill_count += (uint32_t)part.count;
            ssti_atomic_store(s->fill_published, s->fill_count);
        }
        rows.first += part.count;
        rows.count -= part.count;
    }
    return SST_OK;
}

#define SSTI_FORKED SSTI_TEXT("the store belongs to the parent process")

/* May this handle append? */
static int ssti_append_allowed(sst_stream *stream) {
    ssti_series *s = stream->series;
    const sst_stream *writer;
    if (!s->store->writable) {
        return ssti_stream_fail(stream, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*s->store->alive == 0) return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_FORKED);
    if (ssti_atomic_load(&s->finished) != 0) {
        return ssti_stream_fail(stream, SST_ERR_FINISHED, SSTI_TEXT("the stream is finished"));
    }
    writer = ssti_atomic_load(&s->writer);
    if (writer == stream || writer == NULL) return SST_OK;
    return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_TEXT("another handle is the writer"));
}

/* Makes this handle the writer, if there is none. */
static bool ssti_writer_claim(sst_stream *stream) {
#if SSTI_HAS_THREADS
    sst_stream *none = NULL;
    return ssti_atomic_claim(&stream->series->writer, &none, stream);
#else
    stream->series->writer = stream;
    return true;
#endif
}

static bool ssti_order_sound(const ssti_series *s, const ssti_rows *rows) {
    bool any = s->any;
    int64_t last = s->last_time;
    size_t i;
    for (i = 0; i < rows->count && s->timed; i++) {
        int64_t t = ssti_native_time(ssti_rows_at(s, rows, 0) + i * 8);
        if (any && !ssti_follows(s, last, t)) return false;
        any = true;
        last = t;
    }
    return true;
}

/* Checks the order of all rows, then appends them. Of several handles the first that appends is
 * the writer; one that fails is not. */
static int ssti_append_rows(sst_stream *stream, const ssti_rows *rows) {
    ssti_series *s = stream->series;
    bool fresh = ssti_atomic_load(&s->writer) != stream;
    uint64_t before;
    int result;
    if (fresh && !ssti_writer_claim(stream)) {
        return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_TEXT("another handle is the writer"));
    }
    before = fresh ? ssti_rows_now(s) : 0;
    result = ssti_order_sound(s, rows) ? ssti_append_checked(s, rows) : SST_ERR_ORDER;
    if (result == SST_OK) return SST_OK;
    if (fresh && ssti_rows_now(s) == before) {
        ssti_atomic_store(&s->writer, (sst_stream *)NULL);
    }
    return ssti_stream_fail(stream, result,
                            result == SST_ERR_ORDER ? SSTI_TEXT("time is not increasing")
                            : result == SST_ERR_BUSY ? SSTI_TEXT("both halves of the tail are full")
                                                     : SSTI_TEXT("the tail could not be sealed"));
}

/* The short way in: one row that is a time and a fixed value, by the stream's writer, while there
 * is room and the time increases. False: the long way tells why, or does it. */
SSTI_INLINE bool ssti_append_fast(sst_stream *stream, int64_t time, const void *value) {
    ssti_series *s = stream->series;
    uint32_t n = s->fill_count;
    size_t value_bytes = s->fill_bytes;
    if (ssti_word_load(&s->writer) != stream || n >= s->fill_limit || time <= s->last_time ||
        value_bytes == 0 || ssti_word_load(&s->finished) != 0 ||
        *s->fill_alive == 0) return false;
    ssti_copy_in8(s->fill[0] + (size_t)n * 8, &time);
    if (value_bytes == 8) ssti_copy_in8(s->fill[1] + (size_t)n * 8, value);
    else ssti_copy_in(s->fill[1] + n * value_bytes, value, value_bytes);
    if (s->fill_check != NULL) {
        uint64_t h = ssti_check_step(s->check_seed, s->fill_first + n);
        h = ssti_check_bytes(h, (const uint8_t *)&time, sizeof time);
        if (value_bytes == 8) h = ssti_check_bytes(h, (const uint8_t *)value, 8);
        else h = ssti_check_column(h, (const uint8_t *)value, value_bytes);
        ssti_word_store(&s->fill_check[n], ssti_check_fold(h));
    }
    s->last_time = time;
    s->fill_count = n + 1;
    ssti_atomic_store(s->fill_published, n + 1);
    return true;
}

/* The same for rows of several fields, in the caller's structure. */
static bool ssti_append_struct(sst_stream *stream, int64_t time, const uint8_t *value) {
    ssti_series *s = stream->series;
    uint8_t *const *fill = s->fill;
    const ssti_column *columns = s->columns;
    const uint32_t *offsets = stream->offsets;
    uint32_t n = s->fill_count, fields = s->fill_fields, i, *check = s->fill_check;
    uint64_t h = ssti_check_step(s->check_seed, s->fill_first + n);
    if (ssti_word_load(&s->writer) != stream || n >= s->fill_limit || time <= s->last_time ||
        fields == 0 || ssti_word_load(&s->finished) != 0 ||
        *s->fill_alive == 0) return false;
    ssti_copy_in8(fill[0] + (size_t)n * 8, &time);
    h = ssti_check_bytes(h, (const uint8_t *)&time, sizeof time);
    for (i = 0; i < fields; i++) {
        const uint8_t *from = value + offsets[i];
        size_t bytes = columns[1 + i].row_bytes;
        ssti_copy_value(fill[1 + i] + n * bytes, from, bytes);
        if (check != NULL) h = ssti_check_column(h, from, bytes);
    }
    if (check != NULL) ssti_word_store(&check[n], ssti_check_fold(h));
    s->last_time = time;
    s->fill_count = n + 1;
    ssti_atomic_store(s->fill_published, n + 1);
    return true;
}

/* A row is put together from here on: its columns are those of the handle. */
static void ssti_row_begin(sst_stream *stream, const int64_t *time, ssti_rows *rows) {
    const ssti_series *s = stream->series;
    if (s->timed) stream->in[0] = (const uint8_t *)time;
    if ((s->flags & SST_TAGGED) != 0) stream->in[s->tag_column] = NULL;
    rows->columns = stream->in;
    rows->first = 0;
    rows->count = 1;
    rows->room = NULL;
}

/* May rows come without timelines and keys? ragged: and with items? */
static int ssti_append_simple(sst_stream *stream, bool ragged) {
    const ssti_series *s = stream->series;
    bool keyed = (s->flags & SST_KEYED) != 0;
    if (s->timeline_count != 0 || keyed) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("the stream has timelines or keys"));
    }
    if (ragged ? s->items_count == 1 && s->field_count == 1 : s->items_count == 0) return SST_OK;
    return ssti_stream_fail(stream, SST_ERR_SHAPE, ragged ? SSTI_TEXT("not one ragged field")
                                                          : SSTI_TEXT("the stream is ragged"));
}

/* Appends what the caller's value, or structure, holds. */
static int ssti_append_one(sst_stream *stream, int64_t time, const uint8_t *value) {
    const ssti_series *s = stream->series;
    ssti_rows rows;
    uint32_t i;
    SSTI_TRY(ssti_append_allowed(stream));
    SSTI_TRY(ssti_append_simple(stream, false));
    if (!stream->placed) {
        return ssti_stream_fail(stream, SST_ERR_STATE,
                                SSTI_TEXT("the handle knows no offsets of the fields"));
    }
    ssti_row_begin(stream, &time, &rows);
    for (i = 0; i < s->field_count; i++) {
        stream->in[s->field_columns[i]] = value + stream->offsets[i];
    }
    return ssti_append_rows(stream, &rows);
}

static int ssti_append_scalar(sst_stream *stream, int64_t time, const void *value,
                              sst_type type) {
    const ssti_series *s;
    ssti_rows rows;
    if (stream == NULL) return SST_ERR_ARG;
    s = stream->series;
    if (s->fill_scalar == type && ssti_append_fast(stream, time, value)) return SST_OK;
    SSTI_TRY(ssti_append_allowed(stream));
    if (s->fields[0].type != type) {
        return ssti_stream_fail(stream, SST_ERR_TYPE, SSTI_TEXT("another element type"));
    }
    if (s->field_count != 1 || s->fields[0].shape[0] != 0) {
        return ssti_stream_fail(stream, SST_ERR_SHAPE, SSTI_TEXT("the stream is not scalar"));
    }
    SSTI_TRY(ssti_append_simple(stream, false));
    ssti_row_begin(stream, &time, &rows);
    stream->in[s->field_columns[0]] = (const uint8_t *)value;
    return ssti_append_rows(stream, &rows);
}

static bool ssti_shape_equal(const uint32_t *a, const uint32_t *b) {
    int i;
    for (i = 0; i < 4; i++) {
        if (a[i] != b[i]) return false;
        if (a[i] == 0) return true;
    }
    return true;
}

/* ---- making and opening ---- */

/* Checks a name and makes it a span. */
static bool ssti_name(const char *name, sst_span *out) {
    out->data = name;
    out->size = name == NULL ? 0 : strlen(name);
    return out->size != 0 && out->size <= SST_MAX_NAME &&
           ssti_utf8((const uint8_t *)name, out->size);
}

/* Checks one field of a description. */
static int ssti_desc_field(ssti_definition *d, uint32_t at) {
    const sst_field *f = &d->fields[at];
    uint64_t elements;
    sst_span name;
    uint32_t i;
    if ((f->flags & ~(uint32_t)SST_RAGGED) != 0) return SST_ERR_ARG;
    if (f->type < SST_BOOL || f->type > SST_BYTES) return SST_ERR_ARG;
    if (f->name != NULL && f->name[0] != 0) {
        if (!ssti_name(f->name, &name)) return SST_ERR_ARG;
        for (i = 0; i < at; i++) {
            if (d->fields[i].name != NULL && strcmp(d->fields[i].name, f->name) == 0) {
                return SST_ERR_ARG;
            }
        }
        d->text_bytes += name.size;
    }
    d->text_bytes++;
    d->kinds |= f->flags;
    if (f->type > SST_F64 && f->shape[0] != 0) return SST_ERR_ARG;
    if (!ssti_shape_elements(f->shape, &elements)) elements = (uint64_t)SST_MAX_ROW_BYTES + 1;
    elements *= ssti_type_bytes(f->type);
    if (ssti_field_ragged(f)) d->ragged_count++;
    else d->fixed_bytes += elements;
    d->value_bytes += elements;
    return SST_OK;
}

/* Takes the fields of a description, or its type and shape as the only one. */
static int ssti_desc_fields(const sst_stream_desc *desc, ssti_definition *d) {
    uint32_t i;
    d->fields = desc->fields;
    d->field_count = desc->field_count;
    if ((desc->fields == NULL) != (desc->field_count == 0)) return SST_ERR_ARG;
    if (desc->field_count > SST_MAX_FIELDS) return SST_ERR_LIMIT;
    if (desc->field_count > 1) {
        if (desc->type != 0 || (desc->flags & SST_RAGGED) != 0) return SST_ERR_ARG;
    } else if (desc->field_count == 1) {
        d->one = desc->fields[0];
        if (desc->type != 0 && (desc->type != d->one.type ||
                                !ssti_shape_equal(desc->shape, d->one.shape))) return SST_ERR_ARG;
    } else {
        d->one.type = desc->type;
        memcpy(d->one.shape, desc->shape, sizeof d->one.shape);
    }
    if (desc->field_count <= 1) {
        d->one.flags |= desc->flags & SST_RAGGED;
        d->fields = &d->one;
        d->field_count = 1;
    }
    d->plain = true;
    for (i = 0; i < d->field_count; i++) SSTI_TRY(ssti_desc_field(d, i));
    return SST_OK;
}

/* Can a structure have all fields at their offsets? Those of sst_stream_info say none. */
static bool ssti_desc_placed(const ssti_definition *d) {
    uint32_t i, k;
    for (i = 0; i < d->field_count; i++) {
        const sst_field *a = &d->fields[i];
        for (k = 0; k < i; k++) {
            const sst_field *b = &d->fields[k];
            if (a->offset < b->offset + ssti_field_bytes(b) &&
                b->offset < a->offset + ssti_field_bytes(a)) return false;
        }
    }
    return true;
}

static bool ssti_desc_retained(const sst_stream_desc *desc) {
    return desc->retain_rows != 0 || desc->retain_time != 0;
}

/* Checks a description and makes it a definition. The only place where its defaults are, but that
 * of block_bytes: see ssti_desc_block_bytes. */
static int ssti_desc_check(const sst_stream_desc *desc, ssti_definition *d) {
    const uint32_t kinds = SST_TAGGED | SST_KEYED | SST_UNTIMED | SST_EQUAL_TIMES;
    uint32_t i, k;
    memset(d, 0, sizeof *d);
    if (!ssti_name(desc->name, &d->name)) return SST_ERR_ARG;
    d->text_bytes = d->name.size + 1;
    if ((desc->flags & ~(kinds | SST_RAGGED | SST_OPEN_EXISTING)) != 0) return SST_ERR_ARG;
    if ((unsigned)desc->time_unit > SST_TICKS || desc->retain_time < 0) return SST_ERR_ARG;
    if (desc->block_bytes != 0 && (desc->block_bytes < SSTI_BLOCK_BYTES_MIN ||
                                   desc->block_bytes > SSTI_BLOCK_BYTES_MAX)) return SST_ERR_ARG;
    SSTI_TRY(ssti_desc_fields(desc, d));
    for (i = 0; i < SST_MAX_TIMELINES && desc->timelines[i] != NULL; i++) {
        if (!ssti_name(desc->timelines[i], &d->timelines[i])) return SST_ERR_ARG;
        d->text_bytes += d->timelines[i].size + 1;
        for (k = 0; k < i; k++) {
            if (strcmp(desc->timelines[i], desc->timelines[k]) == 0) return SST_ERR_ARG;
        }
    }
    d->timeline_count = i;
    d->flags = desc->flags & kinds;
    d->unit = desc->time_unit;
    if ((d->flags & SST_UNTIMED) != 0 &&
        (d->timeline_count != 0 || (d->flags & SST_EQUAL_TIMES) != 0)) return SST_ERR_ARG;
    if (d->value_bytes > SST_MAX_ROW_BYTES) return SST_ERR_LIMIT;
    if (desc->retain_time != 0 && (d->flags & SST_UNTIMED) != 0) return SST_ERR_ARG;
    if (SSTI_NEVER(!ssti_definition_readable(d)) || desc->codec != SST_CODEC_RAW ||
        (!SSTI_HAS_READ && ssti_desc_retained(desc))) return SST_ERR_UNSUPPORTED;
    return SST_OK;
}

/* Is an existing stream the one that is asked for? What differs in type comes before what differs
 * in shape, and that before the rest. */
static int ssti_series_compare(const ssti_series *s, const ssti_definition *d) {
    int result = SST_OK;
    uint32_t i;
    if (s->field_count != d->field_count) return SST_ERR_ARG;
    for (i = 0; i < s->field_count && result != SST_ERR_TYPE; i++) {
        const sst_field *a = &s->fields[i], *b = &d->fields[i];
        if (a->type != b->type) result = SST_ERR_TYPE;
        else if (!ssti_shape_equal(a->shape, b->shape) ||
                 ssti_field_ragged(a) != ssti_field_ragged(b)) result = SST_ERR_SHAPE;
        else if (result == SST_OK && strcmp(a->name, b->name == NULL ? "" : b->name) != 0) {
            result = SST_ERR_ARG;
        }
    }
    if (result != SST_OK) return result;
    if (s->flags != d->flags || s->unit != d->unit || s->timeline_count != d->timeline_count) {
        return SST_ERR_ARG;
    }
    for (i = 0; i < s->timeline_count; i++) {
        if (strcmp(s->timelines[i], (const char *)d->timelines[i].data) != 0) return SST_ERR_ARG;
    }
    return SST_OK;
}

/* A handle and its arrays are one piece of memory. */
static size_t ssti_stream_bytes(uint32_t columns, uint32_t fields, uint32_t items) {
    size_t column = SSTI_HAS_READ ? sizeof(sst_column) : 0;
    return sizeof(sst_stream) + fields * (column + sizeof(uint32_t)) +
           columns * sizeof(uint8_t *) + items * 2 * sizeof(uint32_t);
}

static sst_stream *ssti_stream_new(const sst_allocator *a, uint32_t columns, uint32_t fields,
                                   uint32_t items) {
    size_t bytes = ssti_stream_bytes(columns, fields, items);
    sst_stream *stream = (sst_stream *)ssti_alloc_zero(a, bytes);
    if (stream == NULL) return NULL;
    stream->in = (const uint8_t **)(void *)(stream + 1);
#if SSTI_HAS_READ
    stream->fields = (sst_column *)(void *)(stream + 1);
    stream->in = (const uint8_t **)(void *)(stream->fields + fields);
#endif
    stream->offsets = (uint32_t *)(void *)(stream->in + columns);
    stream->spans = stream->offsets + fields;
    stream->placed = fields == 1;
    return stream;
}

/* Links a handle into its store. Under the lock. */
static void ssti_stream_link(sst_stream *stream, ssti_series *s) {
    sst_store *store = s->store;
    stream->series = s;
    stream->next = store->handles;
    if (store->handles != NULL) store->handles->previous = stream;
    store->handles = stream;
}

/* Bytes of a block where a description says nothing: the store's, but of rows that are dropped an
 * eighth of those that are kept, or eight of them, since a block more than those may be there. */
static uint32_t ssti_desc_block_bytes(const sst_stream_desc *desc, uint32_t store_bytes,
                                      uint64_t row_bytes) {
    uint64_t most = UINT64_MAX / 2 / (row_bytes + 1), rows = desc->retain_rows, bytes;
    if (desc->block_bytes != 0) return desc->block_bytes;
    if (rows == 0) return store_bytes;
    bytes = (rows < most ? rows : most) * row_bytes / 8;
    if (bytes < 8 * row_bytes) bytes = 8 * row_bytes;
    if (bytes < SSTI_BLOCK_BYTES_MIN) bytes = SSTI_BLOCK_BYTES_MIN;
    return bytes < store_bytes ? (uint32_t)bytes : store_bytes;
}

/* How a stream's rows come in: through halves, or, too large for them, at once. */
static void ssti_series_prepare(ssti_series *s, const sst_stream_desc *desc) {
    s->block_bytes = ssti_desc_block_bytes(desc, s->block_bytes,
                                           s->row_bytes + s->items_count * SSTI_MEAN_FIRST);
    s->halves[0].first_row = ssti_sealed_rows(s);
    s->half_count = s->row_bytes > s->block_bytes / 4 ? 0
                    : (s->store->flags & SST_DEFERRED) != 0 ||
                      (s->store->file != NULL && SSTI_HAS_THREADS) ? 2 : 1;
}

/* From the beginning: its oldest rows will be dropped. */
static int ssti_keep_new(ssti_series *s, const sst_stream_desc *desc) {
    s->keep = (ssti_keep *)ssti_alloc_zero(&s->store->allocator, sizeof *s->keep);
    if (s->keep == NULL) return SST_ERR_MEMORY;
    s->keep->rows = desc->retain_rows;
    s->keep->time = desc->retain_time;
    s->list->ring = SSTI_CHUNK_FIRST;
    return SST_OK;
}

/* With SST_DEFERRED appending takes no memory of its own: who gets a handle gets the halves too.
 * What cannot be had now is asked for by the first append. Under the lock. */
static void ssti_series_ready(ssti_series *s) {
    uint32_t i;
    if (!s->store->writable || (s->store->flags & SST_DEFERRED) == 0) return;
    for (i = 0; i < s->half_count; i++) {
        if (s->halves[i].base == NULL && ssti_half_make(s, &s->halves[i]) == SST_OK) {
            ssti_atomic_store(&s->halves[i].state, (uint32_t)SSTI_HALF_EMPTY);
        }
    }
}

/* Makes the stream and its record, or finds it. Under the lock. */
static int ssti_series_create(sst_store *store, const sst_stream_desc *desc,
                              ssti_definition *d, ssti_series **out) {
    ssti_series *s = ssti_series_named(store, d->name.data, d->name.size);
    ssti_draft draft;
    int result;
    *out = s;
    if (s != NULL) {
        if ((desc->flags & SST_OPEN_EXISTING) == 0) return SST_ERR_EXISTS;
        SSTI_TRY(ssti_series_compare(s, d));
        if (s->halves[0].base == NULL && ssti_atomic_load(&s->writer) == NULL &&
            desc->block_bytes != 0) ssti_series_prepare(s, desc);
        ssti_series_ready(s);
        return SST_OK;
    }
    SSTI_TRY(ssti_series_room(store));
    if (store->series_last >= SST_MAX_STREAMS) return SST_ERR_LIMIT;
    d->number = store->series_last + 1;
    s = ssti_series_new(store, d);
    if (s == NULL) return SST_ERR_MEMORY;
    ssti_series_prepare(s, desc);
    result = ssti_desc_retained(desc) ? ssti_keep_new(s, desc) : ssti_live_slot(store, s);
    if (result == SST_OK) {
        result = ssti_record_begin(store, &draft, SSTI_STREAM, ssti_stream_payload_bytes(s), 0);
    }
    if (result != SST_OK) {
        ssti_series_free(&store->allocator, s);
        return result;
    }
    ssti_stream_payload(s, ssti_draft_payload(&draft));
    draft.header.stream = s->number;
    result = ssti_record_commit_whole(store, &draft);
    if (result != SST_OK) {
        ssti_series_free(&store->allocator, s);
        return result;
    }
    ssti_series_ready(s);
    if (s->keep != NULL) ssti_atomic_store(&store->retains, 1u);
    ssti_series_insert(store, store->series_count, s);
    *out = s;
    return SST_OK;
}

SST_API int sst_stream_create(sst_store *store, const sst_stream_desc *desc, sst_stream **out) {
    ssti_definition d;
    ssti_series *s;
    sst_stream *stream;
    uint32_t i;
    int result;
    if (out != NULL) *out = NULL;
    if (store == NULL) return SST_ERR_ARG;
    if (!store->writable) {
        return ssti_store_fail(store, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    if (desc == NULL || out == NULL) return ssti_store_fail(store, SST_ERR_ARG, SSTI_TEXT("NULL"));
    result = ssti_desc_check(desc, &d);
    if (result == SST_OK && store->file != NULL && ssti_desc_retained(desc)) result = SST_ERR_ARG;
    if (result != SST_OK) {
        return ssti_store_fail(store, result, SSTI_TEXT("a stream like this cannot be"));
    }
    stream = ssti_stream_new(&store->allocator, ssti_definition_columns(&d), d.field_count,
                             ssti_definition_items(&d));
    if (stream == NULL) return ssti_store_fail(store, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
    for (i = 0; i < d.field_count; i++) stream->offsets[i] = d.fields[i].offset;
    stream->placed = ssti_desc_placed(&d);
    ssti_lock(&store->lock);
    result = ssti_series_create(store, desc, &d, &s);
    if (result == SST_OK) ssti_stream_link(stream, s);
    ssti_unlock(&store->lock);
    if (result != SST_OK) {
        ssti_free(&store->allocator, stream,
                  ssti_stream_bytes(ssti_definition_columns(&d), d.field_count,
                                    ssti_definition_items(&d)));
        return ssti_store_fail(store, result, SSTI_TEXT("the stream could not be created"));
    }
    *out = stream;
    return SST_OK;
}

SST_API int sst_stream_open(sst_store *store, const char *name, sst_stream **out) {
    ssti_series *s;
    sst_stream *stream = NULL;
    if (out != NULL) *out = NULL;
    if (store == NULL) return SST_ERR_ARG;
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    if (name == NULL || out == NULL) return ssti_store_fail(store, SST_ERR_ARG, SSTI_TEXT("NULL"));
    ssti_lock(&store->lock);
    s = ssti_series_named(store, name, strlen(name));
    if (s != NULL && s->readable) {
        stream = ssti_stream_new(&store->allocator, s->column_count, s->field_count,
                                 s->items_count);
        if (stream != NULL) {
            ssti_stream_link(stream, s);
            ssti_series_ready(s);
        }
    }
    ssti_unlock(&store->lock);
    if (s == NULL) {
        return ssti_store_fail(store, SST_ERR_NOT_FOUND, SSTI_TEXT("no stream of that name"));
    }
    if (!s->readable) {
        return ssti_store_fail(store, SST_ERR_UNSUPPORTED, SSTI_TEXT("an unknown kind of stream"));
    }
    if (stream == NULL) return ssti_store_fail(store, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
    *out = stream;
    return SST_OK;
}

SST_API void sst_stream_close(sst_stream *stream) {
    sst_store *store;
    sst_allocator a;
    bool alive;
    if (stream == NULL) return;
    store = stream->series->store;
    a = store->allocator;
    alive = *store->alive != 0;     /* in a forked child nobody would ever unlock */
    if (alive) ssti_lock(&store->lock);
    if (stream->previous != NULL) stream->previous->next = stream->next;
    else store->handles = stream->next;
    if (stream->next != NULL) stream->next->previous = stream->previous;
    if (alive) ssti_unlock(&store->lock);
    if (ssti_atomic_load(&stream->series->writer) == stream) {
        ssti_atomic_store(&stream->series->writer, (sst_stream *)NULL);
    }
#if SSTI_HAS_READ
    ssti_free(&a, stream->cache.bytes, stream->cache.capacity);
    ssti_free(&a, stream->scratch, stream->scratch_bytes);
#endif
    ssti_free(&a, stream->key, stream->key_bytes);
    ssti_free(&a, stream, ssti_stream_bytes(stream->series->column_count,
                                            stream->series->field_count,
                                            stream->series->items_count));
}

SST_API void sst_stream_error(const sst_stream *stream, sst_error *out) {
    if (out == NULL) return;
    memset(out, 0, sizeof *out);
    out->what = "";
    if (stream != NULL) ssti_error_copy(out, &stream->error);
}

#if !SSTI_HAS_READ
SST_API uint64_t sst_first_row(const sst_stream *stream) {
    (void)stream;
    return 0;
}
#endif

SST_API uint64_t sst_rows(const sst_stream *stream) {
    return stream == NULL ? 0 : ssti_rows_now(stream->series);
}

SST_API int sst_append(sst_stream *stream, int64_t time, const void *value) {
    const uint8_t *bytes = (const uint8_t *)value;
    if (stream == NULL) return SST_ERR_ARG;
    if (value == NULL) {
        SSTI_TRY(ssti_append_allowed(stream));
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("value is NULL"));
    }
    if (ssti_append_fast(stream, time, bytes + stream->offsets[0])) return SST_OK;
    if (stream->placed && ssti_append_struct(stream, time, bytes)) return SST_OK;
    return ssti_append_one(stream, time, bytes);
}

/* Text may hold NULs, unlike names. */
static bool ssti_text_sound(const uint8_t *text, size_t size) {
    size_t i = 0, end;
    for (; i < size; i = end + 1) {
        for (end = i; end < size && text[end] != 0; end++) {}
        if (!ssti_utf8(text + i, end - i)) return false;
    }
    return true;
}

/* Is a key what the file may have: a kind and a value? */
static bool ssti_key_sound(const uint8_t *key, uint32_t size) {
    if (size == 0 || size > SST_MAX_NAME + 1u) return false;
    if (key[0] == SST_KEY_TEXT) return ssti_text_sound(key + 1, size - 1);
    return key[0] == SST_KEY_I64 ? size == 9 : key[0] == SST_KEY_BYTES;
}

/* Takes one cell of a row: *bytes are those of all so far. */
static int ssti_row_cell(sst_stream *stream, uint32_t field, const sst_cell *cell,
                         uint64_t *bytes) {
    const ssti_series *s = stream->series;
    uint32_t column = s->field_columns[field];
    const ssti_column *c = &s->columns[column];
    if (c->item_bytes == 0) {
        *bytes += c->row_bytes;
        if (cell->data == NULL) {
            return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("a cell is NULL"));
        }
        if (cell->count > 1) {
            return ssti_stream_fail(stream, SST_ERR_SHAPE, SSTI_TEXT("another shape"));
        }
        stream->in[column] = (const uint8_t *)cell->data;
        return SST_OK;
    }
    if (cell->data == NULL && cell->count != 0) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("items are NULL"));
    }
    if (cell->count <= UINT32_MAX) *bytes += (uint64_t)cell->count * c->item_bytes;
    if (cell->count > UINT32_MAX || *bytes > SST_MAX_ROW_BYTES) {
        return ssti_stream_fail(stream, SST_ERR_LIMIT, SSTI_TEXT("a row of too many bytes"));
    }
    if (s->fields[field].type == SST_TEXT &&
        !ssti_text_sound((const uint8_t *)cell->data, cell->count)) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("text is not UTF-8"));
    }
    stream->spans[2 * c->slot + 1] = (uint32_t)cell->count;
    stream->in[column - 1] = (const uint8_t *)&stream->spans[2 * c->slot + 1];
    stream->in[column] = cell->count == 0 ? (const uint8_t *)ssti_nothing
                                          : (const uint8_t *)cell->data;
    return SST_OK;
}

/* Does a row that is a time and items go the short way in? See ssti_append_fast. */
SSTI_INLINE bool ssti_ragged_fits(const sst_stream *stream, int64_t time, const uint8_t *items,
                                  size_t count) {
    const ssti_series *s = stream->series;
    uint32_t item = s->fill_ragged;
    if (ssti_word_load(&s->writer) != stream || s->fill_count >= s->fill_limit ||
        time <= s->last_time || item == 0 || (items == NULL && count != 0) ||
        ssti_word_load(&s->finished) != 0 || *s->fill_alive == 0 ||
        count > s->fill_room - s->fill_items[0] ||
        SSTI_HUGE((uint64_t)count * item > SST_MAX_ROW_BYTES)) return false;
    return !s->fill_text || ssti_text_sound(items, count);
}

static void ssti_append_ragged(ssti_series *s, int64_t time, const uint8_t *items, size_t count) {
    uint32_t n = s->fill_count, used = s->fill_items[0], end = used + (uint32_t)count;
    size_t at = (size_t)used * s->fill_ragged, size = count * s->fill_ragged;
    uint64_t h = ssti_check_step(s->check_seed, s->fill_first + n);
    ssti_copy_in8(s->fill[0] + (size_t)n * 8, &time);
    ssti_copy_value(s->fill[1] + (size_t)n * 4, &end, 4);
    h = ssti_check_bytes(h, (const uint8_t *)&time, sizeof time);
    h = ssti_check_copy(ssti_check_step(h, size), items, size, s->fill[2] + at);
    if (s->fill_check != NULL) ssti_word_store(&s->fill_check[n], ssti_check_fold(h));
    s->last_time = time;
    s->fill_items[0] = end;
    s->fill_count = n + 1;
    ssti_atomic_store(s->fill_published, n + 1);
}

static int ssti_append_items(sst_stream *stream, int64_t time, const void *items, size_t count) {
    uint64_t bytes = 0;
    sst_cell cell;
    ssti_rows row;
    SSTI_TRY(ssti_append_allowed(stream));
    SSTI_TRY(ssti_append_simple(stream, true));
    cell.data = items;
    cell.count = count;
    ssti_row_begin(stream, &time, &row);
    SSTI_TRY(ssti_row_cell(stream, 0, &cell, &bytes));
    return ssti_append_rows(stream, &row);
}

SST_API int sst_append_n(sst_stream *stream, int64_t time, const void *items, size_t count) {
    const uint8_t *bytes = (const uint8_t *)items;
    if (stream == NULL) return SST_ERR_ARG;
    if (!ssti_ragged_fits(stream, time, bytes, count)) {
        return ssti_append_items(stream, time, items, count);
    }
    ssti_append_ragged(stream->series, time, bytes, count);
    return SST_OK;
}

SST_API int sst_append_rows(sst_stream *stream, const int64_t *times, const void *values,
                            size_t rows) {
    const ssti_series *s;
    ssti_rows in;
    if (stream == NULL) return SST_ERR_ARG;
    s = stream->series;
    SSTI_TRY(ssti_append_allowed(stream));
    SSTI_TRY(ssti_append_simple(stream, false));
    if (s->field_count != 1) {
        return ssti_stream_fail(stream, SST_ERR_SHAPE, SSTI_TEXT("the stream has several fields"));
    }
    if (rows == 0) return SST_OK;
    if ((times == NULL && s->timed) || values == NULL) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("times or values is NULL"));
    }
    ssti_row_begin(stream, times, &in);
    stream->in[s->field_columns[0]] = (const uint8_t *)values;
    in.count = rows;
    return ssti_append_rows(stream, &in);
}

/* Puts the key of a row together, as the file has it. */
static int ssti_row_key(sst_stream *stream, const sst_row *row) {
    const ssti_series *s = stream->series;
    const sst_key *key = &row->key;
    const sst_allocator *a = &s->store->allocator;
    size_t size = key->kind == SST_KEY_I64 ? 8 : key->size;
    uint32_t *span;
    if (key->kind > SST_KEY_BYTES ||
        (key->kind != SST_KEY_I64 && key->bytes == NULL && size != 0) ||
        (key->kind == SST_KEY_TEXT && !ssti_text_sound((const uint8_t *)key->bytes, size)) ||
        size > SST_MAX_NAME) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("a key that cannot be"));
    }
    if (stream->key_bytes < size + 1) {
        uint8_t *p = (uint8_t *)ssti_alloc(a, size + 64);
        if (p == NULL) return ssti_stream_fail(stream, SST_ERR_MEMORY, SSTI_TEXT("out of memory"));
        ssti_free(a, stream->key, stream->key_bytes);
        stream->key = p;
        stream->key_bytes = size + 64;
    }
    stream->key[0] = (uint8_t)key->kind;
    if (key->kind == SST_KEY_I64) ssti_put64(stream->key + 1, (uint64_t)key->number);
    else if (size != 0) memcpy(stream->key + 1, key->bytes, size);
    stream->key_flags = (uint8_t)row->flags;
    span = &stream->spans[2 * s->columns[s->key_column].slot];
    span[1] = (uint32_t)size + 1;
    stream->in[s->key_column - 1] = (const uint8_t *)&span[1];
    stream->in[s->key_column] = stream->key;
    stream->in[s->key_column + 1] = &stream->key_flags;
    return SST_OK;
}

/* Has a row what the stream's rows have, and of the type that it says? */
static int ssti_row_check(sst_stream *stream, const sst_row *row) {
    const ssti_series *s = stream->series;
    bool keyed = (s->flags & SST_KEYED) != 0;
    if ((row->tag != 0 && (s->flags & SST_TAGGED) == 0) || (row->key.kind != 0) != keyed ||
        (row->flags & ~(uint32_t)(keyed ? SST_ROW_REMOVED : 0)) != 0 ||
        (row->timelines != NULL) != (s->timeline_count != 0)) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("the row has another form"));
    }
    if (row->type != 0 && (s->field_count != 1 || row->type != s->fields[0].type)) {
        return ssti_stream_fail(stream, SST_ERR_TYPE, SSTI_TEXT("another element type"));
    }
    if (row->type != 0 && !ssti_shape_equal(row->shape, s->fields[0].shape)) {
        return ssti_stream_fail(stream, SST_ERR_SHAPE, SSTI_TEXT("another shape"));
    }
    return SST_OK;
}

SST_API int sst_append_row(sst_stream *stream, const sst_row *row) {
    const ssti_series *s;
    const sst_cell *cells;
    sst_cell only;
    ssti_rows in;
    uint64_t bytes = 0;
    uint32_t i;
    if (stream == NULL) return SST_ERR_ARG;
    SSTI_TRY(ssti_append_allowed(stream));
    s = stream->series;
    if (row == NULL || (row->value != NULL && row->cells != NULL)) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("value or cells, one of them"));
    }
    if (row->cells == NULL && s->field_count != 1) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("several fields need cells"));
    }
    SSTI_TRY(ssti_row_check(stream, row));
    only.data = row->value;
    only.count = row->count;
    cells = row->cells != NULL ? row->cells : &only;
    ssti_row_begin(stream, &row->time, &in);
    for (i = 0; i < s->timeline_count; i++) {
        stream->in[1 + i] = (const uint8_t *)&row->timelines[i];
    }
    if ((s->flags & SST_TAGGED) != 0) stream->in[s->tag_column] = (const uint8_t *)&row->tag;
    if ((s->flags & SST_KEYED) != 0) SSTI_TRY(ssti_row_key(stream, row));
    for (i = 0; i < s->field_count; i++) {
        SSTI_TRY(ssti_row_cell(stream, i, &cells[i], &bytes));
    }
    return ssti_append_rows(stream, &in);
}

/* Takes a column of items of a view. SST_ERR_ARG: it is missing, or its offsets are not in order.
 * SST_ERR_LIMIT: a row of too many bytes. */
static int ssti_view_items(sst_stream *stream, uint32_t column, const uint32_t *offsets,
                           const void *items, uint64_t rows) {
    const ssti_series *s = stream->series;
    const ssti_column *c = &s->columns[column];
    const uint8_t *p = (const uint8_t *)items;
    bool text = c->kind == SSTI_KIND_VALUES && s->fields[c->part].type == SST_TEXT;
    uint64_t i;
    if (offsets == NULL || items == NULL) return SST_ERR_ARG;
    for (i = 0; i < rows; i++) {
        uint32_t n = offsets[i + 1] - offsets[i];
        if (offsets[i + 1] < offsets[i]) return SST_ERR_ARG;
        if ((uint64_t)n * c->item_bytes > SST_MAX_ROW_BYTES) return SST_ERR_LIMIT;
        if ((text && !ssti_text_sound(p + offsets[i], n)) ||
            (c->kind == SSTI_KIND_KEYS && !ssti_key_sound(p + offsets[i], n))) return SST_ERR_ARG;
    }
    stream->in[column - 1] = (const uint8_t *)(offsets + 1);
    stream->in[column] = p;
    return SST_OK;
}

/* Takes one field's column of a view. */
static int ssti_view_field(sst_stream *stream, uint32_t field, const sst_column *column,
                           uint64_t rows) {
    uint32_t c = stream->series->field_columns[field];
    if (stream->series->columns[c].item_bytes != 0) {
        return ssti_view_items(stream, c, column->offsets, column->values, rows);
    }
    stream->in[c] = (const uint8_t *)column->values;
    return column->values == NULL || column->offsets != NULL ? SST_ERR_ARG : SST_OK;
}

/* Has every row of a view, whose columns were taken, as few bytes of values as it may have? */
static bool ssti_view_small(const sst_stream *stream, uint64_t rows) {
    const ssti_series *s = stream->series;
    uint64_t i, bytes, fixed = 0;
    uint32_t f;
    for (f = 0; f < s->field_count; f++) fixed += s->columns[s->field_columns[f]].row_bytes;
    for (i = 0; i < rows && s->items_count != 0; i++) {
        for (f = 0, bytes = fixed; f < s->field_count; f++) {
            uint32_t c = s->field_columns[f], start, end;
            if (s->columns[c].item_bytes == 0) continue;
            memcpy(&end, stream->in[c - 1] + (size_t)i * 4, 4);
            memcpy(&start, stream->in[c - 1] + (size_t)i * 4 - 4, 4);
            bytes += (uint64_t)(end - start) * s->columns[c].item_bytes;
        }
        if (bytes > SST_MAX_ROW_BYTES) return false;
    }
    return true;
}

/* Has a view the columns of the stream? They become those of the rows. */
static int ssti_view_take(sst_stream *stream, const sst_view *view, ssti_rows *in) {
    const ssti_series *s = stream->series;
    bool keyed = (s->flags & SST_KEYED) != 0;
    sst_column only;
    uint64_t row;
    uint32_t i;
    if ((view->times != NULL) != s->timed || (view->key_offsets != NULL) != keyed ||
        (view->keys != NULL) != keyed || (view->row_flags != NULL) != keyed ||
        (view->tags != NULL) != ((s->flags & SST_TAGGED) != 0)) return SST_ERR_ARG;
    ssti_row_begin(stream, view->times, in);
    for (i = 0; i < SST_MAX_TIMELINES; i++) {
        if ((view->timelines[i] != NULL) != (i < s->timeline_count)) return SST_ERR_ARG;
        if (i < s->timeline_count) stream->in[1 + i] = (const uint8_t *)view->timelines[i];
    }
    if (view->tags != NULL) stream->in[s->tag_column] = (const uint8_t *)view->tags;
    if (keyed) {
        SSTI_TRY(ssti_view_items(stream, s->key_column, view->key_offsets, view->keys,
                                 view->count));
        for (row = 0; row < view->count; row++) {
            if ((view->row_flags[row] & ~(unsigned)SST_ROW_REMOVED) != 0) return SST_ERR_ARG;
        }
        stream->in[s->key_column + 1] = view->row_flags;
    }
    if (s->field_count == 1 && view->column_count <= 1) {
        only.values = view->values;
        only.offsets = view->offsets;
        return ssti_view_field(stream, 0, &only, view->count);
    }
    if (view->column_count != s->field_count || view->columns == NULL) return SST_ERR_ARG;
    for (i = 0; i < s->field_count; i++) {
        SSTI_TRY(ssti_view_field(stream, i, &view->columns[i], view->count));
    }
    return ssti_view_small(stream, view->count) ? SST_OK : SST_ERR_LIMIT;
}

SST_API int sst_append_view(sst_stream *stream, const sst_view *rows) {
    ssti_rows in;
    int result;
    if (stream == NULL) return SST_ERR_ARG;
    SSTI_TRY(ssti_append_allowed(stream));
    if (rows == NULL) return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("rows is NULL"));
    if (rows->count == 0) return SST_OK;
    if (rows->count > SIZE_MAX / 4 / (stream->series->row_bytes + 4)) {
        return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("the view has too many rows"));
    }
    result = ssti_view_take(stream, rows, &in);
    if (result != SST_OK) {
        return ssti_stream_fail(stream, result, result == SST_ERR_LIMIT
                                                    ? SSTI_TEXT("a row of too many bytes")
                                                    : SSTI_TEXT("the view has other columns"));
    }
    in.count = (size_t)rows->count;
    return ssti_append_rows(stream, &in);
}

SST_API int sst_append_f64(sst_stream *stream, int64_t time, double value) {
    return ssti_append_scalar(stream, time, &value, SST_F64);
}

SST_API int sst_append_f32(sst_stream *stream, int64_t time, float value) {
    return ssti_append_scalar(stream, time, &value, SST_F32);
}

SST_API int sst_append_i64(sst_stream *stream, int64_t time, int64_t value) {
    return ssti_append_scalar(stream, time, &value, SST_I64);
}

SST_API int sst_append_i32(sst_stream *stream, int64_t time, int32_t value) {
    return ssti_append_scalar(stream, time, &value, SST_I32);
}

SST_API int sst_append_u8(sst_stream *stream, int64_t time, uint8_t value) {
    return ssti_append_scalar(stream, time, &value, SST_U8);
}

SST_API int sst_append_bool(sst_stream *stream, int64_t time, bool value) {
    uint8_t byte = value ? 1 : 0;
    return ssti_append_scalar(stream, time, &byte, SST_BOOL);
}

SST_API int sst_stream_finish(sst_stream *stream) {
    ssti_series *s;
    int result;
    if (stream == NULL) return SST_ERR_ARG;
    s = stream->series;
    if (!s->store->writable) {
        return ssti_stream_fail(stream, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*s->store->alive == 0) return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_FORKED);
    if (ssti_atomic_load(&s->finished) != 0) return SST_OK;
    ssti_lock(&s->store->lock);
    result = ssti_tail_seal(s, true);
    if (result == SST_OK && !SSTI_RACE(s->finished != 0)) {
        result = ssti_record_bare(s->store, SSTI_FINISH, s->number, 0, 0);
    }
    if (result == SST_OK) ssti_atomic_store(&s->finished, 1u);
    ssti_unlock(&s->store->lock);
    if (result == SST_OK) return SST_OK;
    return ssti_stream_fail(stream, result, SSTI_TEXT("the tail could not be sealed"));
}

/* ============================================================================================
 * >>store  Stores: create, open, image, metadata, close.
 * ============================================================================================ */

/* ---- options ---- */

/* Checks the options and applies every default: the only place that does. */
static int ssti_options_check(const sst_options *options, sst_options *o) {
    const uint32_t known = SST_REPLACE | SST_CREATE | SST_NO_LIVE | SST_NO_MAP | SST_NO_SYNC |
                           SST_DEFERRED | SST_VERIFY | SST_TRUST;
    memset(o, 0, sizeof *o);
    if (options != NULL) *o = *options;
    if ((o->flags & ~known) != 0) return SST_ERR_ARG;
    if ((o->flags & SST_VERIFY) != 0 && (o->flags & SST_TRUST) != 0) return SST_ERR_ARG;
    if (o->block_bytes == 0) o->block_bytes = SSTI_BLOCK_BYTES;
    if (o->sync_align == 0) o->sync_align = 4096;
    if (o->block_bytes < SSTI_BLOCK_BYTES_MIN || o->block_bytes > SSTI_BLOCK_BYTES_MAX ||
        o->sync_align < 64 || o->sync_align > 0x100000u ||
        (o->sync_align & (o->sync_align - 1)) != 0) return SST_ERR_ARG;
    if (o->allocator != NULL && o->allocator->resize == NULL) return SST_ERR_ARG;
#if !SSTI_HAS_MALLOC
    if (o->allocator == NULL) return SST_ERR_ARG;
#endif
    if (o->io == NULL) o->io = sst_io_default();
    return SST_OK;
}

static const uint32_t ssti_awake = 1;

/* A store without contents. */
static int ssti_store_new(const sst_options *o, sst_store **out) {
    sst_allocator a;
    sst_store *store;
    memset(&a, 0, sizeof a);
#if SSTI_HAS_MALLOC
    a.resize = ssti_malloc_resize;
#endif
    if (o->allocator != NULL) a = *o->allocator;
    store = (sst_store *)ssti_alloc_zero(&a, sizeof *store);
    if (store == NULL) return SST_ERR_MEMORY;
    store->allocator = a;
    if (o->io != NULL) store->io = *o->io;
    store->flags = o->flags;
    store->block_bytes = o->block_bytes;
    store->sync_align = o->sync_align;
    store->sync_interval_ms = o->sync_interval_ms;
    store->sync_interval_bytes = o->sync_interval_bytes;
    store->tail_bytes_max = o->tail_bytes_max;
    store->alive = &ssti_awake;
    store->direct = !SSTI_BIG_ENDIAN;
#if SSTI_HAS_OS
    store->buffered = o->allocator == NULL && sizeof(void *) >= 8;
#endif
    *out = store;
    return SST_OK;
}

/* Frees the streams and metadata, as far as they were read. */
static void ssti_store_forget(sst_store *store) {
    const sst_allocator *a = &store->allocator;
    uint32_t i;
    for (i = 0; i < store->series_count; i++) ssti_series_free(a, ssti_series_at(store, i));
    for (i = 0; i < SSTI_SERIES_CHUNKS; i++) {
        ssti_free(a, store->series[i], SSTI_CHUNK_ITEMS(i) * sizeof(ssti_series *));
        store->series[i] = NULL;
    }
    store->series_count = 0;
    ssti_map_free(a, &store->names);
    ssti_metas_free(a, &store->metas);
    store->index_offset = 0;
}

static void ssti_extents_free(const sst_allocator *a, ssti_extent *items, uint32_t count,
                              uint32_t capacity) {
    uint32_t i;
    for (i = 0; i < count; i++) ssti_free(a, items[i].memory, items[i].memory_bytes);
    ssti_free(a, items, capacity * sizeof *items);
}

static void ssti_text_free(const sst_allocator *a, char *text) {
    if (text != NULL) ssti_free(a, text, strlen(text) + 1);
}

/* Frees everything and closes the file as it is. */
static int ssti_store_free(sst_store *store) {
    sst_allocator a = store->allocator;
    uint32_t i;
    int result = SST_OK;
    while (store->handles != NULL) sst_stream_close(store->handles);
    ssti_store_forget(store);
    if (store->live != NULL) store->spare_count = 0;        /* in the companion */
    ssti_live_unmap(store);
    for (i = 0; i < store->segment_count; i++) {
        ssti_extent *e = &store->segments[i];
        if (store->io.unmap != NULL) {
            (void)store->io.unmap(store->io.user, store->file, e->memory, e->memory_bytes);
        }
    }
    ssti_free(&a, store->segments, store->segment_capacity * sizeof(ssti_extent));
    if (store->file != NULL) result = store->io.close(store->io.user, store->file);
    sstp_guard_free(store->guard);
    ssti_text_free(&a, store->path);
    ssti_text_free(&a, store->live_path);
    ssti_free(&a, store->staging, store->staging_bytes);
    ssti_extents_free(&a, store->spare, store->spare_count, store->spare_capacity);
    ssti_extents_free(&a, store->retired, store->retired_count, store->retired_capacity);
    ssti_extents_free(&a, store->extents, store->extent_count, store->extent_capacity);
#if SSTI_HAS_OS
    (void)sst_buf_close(&store->buffer);
#endif
    ssti_free(&a, store, sizeof *store);
    return result;
}

/* ---- creating ---- */

/* uuid (version 4, RFC 9562), salt and session id, from the seed or from the host. */
static int ssti_store_identify(sst_store *store, uint64_t seed, uint8_t *uuid) {
    uint64_t words[3];
    if (seed != 0) {
        int i;
        store->random = seed;
        for (i = 0; i < 3; i++) words[i] = ssti_random(&store->random);
    } else {
        if (store->io.entropy == NULL) return SST_ERR_ARG;
        SSTI_TRY(store->io.entropy(store->io.user, words, sizeof words));
        store->random = words[2];
    }
    ssti_put64(uuid, words[0]);
    ssti_put64(uuid + 8, words[1]);
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
    store->salt = (uint32_t)ssti_random(&store->random);
    store->session = ssti_random(&store->random) | 1;       /* not 0: SYNC records without one */
    return SST_OK;
}

/* Makes the file header, whose uuid is there. */
static void ssti_file_header_make(sst_store *store) {
    uint8_t *h = store->header;
    memcpy(h, ssti_file_magic, 8);
    ssti_put16(h + 8, SSTI_VERSION_MAJOR);
    ssti_put16(h + 10, SSTI_VERSION_MINOR);
    ssti_put32(h + 12, store->salt);
    if (store->io.now_ns != NULL) {
        ssti_put64(h + 32, (uint64_t)store->io.now_ns(store->io.user, SST_CLOCK_REALTIME));
    }
    ssti_file_header_seal(h);
}

/* The file header and the session's first SYNC. */
static int ssti_store_begin(sst_store *store) {
    ssti_file_header_make(store);
    if (store->file != NULL) {
        SSTI_TRY(ssti_file_write(store, store->file, 0, store->header, SSTI_RECORD_BYTES));
    } else {
        SSTI_TRY(ssti_extent_room(store, SSTI_RECORD_BYTES));
        memcpy(store->extents[0].data, store->header, SSTI_RECORD_BYTES);
        store->extents[0].used = SSTI_RECORD_BYTES;
    }
    store->end = SSTI_RECORD_BYTES;
    return ssti_record_bare(store, SSTI_SYNC, 0, 0, ssti_signed(store->session));
}

/* A path with something behind it; NULL: no memory. */
static char *ssti_path_copy(const sst_allocator *a, const char *path, const char *suffix) {
    size_t n = strlen(path), m = strlen(suffix);
    char *copy = (char *)ssti_alloc(a, n + m + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, path, n);
    memcpy(copy + n, suffix, m);
    copy[n + m] = 0;
    return copy;
}

/* Keeps the paths, and asks whether io can do what a file needs. */
static int ssti_store_paths(sst_store *store, const char *path, const char *live_path) {
    const sst_allocator *a = &store->allocator;
    const sst_io *io = &store->io;
    if (io->open == NULL || io->close == NULL) return SST_ERR_UNSUPPORTED;
    store->path = ssti_path_copy(a, path, "");
    store->live_path = live_path != NULL ? ssti_path_copy(a, live_path, "")
                                         : ssti_path_copy(a, path, "-live");
    return store->path == NULL || store->live_path == NULL ? SST_ERR_MEMORY : SST_OK;
}

static int ssti_file_lock(const sst_store *store, void *file, int how) {
    return store->io.lock == NULL ? SST_OK : store->io.lock(store->io.user, file, how);
}

/* SST_OK: the path still leads to this file, by its header, which no other one has; a file without
 * header is nobody's. SST_ERR_NOT_FOUND: it does not. */
static int ssti_file_named(const sst_store *store, void *file) {
    uint8_t head[SSTI_RECORD_BYTES];
    size_t got;
    if (store->io.lock == NULL || store->io.read_at == NULL) return SST_OK;
    SSTI_TRY(ssti_file_read(store, file, 0, head, sizeof head, &got));
    if (got != sizeof head || memcmp(head, ssti_file_magic, 8) != 0) return SST_OK;
    return ssti_path_holds(store, store->path, head, sizeof head);
}

/* Was this file never written: shorter than its header, or a header of zeros? */
static int ssti_file_unwritten(sst_store *store, void *file, bool *unwritten) {
    uint8_t head[SSTI_RECORD_BYTES];
    size_t n, i;
    if (store->io.read_at == NULL) return SST_ERR_EXISTS;
    SSTI_TRY(ssti_file_read(store, file, 0, head, sizeof head, &n));
    *unwritten = true;
    for (i = 0; i < n && n == sizeof head; i++) {
        if (head[i] != 0) *unwritten = false;
    }
    return SST_OK;
}

/* A file is there: takes it over, or removes it, or refuses. */
static int ssti_create_over(sst_store *store, void *file) {
    const sst_io *io = &store->io;
    bool unwritten = false;
    SSTI_TRY(ssti_file_unwritten(store, file, &unwritten));
    if (!unwritten && (store->flags & SST_REPLACE) == 0) return SST_ERR_EXISTS;
    SSTI_TRY(ssti_file_lock(store, file, SST_IO_LOCK));
    if (!unwritten) {
        if (io->remove == NULL) return SST_ERR_UNSUPPORTED;
        SSTI_TRY(ssti_file_named(store, file));     /* somebody may have been faster */
        SSTI_TRY(io->remove(io->user, store->path));
        return SST_ERR_NOT_FOUND;
    }
    SSTI_TRY(ssti_file_unwritten(store, file, &unwritten));     /* again, under the lock */
    if (!unwritten) return SST_ERR_EXISTS;
    if (io->resize != NULL) SSTI_TRY(io->resize(io->user, file, 0));
    return SST_OK;
}

/* The companion of a store that is not there may hold the only copy of its rows. */
static int ssti_create_companion(sst_store *store, bool *there) {
    const sst_io *io = &store->io;
    void *file = NULL;
    int result = io->open(io->user, store->live_path, SST_IO_READ, &file);
    *there = false;
    if (result == SST_ERR_NOT_FOUND) return SST_OK;
    if (result != SST_OK) return result;
    (void)io->close(io->user, file);
    *there = true;
    if ((store->flags & SST_REPLACE) == 0) return SST_ERR_EXISTS;
    return io->remove == NULL ? SST_ERR_UNSUPPORTED : SST_OK;
}

/* Makes the file, empty and locked. */
static int ssti_create_file(sst_store *store) {
    const sst_io *io = &store->io;
    const uint32_t mode = SST_IO_READ | SST_IO_WRITE;
    void *file = NULL;
    bool companion;
    int result;
    if (io->write_at == NULL) return SST_ERR_UNSUPPORTED;
    SSTI_TRY(ssti_create_companion(store, &companion));
    result = io->open(io->user, store->path, mode, &file);
    if (result == SST_OK) {
        result = ssti_create_over(store, file);
        if (result != SST_OK) (void)io->close(io->user, file);
    }
    if (result != SST_OK && result != SST_ERR_NOT_FOUND) return result;
    if (result == SST_OK) store->file = file;
    if (companion) SSTI_TRY(io->remove(io->user, store->live_path));
    if (store->file == NULL) {
        SSTI_TRY(io->open(io->user, store->path, mode | SST_IO_CREATE | SST_IO_EXCLUSIVE, &file));
        store->file = file;
        result = ssti_file_lock(store, file, SST_IO_LOCK);
        if (result != SST_OK && result != SST_ERR_LOCKED && io->remove != NULL) {
            (void)io->remove(io->user, store->path);
        }
        SSTI_TRY(result);
    }
    store->created = true;
    return SST_OK;
}

/* From now on a forked child cannot use the store. */
static void ssti_store_guard(sst_store *store) {
    store->guard = sstp_guard_make();
    if (store->guard != NULL) store->alive = store->guard;
}

/* The companion of this session, if there is to be one. */
static int ssti_store_live(sst_store *store) {
    const sst_io *io = &store->io;
    char *temporary;
    int result;
    if (store->file == NULL || (store->flags & SST_NO_LIVE) != 0 || io->map == NULL ||
        io->reserve == NULL || io->resize == NULL || io->rename == NULL) return SST_OK;
    temporary = ssti_path_copy(&store->allocator, store->live_path, "-new");
    if (temporary == NULL) return SST_ERR_MEMORY;
    result = ssti_live_make(store, temporary);
    ssti_text_free(&store->allocator, temporary);
    return result;
}

/* Makes the contents of a new store, on `path` or in memory. */
static int ssti_store_create(sst_store *store, const char *path, const sst_options *o) {
    int result;
    SSTI_TRY(ssti_store_identify(store, o->seed, store->header + 16));
    if (path != NULL) {
        if (store->path == NULL) SSTI_TRY(ssti_store_paths(store, path, o->live_path));
        SSTI_TRY(ssti_create_file(store));
    }
    store->created = true;
    store->writable = true;
    result = ssti_store_begin(store);
    if (result == SST_OK && store->file != NULL) {
        result = ssti_file_named(store, store->file);
        if (result == SST_ERR_NOT_FOUND) return SST_ERR_LOCKED; /* another one has the name now */
    }
    if (result == SST_OK) result = ssti_store_live(store);
    if (result == SST_OK && store->file != NULL) ssti_store_guard(store);
    if (result != SST_OK && store->file != NULL && store->io.remove != NULL) {
        (void)store->io.remove(store->io.user, store->path);
    }
    if (result == SST_OK && store->file != NULL && store->io.now_ns != NULL) {
        store->sync_ns = store->io.now_ns(store->io.user, SST_CLOCK_MONOTONIC);
    }
    return result;
}

/* Why there is no store, in words. */
static const char *ssti_make_text(int result) {
    switch (result) {
    case SST_OK: return "";
    case SST_ERR_ARG: return SSTI_TEXT("an argument or option is not allowed");
    case SST_ERR_FORMAT: return SSTI_TEXT("this is not a store");
    case SST_ERR_UNSUPPORTED: return SSTI_TEXT("of a newer format, or io cannot do it");
    case SST_ERR_CORRUPT: return SSTI_TEXT("a checksum is wrong");
    case SST_ERR_MEMORY: return SSTI_TEXT("out of memory");
    case SST_ERR_EXISTS: return SSTI_TEXT("there is a file, or a companion, already");
    case SST_ERR_NOT_FOUND: return SSTI_TEXT("there is no such file or folder");
    case SST_ERR_LOCKED: return SSTI_TEXT("another process records to it");
    default: return SSTI_TEXT("the file could not be made or opened");
    }
}

/* Begins everything that makes or opens a store: checks what was given, and makes the handle.
 * sound: the other arguments are. */
static int ssti_make_begin(const sst_options *options, bool sound, sst_options *o,
                           sst_store **store, sst_store **out) {
    int result = SST_ERR_ARG;
    memset(o, 0, sizeof *o);
    *store = NULL;
    if (out != NULL) *out = NULL;
    if (out != NULL && sound) result = ssti_options_check(options, o);
    return result == SST_OK ? ssti_store_new(o, store) : result;
}

/* Ends it: gives the store out, or frees it and tells why. */
static int ssti_make_done(const sst_options *options, int result, sst_store *store,
                          sst_store **out) {
    if (result == SST_OK) *out = store;
    else if (store != NULL) (void)ssti_store_free(store);
    if (options != NULL && options->error != NULL) {
        (void)ssti_fail(options->error, result, ssti_make_text(result));
        options->error->os_error = ssti_os_error(result);
    }
    return result;
}

SST_API int sst_create(const char *path, const sst_options *options, sst_store **out) {
    sst_options o;
    sst_store *store;
    int result = ssti_make_begin(options, true, &o, &store, out);
    if (result == SST_OK) result = ssti_store_create(store, path, &o);
    return ssti_make_done(options, result, store, out);
}

/* ---- opening ---- */

#if SSTI_HAS_READ

/* S of >>format: how far the file is known to have been on stable storage. */
static uint64_t ssti_scan_synced(sst_store *store) {
    ssti_walk w;
    uint64_t synced = 0;
    ssti_walk_begin(&w, store);
    w.synced = UINT64_MAX;
    while (ssti_walk_next(&w)) {
        const ssti_header *h = &w.header;
        uint64_t length = 0;
        if (!w.sound) continue;
        if (h->type == SSTI_SYNC && h->first_row <= w.offset) length = h->first_row;
        if (h->type == SSTI_END && (h->flags & SSTI_END_UNSYNCED) == 0) length = w.offset;
        if (length > synced) synced = length;
    }
    return ssti_round_up(synced, 64);       /* where the first record at or after it begins */
}

/* Must the payload of such a record be read while hopping? */
static bool ssti_scan_defines(const ssti_header *h) {
    return h->type == SSTI_STREAM || h->type == SSTI_META || h->type == SSTI_FINISH ||
           h->type == SSTI_INDEX;
}

/* Applies a record that defines something. What makes no sense is passed over. An INDEX counts
 * only where something before it was lost: records win over it. */
static int ssti_scan_define(sst_store *store, const ssti_walk *w, bool *lost) {
    ssti_cursor c;
    ssti_loaded l;
    int result;
    if (!ssti_scan_defines(&w->header)) {
        return w->header.type >= SSTI_MUST_UNDERSTAND ? SST_ERR_UNSUPPORTED : SST_OK;
    }
    result = ssti_load(store, w->offset + SSTI_RECORD_BYTES, w->header.payload, &l);
    if (result == SST_ERR_CORRUPT) return store->read_error;    /* SST_OK: not within the file */
    if (result != SST_OK) return result;
    c.at = l.bytes;
    c.left = w->header.payload;
    switch (w->header.type) {
    case SSTI_STREAM:
    case SSTI_META:
    case SSTI_FINISH: result = ssti_define(store, &w->header, c); break;
    default:
        store->index_offset = w->offset;
        if (*lost) result = ssti_index_define(store, c);
        if (*lost && result == SST_OK) ssti_index_claim(store, w->offset, c);
        if (result == SST_OK) *lost = false;
        break;
    }
    ssti_unload(store, &l);
    return result == SST_ERR_CORRUPT ? SST_OK : result;
}

/* Does the record that a walk has found validate with all that is in it? */
static bool ssti_walk_whole(const ssti_walk *w) {
    if (!w->sound || w->header.type != SSTI_BLOCK || SSTI_BROKEN(COLUMNS)) return w->sound;
    return ssti_block_sound(w->store, w->offset, &w->header);
}

/* A session begins with a SYNC that names it. */
static void ssti_scan_session(sst_store *store, const ssti_header *h) {
    if (h->type == SSTI_SYNC && h->first_time != 0) store->session = (uint64_t)h->first_time;
}

/* Finds the cut, and applies the definitions before it. The store's sequence number becomes that
 * of the next record. */
static int ssti_scan_cut(sst_store *store, uint64_t *cut, bool *ended) {
    ssti_walk w;
    uint64_t synced = store->synced, skip = 0;
    bool lost = false;
    *ended = false;
    ssti_walk_begin(&w, store);
    for (;;) {
        bool more = ssti_walk_next(&w);
        if (!more || (w.gap != w.offset && (w.gap >= synced || w.offset > synced) &&
                      !SSTI_BROKEN(CUT))) {
            *cut = w.gap >= synced ? w.gap : synced;
            if (store->recording && skip != 0) {    /* part of a write, perhaps a failed one */
                *cut = skip;
                store->sequence--;
            }
            return SST_OK;
        }
        if (w.offset >= synced && !SSTI_BROKEN(CUT) && !ssti_walk_whole(&w)) {
            *cut = w.offset;
            return SST_OK;
        }
        *ended = w.header.type == SSTI_END;
        skip = w.header.type == SSTI_SKIP ? w.offset : 0;
        store->sequence = w.header.sequence + 1;
        ssti_scan_session(store, &w.header);
        if (w.header.stream <= SST_MAX_STREAMS && w.header.stream > store->series_last) {
            store->series_last = w.header.stream;   /* its declaration may have been lost */
        }
        if (w.gap != w.offset || !w.sound) lost = true;
        if (w.sound) SSTI_TRY(ssti_scan_define(store, &w, &lost));
    }
}

/* New rows: whether a timeline is sorted has to be found out again. */
static void ssti_clocks_forget(ssti_series *s) {
    uint32_t i;
    for (i = 0; i < s->timeline_count; i++) {
        if (s->clocks[i].sorted == SSTI_SORTED) s->clocks[i].sorted = SSTI_SORTED_UNKNOWN;
    }
}

/* Adds the block that a walk found to the list of its stream: of `lists`, which are in the order
 * of the streams, or of the streams themselves. */
static int ssti_scan_block(sst_store *store, const ssti_walk *w, ssti_list **lists) {
    const ssti_header *h = &w->header;
    const ssti_series *s;
    ssti_block b;
    uint32_t at;
    bool found;
    int result;
    if (h->type != SSTI_BLOCK || h->payload < SSTI_ENTRY_BYTES) return SST_OK;
    at = ssti_series_find(store, h->stream, &found);
    if (!found || !ssti_series_at(store, at)->readable) return SST_OK;
    s = ssti_series_at(store, at);
    memset(&b, 0, sizeof b);
    b.offset = w->offset;
    b.data = ssti_bytes(store, w->offset, SSTI_RECORD_BYTES + h->payload);
    b.first_row = h->first_row;
    b.first_time = h->first_time;
    b.last_time = h->last_time;
    b.rows = h->rows;
    if (!ssti_block_fits(s, &b, h)) return SST_OK;
    result = ssti_list_add(s, lists == NULL ? s->list : lists[at], &b);
    if (lists == NULL && result == SST_OK) ssti_clocks_forget(ssti_series_at(store, at));
    return result == SST_ERR_CORRUPT ? SST_OK : result;
}

/* Collects the blocks of every stream. */
static int ssti_scan_blocks(sst_store *store, ssti_list **lists) {
    ssti_walk w;
    ssti_walk_begin(&w, store);
    while (ssti_walk_next(&w)) SSTI_TRY(ssti_scan_block(store, &w, lists));
    return SST_OK;
}

/* Gives every stream the list of blocks that hopping finds. Lists that readers may be using stay
 * until the store is closed. */
static int ssti_scan_lists(sst_store *store) {
    const sst_allocator *a = &store->allocator;
    uint32_t i, n = store->series_count;
    ssti_list **lists = (ssti_list **)ssti_alloc_zero(a, (n + 1) * sizeof *lists);
    int result = lists == NULL ? SST_ERR_MEMORY : SST_OK;
    for (i = 0; i < n && result == SST_OK; i++) {
        lists[i] = (ssti_list *)ssti_alloc_zero(a, sizeof **lists);
        if (lists[i] == NULL) result = SST_ERR_MEMORY;
    }
    if (result == SST_OK) result = ssti_scan_blocks(store, lists);
    for (i = 0; i < n && lists != NULL; i++) {
        ssti_series *s = ssti_series_at(store, i);
        if (result == SST_OK) {
            s->indexed = 0;             /* the next INDEX lists them all */
            store->index_offset = store->writable ? 0 : store->index_offset;
            if (store->index_lies != 0) {
                lists[i]->older = s->list;
                if (store->writable) ssti_claim_rows(s, ssti_sealed_rows(s));
            } else {
                ssti_list_free(s->list, a, s);
            }
            ssti_atomic_store(&s->list, lists[i]);
        } else {
            ssti_list_free(lists[i], a, s);
        }
    }
    ssti_free(a, lists, (n + 1) * sizeof *lists);
    return result;
}

/* After a query failed because the index lied: reads the blocks by hopping. True: ask again. */
static bool ssti_index_mend(sst_store *store) {
    bool mended = false;
    if (ssti_atomic_load(&store->index_lies) == 0) return false;
    ssti_lock(&store->lock);
    if (store->index_lies == 1 && ssti_scan_lists(store) == SST_OK) {
        ssti_atomic_store(&store->index_lies, 2u);
    }
    mended = store->index_lies == 2;
    ssti_unlock(&store->lock);
    return mended;
}

/* Maps what counts of a file. Where that cannot be, blocks are mapped, or read, one by one. */
static void ssti_file_map(sst_store *store) {
    if (store->file != NULL && store->io.map != NULL && (store->flags & SST_NO_MAP) == 0) {
        (void)ssti_segment_map(store, 0, store->file_bytes);
    }
}

/* Reads a file by hopping from header to header: positionally, until the cut is known. A read that
 * fails must not pass for a cut. */
static int ssti_store_scan(sst_store *store) {
    uint64_t cut, size = store->file_bytes;
    store->read_error = SST_OK;
    store->synced = ssti_scan_synced(store);
    SSTI_TRY(ssti_scan_cut(store, &cut, &store->finished));
    if (store->read_error != SST_OK) return store->read_error;
    store->file_bytes = cut < size ? cut : size;
    store->torn_bytes = size - store->file_bytes;
    if (store->torn_bytes != 0) store->finished = false;
    ssti_file_map(store);
    SSTI_TRY(ssti_scan_lists(store));
    return store->read_error;
}

/* Reads a file by its END and INDEX. */
static int ssti_store_load(sst_store *store) {
    ssti_header h;
    uint64_t size = store->file_bytes, end = size - SSTI_RECORD_BYTES;
    if (size < 2 * SSTI_RECORD_BYTES || size % 64 != 0 || !ssti_header_at(store, end, &h) ||
        h.type != SSTI_END || SSTI_NEVER(h.payload != 0) || (h.flags & SSTI_END_UNSYNCED) != 0 ||
        h.first_row == 0 || h.first_row >= end) return SST_ERR_CORRUPT;
    ssti_file_map(store);
    SSTI_TRY(ssti_index_load(store, h.first_row));
    store->synced = end;
    store->sequence = h.sequence + 1;
    store->finished = store->indexed = true;
    return SST_OK;
}

/* Is this a file header of ours, and one that we may read? */
static int ssti_file_header_check(const uint8_t *h) {
    if (memcmp(h, ssti_file_magic, 8) != 0) return SST_ERR_FORMAT;
    if (ssti_get32(h + 60) != sst_crc32c(h, 60, 0)) return SST_ERR_CORRUPT;
    if (ssti_get16(h + 8) != SSTI_VERSION_MAJOR) return SST_ERR_UNSUPPORTED;
    if ((ssti_get32(h + 40) & 0xFFFF0000u) != 0) return SST_ERR_UNSUPPORTED;
    return SST_OK;
}

/* Takes the file header; where it is damaged, the salt of the first record that validates. */
static int ssti_store_header(sst_store *store) {
    uint8_t copy[SSTI_RECORD_BYTES];
    ssti_header h;
    uint64_t at;
    int result;
    if (!ssti_copy_at(store, 0, store->header, SSTI_RECORD_BYTES)) return SST_ERR_FORMAT;
    result = ssti_file_header_check(store->header);
    if (result == SST_OK) {
        store->salt = ssti_get32(store->header + 12);
        return SST_OK;
    }
    if (result == SST_ERR_UNSUPPORTED) return result;
    memset(store->header, 0, SSTI_RECORD_BYTES);
    store->header_lost = true;
    at = SSTI_RECORD_BYTES;
    while (ssti_copy_at(store, at, copy, sizeof copy)) {
        if (ssti_header_decode(copy, at, &h)) {
            store->salt = h.salt;
            return SST_OK;
        }
        at = ssti_seek_magic(store, at + 64, ssti_length(store));
    }
    return SST_ERR_FORMAT;
}

/* Where the file header was damaged, the INDEX has a copy. */
static int ssti_store_header_mend(sst_store *store) {
    ssti_loaded l;
    ssti_cursor c;
    int result;
    if (store->header[0] != 0 || store->index_offset == 0) return SST_OK;
    store->read_error = SST_OK;
    result = ssti_index_at(store, store->index_offset, &l, &c);
    if (result == SST_ERR_CORRUPT) return store->read_error;
    if (result != SST_OK) return result;
    if (ssti_file_header_check(c.at) == SST_OK && ssti_get32(c.at + 12) == store->salt) {
        memcpy(store->header, c.at, SSTI_RECORD_BYTES);
    }
    ssti_unload(store, &l);
    return SST_OK;
}

static int ssti_store_read(sst_store *store) {
    int result;
    store->read_error = SST_OK;
    result = ssti_store_header(store);
    if (result == SST_ERR_FORMAT && store->read_error != SST_OK) return store->read_error;
    SSTI_TRY(result);
    result = ssti_store_load(store);
    if (store->read_error != SST_OK) return store->read_error;
    if (result == SST_ERR_CORRUPT || SSTI_HUGE(result == SST_ERR_LIMIT)) {
        ssti_store_forget(store);
        result = ssti_store_scan(store);
    }
    return result == SST_OK ? ssti_store_header_mend(store) : result;
}

SST_API int sst_open_memory(const void *bytes, size_t size, const sst_options *options,
                            sst_store **out) {
    sst_options o;
    sst_store *store;
    int result = ssti_make_begin(options, bytes != NULL, &o, &store, out);
    if (result == SST_OK) {
        store->image = (const uint8_t *)bytes;
        store->file_bytes = size;
        if (((uintptr_t)bytes & 7) != 0) store->direct = false;
        result = ssti_store_read(store);
    }
    if (result == SST_OK && (o.flags & SST_VERIFY) != 0) result = sst_verify(store, NULL);
    return ssti_make_done(options, result, store, out);
}

/* Opens the file and asks for its size; to write, with the lock. What was opened before somebody
 * replaced it is locked in vain: then what has the name now is opened. */
static int ssti_open_file(sst_store *store, uint32_t mode) {
    const sst_io *io = &store->io;
    bool writes = (mode & SST_IO_WRITE) != 0;
    int named = SST_ERR_NOT_FOUND;
    uint32_t tries;
    if (io->read_at == NULL || io->size == NULL) return SST_ERR_UNSUPPORTED;
    for (tries = 0; tries < 8 && named == SST_ERR_NOT_FOUND; tries++) {
        if (store->file != NULL) (void)io->close(io->user, store->file);
        store->file = NULL;
        SSTI_TRY(io->open(io->user, store->path, mode, &store->file));
        if (writes) SSTI_TRY(ssti_file_lock(store, store->file, SST_IO_LOCK));
        named = writes ? ssti_file_named(store, store->file) : SST_OK;
    }
    if (named != SST_OK) return named == SST_ERR_NOT_FOUND ? SST_ERR_LOCKED : named;
    store->exclusive = writes;
    return io->size(io->user, store->file, &store->file_bytes);
}

/* Is another process writing the file? */
static void ssti_open_state(sst_store *store) {
    store->recording = ssti_file_lock(store, store->file, SST_IO_LOCK_QUERY) == SST_ERR_LOCKED;
}

/* Takes what follows in a file that is being recorded: records count as far as all of them, and
 * all columns of blocks, validate. */
static int ssti_refresh(sst_store *store) {
    uint64_t size, at;
    ssti_walk w;
    SSTI_TRY(store->io.size(store->io.user, store->file, &size));
    ssti_walk_begin(&w, store);
    w.at = ssti_round_up(store->file_bytes, 64);
    if (store->sequence != 0) w.sequence = store->sequence - 1;
    if (size <= w.at) return SST_OK;
    store->file_bytes = size;
    store->read_error = SST_OK;
    at = w.at;
    for (;;) {
        bool lost = false;
        int result = SST_OK;
        if (!ssti_walk_next(&w) || w.gap != w.offset || !ssti_walk_whole(&w)) {
            store->file_bytes = at < size ? at : size;
            store->torn_bytes = size - store->file_bytes;
            return store->read_error;
        }
        /* A SKIP may be what is left of a write that failed: it counts with what follows. */
        if (w.header.type == SSTI_SKIP) continue;
        if (w.header.type == SSTI_BLOCK) result = ssti_scan_block(store, &w, NULL);
        else result = ssti_scan_define(store, &w, &lost);
        if (result != SST_OK) {
            store->file_bytes = at;
            return result;
        }
        at = w.at;
        store->sequence = w.header.sequence + 1;
        store->finished = w.header.type == SSTI_END;
        ssti_scan_session(store, &w.header);
        if (w.header.type == SSTI_SYNC && w.header.first_row > store->synced) {
            store->synced = w.header.first_row;
        }
        if (store->finished && (w.header.flags & SSTI_END_UNSYNCED) == 0) store->synced = w.offset;
    }
}

/* ---- reading the companion ---- */

/* A companion that is being read: always by copies, since its writer may be at work. */
typedef struct ssti_tails {
    sst_store *store;
    void *file;
    uint64_t size;
    int failed;                     /* the first failed read, or SST_OK */
    uint8_t head[SSTI_LIVE_TABLES + 8 * SSTI_CHUNKS];
} ssti_tails;

/* A half that a descriptor points at; when it is loaded, a copy of those of its rows that hold
 * their check words, laid out like a half for just so many. */
typedef struct ssti_tail_half {
    uint32_t capacity;
    uint64_t first_row, place, bytes;
    uint8_t *copy;
    uint64_t *regions;              /* room for items, by slot */
} ssti_tail_half;

static bool ssti_tails_copy(ssti_tails *t, uint64_t offset, void *to, size_t size) {
    size_t got;
    int result;
    if (offset > t->size || size > t->size - offset) return false;
    result = ssti_file_read(t->store, t->file, offset, to, size, &got);
    if (result != SST_OK) t->failed = result;
    return result == SST_OK && got == size;
}

/* Opens a companion. SST_ERR_NOT_FOUND: there is none, or what is there is none; any other failure
 * must not pass for that, since its rows may be the only copy. foreign: it is another store's. */
static int ssti_tails_begin(sst_store *store, ssti_tails *t, bool *foreign) {
    const sst_io *io = &store->io;
    int result;
    memset(t, 0, sizeof *t);
    t->store = store;
    *foreign = false;
    SSTI_TRY(io->open(io->user, store->live_path, SST_IO_READ, &t->file));
    result = io->size(io->user, t->file, &t->size);
    if (result == SST_OK && (!ssti_tails_copy(t, 0, t->head, sizeof t->head) ||
                             memcmp(t->head, ssti_live_magic, 8) != 0 ||
                             ssti_get32(t->head + 40) != sst_crc32c(t->head, 40, 0))) {
        result = t->failed != SST_OK ? t->failed : SST_ERR_NOT_FOUND;
    }
    if (result != SST_OK) {
        (void)io->close(io->user, t->file);
        return result;
    }
    /* The salt tells: a header that was lost and made anew may have another uuid. Where it is still
     * lost this is the uuid. */
    *foreign = ssti_get32(t->head + 12) != store->salt && !SSTI_BROKEN(SALT);
    if (!*foreign && store->header[0] == 0) memcpy(store->header + 16, t->head + 16, 16);
    return SST_OK;
}

/* Opens the companion, if it is that of the store's newest session. */
static int ssti_tails_open(sst_store *store, ssti_tails *t) {
    bool foreign;
    SSTI_TRY(ssti_tails_begin(store, t, &foreign));
    if (!foreign && ssti_get32(t->head + 8) == SSTI_LIVE_VERSION &&
        (memcmp(t->head + 16, store->header + 16, 16) == 0 || SSTI_BROKEN(SALT)) &&
        (ssti_get64(t->head + 32) == store->session || SSTI_BROKEN(SESSION))) return SST_OK;
    (void)store->io.close(store->io.user, t->file);
    return SST_ERR_NOT_FOUND;
}

/* SST_ERR_EXISTS: a companion of another store lies where ours has to be. */
static int ssti_tails_foreign(sst_store *store) {
    bool foreign;
    ssti_tails t;
    int result;
    if ((store->flags & (SST_REPLACE | SST_NO_LIVE)) != 0) return SST_OK;
    result = ssti_tails_begin(store, &t, &foreign);
    if (result != SST_OK) return result == SST_ERR_NOT_FOUND ? SST_OK : result;
    (void)store->io.close(store->io.user, t.file);
    return foreign ? SST_ERR_EXISTS : SST_OK;
}

/* Removes the companion of a session before, whose rows are all in the store. */
static int ssti_tails_remove(sst_store *store) {
    const sst_io *io = &store->io;
    bool foreign, newer;
    ssti_tails t;
    int result = io->remove == NULL ? SST_ERR_NOT_FOUND : ssti_tails_begin(store, &t, &foreign);
    if (result != SST_OK) return result == SST_ERR_NOT_FOUND ? SST_OK : result;
    newer = ssti_get32(t.head + 8) != SSTI_LIVE_VERSION;
    (void)io->close(io->user, t.file);
    if (foreign || newer) return SST_OK;
    result = io->remove(io->user, store->live_path);
    return SSTI_RACE(result == SST_ERR_NOT_FOUND) ? SST_OK : result;
}

/* Is there room in the bytes of a half for what it is said to have? */
static bool ssti_tails_fit(ssti_tails *t, const ssti_series *s, ssti_tail_half *h) {
    uint64_t check = ssti_round_up((uint64_t)h->capacity * 4, 64), bytes = h->bytes;
    size_t foot = ssti_half_foot(s);
    uint32_t i;
    if (h->capacity == 0 || h->first_row > INT64_MAX / 2 || h->place > t->size ||
        bytes > t->size - h->place || h->capacity > SSTI_BLOCK_BYTES_MAX / s->row_bytes ||
        bytes < foot || !ssti_tails_copy(t, h->place + bytes - foot, h->regions,
                                         s->items_count * sizeof *h->regions)) {
        return false;
    }
    for (i = 0; i < s->items_count; i++) {
        if (h->regions[i] > bytes) return false;
        bytes -= h->regions[i];
    }
    bytes = ssti_half_layout(s, NULL, h->capacity, h->regions, NULL) + check + foot;
    return s->items_count == 0 ? bytes == h->bytes : bytes <= h->bytes;
}

/* The halves that a stream's descriptors point at, as far as they can be. */
static uint32_t ssti_tails_halves(ssti_tails *t, const ssti_series *s, ssti_tail_half *halves) {
    uint32_t place, chunk = ssti_chunk(s->number - 1, &place), i, n = 0;
    uint64_t table = ssti_get64(t->head + SSTI_LIVE_TABLES + 8 * chunk);
    uint8_t slot[SSTI_LIVE_SLOT];
    if (table == 0 || table > t->size ||
        !ssti_tails_copy(t, table + (uint64_t)place * SSTI_LIVE_SLOT, slot, sizeof slot)) return 0;
    for (i = 0; i < 4; i++) {
        const uint8_t *d = slot + i / 2 * SSTI_LIVE_HALF + i % 2 * SSTI_LIVE_DESCRIPTOR;
        ssti_tail_half *h = &halves[n];
        memset(h, 0, sizeof *h);
        h->capacity = ssti_get32(d + 4);
        h->first_row = ssti_get64(d + 8);
        h->place = ssti_get64(d + 16);
        h->bytes = ssti_get64(d + 24);
        h->regions = s->tail_regions + n * s->items_count;
        if (ssti_get32(d + 60) == sst_crc32c(d, 60, 0) && ssti_tails_fit(t, s, h)) n++;
    }
    return n;
}

/* How many rows of a copied half, from `row` on, hold their check words and are in order. */
static uint32_t ssti_tails_count(const ssti_series *s, const ssti_tail_half *h, uint64_t row,
                                 int64_t *last, bool any) {
    const uint8_t *check = h->copy + ssti_half_layout(s, h->copy, h->capacity, h->regions, s->work);
    uint32_t at = (uint32_t)(row - h->first_row), n = 0;
    for (; at + n < h->capacity; n++) {
        uint32_t word;
        memcpy(&word, check + (size_t)(at + n) * 4, 4);
        if (word != ssti_check_row(s, (const uint8_t *const *)s->work, at + n, row + n) &&
            !SSTI_BROKEN(CHECK_WORDS)) break;
        if (s->timed) {
            int64_t time = ssti_native_time(s->work[0] + (size_t)(at + n) * 8);
            if (any && !ssti_follows(s, *last, time)) break;
            *last = time;
            any = true;
        }
    }
    return n;
}

/* Rows found in the companion: at most one run in each half. */
typedef struct ssti_tail_runs {
    const ssti_tail_half *half[4];
    uint32_t at[4], count[4], runs;
    uint64_t rows;
} ssti_tail_runs;

/* The row behind those that the reader has, in blocks or from the companion. */
static uint64_t ssti_tails_known(const ssti_series *s) {
    const ssti_half *h = &s->halves[0];
    uint64_t sealed = ssti_sealed_rows(s), end = h->first_row + h->count;
    return !SSTI_NEVER(h->first_row > sealed) && sealed < end ? end : sealed;
}

/* Copies rows of one half, which are there, behind those of another one with room for them. */
static void ssti_half_append(const ssti_series *s, const ssti_half *h, uint8_t *const *from,
                             uint32_t first, uint32_t count) {
    uint8_t **to = s->work;
    uint32_t c, i;
    (void)ssti_half_layout(s, h->base, h->capacity, h->regions, to);
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        size_t n = col->row_bytes, start, bytes;
        uint32_t before, base, end;
        if (!ssti_is_offsets(col)) {
            memcpy(to[c] + h->count * n, from[c] + first * n, count * n);
            continue;
        }
        col++;
        memcpy(&base, from[c] + (size_t)first * 4 - 4, 4);
        memcpy(&before, to[c] + (size_t)h->count * 4 - 4, 4);
        end = before;
        for (i = 0; i < count; i++) {
            memcpy(&end, from[c] + (size_t)(first + i) * 4, 4);
            end = end - base + before;
            memcpy(to[c] + (size_t)(h->count + i) * 4, &end, 4);
        }
        start = (size_t)base * col->item_bytes;
        bytes = (size_t)(end - before) * col->item_bytes;
        c++;
        memcpy(to[c] + (size_t)before * col->item_bytes, from[c] + start, bytes);
    }
}

/* The bytes of items that rows of a half have, by slot, are added to *bytes. */
static void ssti_half_items(const ssti_series *s, uint8_t *const *columns, uint32_t first,
                            uint32_t count, uint64_t *bytes) {
    uint32_t c, start, end;
    for (c = 0; c < s->column_count; c++) {
        if (s->columns[c].item_bytes == 0) continue;
        memcpy(&start, columns[c - 1] + (size_t)first * 4 - 4, 4);
        memcpy(&end, columns[c - 1] + (size_t)(first + count) * 4 - 4, 4);
        bytes[s->columns[c].slot] += (uint64_t)(end - start) * s->columns[c].item_bytes;
    }
}

/* Makes the reader's own half larger, and drops the rows in it that blocks have. A half that is
 * being recorded gets room for those to come. s->starts: bytes of the items of the new rows. */
static int ssti_tails_room(ssti_series *s, uint64_t rows) {
    const sst_allocator *a = &s->store->allocator;
    ssti_half *h = &s->halves[0], old = *h;
    uint8_t **from = s->work + s->column_count;
    uint64_t first_row = ssti_sealed_rows(s), keep = ssti_tails_known(s) - first_row;
    uint64_t twice = s->store->recording ? 2 : 1, capacity = twice * (keep + rows);
    uint32_t skip = (uint32_t)(first_row - h->first_row), i;
    uint64_t *regions = s->tail_regions + 4 * s->items_count;
    if (SSTI_HUGE(keep + rows > UINT32_MAX / 2)) return SST_ERR_LIMIT;
    memcpy(regions, h->regions, s->items_count * sizeof *regions);
    if (keep != 0) {
        (void)ssti_half_layout(s, old.base, old.capacity, regions, from);
        ssti_half_items(s, from, skip, (uint32_t)keep, s->starts);
    }
    for (i = 0; i < s->items_count; i++) h->regions[i] = twice * s->starts[i];
    h->bytes = ssti_half_layout(s, NULL, (uint32_t)capacity, h->regions, NULL);
    h->base = (uint8_t *)ssti_alloc(a, h->bytes);
    if (h->base == NULL) {
        memcpy(h->regions, regions, s->items_count * sizeof *regions);
        h->base = old.base;
        h->bytes = old.bytes;
        return SST_ERR_MEMORY;
    }
    h->place = h->front = 0;
    h->capacity = (uint32_t)capacity;
    h->count = 0;
    h->first_row = first_row;
    h->state = SSTI_HALF_ACTIVE;
    s->half = 0;
    ssti_half_begin_items(s, h, h->base, h->capacity);
    if (keep != 0) ssti_half_append(s, h, from, skip, (uint32_t)keep);
    h->count = (uint32_t)keep;
    ssti_free(a, old.base, old.bytes);
    return SST_OK;
}

/* Is there room in the reader's own half for the items of new rows, s->starts? */
static bool ssti_tails_roomy(const ssti_series *s) {
    const ssti_half *h = &s->halves[0];
    uint32_t c, used;
    if (s->items_count == 0) return true;
    (void)ssti_half_layout(s, h->base, h->capacity, h->regions, s->work);
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        if (col->item_bytes == 0) continue;
        memcpy(&used, s->work[c - 1] + (size_t)h->count * 4 - 4, 4);
        if (h->regions[col->slot] - (uint64_t)used * col->item_bytes < s->starts[col->slot]) {
            return false;
        }
    }
    return true;
}

/* Copies the rows that were found into the reader's own half, behind those it has. */
static int ssti_tails_attach(ssti_series *s, const ssti_tail_runs *r) {
    ssti_half *h = &s->halves[0];
    uint8_t **from = s->work + s->column_count;
    uint32_t i;
    memset(s->starts, 0, s->items_count * sizeof *s->starts);
    for (i = 0; i < r->runs; i++) {
        const ssti_tail_half *half = r->half[i];
        (void)ssti_half_layout(s, half->copy, half->capacity, half->regions, from);
        ssti_half_items(s, from, r->at[i], r->count[i], s->starts);
    }
    if (h->first_row + h->count != ssti_tails_known(s) || h->capacity - h->count < r->rows ||
        !ssti_tails_roomy(s)) SSTI_TRY(ssti_tails_room(s, r->rows));
    for (i = 0; i < r->runs; i++) {
        const ssti_tail_half *half = r->half[i];
        (void)ssti_half_layout(s, half->copy, half->capacity, half->regions, from);
        ssti_half_append(s, h, from, r->at[i], r->count[i]);
        h->count += r->count[i];
    }
    return SST_OK;
}

/* The offsets of rows of a half, with the one before them: those that are in order and within its
 * room. *count: how many rows these are; *bytes: of their items. */
static bool ssti_tails_offsets(ssti_tails *t, const ssti_column *items, uint64_t place,
                               uint64_t room, uint32_t *offsets, uint32_t *count) {
    uint32_t i;
    if (!ssti_tails_copy(t, place - 4, offsets, ((size_t)*count + 1) * 4)) return false;
    for (i = 0; i < *count; i++) {
        if (offsets[i + 1] < offsets[i] ||
            (uint64_t)offsets[i + 1] * items->item_bytes > room) *count = i;
    }
    return true;
}

/* Looks at the offsets of rows: *count becomes how many of them can be, part->regions the bytes of
 * their items, s->starts where in their columns these begin. */
static int ssti_tails_measure(ssti_tails *t, const ssti_series *s, const ssti_tail_half *h,
                              ssti_tail_half *part, uint64_t first) {
    const sst_allocator *a = &t->store->allocator;
    uint32_t c, turn, *offsets;
    size_t bytes = ((size_t)part->capacity + 1) * 4;
    if (s->items_count == 0) return SST_OK;
    offsets = (uint32_t *)ssti_alloc(a, bytes);
    if (offsets == NULL) return SST_ERR_MEMORY;
    for (turn = 0; turn < 2; turn++) {          /* then for as many rows as all of them have */
        size_t at = 0;
        for (c = 0; c < s->column_count; c++) {
            const ssti_column *col = &s->columns[c + 1];
            size_t place = ssti_half_column(s, c, h->capacity, h->regions, &at);
            uint32_t n = part->capacity;
            if (!ssti_is_offsets(&s->columns[c])) continue;
            if (!ssti_tails_offsets(t, col, h->place + place + first * 4, h->regions[col->slot],
                                    offsets, &n)) n = offsets[0] = 0;
            part->capacity = n;
            part->regions[col->slot] = (uint64_t)(offsets[n] - offsets[0]) * col->item_bytes;
            s->starts[c + 1] = (uint64_t)offsets[0] * col->item_bytes;
        }
    }
    ssti_free(a, offsets, bytes);
    return SST_OK;
}

/* Counts copied offsets from the first row's first item on, which was at `start`. A row that was
 * appended since they were measured may end beyond the room: it gets no items, and its check word
 * does not hold; the rows before it are what they were. */
static void ssti_tails_rebase(const ssti_column *items, uint8_t *offsets, uint32_t rows,
                              uint64_t start, uint64_t room) {
    uint32_t i, before = 0;
    memset(offsets - 4, 0, 4);
    for (i = 0; i < rows; i++) {
        uint32_t end;
        memcpy(&end, offsets + (size_t)i * 4, 4);
        end -= (uint32_t)(start / items->item_bytes);
        if (end < before || (uint64_t)end * items->item_bytes > room) end = before;
        memcpy(offsets + (size_t)i * 4, &end, 4);
        before = end;
    }
}

/* Copies the columns of rows that were measured, with their check words, to part->copy. */
static bool ssti_tails_columns(ssti_tails *t, const ssti_series *s, const ssti_tail_half *h,
                               const ssti_tail_half *part, uint64_t first) {
    size_t n = part->capacity, at = 0, place;
    uint8_t *check = part->copy +
                     ssti_half_layout(s, part->copy, part->capacity, part->regions, s->work);
    uint32_t c;
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        uint64_t from = first * col->row_bytes, bytes = n * (uint64_t)col->row_bytes;
        place = ssti_half_column(s, c, h->capacity, h->regions, &at);
        if (col->item_bytes != 0) {
            from = s->starts[c];
            bytes = part->regions[col->slot];
        }
        if (!ssti_tails_copy(t, h->place + place + from, s->work[c], (size_t)bytes)) return false;
        if (ssti_is_offsets(col)) {
            ssti_tails_rebase(col + 1, s->work[c], part->capacity, s->starts[c + 1],
                              part->regions[col[1].slot]);
        }
    }
    return ssti_tails_copy(t, h->place + at + first * 4, check, n * 4);
}

/* Copies rows of a half, as many as part->capacity says or as can be, laid out like a half for just
 * so many. part->regions is set by the caller. *there: false when they could not be copied. */
static int ssti_tails_part(ssti_tails *t, const ssti_series *s, const ssti_tail_half *h,
                           uint64_t first, ssti_tail_half *part, bool *there) {
    SSTI_TRY(ssti_tails_measure(t, s, h, part, first));
    part->first_row = h->first_row + first;
    part->bytes = ssti_half_layout(s, NULL, part->capacity, part->regions, NULL) +
                  (uint64_t)part->capacity * 4;
    part->copy = (uint8_t *)ssti_alloc(&t->store->allocator, (size_t)part->bytes + 1);
    if (part->copy == NULL) return SST_ERR_MEMORY;
    *there = ssti_tails_columns(t, s, h, part, first);
    return SST_OK;
}

static void ssti_tails_drop(ssti_tails *t, ssti_tail_half *part) {
    ssti_free(&t->store->allocator, part->copy, (size_t)part->bytes + 1);
    part->copy = NULL;
}

/* How many rows of a half hold their check words, from `first` on: looked at in parts, since the
 * numbers in a descriptor are anybody's; the first is small, since who follows finds few rows. */
static int ssti_tails_probe(ssti_tails *t, const ssti_series *s, const ssti_tail_half *h,
                            uint64_t first, uint64_t *count) {
    uint64_t most = 65536 / s->row_bytes, step, rows, left = h->capacity - first;
    ssti_tail_half part;
    bool more = true;
    if (most == 0) most = 1;
    step = most < 16 ? most : 16;
    memset(&part, 0, sizeof part);
    part.regions = s->tail_regions + 4 * s->items_count;
    for (*count = 0; more && *count < left; *count += part.capacity) {
        int64_t last = 0;
        rows = left - *count < step ? left - *count : step;
        step = step * 8 < most ? step * 8 : most;
        part.capacity = (uint32_t)rows;
        SSTI_TRY(ssti_tails_part(t, s, h, first + *count, &part, &more));
        part.capacity = more ? ssti_tails_count(s, &part, part.first_row, &last, false) : 0;
        if (part.capacity < rows) more = false;
        ssti_tails_drop(t, &part);
    }
    return SST_OK;
}

/* Copies the rows that the reader does not have yet, of all halves. */
static int ssti_tails_load(ssti_tails *t, const ssti_series *s, ssti_tail_half *halves,
                           uint32_t *count) {
    uint64_t known = ssti_tails_known(s), n;
    uint32_t i;
    *count = s->readable ? ssti_tails_halves(t, s, halves) : 0;
    for (i = 0; i < *count; i++) {
        ssti_tail_half *h = &halves[i], part;
        uint64_t first = known > h->first_row ? known - h->first_row : 0;
        bool there;
        if (first >= h->capacity) continue;
        SSTI_TRY(ssti_tails_probe(t, s, h, first, &n));
        if (n == 0) continue;
        part.regions = s->tail_regions + 4 * s->items_count;
        part.capacity = (uint32_t)n;
        SSTI_TRY(ssti_tails_part(t, s, h, first, &part, &there));
        if (there) {
            uint64_t *regions = h->regions;
            memcpy(regions, part.regions, s->items_count * sizeof *regions);
            *h = part;
            h->regions = regions;
        } else {
            ssti_tails_drop(t, &part);
        }
    }
    return t->failed;
}

/* The last time of the rows that the reader has, if any. */
static int64_t ssti_tails_last(const ssti_series *s) {
    const ssti_half *h = &s->halves[0];
    uint32_t blocks = s->list->count;
    if (!s->timed) return 0;
    if (ssti_tails_known(s) != ssti_sealed_rows(s)) {
        return ssti_native_time(h->base + (size_t)(h->count - 1) * 8);
    }
    return blocks == 0 ? 0 : ssti_list_at(s->list, blocks - 1)->last_time;
}

/* Finds the rows in copied halves that follow on what the reader has: a run in one half, then
 * perhaps in another. */
static void ssti_tails_find(const ssti_series *s, const ssti_tail_half *halves, uint32_t n,
                            ssti_tail_runs *r) {
    uint32_t i = 0;
    uint64_t first_row = ssti_tails_known(s);
    int64_t last = ssti_tails_last(s);
    memset(r, 0, sizeof *r);
    while (i < n && !SSTI_NEVER(r->runs == 4)) {     /* a half gives one run, and there are four */
        const ssti_tail_half *h = &halves[i++];
        uint64_t row = first_row + r->rows;
        uint32_t found;
        if (SSTI_BROKEN(GAP) && row < h->first_row) row = h->first_row;
        if (h->copy == NULL || row < h->first_row || row - h->first_row >= h->capacity) continue;
        found = ssti_tails_count(s, h, row, &last, row != 0);
        if (found == 0 || SSTI_NEVER(r->rows + found > UINT32_MAX)) continue;
        r->half[r->runs] = h;
        r->at[r->runs] = (uint32_t)(row - h->first_row);
        r->count[r->runs++] = found;
        r->rows += found;
        i = 0;                          /* the rest may be in a half that was passed over */
    }
}

/* Takes the rows of one stream. The companion is copied first, then the store is looked at again:
 * a row that was there at the beginning is in the copy or, sealed meanwhile, in the store. */
static int ssti_tails_take(ssti_tails *t, ssti_series *s) {
    sst_store *store = t->store;
    ssti_tail_half halves[4];
    ssti_tail_runs r;
    uint32_t i, n;
    int result;
    s->check_seed = ssti_check_seed(ssti_get64(t->head + 32), s->number);
    result = ssti_tails_load(t, s, halves, &n);
    if (result == SST_OK && !store->exclusive) result = ssti_refresh(store);
    if (result == SST_OK) {
        uint64_t first_row = ssti_tails_known(s);
        ssti_tails_find(s, halves, n, &r);
        for (i = 0; i < n && !store->recording; i++) {      /* rows that nothing leads up to */
            if (halves[i].copy != NULL && halves[i].first_row > first_row + r.rows) {
                store->tail_lost = true;
            }
        }
        if (r.rows != 0) {
            result = ssti_tails_attach(s, &r);
            ssti_clocks_forget(s);
        }
    }
    for (i = 0; i < n; i++) {
        if (halves[i].copy != NULL) ssti_tails_drop(t, &halves[i]);
    }
    return result;
}

/* Takes the rows of all streams from the companion. Once more when another session has begun, or
 * when there was neither companion nor END: the file was being closed, or opened. */
static int ssti_tails_read(sst_store *store) {
    uint32_t i, tries;
    for (tries = 0; tries < 8 && !store->finished; tries++) {
        uint64_t session = store->session;
        bool recording = store->recording;
        ssti_tails t;
        int result = ssti_tails_open(store, &t);
        bool found = result == SST_OK;
        if (result == SST_ERR_NOT_FOUND) result = SST_OK;
        for (i = 0; found && i < store->series_count && result == SST_OK; i++) {
            result = ssti_tails_take(&t, ssti_series_at(store, i));
            if (store->session != session) break;
        }
        if (found) (void)store->io.close(store->io.user, t.file);
        store->tail_found = found;
        if (store->exclusive) return result;
        if (result == SST_OK && !found) result = ssti_refresh(store);
        if (result != SST_OK) return result;
        ssti_open_state(store);
        if (store->session == session && store->recording == recording &&
            (found || !recording)) break;
    }
    return SST_OK;
}

SST_API int sst_open(const char *path, const sst_options *options, sst_store **out) {
    sst_options o;
    sst_store *store;
    int result = ssti_make_begin(options, path != NULL, &o, &store, out);
    if (result == SST_OK) result = ssti_store_paths(store, path, o.live_path);
    if (result == SST_OK) result = ssti_open_file(store, SST_IO_READ);
    if (result == SST_OK) {
        ssti_open_state(store);
        result = ssti_store_read(store);
    }
    if (result == SST_OK) result = ssti_tails_read(store);
    if (result == SST_OK && (o.flags & SST_VERIFY) != 0) result = sst_verify(store, NULL);
    return ssti_make_done(options, result, store, out);
}

SST_API int sst_refresh(sst_store *store) {
    int result;
    if (store == NULL) return SST_ERR_ARG;
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    if (store->writable || store->file == NULL) return SST_OK;
    ssti_open_state(store);
    result = ssti_refresh(store);
    if (store->torn_bytes != 0) store->finished = false;
    if (result == SST_OK) result = ssti_tails_read(store);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(store, result, SSTI_TEXT("the file could not be read"));
}

/* ---- opening to append ---- */

/* Does this session sync by itself? */
static bool ssti_syncs(const sst_store *store) {
    return store->io.sync != NULL && (store->flags & SST_NO_SYNC) == 0;
}

/* Appends a record of this file to another one. */
static int ssti_torn_copy(sst_store *store, void *torn, uint64_t *end, ssti_range bytes) {
    uint8_t part[SSTI_PART_BYTES];
    while (bytes.count != 0) {
        size_t n = bytes.count < sizeof part ? (size_t)bytes.count : sizeof part;
        if (!ssti_copy_at(store, bytes.first, part, n)) {
            return SSTI_RACE(store->read_error == SST_OK) ? SST_ERR_IO : store->read_error;
        }
        SSTI_TRY(ssti_file_write(store, torn, *end, part, n));
        *end += n;
        bytes.first += n;
        bytes.count -= n;
    }
    return SST_OK;
}

/* Saves the whole records between the cut and the end of the file, in case somebody wants them. */
static int ssti_torn_records(sst_store *store, uint64_t cut, void **torn, const char *path,
                             uint64_t *before) {
    const sst_io *io = &store->io;
    uint64_t at = ssti_round_up(cut, 64), end = 0;
    ssti_header h;
    while (at < store->file_bytes) {
        ssti_range bytes;
        if (!ssti_header_at(store, at, &h)) {
            at = ssti_seek_magic(store, at + 64, ssti_length(store));
            continue;
        }
        if (*torn == NULL) {
            SSTI_TRY(io->open(io->user, path, SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE, torn));
            SSTI_TRY(io->size(io->user, *torn, &end));
            *before = end;
        }
        bytes.first = at;
        bytes.count = SSTI_RECORD_BYTES + h.payload;
        SSTI_TRY(ssti_torn_copy(store, *torn, &end, bytes));
        at += ssti_round_up(bytes.count, 64);
    }
    if (store->read_error != SST_OK) return store->read_error;
    if (*torn == NULL || !ssti_syncs(store) || SSTI_BROKEN(TORN_SYNC)) return SST_OK;
    SSTI_TRY(io->sync(io->user, *torn));
    return io->sync_dir == NULL ? SST_OK : io->sync_dir(io->user, path);
}

/* Saves what lies behind the cut. */
static int ssti_recover_torn(sst_store *store) {
    const sst_io *io = &store->io;
    char *path;
    void *torn = NULL;
    uint64_t cut = store->file_bytes, before = 0;
    int result;
    if (io->resize == NULL) return SST_ERR_UNSUPPORTED;
    path = ssti_path_copy(&store->allocator, store->path, "-torn");
    if (path == NULL) return SST_ERR_MEMORY;
    store->file_bytes += store->torn_bytes;
    store->read_error = SST_OK;
    result = SSTI_BROKEN(TORN) ? SST_OK : ssti_torn_records(store, cut, &torn, path, &before);
    store->file_bytes = cut;
    if (torn != NULL) {
        if (result != SST_OK) (void)io->resize(io->user, torn, before);     /* next time again */
        (void)io->close(io->user, torn);
    }
    ssti_text_free(&store->allocator, path);
    return result;
}

/* A SYNC from which the sequence numbers line up with nothing that was ever written behind it.
 * session: that it begins, or 0. */
static int ssti_session_sync(sst_store *store, uint64_t session) {
    uint32_t before = store->sequence - 1;
    ssti_draft d;
    if (!SSTI_BROKEN(JUMP)) {
        store->sequence += (uint32_t)(ssti_random(&store->random) % SSTI_SESSION_STEP);
    }
    SSTI_TRY(ssti_record_begin(store, &d, SSTI_SYNC, 0, 0));
    d.header.rows = before;
    d.header.first_row = store->synced;
    d.header.first_time = ssti_signed(session);
    return ssti_record_commit_whole(store, &d);
}

/* Cuts the file where it stopped to count. A SYNC stands there first, in the place of what does not
 * count: the one that told how far the file was synced may lie behind the cut, and without it
 * damage would look like a torn end. Records that are written next, and have the sizes of those
 * that are cut off, do not line up with them behind it, should they come back. */
static int ssti_recover_cut(sst_store *store) {
    const sst_io *io = &store->io;
    if (store->torn_bytes != 0) SSTI_TRY(ssti_recover_torn(store));
    store->end = ssti_round_up(store->file_bytes, 64);
    SSTI_TRY(ssti_session_sync(store, 0));
    if (store->torn_bytes == 0) return SST_OK;
    if (ssti_syncs(store)) SSTI_TRY(io->sync(io->user, store->file));
    SSTI_TRY(io->resize(io->user, store->file, store->end));
    return ssti_syncs(store) ? io->sync(io->user, store->file) : SST_OK;
}

/* What the writer of a stream knows of its last row. */
static void ssti_series_resume(ssti_series *s) {
    sst_stream_desc plain;
    uint32_t i, n = s->list->count;
    const ssti_block *b;
    memset(&plain, 0, sizeof plain);
    ssti_series_prepare(s, &plain);
    if (n == 0) return;
    b = ssti_list_at(s->list, n - 1);
    s->any = true;
    if (s->timed) s->last_time = b->last_time;
    for (i = 0; i < s->timeline_count; i++) s->clock_last[i] = s->clocks[i].last;
}

/* What the INDEX would have said of the timelines. One with a column that is damaged, or encoded in
 * an unknown way, counts as unsorted. */
static int ssti_clocks_resume(sst_store *store) {
    uint32_t i, t;
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        for (t = 0; t < s->timeline_count; t++) {
            ssti_cache cache;
            sst_error unused;
            uint32_t hint = 0;
            ssti_look k;
            int result;
            if (s->list->count == 0) continue;
            memset(&cache, 0, sizeof cache);
            memset(&k, 0, sizeof k);
            k.series = s;
            k.error = &unused;
            k.hint = &hint;
            k.cache = &cache;
            k.list = s->list;
            k.blocks = s->list->count;
            result = ssti_clock_survey(&k, t, &s->clocks[t]);
            ssti_free(&store->allocator, cache.bytes, cache.capacity);
            if (result == SST_ERR_CORRUPT || result == SST_ERR_UNSUPPORTED ||
                SSTI_HUGE(result == SST_ERR_LIMIT)) s->clocks[t].sorted = SSTI_UNSORTED;
            else if (result != SST_OK) return result;
        }
    }
    return SST_OK;
}

/* Seals the rows that were found in the companion. */
static int ssti_recover_tails(sst_store *store) {
    uint32_t i;
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        ssti_half *h = &s->halves[0];
        uint64_t before = ssti_sealed_rows(s), *regions;
        SSTI_TRY(ssti_half_seal(s, h));
        store->recovered_rows += ssti_sealed_rows(s) - before;
        ssti_free(&store->allocator, h->base, h->bytes);
        regions = h->regions;
        memset(h, 0, sizeof *h);
        h->regions = regions;
    }
    return SST_OK;
}

/* A file that was never synced may have lost its header with the power: it gets the one that an
 * INDEX has, or another one, with the uuid that its companion knows. */
static int ssti_recover_header(sst_store *store, const uint8_t *uuid) {
    if (!store->header_lost || store->synced != 0) return SST_OK;
    if (store->header[0] == 0) {
        if (ssti_get64(store->header + 16) == 0) memcpy(store->header + 16, uuid, 16);
        ssti_file_header_make(store);
    }
    return ssti_file_write(store, store->file, 0, store->header, SSTI_RECORD_BYTES);
}

/* Makes a file that was not closed whole again: cut, tails, INDEX, sync. */
static int ssti_store_recover(sst_store *store, const uint8_t *uuid) {
    uint32_t i;
    SSTI_TRY(ssti_recover_cut(store));
    SSTI_TRY(ssti_tails_read(store));
    SSTI_TRY(ssti_recover_header(store, uuid));
    if (!store->finished && !store->tail_found) store->tail_lost = true;
    store->writable = true;
    for (i = 0; i < store->series_count; i++) ssti_series_at(store, i)->indexed = 0;
    store->index_offset = 0;
    if (SSTI_BROKEN(RECOVERY_ORDER)) {
        (void)store->io.remove(store->io.user, store->live_path);
    }
    SSTI_TRY(ssti_recover_tails(store));
    SSTI_TRY(ssti_clocks_resume(store));
    SSTI_TRY(ssti_index_write(store));
    if (!ssti_syncs(store)) return SST_OK;
    SSTI_TRY(ssti_sync_pad(store));
    SSTI_TRY(ssti_sync_file(store));
    store->synced = store->end;
    return SST_OK;
}

/* Begins a session on a file that was read: with a SYNC, and a companion of its own. Only behind
 * that SYNC the companion of the session before, whose rows are all in the file, means nothing. */
static int ssti_store_resume(sst_store *store, uint64_t seed) {
    const sst_io *io = &store->io;
    uint8_t uuid[16];
    uint32_t i, salt = store->salt;
    uint64_t session = store->session, own;
    bool whole;
    for (i = 0; i < store->series_count; i++) {     /* an INDEX of ours would not know all of it */
        if (!ssti_series_at(store, i)->readable) return SST_ERR_UNSUPPORTED;
    }
    SSTI_TRY(ssti_store_identify(store, seed, uuid));
    own = store->session;
    store->salt = salt;
    store->session = session;
    store->directory_synced = store->indexed;
    if (!store->indexed) SSTI_TRY(ssti_store_recover(store, uuid));
    else store->end = store->file_bytes;
    store->writable = true;
    store->session = own;
    whole = store->synced + SSTI_RECORD_BYTES >= store->end;    /* all but, perhaps, END */
    SSTI_TRY(ssti_session_sync(store, store->session));
    store->sync_end = whole ? store->end : 0;
    if (io->now_ns != NULL) store->sync_ns = io->now_ns(io->user, SST_CLOCK_MONOTONIC);
    for (i = 0; i < store->series_count; i++) {
        ssti_series *s = ssti_series_at(store, i);
        ssti_series_resume(s);
        s->durable = ssti_rows_before(s, store->synced);
    }
    SSTI_TRY(ssti_store_live(store));
    ssti_store_guard(store);
    return store->live == NULL ? ssti_tails_remove(store) : SST_OK;
}

/* Opens and recovers; SST_ERR_NOT_FOUND: there is nothing, it may be created. */
static int ssti_open_append(sst_store *store, uint64_t seed) {
    bool unwritten = false;
    SSTI_TRY(ssti_open_file(store, SST_IO_READ | SST_IO_WRITE));
    SSTI_TRY(ssti_file_unwritten(store, store->file, &unwritten));
    if (unwritten && (store->flags & SST_CREATE) != 0) {
        (void)store->io.close(store->io.user, store->file);
        store->file = NULL;
        store->file_bytes = 0;
        return SST_ERR_NOT_FOUND;
    }
    SSTI_TRY(ssti_store_read(store));
    if ((store->flags & SST_VERIFY) != 0) SSTI_TRY(sst_verify(store, NULL));
    SSTI_TRY(ssti_tails_foreign(store));
    return ssti_store_resume(store, seed);
}

SST_API int sst_open_append(const char *path, const sst_options *options, sst_store **out) {
    sst_options o;
    sst_store *store;
    int result = ssti_make_begin(options, path != NULL, &o, &store, out);
    if (result == SST_OK) result = ssti_store_paths(store, path, o.live_path);
    if (result == SST_OK && store->io.write_at == NULL) result = SST_ERR_UNSUPPORTED;
    if (result == SST_OK) result = ssti_open_append(store, o.seed);
    if (result == SST_ERR_NOT_FOUND && (o.flags & SST_CREATE) != 0 && store->file == NULL) {
        result = ssti_store_create(store, path, &o);
    }
    return ssti_make_done(options, result, store, out);
}

#endif /* SSTI_HAS_READ */

/* ---- sealing and the image ---- */

static int ssti_store_seal_checked(sst_store *store, bool all) {
    if (store == NULL) return SST_ERR_ARG;
    if (!store->writable) {
        return ssti_store_fail(store, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    return ssti_store_seal(store, all);
}

SST_API int sst_flush(sst_store *store) { return ssti_store_seal_checked(store, true); }

SST_API int sst_poll(sst_store *store) {
    int result;
    SSTI_TRY(ssti_store_seal_checked(store, false));
    if (store->file == NULL) return SST_OK;
    result = store->sticky != SST_OK ? store->sticky : ssti_sync_interval(store);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(store, result, SSTI_TEXT("the file could not be synced"));
}

SST_API int sst_sync(sst_store *store) {
    int result;
    SSTI_TRY(ssti_store_seal_checked(store, true));
    if (store->file == NULL) return SST_OK;
    ssti_lock(&store->syncing);         /* an appender may be at it: one after the other */
    result = ssti_sync(store);
    ssti_unlock(&store->syncing);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(store, result, SSTI_TEXT("the file could not be synced"));
}

SST_API uint64_t sst_durable_rows(const sst_stream *stream) {
    ssti_series *s;
    uint64_t rows;
    if (stream == NULL || stream->series->store->file == NULL ||
        *stream->series->store->alive == 0) return 0;
    s = stream->series;
    ssti_lock(&s->store->lock);
    rows = s->store->writable ? s->durable : ssti_rows_before(s, s->store->synced);
    ssti_unlock(&s->store->lock);
    return rows;
}

#if SSTI_HAS_READ

/* Writes a stream's time table where the newest one covers too little. Without memory there is
 * none: it is only a help. Under the lock. */
static int ssti_table_write(ssti_series *s) {
    ssti_look look;
    ssti_table *t, *made = NULL;
    ssti_draft d;
    ssti_cache cache;
    sst_error unused;
    uint32_t hint = 0;
    uint8_t *p;
    int result;
    memset(&cache, 0, sizeof cache);
    memset(&look, 0, sizeof look);
    look.cache = &cache;
    look.hint = &hint;
    look.series = s;
    look.error = &unused;
    look.unchecked = true;
    look.list = s->list;
    look.blocks = s->list->count;
    look.sealed = ssti_list_end(look.list, look.blocks);
    if (!ssti_table_worth(&look) ||
        look.blocks - s->table_blocks <= s->table_blocks / 8) return SST_OK;
    t = ssti_atomic_load(&s->table);
    if (t == NULL || t->blocks != look.blocks) t = made = ssti_table_make(&look);
    ssti_free(&s->store->allocator, cache.bytes, cache.capacity);
    if (t == NULL) return SST_OK;
    result = ssti_record_begin(s->store, &d, SSTI_TABLE, 64 + t->bytes, 0);
    if (result == SST_OK) {
        p = ssti_draft_payload(&d);
        memset(p, 0, 64);
        ssti_put32(p, 1);
        ssti_put32(p + 4, t->blocks);
        ssti_put64(p + 8, (uint64_t)t->first);
        ssti_put64(p + 16, (uint64_t)t->last);
        p[24] = t->shift;
        p[25] = t->row_bits;
        p[26] = t->width;
        ssti_put64(p + 32, t->count);
        memcpy(p + 64, t->entries, (size_t)t->bytes);
        d.header.stream = s->number;
        result = ssti_record_commit_whole(s->store, &d);
    }
    if (result == SST_OK) {
        s->table_offset = d.offset;
        s->table_blocks = t->blocks;
    }
    ssti_table_free(&s->store->allocator, made);
    return result;
}

#endif

/* Tables and INDEX. Under the lock. */
static int ssti_store_index(sst_store *store) {
    uint32_t i;
    for (i = 0; i < store->series_count; i++) {
#if SSTI_HAS_READ
        SSTI_TRY(ssti_table_write(ssti_series_at(store, i)));
#endif
    }
    return ssti_index_write(store);
}

/* END: the record that says that everything before it is there. Under the lock. */
static int ssti_store_end(sst_store *store, uint8_t flags) {
    ssti_draft d;
    SSTI_TRY(ssti_record_begin(store, &d, SSTI_END, 0, 0));
    d.header.flags = flags;
    d.header.first_row = store->index_offset;
    return ssti_record_commit_whole(store, &d);
}

/* Makes one extent of all, with room to grow where there is memory. Under the lock. */
static int ssti_extents_join(sst_store *store) {
    const sst_allocator *a = &store->allocator;
    ssti_extent joined;
    if (store->extent_count <= 1) return SST_OK;
    if (store->end > SIZE_MAX / 4) return SST_ERR_LIMIT;
    SSTI_TRY(ssti_extents_room(store));
    if (ssti_extent_make(a, &joined, (size_t)(store->end + store->end / 2)) != SST_OK) {
        SSTI_TRY(ssti_extent_make(a, &joined, (size_t)store->end));
    }
    ssti_extents_move(store, &joined);
    return SST_OK;
}

SST_API int sst_image(sst_store *store, const void **bytes, size_t *size) {
    int result;
    if (bytes != NULL) *bytes = NULL;
    if (size != NULL) *size = 0;
    if (store == NULL) return SST_ERR_ARG;
    if (!store->writable) {
        return ssti_store_fail(store, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    if (bytes == NULL || size == NULL) {
        return ssti_store_fail(store, SST_ERR_ARG, SSTI_TEXT("bytes or size is NULL"));
    }
    if (store->file != NULL) {
        return ssti_store_fail(store, SST_ERR_UNSUPPORTED, SSTI_TEXT("not a memory store"));
    }
    if (ssti_atomic_load(&store->retains) != 0) {
        return ssti_store_fail(store, SST_ERR_UNSUPPORTED, SSTI_TEXT("rows are dropped: sst_save"));
    }
    SSTI_TRY(ssti_store_seal(store, true));
    ssti_lock(&store->lock);
    result = store->ended ? SST_OK : ssti_store_index(store);
    if (result == SST_OK && !store->ended) result = ssti_store_end(store, 0);
    if (result == SST_OK) result = ssti_extents_join(store);
    if (result == SST_OK) {
        *bytes = store->extents[0].data;
        *size = store->extents[0].used;
    }
    ssti_unlock(&store->lock);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(store, result, SSTI_TEXT("no memory for the image"));
}

/* Completes a file: everything sealed, indexed, synced, and END. */
static int ssti_file_finish(sst_store *store) {
    const sst_io *io = &store->io;
    bool unsynced = (store->flags & SST_NO_SYNC) != 0 || io->sync == NULL;
    uint32_t i;
    int result;
    SSTI_TRY(ssti_store_seal(store, true));
    for (i = 0; i < store->series_count; i++) {     /* or the companion would be deleted too soon */
        ssti_series *s = ssti_series_at(store, i);
        if (ssti_series_rows(s) > ssti_sealed_rows(s)) return SST_ERR_CORRUPT;
    }
    SSTI_TRY(ssti_store_index(store));
    if (store->sticky != SST_OK) return store->sticky;
    if (!unsynced) {
        SSTI_TRY(ssti_sync_pad(store));
        if (!SSTI_BROKEN(END_ORDER)) SSTI_TRY(ssti_sync_file(store));
    }
    result = ssti_store_end(store, unsynced ? SSTI_END_UNSYNCED : 0);
    if (io->resize != NULL && (store->reserved > store->end || store->written > store->end)) {
        /* what was allocated ahead, and what a failed write may have left */
        int resized = io->resize(io->user, store->file, store->end);
        if (result == SST_OK) result = resized;
    }
    return result;
}

SST_API int sst_close(sst_store *store) {
    int result = SST_OK, closed;
    if (store == NULL) return SST_OK;
    if (*store->alive == 0) {               /* a forked child: the parent goes on recording */
        (void)ssti_store_free(store);
        return SST_ERR_STATE;
    }
    if (SSTI_BROKEN(CLOSE_ORDER)) (void)ssti_live_remove(store);
    if (store->writable && store->file != NULL) result = ssti_file_finish(store);
    if (result == SST_OK) result = ssti_live_remove(store);
    closed = ssti_store_free(store);
    return result != SST_OK ? result : closed;
}

SST_API int sst_abort(sst_store *store) {
    const sst_io *io;
    int result = SST_OK;
    if (store == NULL) return SST_ERR_ARG;
    if (!store->created) {
        return ssti_store_fail(store, SST_ERR_STATE, SSTI_TEXT("not made by sst_create"));
    }
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    io = &store->io;
    if (store->file != NULL) {
        if (io->remove == NULL) result = SST_ERR_UNSUPPORTED;
        else result = ssti_path_holds(store, store->path, store->header, SSTI_RECORD_BYTES);
        if (result == SST_OK) result = io->remove(io->user, store->path);
        if (result == SST_OK || result == SST_ERR_NOT_FOUND) result = ssti_live_remove(store);
    }
    (void)ssti_store_free(store);
    return result;
}

SST_API int sst_store_info(sst_store *store, sst_info *out) {
    if (store == NULL) return SST_ERR_ARG;
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    if (out == NULL) return ssti_store_fail(store, SST_ERR_ARG, SSTI_TEXT("out is NULL"));
    memset(out, 0, sizeof *out);
    ssti_lock(&store->lock);
    memcpy(out->uuid, store->header + 16, sizeof out->uuid);
    out->created_ns = ssti_get_time(store->header + 32);
    out->file_bytes = ssti_length(store) + (store->writable ? 0 : store->torn_bytes);
    out->synced_bytes = store->synced;
    out->torn_bytes = store->torn_bytes;
    out->streams = store->series_count;
    out->sticky = store->sticky;
    if (store->writable) out->state = store->file == NULL ? SST_MEMORY : SST_RECORDING;
    else if (store->recording) out->state = SST_RECORDING;
    else out->state = store->finished ? SST_FINISHED : SST_CRASHED;
    out->recovered_rows = store->recovered_rows;
    out->kill_safe = store->live != NULL;
    out->tail_missing = store->tail_lost ||
                        (!store->writable && !store->finished && !store->tail_found);
    ssti_unlock(&store->lock);
    return SST_OK;
}

SST_API void sst_store_error(const sst_store *store, sst_error *out) {
    if (out == NULL) return;
    memset(out, 0, sizeof *out);
    out->what = "";
    if (store != NULL) ssti_error_copy(out, &store->error);
}

SST_API uint32_t sst_stream_count(const sst_store *store) {
    return store == NULL ? 0 : ssti_atomic_load(&store->series_count);
}

SST_API const char *sst_stream_name(const sst_store *store, uint32_t index) {
    return index < sst_stream_count(store) ? ssti_series_at(store, index)->name : NULL;
}

/* Upper bounds of what the allocator is asked for; sizes are rounded to 16 as an arena does. */
typedef struct ssti_bound {
    uint64_t bytes, records;        /* memory but the image's; bytes of records there */
} ssti_bound;

/* The blocks, of so many rows and slab bytes, that a stream with retain_rows has at most: one more
 * than it is to keep when the next one is written, and the newest is never dropped. */
static uint64_t ssti_bound_ring(const sst_stream_desc *desc, uint64_t rows, uint64_t slab) {
    uint64_t blocks = desc->retain_rows / rows + 3, places = SSTI_CHUNK_FIRST, bytes;
    if (desc->retain_rows == 0) return 0;
    if (blocks > UINT64_MAX / 4 / slab) return UINT64_MAX / 4;
    bytes = blocks * slab + places * sizeof(ssti_block) + 16;
    for (; places < blocks; places *= 2) {
        bytes += 2 * places * sizeof(ssti_block) + sizeof(ssti_list) + 32;
    }
    return bytes;
}

static int ssti_bound_stream(const sst_options *o, const sst_stream_desc *desc,
                             ssti_bound *bound) {
    ssti_definition d;
    ssti_series s;
    uint32_t first, columns, strings, items;
    uint64_t rows, half;
    SSTI_TRY(ssti_desc_check(desc, &d));
    columns = ssti_definition_columns(&d);
    items = ssti_definition_items(&d);
    strings = 1 + d.timeline_count + d.field_count;
    memset(&s, 0, sizeof s);
    s.row_bytes = d.fixed_bytes + 8 * (uint64_t)d.timeline_count +
                  4 * (((d.flags & SST_TAGGED) != 0) + items) +
                  ((d.flags & SST_UNTIMED) == 0 ? 8 : 0) + ((d.flags & SST_KEYED) != 0);
    s.block_bytes = ssti_desc_block_bytes(desc, o->block_bytes,
                                          s.row_bytes + items * SSTI_MEAN_FIRST);
    bound->bytes += sizeof s + sizeof(ssti_list) + ssti_arrays_bytes(&d) + d.text_bytes + 5 * 16 +
                    ssti_stream_bytes(columns, d.field_count, items);
    bound->records += 2 * SSTI_RECORD_BYTES + SSTI_STREAM_FIXED_BYTES +
                      (uint64_t)SSTI_FIELD_BYTES * d.field_count + d.text_bytes + strings;
    first = s.block_bytes < SSTI_TAIL_FIRST_BYTES || desc->retain_rows != 0
                ? s.block_bytes : SSTI_TAIL_FIRST_BYTES;
    if (s.row_bytes <= s.block_bytes / 4) {
        rows = ssti_half_rows(&s, first);
        half = rows * s.row_bytes + 64 * columns + 16;
        if (items != 0) half = 2 * (half + first + 256 * (uint64_t)columns) + 1024;
        bound->bytes += half * ((o->flags & SST_DEFERRED) != 0 ? 2u : 1u);
    } else {
        rows = 1;
        half = s.row_bytes + 64 * columns;
    }
    if (items != 0) {
        rows = first / (s.row_bytes + items * SSTI_MEAN_FIRST);
        if (rows < 4) rows = 4;
    }
    bound->bytes += ssti_bound_ring(desc, rows, half + half / (SSTI_PIECE_BYTES / 4) + 512 +
                                                    128 * (uint64_t)columns);
    return SST_OK;
}

SST_API size_t sst_memory_bound(const sst_options *options, const sst_stream_desc *streams,
                                size_t count) {
    sst_options o;
    ssti_bound bound;
    uint64_t bytes;
    size_t i;
    if ((options == NULL && !SSTI_HAS_MALLOC) || (streams == NULL && count != 0)) return 0;
    if (ssti_options_check(options, &o) != SST_OK || count > SST_MAX_STREAMS) return 0;
    bound.bytes = sizeof(sst_store) + 16;
    bound.records = 4 * SSTI_RECORD_BYTES;
    for (i = 0; i < count; i++) {
        if (ssti_bound_stream(&o, &streams[i], &bound) != SST_OK) return 0;
        if (bound.bytes > SIZE_MAX / 4) return 0;
    }
    /* Chunks of pointers and the table of names double; so does the image's extents. */
    bytes = bound.bytes + (2 * (uint64_t)count + 16) * sizeof(ssti_series *) + 128;
    bytes += (8 * (uint64_t)count + 32) * sizeof(ssti_map_slot) + 128;
    bytes += o.block_bytes + 64 + 16 + 8 * sizeof(ssti_extent);
    if (bound.records > SSTI_EXTENT_FIRST || bound.records > o.block_bytes) {
        bytes += 4 * bound.records;
    }
    return SSTI_NEVER_64(bytes > SIZE_MAX / 2) ? 0 : (size_t)bytes;
}

/* ---- metadata ---- */

/* Whose metadata a call is about. */
typedef struct ssti_owner {
    sst_store *store;
    ssti_metas *metas;
    uint32_t stream;
} ssti_owner;

static ssti_owner ssti_owner_store(sst_store *store) {
    ssti_owner o;
    o.store = store;
    o.metas = store == NULL ? NULL : &store->metas;
    o.stream = 0;
    return o;
}

static ssti_owner ssti_owner_stream(sst_stream *stream) {
    ssti_owner o;
    o.store = stream == NULL ? NULL : stream->series->store;
    o.metas = stream == NULL ? NULL : &stream->series->metas;
    o.stream = stream == NULL ? 0 : stream->series->number;
    return o;
}

/* Writes a META record. Under the lock. */
static int ssti_meta_record(const ssti_owner *o, const ssti_meta *m, uint8_t flags) {
    ssti_draft d;
    SSTI_TRY(ssti_record_begin(o->store, &d, SSTI_META, ssti_meta_payload_bytes(m), 0));
    ssti_meta_payload(m, ssti_draft_payload(&d));
    d.header.stream = o->stream;
    d.header.flags = flags;
    return ssti_record_commit_whole(o->store, &d);
}

static int ssti_meta_set(ssti_owner o, const char *key, const void *value, size_t size) {
    sst_span k, v;
    ssti_meta m;
    int result;
    if (o.store == NULL) return SST_ERR_ARG;
    if (!o.store->writable) {
        return ssti_store_fail(o.store, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*o.store->alive == 0) return ssti_store_fail(o.store, SST_ERR_STATE, SSTI_FORKED);
    if (!ssti_name(key, &k) || (value == NULL && size != 0)) {
        return ssti_store_fail(o.store, SST_ERR_ARG, SSTI_TEXT("key or value is not allowed"));
    }
    v.data = value;
    v.size = size;
    ssti_lock(&o.store->lock);
    result = ssti_metas_room(&o.store->allocator, o.metas);
    if (result == SST_OK) result = ssti_meta_make(&o.store->allocator, k, v, &m);
    if (result == SST_OK) {
        result = ssti_meta_record(&o, &m, 0);
        if (result == SST_OK) ssti_meta_put(&o.store->allocator, o.metas, &m);
        else ssti_meta_free(&o.store->allocator, &m);
    }
    ssti_unlock(&o.store->lock);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(o.store, result, SSTI_TEXT("the metadata could not be written"));
}

static void ssti_meta_lend(const ssti_meta *m, const char **key, const void **value,
                           size_t *size) {
    if (key != NULL) *key = m->key;
    if (value != NULL) *value = m->value;
    if (size != NULL) *size = m->size;
}

static int ssti_meta_get(ssti_owner o, const char *key, const void **value, size_t *size) {
    const ssti_meta *m;
    if (value != NULL) *value = NULL;
    if (size != NULL) *size = 0;
    if (o.store == NULL) return SST_ERR_ARG;
    if (*o.store->alive == 0) return ssti_store_fail(o.store, SST_ERR_STATE, SSTI_FORKED);
    if (key == NULL) return ssti_store_fail(o.store, SST_ERR_ARG, SSTI_TEXT("key is NULL"));
    ssti_lock(&o.store->lock);
    m = ssti_meta_find(o.metas, key, strlen(key));
    if (m != NULL) ssti_meta_lend(m, NULL, value, size);
    ssti_unlock(&o.store->lock);
    if (m != NULL) return SST_OK;
    return ssti_store_fail(o.store, SST_ERR_NOT_FOUND, SSTI_TEXT("no such key"));
}

static int ssti_meta_remove(ssti_owner o, const char *key) {
    ssti_meta *m, bare;
    int result = SST_ERR_NOT_FOUND;
    if (o.store == NULL) return SST_ERR_ARG;
    if (!o.store->writable) {
        return ssti_store_fail(o.store, SST_ERR_READ_ONLY, SSTI_TEXT("opened for reading"));
    }
    if (*o.store->alive == 0) return ssti_store_fail(o.store, SST_ERR_STATE, SSTI_FORKED);
    if (key == NULL) return ssti_store_fail(o.store, SST_ERR_ARG, SSTI_TEXT("key is NULL"));
    ssti_lock(&o.store->lock);
    m = ssti_meta_find(o.metas, key, strlen(key));
    if (m != NULL) {
        bare = *m;
        bare.size = 0;
        result = ssti_meta_record(&o, &bare, SSTI_META_REMOVED);
        if (result == SST_OK) ssti_meta_drop(&o.store->allocator, o.metas, m);
    }
    ssti_unlock(&o.store->lock);
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(o.store, result, SSTI_TEXT("the key could not be removed"));
}

static int ssti_meta_index(ssti_owner o, uint32_t index, const char **key, const void **value,
                           size_t *size) {
    bool there;
    if (key != NULL) *key = NULL;
    if (value != NULL) *value = NULL;
    if (size != NULL) *size = 0;
    if (o.store == NULL) return SST_ERR_ARG;
    if (*o.store->alive == 0) return ssti_store_fail(o.store, SST_ERR_STATE, SSTI_FORKED);
    ssti_lock(&o.store->lock);
    ssti_metas_compact(o.metas);
    there = index < o.metas->count;
    if (there) ssti_meta_lend(&o.metas->items[index], key, value, size);
    ssti_unlock(&o.store->lock);
    if (there) return SST_OK;
    return ssti_store_fail(o.store, SST_ERR_NOT_FOUND, SSTI_TEXT("no more keys"));
}

SST_API int sst_set_meta(sst_store *store, const char *key, const void *value, size_t size) {
    return ssti_meta_set(ssti_owner_store(store), key, value, size);
}

SST_API int sst_get_meta(sst_store *store, const char *key, const void **value, size_t *size) {
    return ssti_meta_get(ssti_owner_store(store), key, value, size);
}

SST_API int sst_remove_meta(sst_store *store, const char *key) {
    return ssti_meta_remove(ssti_owner_store(store), key);
}

SST_API int sst_meta_at(sst_store *store, uint32_t index, const char **key, const void **value,
                        size_t *size) {
    return ssti_meta_index(ssti_owner_store(store), index, key, value, size);
}

SST_API int sst_stream_set_meta(sst_stream *stream, const char *key, const void *value,
                                size_t size) {
    return ssti_meta_set(ssti_owner_stream(stream), key, value, size);
}

SST_API int sst_stream_get_meta(sst_stream *stream, const char *key, const void **value,
                                size_t *size) {
    return ssti_meta_get(ssti_owner_stream(stream), key, value, size);
}

SST_API int sst_stream_remove_meta(sst_stream *stream, const char *key) {
    return ssti_meta_remove(ssti_owner_stream(stream), key);
}

SST_API int sst_stream_meta_at(sst_stream *stream, uint32_t index, const char **key,
                               const void **value, size_t *size) {
    return ssti_meta_index(ssti_owner_stream(stream), index, key, value, size);
}

/* ============================================================================================
 * >>query  locate, at, window, slice, sample, gather, snapshot, replay.
 * ============================================================================================ */

#if SSTI_HAS_READ

/* ---- what there is ---- */

static void ssti_look_blocks(ssti_look *k) {
    k->list = ssti_atomic_load(&k->series->list);
    k->blocks = ssti_atomic_load(&k->list->count);
    k->sealed = ssti_list_end(k->list, k->blocks);
}

/* Notes what there is. The tail comes first: what it no longer holds is in the blocks then. */
static void ssti_look_begin(ssti_look *k, ssti_series *series, sst_error *error, uint32_t *hint) {
    memset(k, 0, sizeof *k);
    k->series = series;
    k->error = error;
    k->hint = hint;
    k->first = ssti_atomic_load(&series->first_block);
    k->rows = ssti_tail_rows(series);
    ssti_look_blocks(k);
    if (k->rows < k->sealed) k->rows = k->sealed;
    k->rows = ssti_claimed_rows(series, k->rows);
}

/* The same for the quick way, which does without the tail, and gives the table there is. NULL: take
 * the long way, which makes one where that is due. */
SSTI_INLINE const ssti_table *ssti_look_quick(ssti_look *k, const sst_stream *stream) {
    ssti_series *s = stream->series;
    k->series = s;
    k->list = ssti_atomic_load(&s->list);
    k->blocks = ssti_atomic_load(&k->list->count);
    k->sealed = 0;
    k->rows = UINT64_MAX;
    if (k->blocks / 2 >= ssti_atomic_load(&s->table_tried) || *s->store->alive == 0) return NULL;
    return ssti_atomic_load(&s->table);
}

/* ---- copying rows ---- */

static ssti_range ssti_one_row(uint64_t row) {
    ssti_range r;
    r.first = row;
    r.count = 1;
    return r;
}

/* A half as it was when its generation was noted. */
typedef struct ssti_peek {
    const ssti_half *h;
    uint32_t generation, capacity, count;
    uint64_t first_row;
    const uint8_t *base;
} ssti_peek;

/* Is all that was copied since it was noted of that half? */
static bool ssti_peek_end(const ssti_peek *p) {
    ssti_fence_acquire();
    return !SSTI_RACE(ssti_word_load(&p->h->generation) != p->generation);
}

/* False: the half has not the row, or is being changed. */
static bool ssti_peek_begin(const ssti_half *h, uint64_t row, ssti_peek *p) {
    p->h = h;
    p->generation = ssti_atomic_load(&h->generation);
    if (p->generation % 2 != 0) return false;
    ssti_copy_out(&p->first_row, &h->first_row, sizeof p->first_row);
    p->count = ssti_atomic_load(&h->count);
    p->capacity = ssti_word_load(&h->capacity);
    p->base = ssti_word_load(&h->base);
    return ssti_peek_end(p) && row >= p->first_row && row - p->first_row < p->count;
}

/* Where a column of it is, and the room for its items. */
static const uint8_t *ssti_peek_column(const ssti_series *s, const ssti_peek *p, uint32_t column,
                                       uint64_t *room) {
    size_t at = 0, place = 0;
    uint32_t c;
    *room = 0;
    for (c = 0; c <= column; c++) {
        if (s->columns[c].item_bytes != 0) {
            ssti_copy_out(room, &p->h->regions[s->columns[c].slot], sizeof *room);
            place = at;
            at += (size_t)ssti_round_up(*room, 64);
        } else {
            place = ssti_half_column(s, c, p->capacity, room, &at);
        }
    }
    return p->base + place;
}

/* Copies rows of a column out of a half, as many as it has; 0: none, or it changed meanwhile.
 * Before offsets their first one is copied too. */
static uint64_t ssti_half_fetch(const ssti_series *s, const ssti_half *h, uint32_t column,
                                ssti_range rows, uint8_t *to) {
    size_t row_bytes = s->columns[column].row_bytes;
    size_t before = ssti_is_offsets(&s->columns[column]) ? 4 : 0;
    const uint8_t *from;
    uint64_t at, room;
    ssti_peek p;
    if (!ssti_peek_begin(h, rows.first, &p)) return 0;
    from = ssti_peek_column(s, &p, column, &room);
    if (SSTI_RACE(!ssti_peek_end(&p))) return 0;
    at = rows.first - p.first_row;
    if (rows.count > p.count - at) rows.count = p.count - at;
    ssti_copy_out(to - before, from + (size_t)at * row_bytes - before,
                  (size_t)rows.count * row_bytes + before);
    return ssti_peek_end(&p) ? rows.count : 0;
}

/* Copies the items of a row, which have so many bytes; false: the half has not the row, or it
 * changed meanwhile. */
static bool ssti_half_fetch_items(const ssti_series *s, const ssti_half *h, uint32_t column,
                                  uint64_t row, uint64_t bytes, uint8_t *to) {
    const uint8_t *items, *offsets;
    uint64_t room, unused, start;
    uint32_t offset;
    ssti_peek p;
    if (!ssti_peek_begin(h, row, &p)) return false;
    offsets = ssti_peek_column(s, &p, column - 1, &unused);
    items = ssti_peek_column(s, &p, column, &room);
    if (SSTI_RACE(!ssti_peek_end(&p))) return false;
    ssti_copy_out(&offset, offsets + (size_t)(row - p.first_row) * 4 - 4, 4);
    start = (uint64_t)offset * s->columns[column].item_bytes;
    if (start > room || bytes > room - start) return false;
    ssti_copy_out(to, items + (size_t)start, (size_t)bytes);
    return ssti_peek_end(&p);
}

#define SSTI_FETCH_MISSES 1000u         /* one is what a writer that seals can cause */

/* Offsets that were copied, in the host's byte order, go on where those before end: *to, before
 * which that is, was changed by the copy to where they began. False: they are not in order, or
 * there are more items than a view can have. */
static bool ssti_offsets_join(uint8_t *to, uint64_t count, uint32_t before) {
    uint32_t start, end;
    uint64_t i, last = before;
    memcpy(&start, to - 4, 4);
    memcpy(to - 4, &before, 4);
    for (i = 0; i < count; i++) {
        uint64_t next;
        memcpy(&end, to + (size_t)i * 4, 4);
        next = (uint64_t)before + (end - start);
        if (end < start || next < last || SSTI_HUGE(next > UINT32_MAX)) return false;
        last = next;
        end = (uint32_t)next;
        memcpy(to + (size_t)i * 4, &end, 4);
    }
    return true;
}

/* Where a fetch goes on. */
typedef struct ssti_fetching {
    ssti_look k;
    ssti_range rows;                /* those left */
    uint32_t misses;
} ssti_fetching;

/* The part of the rows that one block has: it is found, and k.sealed is above. */
static int ssti_fetch_part(ssti_fetching *f, uint32_t *block, ssti_range *part) {
    const ssti_block *b;
    SSTI_TRY(ssti_block_of_row(&f->k, f->rows.first, block));
    b = ssti_list_at(f->k.list, *block);
    part->first = f->rows.first - b->first_row;
    part->count = b->rows - part->first < f->rows.count ? b->rows - part->first : f->rows.count;
    return SST_OK;
}

/* Rows were in no half. */
static int ssti_fetch_miss(ssti_fetching *f) {
    if (++f->misses > SSTI_FETCH_MISSES) {
        return ssti_fail_at(f->k.error, SST_ERR_CORRUPT, SSTI_TEXT("a block is damaged"), 0,
                            f->rows.first);
    }
    ssti_look_blocks(&f->k);
    return SST_OK;
}

static void ssti_fetch_begin(ssti_fetching *f, const ssti_look *k, ssti_range rows) {
    f->k = *k;
    f->rows = rows;
    f->misses = 0;
}

/* Copies rows of one column, all below look->rows, in the host's byte order. Rows do not change,
 * so each is taken where it is found: in the tail, or, sealed meanwhile, in a block. One that is
 * nowhere was in a block whose header has changed since. Offsets go on from the number before
 * `to`. */
static int ssti_fetch(const ssti_look *look, uint32_t column, ssti_range rows, uint8_t *to) {
    const ssti_column *col = &look->series->columns[column];
    bool offsets = ssti_is_offsets(col);
    ssti_fetching f;
    ssti_fetch_begin(&f, look, rows);
    while (f.rows.count != 0) {
        const ssti_half *halves = f.k.series->halves;
        uint32_t end = 0;
        uint64_t n;
        if (offsets) memcpy(&end, to - 4, 4);
        if (f.rows.first < f.k.sealed) {
            const uint8_t *from;
            ssti_range part;
            uint32_t block;
            size_t before = offsets ? 4 : 0, bytes;
            SSTI_TRY(ssti_fetch_part(&f, &block, &part));
            SSTI_TRY(ssti_column_rows(&f.k, block, column, part, &from));
            n = part.count;
            bytes = (size_t)n * col->row_bytes + before;
            memcpy(to - before, from - before, bytes);
            ssti_swap_elements(to - before, bytes, col->element);
        } else {
            n = ssti_half_fetch(f.k.series, &halves[0], column, f.rows, to);
            if (n == 0) n = ssti_half_fetch(f.k.series, &halves[1], column, f.rows, to);
            if (n == 0) {
                if (offsets) memcpy(to - 4, &end, 4);
                SSTI_TRY(ssti_fetch_miss(&f));
            }
        }
        if (offsets && n != 0 && !ssti_offsets_join(to, n, end)) {
            return ssti_fail_at(f.k.error, SST_ERR_CORRUPT,
                                SSTI_TEXT("the offsets of a block are not in order"), 0,
                                f.rows.first);
        }
        f.rows.first += n;
        f.rows.count -= n;
        to += (size_t)n * col->row_bytes;
    }
    return SST_OK;
}

/* Where the items of rows are that lie in one block, in bytes: within the column that there is,
 * which is checked, since memory is taken for so many. */
static int ssti_block_items(const ssti_look *k, uint32_t block, uint32_t column, ssti_range rows,
                            ssti_range *bytes) {
    const ssti_column *col = &k->series->columns[column];
    const ssti_block *b = ssti_list_at(k->list, block);
    const uint8_t *offset;
    ssti_range row;
    uint64_t all;
    uint32_t start, end;
    const char *disorder = SSTI_TEXT("the offsets of a block are not in order");
    row.first = row.count = 0;
    SSTI_TRY(ssti_column_rows(k, block, column, row, &offset));
    row.first = rows.first;
    row.count = 1;
    SSTI_TRY(ssti_column_rows(k, block, column - 1, row, &offset));
    start = ssti_get32(offset - 4);
    row.first = rows.first + rows.count - 1;
    SSTI_TRY(ssti_column_rows(k, block, column - 1, row, &offset));
    end = ssti_get32(offset);
    all = ssti_column_bytes(k, block, column);
    if (end < start || (uint64_t)end * col->item_bytes > all) return ssti_corrupt(k, b, disorder);
    bytes->first = (uint64_t)start * col->item_bytes;
    bytes->count = (uint64_t)(end - start) * col->item_bytes;
    return SST_OK;
}

/* How many items rows have, all of which are there, below look->rows. */
static int ssti_items_count(const ssti_look *look, uint32_t column, ssti_range rows,
                            uint64_t *count) {
    const ssti_series *s = look->series;
    ssti_fetching f;
    ssti_fetch_begin(&f, look, rows);
    *count = 0;
    while (f.rows.count != 0) {
        uint64_t n = 0;
        uint32_t span[2] = {0, 0}, i;
        if (f.rows.first < f.k.sealed) {
            ssti_range part, bytes;
            uint32_t block;
            int missing = ssti_fetch_part(&f, &block, &part);
            if (SSTI_NEVER(missing != SST_OK)) return missing;      /* none of them is */
            SSTI_TRY(ssti_block_items(&f.k, block, column, part, &bytes));
            *count += bytes.count / s->columns[column].item_bytes;
            n = part.count;
        } else {
            for (i = 0; i < 2 && n == 0; i++) {
                n = ssti_half_fetch(s, &s->halves[i], column - 1, ssti_one_row(f.rows.first),
                                    (uint8_t *)&span[1]);
            }
            if (n == 0) SSTI_TRY(ssti_fetch_miss(&f));
            else *count += span[1] - span[0];
        }
        f.rows.first += n;
        f.rows.count -= n;
    }
    return SST_OK;
}

/* Copies the items of rows, whose offsets from 0 on were fetched. */
static int ssti_fetch_items(const ssti_look *look, uint32_t column, ssti_range rows,
                            const uint8_t *offsets, uint8_t *to) {
    const ssti_series *s = look->series;
    const ssti_column *col = &s->columns[column];
    uint64_t done = 0;
    ssti_fetching f;
    ssti_fetch_begin(&f, look, rows);
    while (f.rows.count != 0) {
        uint64_t at = f.rows.first - rows.first, n = 0;
        ssti_range part = f.rows, bytes;
        uint32_t block, end, i;
        if (f.rows.first < f.k.sealed) {
            const uint8_t *from;
            int missing = ssti_fetch_part(&f, &block, &part);
            if (SSTI_NEVER(missing != SST_OK)) return missing;      /* none of them is */
            SSTI_TRY(ssti_block_items(&f.k, block, column, part, &bytes));
            memcpy(&end, offsets + (size_t)(at + part.count - 1) * 4, 4);
            if (SSTI_RACE((uint64_t)end * col->item_bytes - done != bytes.count)) {
                return ssti_corrupt(&f.k, ssti_list_at(f.k.list, block),
                                    SSTI_TEXT("the offsets of a block are not in order"));
            }
            SSTI_TRY(ssti_column_rows(&f.k, block, column, bytes, &from));
            if (bytes.count != 0) memcpy(to, from, (size_t)bytes.count);
            ssti_swap_elements(to, (size_t)bytes.count, col->element);
            n = part.count;
        } else {                            /* one row at a time: who knows which half has which */
            memcpy(&end, offsets + (size_t)at * 4, 4);
            bytes.count = (uint64_t)end * col->item_bytes - done;
            for (i = 0; i < 2 && n == 0; i++) {
                n = ssti_half_fetch_items(s, &s->halves[i], column, f.rows.first, bytes.count,
                                          to);
            }
            if (n == 0) {
                SSTI_TRY(ssti_fetch_miss(&f));
                continue;
            }
        }
        f.rows.first += n;
        f.rows.count -= n;
        to += (size_t)bytes.count;
        done += bytes.count;
    }
    return SST_OK;
}

/* The time of a row on a clock: column 0, or a timeline's. */
static int ssti_time(const ssti_look *k, uint32_t clock, uint64_t row, int64_t *time) {
    return ssti_fetch(k, clock, ssti_one_row(row), (uint8_t *)time);
}

/* ---- rows that are kept ---- */

/* The first row of the half that has a row, one of the tail; the first of the tail when the row is
 * being sealed. */
static uint64_t ssti_look_half(const ssti_look *k, uint64_t row) {
    ssti_peek p;
    bool sealed = false;
    if (!ssti_peek_begin(&k->series->halves[0], row, &p)) {
        sealed = !ssti_peek_begin(&k->series->halves[1], row, &p);
    }
    return SSTI_RACE(sealed) ? k->sealed : p.first_row;
}

/* The oldest row that retain_time keeps: the one in force when that long ago was, or, of those of
 * its block or half, the first. Where a time cannot be read, since its row is being sealed and
 * there is no memory, it is an older one. */
static uint64_t ssti_look_oldest_time(const ssti_look *look) {
    uint32_t low = look->first, high = look->blocks;
    sst_error unused;
    ssti_look k = *look;
    uint64_t oldest = high == low ? 0 : ssti_list_at(k.list, low)->first_row, half;
    int64_t limit, time;
    int failed = SST_OK;
    k.error = &unused;
    if (k.rows == 0) return 0;
    if (k.rows == k.sealed) time = ssti_list_at(k.list, high - 1)->last_time;
    else failed = ssti_time(&k, 0, k.rows - 1, &time);
    if (SSTI_RACE(failed != SST_OK)) return oldest;
    if (!ssti_retain_limit(k.series, time, &limit)) return oldest;
    while (low < high) {                /* the last block that begins at or before it */
        uint32_t middle = low + (high - low) / 2;
        if (ssti_list_at(k.list, middle)->first_time <= limit) low = middle + 1;
        else high = middle;
    }
    if (low != k.first) oldest = ssti_list_at(k.list, low - 1)->first_row;
    if (low != k.blocks || k.rows == k.sealed) return oldest;
    failed = ssti_time(&k, 0, k.sealed, &time);
    if (SSTI_RACE(failed != SST_OK) || time > limit) return oldest;
    half = ssti_look_half(&k, k.rows - 1);
    if (half <= k.sealed) return k.sealed;
    failed = ssti_time(&k, 0, half, &time);
    return SSTI_RACE(failed != SST_OK) || time > limit ? k.sealed : half;
}

/* Notes the oldest row that is kept: what queries see does not depend on when blocks go. */
static void ssti_look_oldest(ssti_look *k) {
    const ssti_keep *keep = k->series->keep;
    uint64_t by_rows = k->rows > keep->rows ? k->rows - keep->rows : 0, by_time = 0;
    if (keep->time != 0) by_time = ssti_look_oldest_time(k);
    k->oldest = keep->time == 0 || (keep->rows != 0 && by_rows < by_time) ? by_rows : by_time;
}

/* Begins a query; where rows are dropped, those that it sees are not, until ssti_look_end. */
static int ssti_look_stream(ssti_look *k, sst_stream *stream) {
    if (*stream->series->store->alive == 0) {
        return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_FORKED);
    }
    ssti_atomic_store(&stream->held, (const void *)NULL);
    ssti_pin(stream);
    ssti_look_begin(k, stream->series, &stream->error, &stream->hint);
    k->cache = &stream->cache;
    if (stream->series->keep != NULL) ssti_look_oldest(k);
    return SST_OK;
}

/* Ends it, with this result. */
static int ssti_look_end(sst_stream *stream, int result) {
    ssti_unpin(stream);
    return result;
}

/* ---- searching ---- */

static int ssti_block_time(const ssti_look *k, uint32_t block, uint32_t clock, uint32_t row,
                           int64_t *time) {
    const ssti_block *b = ssti_list_at(k->list, block);
    const uint8_t *p;
    if (clock == 0 && row == 0) {
        *time = b->first_time;
        return SST_OK;
    }
    if (clock == 0 && row == b->rows - 1) {
        *time = b->last_time;
        return SST_OK;
    }
    SSTI_TRY(ssti_column_rows(k, block, clock, ssti_one_row(row), &p));
    *time = ssti_get_time(p);
    return SST_OK;
}

/* Where a search may begin: between two rows, in blocks low to high. */
typedef struct ssti_bracket {
    uint32_t block_low, block_high;     /* the answer's block, both included */
    uint32_t row_low, row_high;         /* in the first of them, in the last of them */
} ssti_bracket;

static void ssti_table_bracket(const ssti_look *k, int64_t time, ssti_bracket *out) {
    const ssti_table *t = ssti_table_get(k);
    ssti_place place;
    uint64_t low, high, mask;
    if (t == NULL || t->blocks > k->blocks || time < t->first || time > t->last) return;
    if (!ssti_table_find(t, time, &place)) return;
    low = place.low;
    high = place.high;
    mask = ((uint64_t)1 << t->row_bits) - 1;
    if (low > high || (high >> t->row_bits) > t->blocks) return;
    out->block_low = (uint32_t)(low >> t->row_bits);
    out->row_low = (uint32_t)(low & mask);
    if ((high & mask) == 0 && high != 0) high--;        /* up to the end of the block before */
    out->block_high = (uint32_t)(high >> t->row_bits);
    if (out->block_high >= k->blocks) out->block_high = k->blocks - 1;
    out->row_high = (high & mask) == mask ? UINT32_MAX : (uint32_t)(high & mask);
    if (out->block_low > out->block_high) out->block_low = out->block_high;
}

/* How many blocks begin at or before a time on a clock. */
static int ssti_rank_block(const ssti_look *k, uint32_t clock, int64_t time, ssti_bracket *in,
                           uint32_t *rank) {
    uint32_t low = in->block_low, high = in->block_high + 1, step = 1;
    /* The table is only a hint. It is of the main clock; for others all blocks are searched. */
    while (low != k->first && ssti_list_at(k->list, low)->first_time > time) {
        low = low - k->first > step ? low - step : k->first;
        step *= 2;
    }
    if (high < k->blocks && ssti_list_at(k->list, high)->first_time <= time) high = k->blocks;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t t;
        SSTI_TRY(ssti_block_time(k, middle, clock, 0, &t));
        if (t <= time) low = middle + 1;
        else high = middle;
    }
    *rank = low;
    return SST_OK;
}

/* Where a time would be between two others if the rows [low, high) lay evenly between those. */
SSTI_INLINE uint32_t ssti_interpolate(int64_t before, int64_t after, int64_t time, uint32_t low,
                                      uint32_t high) {
    uint64_t span = (uint64_t)after - (uint64_t)before, at = (uint64_t)time - (uint64_t)before;
    while (span > UINT32_MAX) {
        span >>= 8;
        at >>= 8;
    }
    return low + (uint32_t)(at * (high - low) / (span + 1));
}

/* The same for n rows from low on, by bisection without branches: which half is a coin toss. */
SSTI_INLINE uint32_t ssti_rank_few(const uint8_t *times, uint32_t low, uint32_t n, int64_t time) {
    while (n != 0) {
        uint32_t half = n - n / 2;
        bool before = ssti_get_time(times + (size_t)(low + half - 1) * 8) <= time;
        low += half & (0u - (uint32_t)before);
        n -= half;
    }
    return low;
}

#define SSTI_EVEN_ROWS 8u               /* how far from where one would expect it a row may be */

/* How many rows of [low, high) of an array of times, all before low (at least one) being so, are at
 * or before a time; the one at high is not. Guesses by interpolation (Peterson: Addressing for
 * random-access storage, 1957) a few times, then bisects. Whatever the times are, nothing outside
 * [low - 1, high] is looked at. */
SSTI_INLINE uint32_t ssti_rank_array(const uint8_t *times, uint32_t low, uint32_t high,
                                     int64_t time) {
    uint32_t guess, tries;
    if (high <= low) return low;
    for (tries = 0; tries < 3 && high - low > 4 * SSTI_EVEN_ROWS; tries++) {
        guess = ssti_interpolate(ssti_get_time(times + (size_t)(low - 1) * 8),
                                 ssti_get_time(times + (size_t)high * 8), time, low, high);
        if (guess < low + SSTI_EVEN_ROWS) guess = low + SSTI_EVEN_ROWS;
        if (guess >= high - SSTI_EVEN_ROWS) guess = high - SSTI_EVEN_ROWS - 1;
        if (ssti_get_time(times + (size_t)(guess - SSTI_EVEN_ROWS) * 8) > time) {
            high = guess - SSTI_EVEN_ROWS;
        } else if (ssti_get_time(times + (size_t)(guess + SSTI_EVEN_ROWS) * 8) <= time) {
            low = guess + SSTI_EVEN_ROWS + 1;
        } else {
            low = guess - SSTI_EVEN_ROWS + 1;
            high = guess + SSTI_EVEN_ROWS;
        }
    }
    return ssti_rank_few(times, low, high - low, time);
}

/* How many rows of a block are at or before a time on a clock. The first is, the last is not. */
static int ssti_rank_row(const ssti_look *k, uint32_t block, uint32_t clock, int64_t time,
                         ssti_bracket *in) {
    uint32_t rows = ssti_list_at(k->list, block)->rows, low = 1, high = rows - 1;
    ssti_range all;
    const uint8_t *times;
    int64_t t;
    if (block == in->block_low && in->row_low > 1) low = in->row_low;
    if (block == in->block_high && in->row_high < high) high = in->row_high;
    all.first = 0;
    all.count = rows;
    if ((uint64_t)rows * 8 <= SSTI_PIECE_BYTES) {
        SSTI_TRY(ssti_column_rows(k, block, clock, all, &times));
        if (low >= rows || ssti_get_time(times + (size_t)(low - 1) * 8) > time) low = 1;
        if (high < low || ssti_get_time(times + (size_t)high * 8) <= time) high = rows - 1;
        in->row_low = ssti_rank_array(times, low, high, time);
        return SST_OK;
    }
    /* A large column: only the pieces that are looked at are checked. */
    if (low >= rows || high < low) low = 1;
    SSTI_TRY(ssti_block_time(k, block, clock, low - 1, &t));
    if (t > time) low = 1;
    SSTI_TRY(ssti_block_time(k, block, clock, high, &t));
    if (t <= time) high = rows - 1;     /* so it is where high is 0 */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        SSTI_TRY(ssti_block_time(k, block, clock, middle, &t));
        if (t <= time) low = middle + 1;
        else high = middle;
    }
    in->row_low = low;
    return SST_OK;
}

/* Between two blocks with lost rows between them: the times of those rows are not known, but that
 * they lie between, and on timelines not even that. The answer is known just below the first time
 * after them. *rank: the first of the lost rows. */
static int ssti_rank_gap(const ssti_look *k, uint32_t clock, const ssti_block *next, int64_t time,
                         uint64_t *rank) {
    uint64_t lost = *rank;
    if (clock == 0 && k->series->strict && !SSTI_NEVER(time >= next->first_time) &&
        time + 1 == next->first_time) {
        *rank = next->first_row;
        return SST_OK;
    }
    return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a block is lost"), next->offset,
                        lost);
}

/* How many rows in blocks are at or before a time on a clock. */
static int ssti_rank_sealed(const ssti_look *k, uint32_t clock, int64_t time, uint64_t *rank) {
    ssti_bracket in;
    const ssti_block *b, *next;
    uint32_t n;
    int64_t last;
    *rank = 0;
    if (k->blocks == 0) return SST_OK;
    in.block_low = k->first;
    in.row_low = 0;
    in.block_high = k->blocks - 1;
    in.row_high = UINT32_MAX;
    if (clock == 0) ssti_table_bracket(k, time, &in);
    SSTI_TRY(ssti_rank_block(k, clock, time, &in, &n));
    next = n < k->blocks ? ssti_list_at(k->list, n) : NULL;
    if (n == k->first && !SSTI_NEVER(next == NULL)) {
        if (n == 0 && next->first_row != 0) return ssti_rank_gap(k, clock, next, time, rank);
        *rank = next->first_row;
        return SST_OK;
    }
    b = ssti_list_at(k->list, n - 1);
    *k->hint = n - 1;
    SSTI_TRY(ssti_block_time(k, n - 1, clock, b->rows - 1, &last));
    if (time < last) {
        SSTI_TRY(ssti_rank_row(k, n - 1, clock, time, &in));
        *rank = b->first_row + in.row_low;
        return SST_OK;
    }
    *rank = b->first_row + b->rows;
    if (next == NULL || next->first_row == *rank ||
        (clock == 0 && time == last && k->series->strict)) return SST_OK;
    return ssti_rank_gap(k, clock, next, time, rank);
}

/* How many rows, dropped ones among them, are at or before a time on a clock whose times do not
 * decrease. Rows that an INDEX knows, but whose blocks are lost, may lie between the blocks and the
 * tail. */
static int ssti_rank_all(const ssti_look *k, uint32_t clock, int64_t time, uint64_t *rank) {
    uint64_t claimed = ssti_claimed_rows(k->series, k->sealed), low = claimed, high = k->rows;
    const ssti_block *last = k->blocks == 0 ? NULL : ssti_list_at(k->list, k->blocks - 1);
    int64_t t;
    bool behind = clock != 0 || last == NULL || ssti_follows(k->series, last->last_time, time);
    if (low < high && behind) {
        int result = ssti_time(k, clock, high - 1, &t);
        if (SSTI_RACE(result != SST_OK)) return result;     /* sealed and rotten since */
        if (t <= time) {
            *rank = high;
            return SST_OK;
        }
        result = ssti_time(k, clock, low, &t);
        if (SSTI_RACE(result != SST_OK)) return result;
        if (t <= time) {
            while (low < high) {
                uint64_t middle = low + (high - low) / 2;
                result = ssti_time(k, clock, middle, &t);
                if (SSTI_RACE(result != SST_OK)) return result;
                if (t <= time) low = middle + 1;
                else high = middle;
            }
            *rank = low;
            return SST_OK;
        }
        if (clock == 0 && k->series->strict && k->sealed < claimed && time + 1 == t) {
            *rank = claimed;
            return SST_OK;
        }
    }
    if (k->sealed < claimed && behind) {
        return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a block is lost"), 0, k->sealed);
    }
    return ssti_rank_sealed(k, clock, time, rank);
}

/* The same, but that all dropped ones count. */
static int ssti_rank(const ssti_look *k, uint32_t clock, int64_t time, uint64_t *rank) {
    SSTI_TRY(ssti_rank_all(k, clock, time, rank));
    if (*rank < k->oldest) *rank = k->oldest;
    return SST_OK;
}

/* How many rows are before a time, or dropped. */
static int ssti_rank_before(const ssti_look *k, uint32_t clock, int64_t time, uint64_t *rank) {
    *rank = k->oldest;
    return time == INT64_MIN ? SST_OK : ssti_rank(k, clock, time - 1, rank);
}

/* The row that matches a time; SST_ERR_NOT_FOUND when there is none. */
static int ssti_find(const ssti_look *k, uint32_t clock, int64_t time, sst_match match,
                     uint64_t *row) {
    uint64_t n;
    int64_t before, after;
    if (match == SST_AT_OR_AFTER) {
        SSTI_TRY(ssti_rank_before(k, clock, time, &n));
        *row = n;
        return n < k->rows ? SST_OK : SST_ERR_NOT_FOUND;
    }
    SSTI_TRY(ssti_rank(k, clock, time, &n));
    if (match == SST_NEAREST && k->rows != 0) {
        bool alone = clock == 0 && k->series->strict;
        *row = n == k->oldest ? n : n - 1;
        if (n == k->rows || (n == k->oldest && alone)) return SST_OK;
        SSTI_TRY(ssti_time(k, clock, n, &after));
        if (n != k->oldest) {
            SSTI_TRY(ssti_time(k, clock, n - 1, &before));
            if ((uint64_t)after - (uint64_t)time >= (uint64_t)time - (uint64_t)before) {
                return SST_OK;
            }
        }
        *row = n;
        if (alone) return SST_OK;
        SSTI_TRY(ssti_rank(k, clock, after, &n));       /* the last of those at that time, if the */
        if (n > *row + 1) *row = n - 1;                 /* times are what they claim to be */
        return SST_OK;
    }
    if (n == k->oldest) return SST_ERR_NOT_FOUND;
    *row = n - 1;
    if (match == SST_EXACT) {
        SSTI_TRY(ssti_time(k, clock, n - 1, &before));
        if (before != time) return SST_ERR_NOT_FOUND;
    }
    return SST_OK;
}

/* ---- the quick way: a time that the table leads to, in blocks that were looked at before ---- */

#define SSTI_NEAR 7u                    /* rows around a guess that are looked at first */

/* The row in force at a time. Between beginning and searching: it is the one before `row`, the one
 * before `end`, or between them, and probably among those from `guess` on (0: all may be). */
typedef struct ssti_spot {
    ssti_ready ready;               /* its block */
    const uint8_t *times;
    uint32_t block, row, end, guess;         /* rows in the block */
} ssti_spot;

/* Is a time one that the table covers? Its bucket is fetched. */
SSTI_INLINE bool ssti_spot_covered(const ssti_look *k, const ssti_table *t, int64_t time) {
    if (t == NULL || time < t->first || time > t->last || t->blocks > k->blocks) return false;
    ssti_prefetch(t->entries +
                  (size_t)(((uint64_t)time - (uint64_t)t->first) >> t->shift) * t->width);
    return true;
}

/* The same as ssti_table_find, in line where no bucket around is crowded. */
SSTI_INLINE bool ssti_spot_place(const ssti_table *t, int64_t time, ssti_place *out) {
    uint64_t at = (uint64_t)time - (uint64_t)t->first, bucket = at >> t->shift;
    if (SSTI_NEVER(bucket + 1 >= t->count)) return false;       /* the table covers the time */
    out->low = ssti_table_entry(t, t->entries, bucket);
    out->high = ssti_table_entry(t, t->entries, bucket + 1);
    out->share = ssti_table_share(at - (bucket << t->shift), t->shift, 0);
    return (((out->low | out->high) & ssti_table_mark(t)) == 0 && bucket + 2 < t->count) ||
           ssti_table_find(t, time, out);
}

/* Before the first time: no block yet. */
SSTI_INLINE void ssti_spot_reset(ssti_spot *spot) {
    spot->times = NULL;
    spot->block = 0;
}

/* A block's times, unless it is the one before again. */
SSTI_INLINE bool ssti_spot_block(const ssti_look *k, uint32_t block, ssti_spot *spot) {
    if (spot->times != NULL && spot->block == block) return true;
    spot->times = NULL;
    spot->block = block;
    if (!ssti_block_ready(k, block, &spot->ready)) return false;
    spot->times = ssti_column_ready(&spot->ready, 0);
    return spot->times != NULL;
}

/* Where a time is between rows `row` and `end` of a block, `all` being between the two places of
 * the table: when the rest is in the next block, it may be there. */
SSTI_INLINE bool ssti_spot_guess(const ssti_look *k, ssti_spot *spot, uint64_t all,
                                 uint32_t share) {
    uint64_t guess = spot->row + (share * (all + 1) >> 32);
    uint32_t rows = spot->ready.b->rows, end;
    if (guess > rows && spot->block + 1 < k->blocks) {
        all -= rows - spot->row;
        if (!ssti_spot_block(k, spot->block + 1, spot)) return false;
        end = spot->ready.b->rows - 1;
        spot->end = all < end ? (uint32_t)all : end;
        spot->row = 1;
        guess -= rows;
    }
    spot->guess = 0;
    end = spot->end;
    if (end >= spot->row && end - spot->row >= SSTI_NEAR) {
        guess = guess < spot->row + (uint64_t)(SSTI_NEAR / 2) ? spot->row : guess - SSTI_NEAR / 2;
        spot->guess = guess > end - SSTI_NEAR ? end - SSTI_NEAR : (uint32_t)guess;
    }
    return true;
}

/* Goes from the table to the times, and has them fetched. *spot: another one, or reset. False: not
 * the quick way. */
SSTI_INLINE bool ssti_spot_begin(const ssti_look *k, const ssti_table *t, int64_t time,
                                 ssti_spot *spot) {
    uint64_t mask = ((uint64_t)1 << t->row_bits) - 1, all, last;
    uint32_t block, row;
    ssti_place place;
    if (!ssti_spot_place(t, time, &place) || place.low >> t->row_bits >= k->blocks) return false;
    block = (uint32_t)(place.low >> t->row_bits);
    row = (uint32_t)(place.low & mask);
    if (!ssti_spot_block(k, block, spot)) return false;
    if (row == 0 && block != 0 && time < spot->ready.b->first_time) {
        if (!ssti_spot_block(k, --block, spot)) return false;
        row = spot->ready.b->rows;
    }
    if (row > spot->ready.b->rows) return false;
    last = spot->ready.b->rows - 1u;
    if (place.high >> t->row_bits == block) {
        all = (place.high & mask) - row;
        last = (place.high & mask) < last ? place.high & mask : last;
    } else {
        all = last + 1 - row + (place.high & mask);
    }
    spot->row = row == 0 ? 1 : row;
    spot->end = (uint32_t)last;
    if (!ssti_spot_guess(k, spot, all, place.share)) return false;
    row = spot->guess != 0 ? spot->guess : spot->row;
    ssti_prefetch(spot->times + (size_t)(row - 1) * 8);
    ssti_prefetch(spot->times + (size_t)(row + SSTI_NEAR) * 8);
    return true;
}

/* Is the last row of a block, which is at or before the time, the one in force? Behind the last
 * block there may be the tail. */
static bool ssti_spot_last(const ssti_look *k, uint32_t block, int64_t time) {
    const ssti_block *b = ssti_list_at(k->list, block), *next;
    if (block + 1 == k->blocks) return k->rows == k->sealed;
    next = ssti_list_at(k->list, block + 1);
    return time < next->first_time && next->first_row == b->first_row + b->rows;
}

/* How many of seven times are at or before one: three steps, without branches. */
SSTI_INLINE uint32_t ssti_rank_seven(const uint8_t *times, int64_t time) {
    uint32_t n = (uint32_t)(ssti_get_time(times + 24) <= time) * 4;
    n += (uint32_t)(ssti_get_time(times + n * 8 + 8) <= time) * 2;
    return n + (uint32_t)(ssti_get_time(times + n * 8) <= time);
}

/* The same where the row is not near the guess: anywhere between `row` and `end`. */
static bool ssti_spot_wide(const ssti_look *k, int64_t time, ssti_spot *spot) {
    const ssti_block *b = spot->ready.b;
    const uint8_t *times = spot->times;
    uint32_t row = spot->row, end = spot->end;
    if (time >= b->last_time) {
        spot->row = b->rows - 1;
        return ssti_spot_last(k, spot->block, time);
    }
    if (time < b->first_time || row > end ||
        ssti_get_time(times + (size_t)(row - 1) * 8) > time ||
        ssti_get_time(times + (size_t)end * 8) <= time) return false;
    spot->row = ssti_rank_array(times, row, end, time) - 1;
    return true;
}

/* Finds the row among those that the table leaves. False: not the quick way. Whatever the table
 * says, the row is at or before the time and the next one is not. */
SSTI_INLINE bool ssti_spot_search(const ssti_look *k, int64_t time, ssti_spot *spot) {
    const uint8_t *times = spot->times + (size_t)spot->guess * 8;
    if (spot->guess == 0 || ssti_get_time(times - 8) > time ||
        ssti_get_time(times + 8 * SSTI_NEAR) <= time) return ssti_spot_wide(k, time, spot);
    spot->row = spot->guess + ssti_rank_seven(times, time) - 1;
    return true;
}

SSTI_INLINE bool ssti_spot_find(const ssti_look *k, const ssti_table *t, int64_t time,
                                ssti_spot *spot) {
    ssti_spot_reset(spot);
    return ssti_spot_covered(k, t, time) && ssti_spot_begin(k, t, time, spot) &&
           ssti_spot_search(k, time, spot);
}

/* Two times at once: both wait for memory together. */
static bool ssti_spot_pair(const ssti_look *k, const ssti_table *t, const int64_t *times,
                           ssti_spot *spots) {
    ssti_spot_reset(&spots[0]);
    ssti_spot_reset(&spots[1]);
    return ssti_spot_covered(k, t, times[0]) && ssti_spot_covered(k, t, times[1]) &&
           ssti_spot_begin(k, t, times[0], &spots[0]) &&
           ssti_spot_begin(k, t, times[1], &spots[1]) &&
           ssti_spot_search(k, times[0], &spots[0]) && ssti_spot_search(k, times[1], &spots[1]);
}

/* ---- views ---- */

static void ssti_view_column(sst_stream *stream, sst_view *out, uint32_t column,
                             const uint8_t *p) {
    const ssti_column *c = &stream->series->columns[column];
    if (c->kind == SSTI_KIND_TIME) {
        out->times = (const int64_t *)(const void *)p;
    } else if (c->kind == SSTI_KIND_TIMELINE) {
        out->timelines[c->part] = (const int64_t *)(const void *)p;
    } else if (c->kind == SSTI_KIND_TAG) {
        out->tags = (const uint32_t *)(const void *)p;
    } else if (c->kind == SSTI_KIND_KEY_OFFSETS) {
        out->key_offsets = (const uint32_t *)(const void *)(p - 4);
    } else if (c->kind == SSTI_KIND_KEYS) {
        out->keys = p;
    } else if (c->kind == SSTI_KIND_ROW_FLAGS) {
        out->row_flags = p;
    } else if (c->kind == SSTI_KIND_OFFSETS) {
        stream->fields[c->part].offsets = (const uint32_t *)(const void *)(p - 4);
        if (c->part == 0) out->offsets = stream->fields[0].offsets;
    } else {
        stream->fields[c->part].values = p;
        if (c->part == 0) out->values = p;
    }
}

/* A view of rows without its columns. One by one: a memset of so few bytes costs more than all else
 * that a look-up does. */
SSTI_INLINE void ssti_view_head(sst_stream *stream, sst_view *out, uint64_t first_row,
                                uint64_t count) {
    uint32_t i;
    out->first_row = first_row;
    out->count = count;
    out->columns = stream->fields;
    out->column_count = stream->series->field_count;
    out->times = NULL;
    out->values = NULL;
    out->offsets = NULL;
    out->tags = NULL;
    for (i = 0; i < SST_MAX_TIMELINES; i++) out->timelines[i] = NULL;
    out->key_offsets = NULL;
    out->keys = NULL;
    out->row_flags = NULL;
    out->stable = false;
}

static void ssti_view_begin(sst_stream *stream, sst_view *out, ssti_range rows) {
    uint32_t c;
    ssti_view_head(stream, out, rows.first, rows.count);
    for (c = 0; c < stream->series->column_count; c++) {
        ssti_view_column(stream, out, c, (const uint8_t *)ssti_nothing + 8);
    }
}

static void ssti_view_empty(sst_stream *stream, sst_view *out) {
    ssti_range none;
    none.first = none.count = 0;
    ssti_view_begin(stream, out, none);
}

/* Scratch of a handle, at least so many bytes. What was in it is gone. */
static int ssti_scratch(sst_stream *stream, uint64_t bytes) {
    const sst_allocator *a = &stream->series->store->allocator;
    uint64_t want = bytes < 512 ? 512 : bytes + bytes / 4;
    uint8_t *p;
    if (bytes <= stream->scratch_bytes) return SST_OK;
    if (want > SIZE_MAX / 2) want = bytes;
    p = want > SIZE_MAX / 2 ? NULL : (uint8_t *)ssti_alloc(a, (size_t)want);
    if (p == NULL) {
        return ssti_stream_fail(stream, SST_ERR_MEMORY, SSTI_TEXT("no memory for the view"));
    }
    ssti_free(a, stream->scratch, stream->scratch_bytes);
    stream->scratch = p;
    stream->scratch_bytes = (size_t)want;
    return SST_OK;
}

/* Is every row there? Asked before memory is taken for them, since the numbers in a file are
 * anybody's. */
static int ssti_rows_there(const ssti_look *k, ssti_range rows) {
    uint64_t claimed = ssti_claimed_rows(k->series, k->sealed);
    uint64_t end = rows.first + rows.count < k->sealed ? rows.first + rows.count : k->sealed;
    uint32_t block;
    if (k->sealed < claimed && rows.first < claimed && rows.first + rows.count > k->sealed) {
        return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a block is lost"), 0, k->sealed);
    }
    while (rows.first < end) {
        SSTI_TRY(ssti_block_of_row(k, rows.first, &block));
        for (; block < k->blocks && rows.first < end; block++) {
            const ssti_block *b = ssti_list_at(k->list, block);
            if (rows.first < b->first_row) break;
            rows.first = b->first_row + b->rows;
        }
    }
    return SST_OK;
}

/* Bytes that rows of a column take in a view's scratch. */
static int ssti_view_bytes(const ssti_look *k, uint32_t column, ssti_range rows, uint64_t *bytes) {
    const ssti_column *c = &k->series->columns[column];
    uint64_t items;
    *bytes = rows.count * c->row_bytes + (ssti_is_offsets(c) ? 64 : 0);
    if (c->item_bytes != 0) {
        SSTI_TRY(ssti_items_count(k, column, rows, &items));
        if (SSTI_HUGE(items > UINT32_MAX)) {
            return ssti_fail(k->error, SST_ERR_LIMIT, SSTI_TEXT("too many items for a view"));
        }
        *bytes = items * c->item_bytes;
    }
    *bytes = ssti_round_up(*bytes, 64);
    return SST_OK;
}

/* Copies rows into the handle's scratch. */
static int ssti_view_assemble(sst_stream *stream, const ssti_look *k, ssti_range rows,
                              sst_view *out) {
    const ssti_series *s = stream->series;
    uint64_t all = 0, bytes, at = 0;
    uint8_t *to, *offsets;
    uint32_t c;
    if (rows.count > UINT64_MAX / 4 / (s->row_bytes + 4)) {
        return ssti_stream_fail(stream, SST_ERR_MEMORY, SSTI_TEXT("no memory for the view"));
    }
    SSTI_TRY(ssti_rows_there(k, rows));
    for (c = 0; c < s->column_count; c++) {
        SSTI_TRY(ssti_view_bytes(k, c, rows, &bytes));
        all += bytes;
        if (SSTI_HUGE(all > UINT64_MAX / 4)) return SST_ERR_MEMORY;
    }
    SSTI_TRY(ssti_scratch(stream, all + 64));
    to = stream->scratch;
    for (c = 0; c < s->column_count; c++) {
        const ssti_column *col = &s->columns[c];
        offsets = to;
        to = stream->scratch + (size_t)at;
        if (ssti_is_offsets(col)) {
            to += 64;
            memset(to - 4, 0, 4);
        }
        if (col->item_bytes == 0) {
            SSTI_TRY(ssti_fetch(k, c, rows, to));
            at = (uint64_t)(to - stream->scratch) + rows.count * col->row_bytes;
        } else {
            uint32_t items;
            memcpy(&items, offsets + (size_t)(rows.count - 1) * 4, 4);
            bytes = (uint64_t)items * col->item_bytes;
            if (SSTI_RACE(bytes > stream->scratch_bytes - at)) {
                return ssti_stream_fail(stream, SST_ERR_CORRUPT, SSTI_TEXT("the file is changing"));
            }
            SSTI_TRY(ssti_fetch_items(k, c, rows, offsets, to));
            at += bytes;
        }
        at = ssti_round_up(at, 64);
        ssti_view_column(stream, out, c, to);
    }
    return SST_OK;
}

/* Lends rows of a column of a block in place. Of a column of items it begins at the first item of
 * the block, where the offsets count from. */
static int ssti_view_place(const ssti_look *k, uint32_t block, uint32_t column, ssti_range rows,
                           const uint8_t **out) {
    const ssti_column *c = &k->series->columns[column];
    ssti_range bytes;
    if (c->item_bytes != 0) {
        SSTI_TRY(ssti_block_items(k, block, column, rows, &bytes));
        SSTI_TRY(ssti_column_rows(k, block, column, bytes, out));
        *out -= (size_t)bytes.first;
        return SST_OK;
    }
    SSTI_TRY(ssti_column_rows(k, block, column, rows, out));
    if (ssti_is_offsets(c) && ssti_list_at(k->list, block)->rows >= SSTI_PIECE_BYTES / 4) {
        uint64_t i;                     /* those of a large column were never looked at together */
        for (i = 0; i < rows.count; i++) {
            const uint8_t *p = *out + (size_t)i * 4;
            if (ssti_get32(p) < ssti_get32(p - 4)) {
                return ssti_corrupt(k, ssti_list_at(k->list, block),
                                    SSTI_TEXT("the offsets of a block are not in order"));
            }
        }
    }
    return SST_OK;
}

/* Lends rows, all below look->rows: in place when they lie in one raw block. */
static int ssti_view_rows(sst_stream *stream, const ssti_look *k, ssti_range rows,
                          sst_view *out) {
    ssti_view_begin(stream, out, rows);
    if (rows.count == 0) return SST_OK;
    if (rows.first < k->sealed && stream->series->store->direct) {
        const ssti_block *b;
        uint32_t block, c;
        SSTI_TRY(ssti_block_of_row(k, rows.first, &block));
        b = ssti_list_at(k->list, block);
        rows.first -= b->first_row;
        if (rows.count <= b->rows - rows.first && ssti_block_data(k, block) != NULL) {
            for (c = 0; c < stream->series->column_count; c++) {
                const uint8_t *p;
                SSTI_TRY(ssti_view_place(k, block, c, rows, &p));
                ssti_view_column(stream, out, c, p);
            }
            out->stable = stream->series->keep == NULL;
            if (!out->stable) ssti_atomic_store(&stream->held, ssti_slab_of(b));
            return SST_OK;
        }
        rows.first += b->first_row;
    }
    return ssti_view_assemble(stream, k, rows, out);
}

/* The same for rows of a block that were found the quick way; false: not in place. */
static bool ssti_view_quick(sst_stream *stream, const ssti_ready *r, ssti_range rows,
                            sst_view *out) {
    const ssti_series *s = stream->series;
    uint32_t c;
    if (!s->store->direct) return false;
    ssti_view_head(stream, out, r->b->first_row + rows.first, rows.count);
    for (c = 0; c < s->column_count; c++) {
        const uint8_t *p = ssti_column_ready(r, c);
        if (p == NULL) return false;
        if (ssti_is_offsets(&s->columns[c])) p += 4;
        ssti_view_column(stream, out, c, p + (size_t)rows.first * s->columns[c].row_bytes);
    }
    out->stable = true;
    return true;
}

/* Lends rows, or an empty view when that fails. */
static int ssti_view(sst_stream *stream, const ssti_look *k, ssti_range rows, sst_view *out) {
    int result = ssti_view_rows(stream, k, rows, out);
    if (result != SST_OK) ssti_view_empty(stream, out);
    return result;
}

/* Gives the first time on a clock as `time`: in a copy, unless the view is one already. */
static int ssti_view_carry(sst_stream *stream, sst_view *out, uint32_t clock, int64_t time) {
    const uint8_t *from = (const uint8_t *)(clock == 0 ? out->times : out->timelines[clock - 1]);
    uint8_t *to = stream->scratch;
    if (out->stable || stream->held != NULL) {
        if (out->count > UINT64_MAX / 16) return SST_ERR_MEMORY;
        SSTI_TRY(ssti_scratch(stream, out->count * 8));
        to = stream->scratch;
        memcpy(to, from, (size_t)out->count * 8);
        ssti_view_column(stream, out, clock, to);
        out->stable = false;
    } else {
        to += from - stream->scratch;
    }
    memcpy(to, &time, sizeof time);
    return SST_OK;
}

/* ---- the queries ---- */

static int ssti_row_dropped(sst_stream *stream) {
    return ssti_stream_fail(stream, SST_ERR_NOT_FOUND, SSTI_TEXT("a row that is kept no longer"));
}

static int ssti_not_found(sst_stream *stream, int result) {
    if (result != SST_ERR_NOT_FOUND) return result;
    return ssti_stream_fail(stream, result, SSTI_TEXT("no row at that time"));
}

/* Goes on with the rows that a live reader took from the companion. */
static int ssti_clock_survey_tail(const ssti_look *k, uint32_t timeline, ssti_clock *out) {
    uint64_t row = k->sealed != 0 ? k->sealed - 1 : 0;
    int64_t last = INT64_MIN, t;
    for (; row < k->rows && out->sorted == SSTI_SORTED; row++) {
        SSTI_TRY(ssti_time(k, 1 + timeline, row, &t));
        if (t < last) out->sorted = SSTI_UNSORTED;
        last = t;
    }
    return SST_OK;
}

/* Is a timeline sorted? Files read by hopping do not say; then every time of it is looked at. */
static int ssti_clock_sorted(sst_stream *stream, const ssti_look *k, uint32_t timeline) {
    uint32_t *known = &stream->series->clocks[timeline].sorted;
    uint32_t sorted = ssti_atomic_load(known);
    if (!stream->series->store->writable && (sorted == SSTI_SORTED_UNKNOWN ||
                                             (sorted == SSTI_SORTED && k->rows != k->sealed))) {
        ssti_clock survey;
        memset(&survey, 0, sizeof survey);
        survey.sorted = sorted;
        if (sorted == SSTI_SORTED_UNKNOWN) SSTI_TRY(ssti_clock_survey(k, timeline, &survey));
        SSTI_TRY(ssti_clock_survey_tail(k, timeline, &survey));
        sorted = survey.sorted;
        ssti_atomic_store(known, sorted);
    }
    if (sorted != SSTI_UNSORTED) return SST_OK;
    return ssti_stream_fail(stream, SST_ERR_ORDER, SSTI_TEXT("the timeline is not sorted"));
}

static int ssti_locate(sst_stream *stream, uint32_t clock, int64_t time, sst_match match,
                       uint64_t *row) {
    ssti_look k;
    uint64_t found;
    int result = SST_OK;
    SSTI_TRY(ssti_look_stream(&k, stream));
    if (clock != 0) result = ssti_clock_sorted(stream, &k, clock - 1);
    if (result == SST_OK) result = ssti_find(&k, clock, time, match, &found);
    if (result == SST_OK) *row = found;
    return ssti_look_end(stream, ssti_not_found(stream, result));
}

static int ssti_at(sst_stream *stream, int64_t time, sst_view *out) {
    ssti_look k;
    ssti_spot spot;
    const ssti_table *t;
    uint64_t row;
    int result;
    t = ssti_look_quick(&k, stream);
    if (ssti_spot_find(&k, t, time, &spot)) {
        ssti_range one = ssti_one_row(spot.row);
        if (ssti_view_quick(stream, &spot.ready, one, out)) return SST_OK;
    }
    SSTI_TRY(ssti_look_stream(&k, stream));
    result = ssti_find(&k, 0, time, SST_AT_OR_BEFORE, &row);
    if (result == SST_OK) {
        return ssti_look_end(stream, ssti_view(stream, &k, ssti_one_row(row), out));
    }
    ssti_view_empty(stream, out);
    return ssti_look_end(stream, ssti_not_found(stream, result));
}

/* The rows of an interval; *carry: the first of them is the one in force before it begins. */
static int ssti_window_rows(const ssti_look *k, uint32_t clock, const int64_t *interval,
                            uint32_t flags, ssti_range *rows) {
    int64_t start = interval[0], end = interval[1], t;
    uint64_t last;
    bool open = (flags & SST_HALF_OPEN) != 0;
    rows->first = rows->count = 0;
    if (start > end || (open && start == end)) return SST_OK;
    SSTI_TRY(ssti_rank_before(k, clock, start, &rows->first));
    SSTI_TRY(ssti_rank(k, clock, open ? end - 1 : end, &last));
    if ((flags & SST_CARRY) != 0 && rows->first != k->oldest) {
        t = INT64_MIN;
        if (rows->first < last) SSTI_TRY(ssti_time(k, clock, rows->first, &t));
        if (rows->first == last || t != start) rows->first--;
    }
    rows->count = last - rows->first;
    return SST_OK;
}

/* A window in one block; false: it has to be found the long way. */
static bool ssti_window_quick(sst_stream *stream, const int64_t *interval, uint32_t flags,
                              sst_view *out) {
    int64_t last[2];                    /* of the rows before it, of its own rows */
    ssti_look k;
    ssti_spot spots[2];
    ssti_range rows;
    const ssti_table *t;
    if ((flags & SST_CARRY) != 0 || interval[0] == INT64_MIN || interval[1] <= interval[0]) {
        return false;
    }
    last[0] = interval[0] - 1;
    last[1] = (flags & SST_HALF_OPEN) != 0 ? interval[1] - 1 : interval[1];
    t = ssti_look_quick(&k, stream);
    if (!ssti_spot_pair(&k, t, last, spots) ||
        spots[0].block != spots[1].block || spots[0].row >= spots[1].row) return false;
    rows.first = spots[0].row + 1;
    rows.count = spots[1].row - spots[0].row;
    return ssti_view_quick(stream, &spots[0].ready, rows, out);
}

static int ssti_window(sst_stream *stream, uint32_t clock, const int64_t *interval,
                       uint32_t flags, sst_view *out) {
    ssti_look k;
    ssti_range rows;
    int result = SST_OK;
    if (clock == 0 && ssti_window_quick(stream, interval, flags, out)) return SST_OK;
    SSTI_TRY(ssti_look_stream(&k, stream));
    if (clock != 0) result = ssti_clock_sorted(stream, &k, clock - 1);
    if (result == SST_OK) result = ssti_window_rows(&k, clock, interval, flags, &rows);
    if (result == SST_OK) result = ssti_view_rows(stream, &k, rows, out);
    if (result == SST_OK && (flags & SST_CARRY) != 0 && rows.count != 0) {
        const int64_t *times = clock == 0 ? out->times : out->timelines[clock - 1];
        if (times[0] < interval[0]) result = ssti_view_carry(stream, out, clock, interval[0]);
    }
    if (result != SST_OK) ssti_view_empty(stream, out);
    return ssti_look_end(stream, result);
}

static int ssti_slice(sst_stream *stream, uint64_t first, uint64_t count, sst_view *out) {
    ssti_look k;
    ssti_range rows;
    SSTI_TRY(ssti_look_stream(&k, stream));
    if (first < k.oldest) {
        ssti_view_empty(stream, out);
        return ssti_look_end(stream, ssti_row_dropped(stream));
    }
    rows.first = first < k.rows ? first : k.rows;
    rows.count = count < k.rows - rows.first ? count : k.rows - rows.first;
    return ssti_look_end(stream, ssti_view(stream, &k, rows, out));
}

/* Asks again when it was the index that was wrong. */
static bool ssti_again(sst_stream *stream, int result) {
    return result == SST_ERR_CORRUPT && ssti_index_mend(stream->series->store);
}

static int ssti_query_arg(sst_stream *stream, const char *what) {
    return stream == NULL ? SST_ERR_ARG : ssti_stream_fail(stream, SST_ERR_ARG, what);
}

static int ssti_query_timed(sst_stream *stream) {
    if (stream->series->timed) return SST_OK;
    return ssti_stream_fail(stream, SST_ERR_STATE, SSTI_TEXT("the stream has no times"));
}

SST_API int sst_locate(sst_stream *stream, int64_t time, sst_match match, uint64_t *row) {
    int result;
    if (stream == NULL || row == NULL || (unsigned)match > SST_EXACT) {
        return ssti_query_arg(stream, SSTI_TEXT("row is NULL or match unknown"));
    }
    SSTI_TRY(ssti_query_timed(stream));
    result = ssti_locate(stream, 0, time, match, row);
    return ssti_again(stream, result) ? ssti_locate(stream, 0, time, match, row) : result;
}

SST_API int sst_locate_on(sst_stream *stream, uint32_t timeline, int64_t time, sst_match match,
                          uint64_t *row) {
    int result;
    if (stream == NULL || row == NULL || (unsigned)match > SST_EXACT ||
        timeline >= stream->series->timeline_count) {
        return ssti_query_arg(stream, SSTI_TEXT("row is NULL, match or timeline unknown"));
    }
    result = ssti_locate(stream, 1 + timeline, time, match, row);
    if (!ssti_again(stream, result)) return result;
    return ssti_locate(stream, 1 + timeline, time, match, row);
}

SST_API int sst_at(sst_stream *stream, int64_t time, sst_view *out) {
    int result;
    if (stream == NULL || out == NULL) return ssti_query_arg(stream, SSTI_TEXT("out is NULL"));
    if (!stream->series->timed) {
        ssti_view_empty(stream, out);
        return ssti_query_timed(stream);
    }
    result = ssti_at(stream, time, out);
    return ssti_again(stream, result) ? ssti_at(stream, time, out) : result;
}

SST_API int sst_window(sst_stream *stream, int64_t start, int64_t end, sst_view *out) {
    return sst_window_ex(stream, start, end, 0, out);
}

SST_API int sst_window_ex(sst_stream *stream, int64_t start, int64_t end, uint32_t flags,
                          sst_view *out) {
    int64_t interval[2];
    int result;
    if (stream == NULL || out == NULL || (flags & ~(uint32_t)(SST_HALF_OPEN | SST_CARRY)) != 0) {
        return ssti_query_arg(stream, SSTI_TEXT("out is NULL or a flag unknown"));
    }
    if (!stream->series->timed) {
        ssti_view_empty(stream, out);
        return ssti_query_timed(stream);
    }
    interval[0] = start;
    interval[1] = end;
    result = ssti_window(stream, 0, interval, flags, out);
    return ssti_again(stream, result) ? ssti_window(stream, 0, interval, flags, out) : result;
}

SST_API int sst_window_on(sst_stream *stream, uint32_t timeline, int64_t start, int64_t end,
                          uint32_t flags, sst_view *out) {
    int64_t interval[2];
    int result;
    if (stream == NULL || out == NULL || timeline >= stream->series->timeline_count ||
        (flags & ~(uint32_t)(SST_HALF_OPEN | SST_CARRY)) != 0) {
        return ssti_query_arg(stream, SSTI_TEXT("out is NULL, a flag or the timeline unknown"));
    }
    interval[0] = start;
    interval[1] = end;
    result = ssti_window(stream, 1 + timeline, interval, flags, out);
    if (!ssti_again(stream, result)) return result;
    return ssti_window(stream, 1 + timeline, interval, flags, out);
}

SST_API int sst_slice(sst_stream *stream, uint64_t first, uint64_t count, sst_view *out) {
    int result;
    if (stream == NULL || out == NULL) return ssti_query_arg(stream, SSTI_TEXT("out is NULL"));
    result = ssti_slice(stream, first, count, out);
    return ssti_again(stream, result) ? ssti_slice(stream, first, count, out) : result;
}

/* ---- many rows at once ---- */

typedef struct ssti_samples {
    const int64_t *times;
    size_t n;
    sst_sampling how;
    uint8_t *values;
    int64_t *rows;
    size_t bytes;                   /* of one value in `values` */
    uint32_t column;                /* where they come from */
    uint32_t element;               /* bytes of one number there */
    sst_type type;
} ssti_samples;

#if SSTI_HAS_FLOAT

/* IEEE 754 binary16: 1 sign, 5 exponent and 10 mantissa bits. */
static double ssti_half_double(uint16_t bits) {
    uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 1023u, single;
    float f;
    if (exponent == 0) {
        double tiny = (double)mantissa / 16777216.0;        /* 2^-24 */
        return (bits & 0x8000u) != 0 ? -tiny : tiny;
    }
    single = (uint32_t)(bits & 0x8000u) << 16 | mantissa << 13 |
             (exponent == 31 ? 0xFFu : exponent + 112u) << 23;
    memcpy(&f, &single, sizeof f);
    return (double)f;
}

/* The upper half of a binary32. */
static double ssti_bfloat_double(uint16_t bits) {
    uint32_t single = (uint32_t)bits << 16;
    float f;
    memcpy(&f, &single, sizeof f);
    return (double)f;
}

static double ssti_double(sst_type type, const uint8_t *p) {
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        float f32;
        double f64;
    } v;
    memset(&v, 0, sizeof v);
    memcpy(&v, p, ssti_type_bytes(type));
    switch (type) {
    case SST_I8: return (double)v.i8;
    case SST_I16: return (double)v.i16;
    case SST_I32: return (double)v.i32;
    case SST_I64: return (double)v.i64;
    case SST_U8: return (double)v.u8;
    case SST_U16: return (double)v.u16;
    case SST_U32: return (double)v.u32;
    case SST_U64: return (double)v.u64;
    case SST_F16: return ssti_half_double(v.u16);
    case SST_BF16: return ssti_bfloat_double(v.u16);
    case SST_F32: return (double)v.f32;
    case SST_F64: return v.f64;
    default: return 0.0;
    }
}

/* b - a as a double; of integers exactly, then rounded once. */
static double ssti_difference(sst_type type, const uint8_t *a, const uint8_t *b) {
    if (type == SST_I64 || type == SST_U64) {
        uint64_t x, y;
        bool down;
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        down = type == SST_I64 ? ssti_signed(y) < ssti_signed(x) : y < x;
        return down ? -(double)(x - y) : (double)(y - x);
    }
    if (ssti_double(type, b) == ssti_double(type, a)) return 0.0;       /* infinities too */
    return ssti_double(type, b) - ssti_double(type, a);
}

/* A number at a share of the way from a to b; finite when both are. */
static double ssti_between(sst_type type, const uint8_t *a, const uint8_t *b, double share) {
    double from = ssti_double(type, a), to, way, value;
    if (share <= 0.0) return from;
    to = ssti_double(type, b);
    way = ssti_difference(type, a, b);
    if (way - way != 0.0) return from * (1.0 - share) + to * share;     /* too far for a double */
    value = from + way * share;
    return way > 0.0 ? (value < to ? value : to) : (value > to ? value : to);
}

/* Writes the value between a row and the next, both in the handle's scratch. */
static void ssti_sample_between(const ssti_samples *in, const uint8_t *a, const uint8_t *b,
                                double share, double *to) {
    size_t i, n = in->bytes / sizeof(double), element = in->element;
    for (i = 0; i < n; i++) {
        to[i] = ssti_between(in->type, a + i * element, b + i * element, share);
    }
}

/* The value at a time, of which `n` rows are at or before it, linear between rows. */
static int ssti_sample_linear(sst_stream *stream, const ssti_look *k, const ssti_samples *in,
                              int64_t time, uint64_t n, double *to) {
    size_t row_bytes = k->series->columns[in->column].row_bytes;
    double share = 0.0;
    uint8_t *a, *b;
    int64_t before, after;
    SSTI_TRY(ssti_scratch(stream, 2 * (uint64_t)row_bytes));
    a = stream->scratch;
    b = a + row_bytes;
    SSTI_TRY(ssti_fetch(k, in->column, ssti_one_row(n - 1), a));
    SSTI_TRY(ssti_time(k, 0, n - 1, &before));
    if (before != time && n < k->rows) {
        SSTI_TRY(ssti_time(k, 0, n, &after));
        SSTI_TRY(ssti_fetch(k, in->column, ssti_one_row(n), b));
        share = (double)((uint64_t)time - (uint64_t)before) /
                (double)((uint64_t)after - (uint64_t)before);
    }
    ssti_sample_between(in, a, b, share, to);
    return SST_OK;
}

#endif /* SSTI_HAS_FLOAT */

static int ssti_sample_one(sst_stream *stream, const ssti_look *k, const ssti_samples *in,
                           size_t i) {
    sst_match match = in->how == SST_SAMPLE_NEAREST ? SST_NEAREST
                      : in->how == SST_SAMPLE_EXACT ? SST_EXACT : SST_AT_OR_BEFORE;
    uint8_t *to = in->values == NULL ? NULL : in->values + i * in->bytes;
    uint64_t row;
    int result = ssti_find(k, 0, in->times[i], match, &row);
    if (result != SST_OK && result != SST_ERR_NOT_FOUND) return result;
    if (in->rows != NULL) in->rows[i] = result == SST_OK ? (int64_t)row : -1;
    if (to == NULL) return SST_OK;
    if (result != SST_OK) {
        memset(to, 0, in->bytes);
        return SST_OK;
    }
#if SSTI_HAS_FLOAT
    if (in->how == SST_SAMPLE_LINEAR) {
        return ssti_sample_linear(stream, k, in, in->times[i], row + 1, (double *)(void *)to);
    }
#else
    (void)stream;
#endif
    return ssti_fetch(k, in->column, ssti_one_row(row), to);
}

#define SSTI_SAMPLE_BATCH 64u
#define SSTI_SAMPLE_LANES 4u

/* Samples of a batch found the quick way. A look-up in a large stream is a few waits for memory, so
 * what one step needs is fetched while the others are at the step before (Chen, Ailamaki, Gibbons,
 * Mowry: Improving hash join performance through prefetching, 2007). */
typedef struct ssti_spots {
    bool quick[SSTI_SAMPLE_BATCH];
    ssti_spot spot[SSTI_SAMPLE_BATCH];
    const uint8_t *value[SSTI_SAMPLE_BATCH];    /* of the row; NULL: none */
} ssti_spots;

/* Steps one and two: the table's entries, then the times that they lead to. */
static void ssti_sample_begin(const ssti_look *k, const int64_t *times, size_t n,
                              ssti_spots *q) {
    const ssti_table *t = ssti_table_get(k);
    ssti_spot spot;
    size_t i;
    ssti_spot_reset(&spot);
    for (i = 0; i < n; i++) q->quick[i] = ssti_spot_covered(k, t, times[i]);
    for (i = 0; i < n; i++) {
        if (!q->quick[i]) continue;
        q->quick[i] = ssti_spot_begin(k, t, times[i], &spot);
        q->spot[i] = spot;
    }
}

/* Which row a spot stands for; false: that needs more than its block. */
SSTI_INLINE bool ssti_sample_row(const ssti_look *k, const ssti_samples *in, int64_t time,
                                 ssti_spot *spot, bool *none) {
    int64_t before, after;
    *none = false;
    if (in->how == SST_SAMPLE_PREVIOUS) return true;
    before = ssti_get_time(spot->times + (size_t)spot->row * 8);
    if (in->how == SST_SAMPLE_EXACT) {
        *none = before != time;
        return true;
    }
    if (spot->row + 1 >= spot->ready.b->rows) return false;
    if (in->how == SST_SAMPLE_LINEAR) return !SSTI_BIG_ENDIAN;
    if (!k->series->strict) return false;
    after = ssti_get_time(spot->times + (size_t)(spot->row + 1) * 8);
    if ((uint64_t)after - (uint64_t)time < (uint64_t)time - (uint64_t)before) spot->row++;
    return true;
}

/* Step three: the row, and where its value is. */
static void ssti_sample_search(const ssti_look *k, const ssti_samples *in, const int64_t *times,
                               size_t n, ssti_spots *q) {
    uint32_t column = in->column;
    size_t i, row_bytes = k->series->columns[column].row_bytes;
    for (i = 0; i < n; i++) {
        ssti_spot *spot = &q->spot[i];
        bool none = false;
        q->value[i] = NULL;
        if (q->quick[i]) {
            q->quick[i] = ssti_spot_search(k, times[i], spot) &&
                          ssti_sample_row(k, in, times[i], spot, &none);
        }
        if (!q->quick[i] || none) continue;
        q->value[i] = in->values == NULL ? (const uint8_t *)ssti_nothing
                                         : ssti_column_ready(&spot->ready, column);
        if (in->values == NULL) continue;
        if (q->value[i] == NULL) q->quick[i] = false;
        else q->value[i] += (size_t)spot->row * row_bytes;
        ssti_prefetch(q->value[i]);
    }
}

/* Step four: the answers. value: NULL when there is none. */
SSTI_INLINE void ssti_sample_put(const ssti_samples *in, size_t i, uint64_t row,
                                 const uint8_t *value) {
    size_t bytes = in->bytes;
    uint8_t *to = in->values == NULL ? NULL : in->values + i * bytes;
    if (in->rows != NULL) in->rows[i] = value == NULL ? -1 : (int64_t)row;
    if (to == NULL) return;
    if (value == NULL) memset(to, 0, bytes);
    else if (bytes == 8) memcpy(to, value, 8);
    else memcpy(to, value, bytes);
    ssti_swap_elements(to, bytes, in->element);
}

#if SSTI_HAS_FLOAT
/* The same, linear between the row and the next, both in the block. */
static void ssti_sample_put_linear(const ssti_look *k, const ssti_samples *in, size_t i,
                                   const ssti_spot *spot, const uint8_t *value) {
    const uint8_t *times = spot->times + (size_t)spot->row * 8;
    int64_t before = ssti_get_time(times), after = ssti_get_time(times + 8);
    double share = (double)((uint64_t)in->times[i] - (uint64_t)before) /
                   (double)((uint64_t)after - (uint64_t)before);
    if (in->rows != NULL) in->rows[i] = (int64_t)(spot->ready.b->first_row + spot->row);
    if (in->values == NULL) return;
    ssti_sample_between(in, value, value + k->series->columns[in->column].row_bytes, share,
                        (double *)(void *)(in->values + i * in->bytes));
}
#endif

/* Samples [first, first + n), n at most a batch. */
static int ssti_sample_batch(sst_stream *stream, const ssti_look *k, const ssti_samples *in,
                             size_t first, size_t n) {
    ssti_spots q;
    size_t i;
    ssti_sample_begin(k, in->times + first, n, &q);
    ssti_sample_search(k, in, in->times + first, n, &q);
    for (i = 0; i < n; i++) {
        const ssti_spot *spot = &q.spot[i];
        if (!q.quick[i]) SSTI_TRY(ssti_sample_one(stream, k, in, first + i));
#if SSTI_HAS_FLOAT
        else if (in->how == SST_SAMPLE_LINEAR) {
            ssti_sample_put_linear(k, in, first + i, spot, q.value[i]);
        }
#endif
        else ssti_sample_put(in, first + i, spot->ready.b->first_row + spot->row, q.value[i]);
    }
    return SST_OK;
}

/* The row in force at a time, given one at or before it; none behind `last` + 4 is looked at. */
SSTI_INLINE uint32_t ssti_sample_step(const uint8_t *times, uint32_t row, uint32_t last,
                                      int64_t time) {
    uint32_t n;
    do {
        const uint8_t *p = times + (size_t)row * 8;
        n = (uint32_t)(ssti_get_time(p + 8) <= time) + (uint32_t)(ssti_get_time(p + 16) <= time) +
            (uint32_t)(ssti_get_time(p + 24) <= time) + (uint32_t)(ssti_get_time(p + 32) <= time);
        row += n;
    } while (n == 4 && row <= last);
    return row;
}

/* A batch of times that do not decrease, with few rows between them, all in one block: a merge. It
 * goes on in four places at once, since each step has to wait for the one before. False: not so. */
static bool ssti_sample_merge(const ssti_look *k, const ssti_samples *in, size_t first) {
    enum { LANE = SSTI_SAMPLE_BATCH / SSTI_SAMPLE_LANES };
    const int64_t *times = in->times + first;
    const ssti_table *t = ssti_table_get(k);
    uint32_t column = in->column, row[SSTI_SAMPLE_LANES], down = 0, i, lane;
    uint32_t found[SSTI_SAMPLE_BATCH];
    size_t row_bytes = k->series->columns[column].row_bytes;
    const uint8_t *values;
    ssti_spot spot, end;
    if (t == NULL || times[SSTI_SAMPLE_BATCH - 1] < times[0] ||
        ((uint64_t)times[SSTI_SAMPLE_BATCH - 1] - (uint64_t)times[0]) >> t->shift >
            SSTI_SAMPLE_BATCH / 2) return false;
    for (i = 1; i < SSTI_SAMPLE_BATCH; i++) down |= (uint32_t)(times[i] < times[i - 1]);
    if (down != 0 || !ssti_spot_find(k, t, times[0], &spot) ||
        !ssti_spot_find(k, t, times[SSTI_SAMPLE_BATCH - 1], &end) || spot.block != end.block ||
        end.row - spot.row > 4 * SSTI_SAMPLE_BATCH ||
        spot.ready.b->rows - end.row <= 4) return false;
    values = in->values == NULL ? spot.times : ssti_column_ready(&spot.ready, column);
    if (values == NULL) return false;
    for (lane = 0; lane < SSTI_SAMPLE_LANES; lane++) {
        ssti_spot begin;
        if (!ssti_spot_find(k, t, times[lane * LANE], &begin) || begin.block != end.block ||
            begin.row > end.row) return false;
        row[lane] = begin.row;
    }
    for (i = 0; i < LANE; i++) {
        for (lane = 0; lane < SSTI_SAMPLE_LANES; lane++) {
            row[lane] = ssti_sample_step(spot.times, row[lane], end.row, times[lane * LANE + i]);
            found[lane * LANE + i] = row[lane];
            if (row[lane] > end.row) return false;
        }
    }
    for (i = 0; i < SSTI_SAMPLE_BATCH; i++) {
        ssti_sample_put(in, first + i, spot.ready.b->first_row + found[i],
                        values + (size_t)found[i] * row_bytes);
    }
    return true;
}

static int ssti_sample(sst_stream *stream, const ssti_samples *in) {
    ssti_look k;
    size_t i, n;
    int result = ssti_look_stream(&k, stream);
    if (result != SST_OK) return result;
    for (i = 0; i < in->n && result == SST_OK; i += n) {
        n = in->n - i < SSTI_SAMPLE_BATCH ? in->n - i : SSTI_SAMPLE_BATCH;
        if (n == SSTI_SAMPLE_BATCH && in->how == SST_SAMPLE_PREVIOUS &&
            ssti_sample_merge(&k, in, i)) continue;
        result = ssti_sample_batch(stream, &k, in, i, n);
    }
    return ssti_look_end(stream, result);
}

SST_API int sst_sample(sst_stream *stream, const int64_t *times, size_t n, sst_sampling how,
                       void *values, int64_t *rows) {
    return sst_sample_field(stream, 0, times, n, how, values, rows);
}

SST_API int sst_sample_field(sst_stream *stream, uint32_t field, const int64_t *times, size_t n,
                             sst_sampling how, void *values, int64_t *rows) {
    const ssti_series *s;
    ssti_samples in;
    int result;
    if (stream == NULL || (times == NULL && n != 0) || (unsigned)how > SST_SAMPLE_LINEAR ||
        field >= stream->series->field_count) {
        return ssti_query_arg(stream, SSTI_TEXT("times is NULL, sampling or field unknown"));
    }
    SSTI_TRY(ssti_query_timed(stream));
    s = stream->series;
    if (values != NULL && ssti_field_ragged(&s->fields[field])) {
        return ssti_stream_fail(stream, SST_ERR_TYPE, SSTI_TEXT("the field is ragged"));
    }
    in.times = times;
    in.n = n;
    in.how = how;
    in.values = (uint8_t *)values;
    in.rows = rows;
    in.column = s->field_columns[field];
    in.bytes = s->columns[in.column].row_bytes;
    in.element = s->columns[in.column].element;
    in.type = s->fields[field].type;
    if (how == SST_SAMPLE_LINEAR) {
        if (in.type == SST_BOOL) {
            return ssti_stream_fail(stream, SST_ERR_TYPE, SSTI_TEXT("bool is not linear"));
        }
        if (!SSTI_HAS_FLOAT) {
            return ssti_stream_fail(stream, SST_ERR_UNSUPPORTED, SSTI_TEXT("no floating point"));
        }
        in.bytes = in.bytes / in.element * sizeof(double);
    }
    result = ssti_sample(stream, &in);
    return ssti_again(stream, result) ? ssti_sample(stream, &in) : result;
}

#define SSTI_GATHER_AHEAD 64u           /* a power of two: rows on their way at once, at most */
#define SSTI_GATHER_BYTES 4096u         /* and bytes of them, or four rows */

/* The block of the last row, when it lies in memory and was looked at before. */
typedef struct ssti_gathering {
    const ssti_look *k;
    uint32_t column;
    size_t row_bytes, fetched;      /* bytes that are fetched of a row */
    uint64_t first, count;          /* rows of that block; 0: none */
    const uint8_t *ready;           /* its column */
} ssti_gathering;

/* Goes to another block. False: the row is in none. */
static bool ssti_gather_block(ssti_gathering *g, uint64_t row) {
    uint32_t block;
    ssti_ready r;
    g->count = 0;
    if (row >= g->k->sealed || ssti_block_of_row(g->k, row, &block) != SST_OK) return false;
    g->ready = ssti_block_ready(g->k, block, &r) ? ssti_column_ready(&r, g->column) : NULL;
    if (g->ready == NULL) return false;     /* who reads the row looks at it */
    g->first = r.b->first_row;
    g->count = r.b->rows;
    return true;
}

/* Where a row is, which is fetched, or NULL. */
SSTI_INLINE const uint8_t *ssti_gather_find(ssti_gathering *g, int64_t number) {
    uint64_t row = (uint64_t)number;
    const uint8_t *p;
    size_t at;
    if (row - g->first >= g->count && !ssti_gather_block(g, row)) return NULL;
    p = g->ready + (size_t)(row - g->first) * g->row_bytes;
    for (at = 0; at < g->fetched; at += 64) ssti_prefetch(p + at);
    return p;
}

/* Copies one column of rows in any order; -1: zeros. Rows that come later are fetched meanwhile. */
static int ssti_gather_column(const ssti_look *k, uint32_t column, const int64_t *rows, size_t n,
                              uint8_t *to) {
    const ssti_column *c = &k->series->columns[column];
    const uint8_t *from[SSTI_GATHER_AHEAD];
    size_t bytes = c->row_bytes, ahead = SSTI_GATHER_BYTES / bytes, i;
    ssti_gathering g;
    memset(&g, 0, sizeof g);
    g.k = k;
    g.column = column;
    g.row_bytes = bytes;
    g.fetched = bytes < SSTI_GATHER_BYTES ? bytes : SSTI_GATHER_BYTES;
    if (ahead < 4) ahead = 4;
    if (ahead >= SSTI_GATHER_AHEAD) ahead = SSTI_GATHER_AHEAD - 1;
    for (i = 0; i < n && i < ahead; i++) from[i] = ssti_gather_find(&g, rows[i]);
    for (i = 0; i < n; i++, to += bytes) {
        const uint8_t *p = from[i % SSTI_GATHER_AHEAD];
        if (n - i > ahead) {
            from[(i + ahead) % SSTI_GATHER_AHEAD] = ssti_gather_find(&g, rows[i + ahead]);
        }
        if (rows[i] < 0) memset(to, 0, bytes);
        else if (p == NULL) SSTI_TRY(ssti_fetch(k, column, ssti_one_row((uint64_t)rows[i]), to));
        else {
            if (bytes == 8) memcpy(to, p, 8);
            else if (bytes == 64) memcpy(to, p, 64);
            else memcpy(to, p, bytes);
            ssti_swap_elements(to, bytes, c->element);
        }
    }
    return SST_OK;
}

/* Are these numbers of rows that are kept, or -1? */
static int ssti_gather_check(sst_stream *stream, const ssti_look *k, const int64_t *rows,
                             size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        if (rows[i] < -1 || (rows[i] >= 0 && (uint64_t)rows[i] >= k->rows)) {
            return ssti_stream_fail(stream, SST_ERR_ARG, SSTI_TEXT("a row beyond the end"));
        }
    }
    for (i = 0; i < n && k->oldest != 0; i++) {
        if (rows[i] >= 0 && (uint64_t)rows[i] < k->oldest) return ssti_row_dropped(stream);
    }
    return SST_OK;
}

static int ssti_gather(sst_stream *stream, uint32_t column, const int64_t *rows, size_t n,
                       uint8_t *values, int64_t *times) {
    ssti_look k;
    int result;
    SSTI_TRY(ssti_look_stream(&k, stream));
    result = ssti_gather_check(stream, &k, rows, n);
    if (result == SST_OK && values != NULL) {
        result = ssti_gather_column(&k, column, rows, n, values);
    }
    if (result == SST_OK && times != NULL) {
        result = ssti_gather_column(&k, 0, rows, n, (uint8_t *)times);
    }
    return ssti_look_end(stream, result);
}

/* Values of one field, and times. */
static int ssti_gather_some(sst_stream *stream, uint32_t field, const int64_t *rows, size_t n,
                            uint8_t *values, int64_t *times) {
    uint32_t column;
    int result;
    if (stream == NULL || (rows == NULL && n != 0) || field >= stream->series->field_count) {
        return ssti_query_arg(stream, SSTI_TEXT("rows is NULL or the field unknown"));
    }
    if (times != NULL) SSTI_TRY(ssti_query_timed(stream));
    if (values != NULL && ssti_field_ragged(&stream->series->fields[field])) {
        return ssti_stream_fail(stream, SST_ERR_TYPE, SSTI_TEXT("the field is ragged"));
    }
    column = stream->series->field_columns[field];
    result = ssti_gather(stream, column, rows, n, values, times);
    if (!ssti_again(stream, result)) return result;
    return ssti_gather(stream, column, rows, n, values, times);
}

SST_API int sst_gather(sst_stream *stream, const int64_t *rows, size_t n, void *values,
                       int64_t *times) {
    return ssti_gather_some(stream, 0, rows, n, (uint8_t *)values, times);
}

SST_API int sst_gather_field(sst_stream *stream, uint32_t field, const int64_t *rows, size_t n,
                             void *values) {
    return ssti_gather_some(stream, field, rows, n, (uint8_t *)values, NULL);
}

/* ---- many streams at once ---- */

#define SSTI_SNAPSHOT_BATCH 16u

/* The rows of a batch of streams that are found the quick way: as in ssti_sample_batch, what one
 * step needs is fetched while the others are at the step before. */
static void ssti_snapshot_quick(sst_stream *const *streams, size_t n, int64_t time,
                                sst_view *views, bool *found) {
    ssti_look k[SSTI_SNAPSHOT_BATCH];
    ssti_spot spot[SSTI_SNAPSHOT_BATCH];
    const ssti_table *t[SSTI_SNAPSHOT_BATCH];
    size_t i;
    for (i = 0; i < n; i++) {
        t[i] = ssti_look_quick(&k[i], streams[i]);
        ssti_spot_reset(&spot[i]);
        found[i] = ssti_spot_covered(&k[i], t[i], time);
    }
    for (i = 0; i < n; i++) {
        if (found[i]) found[i] = ssti_spot_begin(&k[i], t[i], time, &spot[i]);
    }
    for (i = 0; i < n; i++) {
        if (found[i]) found[i] = ssti_spot_search(&k[i], time, &spot[i]);
        if (!found[i]) continue;
        found[i] = ssti_view_quick(streams[i], &spot[i].ready, ssti_one_row(spot[i].row),
                                   &views[i]);
    }
}

SST_API int sst_snapshot(sst_stream *const *streams, size_t n, int64_t time, sst_view *views) {
    size_t i, k;
    if (n != 0 && (streams == NULL || views == NULL)) return SST_ERR_ARG;
    for (i = 0; i < n; i++) {
        if (streams[i] == NULL) return SST_ERR_ARG;
        for (k = 0; k < i; k++) {
            if (streams[k] == streams[i]) return SST_ERR_ARG;
        }
    }
    for (i = 0; i < n; i += k) {
        bool found[SSTI_SNAPSHOT_BATCH];
        size_t at;
        k = n - i < SSTI_SNAPSHOT_BATCH ? n - i : SSTI_SNAPSHOT_BATCH;
        ssti_snapshot_quick(streams + i, k, time, views + i, found);
        for (at = i; at < i + k; at++) {
            int result = found[at - i] ? SST_OK : sst_at(streams[at], time, &views[at]);
            if (result != SST_OK && result != SST_ERR_NOT_FOUND) return result;
        }
    }
    return SST_OK;
}

SST_API int sst_snapshot_rows(sst_stream *const *streams, size_t n, const int64_t *times,
                              size_t m, int64_t *rows) {
    int64_t some[64];
    size_t i, k, at, part;
    if (n == 0 || m == 0) return SST_OK;
    if (streams == NULL || times == NULL || rows == NULL) return SST_ERR_ARG;
    for (i = 0; i < n; i++) {
        if (streams[i] == NULL) return SST_ERR_ARG;
    }
    for (at = 0; at < m; at += part) {
        part = m - at < 64 ? m - at : 64;
        for (i = 0; i < n; i++) {
            SSTI_TRY(sst_sample(streams[i], times + at, part, SST_SAMPLE_PREVIOUS, NULL, some));
            for (k = 0; k < part; k++) rows[(at + k) * n + i] = some[k];
        }
    }
    return SST_OK;
}

/* One stream of a replay. The cursor is before row `row` of it. */
typedef struct ssti_lane {
    sst_stream *stream;             /* a handle of the replay's own */
    sst_view view;                  /* rows around the cursor, or none */
    sst_column *fields;             /* of the view that is given out */
    uint64_t row, sought;
    int64_t time;                   /* of the row that comes next in the present direction */
} ssti_lane;

#define SSTI_LANE_BYTES (sizeof(ssti_lane) + sizeof(size_t))    /* with its place in the heap */

/* The lanes that have a row are in a heap: that of lane heap[i] comes before those of heap[2 i + 1]
 * and heap[2 i + 2] (Williams: Algorithm 232, heapsort, 1964). Behind it are those without. */
struct sst_replay {
    sst_allocator allocator;
    ssti_lane *lanes;
    size_t *heap;
    size_t n, waiting;              /* lanes; those of them in the heap */
    size_t last;                    /* the lane whose row was given out */
    bool forwards, ready;           /* the direction; is the heap made for it? */
    bool given;                     /* the last call gave a row */
};

/* Does the row of lane a come before that of lane b? */
SSTI_INLINE bool ssti_replay_before(const sst_replay *r, size_t a, size_t b) {
    int64_t x = r->lanes[a].time, y = r->lanes[b].time;
    return r->forwards ? x < y || (x == y && a < b) : x > y || (x == y && a > b);
}

/* Puts the lane at `at` of the heap where it belongs among those below. */
static void ssti_replay_sink(sst_replay *r, size_t at) {
    size_t lane = r->heap[at], next;
    for (; (next = 2 * at + 1) < r->waiting; at = next) {
        if (next + 1 < r->waiting && ssti_replay_before(r, r->heap[next + 1], r->heap[next])) {
            next++;
        }
        if (!ssti_replay_before(r, r->heap[next], lane)) break;
        r->heap[at] = r->heap[next];
    }
    r->heap[at] = lane;
}

/* Leaves of the rows of a block those whose large columns have their checksums in common with a
 * row: either all of them can be read or none. A row that lies across two pieces is alone. */
static void ssti_replay_pieces(const ssti_series *s, const ssti_block *b, uint64_t row,
                               ssti_range *run) {
    uint64_t at = row - b->first_row, start = run->first - b->first_row, end = start + run->count;
    uint32_t c;
    for (c = 0; c < s->column_count; c++) {
        uint64_t bytes = s->columns[c].row_bytes, low = at, high = at + 1;
        uint64_t piece = at * bytes / SSTI_PIECE_BYTES;
        if (b->rows * bytes + 4 <= SSTI_PIECE_BYTES) continue;
        if (((at + 1) * bytes - 1) / SSTI_PIECE_BYTES == piece) {
            low = (piece * SSTI_PIECE_BYTES + bytes - 1) / bytes;
            high = (piece + 1) * SSTI_PIECE_BYTES / bytes;
        }
        if (start < low) start = low;
        if (end > high) end = high;
    }
    run->first = b->first_row + start;
    run->count = end - start;
}

/* The rows that can be looked at together with a row below k->rows, which are all there or all
 * damaged: those of a piece, of its block or of the tail. SST_ERR_CORRUPT: they are lost. */
static int ssti_replay_run(const ssti_look *k, uint64_t row, ssti_range *run) {
    uint64_t claimed = ssti_claimed_rows(k->series, k->sealed);
    const ssti_block *b;
    uint32_t block;
    int result;
    if (row >= k->sealed) {
        run->first = row < claimed ? k->sealed : claimed;
        run->count = (row < claimed ? claimed : k->rows) - run->first;
        if (row >= claimed) return SST_OK;
        return ssti_fail_at(k->error, SST_ERR_CORRUPT, SSTI_TEXT("a block is lost"), 0, row);
    }
    result = ssti_block_of_row(k, row, &block);
    b = ssti_list_at(k->list, *k->hint);
    run->first = b->first_row;
    run->count = b->rows;
    if (result == SST_OK) {
        ssti_replay_pieces(k->series, b, row, run);
        return SST_OK;
    }
    if (row < b->first_row) {           /* before the first block, or between two */
        run->first = 0;
        run->count = b->first_row;
    } else {
        run->first += run->count;
        run->count = ssti_list_at(k->list, *k->hint + 1)->first_row - run->first;
    }
    return result;
}

#ifndef SSTI_REPLAY_COPY
#define SSTI_REPLAY_COPY 65536u         /* bytes copied at once where rows are not lent in place */
#endif

/* The row that comes next in a direction. */
SSTI_INLINE uint64_t ssti_lane_row(const ssti_lane *lane, bool forwards) {
    return forwards ? lane->row : lane->row - 1;
}

/* Gives the lane a view that begins or ends with that row. *bad: rows that cannot be read, when
 * SST_ERR_CORRUPT. */
static int ssti_replay_part(ssti_lane *lane, const ssti_look *k, bool forwards, ssti_range *bad) {
    const ssti_series *s = lane->stream->series;
    uint64_t most = SSTI_REPLAY_COPY, behind, row;
    ssti_range part;
    if (forwards && lane->row < k->oldest) lane->row = k->oldest;   /* dropped meanwhile */
    row = ssti_lane_row(lane, forwards);
    if (row >= k->rows || row < k->oldest) return SST_ERR_NOT_FOUND;
    SSTI_TRY(ssti_replay_run(k, row, bad));
    behind = row + 1 - bad->first;      /* rows up to this one */
    if (forwards) bad->first = row;
    bad->count = forwards ? bad->count - (behind - 1) : behind;
    if (bad->first < k->oldest) {
        bad->count -= k->oldest - bad->first;
        bad->first = k->oldest;
    }
    if (s->store->direct && row < k->sealed) most = SSTI_PIECE_BYTES;
    most = most < s->row_bytes ? 1 : most / s->row_bytes;
    part = *bad;
    if (part.count > most) {
        if (!forwards) part.first += part.count - most;
        part.count = most;
    }
    if (row >= k->sealed) *bad = part;
    return ssti_view(lane->stream, k, part, &lane->view);
}

static int ssti_replay_view(ssti_lane *lane, bool forwards, ssti_range *bad) {
    ssti_look k;
    int result = ssti_look_stream(&k, lane->stream);
    lane->view.count = 0;
    if (SSTI_NEVER(result != SST_OK)) return result;    /* it is no child: that was looked at */
    return ssti_look_end(lane->stream, ssti_replay_part(lane, &k, forwards, bad));
}

/* Sees to it that the view holds the row that comes next in a direction, and notes its time.
 * SST_ERR_NOT_FOUND: there is none. SST_ERR_CORRUPT: the cursor steps over what cannot be read. */
static int ssti_replay_load(ssti_lane *lane, bool forwards) {
    uint64_t row = ssti_lane_row(lane, forwards);
    if (*lane->stream->series->store->alive == 0) {
        return ssti_stream_fail(lane->stream, SST_ERR_STATE, SSTI_FORKED);
    }
    if (!forwards && lane->row == 0) return SST_ERR_NOT_FOUND;
    if (row - lane->view.first_row >= lane->view.count) {
        ssti_range bad;
        int result = ssti_replay_view(lane, forwards, &bad);
        if (ssti_again(lane->stream, result)) result = ssti_replay_view(lane, forwards, &bad);
        if (result == SST_ERR_CORRUPT) lane->row = forwards ? bad.first + bad.count : bad.first;
        if (result != SST_OK) return result;
        row = ssti_lane_row(lane, forwards);
    }
    lane->time = lane->view.times[row - lane->view.first_row];
    return SST_OK;
}

/* Makes the heap. *lane: the one that failed. */
static int ssti_replay_ready(sst_replay *r, size_t *lane) {
    size_t i, without = r->n;
    r->waiting = 0;
    for (i = 0; i < r->n; i++) {
        int result = ssti_replay_load(&r->lanes[i], r->forwards);
        *lane = i;
        if (result == SST_OK) r->heap[r->waiting++] = i;
        else if (result == SST_ERR_NOT_FOUND) r->heap[--without] = i;
        else return result;
    }
    for (i = r->waiting / 2; i-- > 0;) ssti_replay_sink(r, i);
    r->ready = true;
    return SST_OK;
}

/* Goes on in the lane whose row was given out. */
static int ssti_replay_advance(sst_replay *r, size_t *lane) {
    int result = ssti_replay_load(&r->lanes[r->last], r->forwards);
    *lane = r->last;
    if (result == SST_ERR_NOT_FOUND) {
        r->heap[0] = r->heap[--r->waiting];
        r->heap[r->waiting] = r->last;
        result = SST_OK;
    }
    if (result == SST_OK && r->waiting != 0) ssti_replay_sink(r, 0);
    return result;
}

/* Has a lane that was at its end got rows since? They may be the next ones. */
static bool ssti_replay_more(const sst_replay *r) {
    size_t i;
    for (i = r->waiting; i < r->n && r->forwards; i++) {
        const ssti_lane *lane = &r->lanes[r->heap[i]];
        uint64_t rows;
        ssti_pin(lane->stream);
        rows = ssti_series_rows(lane->stream->series);
        ssti_unpin(lane->stream);
        if (rows > lane->row) return true;
    }
    return false;
}

/* Finds the lane whose row comes next, or the one that failed. */
static int ssti_replay_find(sst_replay *r, size_t *lane) {
    int result = SST_OK;
    if (r->ready) result = ssti_replay_advance(r, lane);     /* so a row was given */
    if (result == SST_OK && (!r->ready || ssti_replay_more(r))) {
        result = ssti_replay_ready(r, lane);
    }
    if (result != SST_OK) return result;
    if (r->waiting == 0) return SST_ERR_NOT_FOUND;
    *lane = r->heap[0];
    return SST_OK;
}

/* Gives out the next row of a lane, and steps over it. */
static void ssti_replay_give(const sst_replay *r, ssti_lane *lane, sst_view *out) {
    const ssti_series *s = lane->stream->series;
    uint64_t row = r->forwards ? lane->row++ : --lane->row;
    size_t at = (size_t)(row - lane->view.first_row);
    uint32_t i;
    *out = lane->view;
    out->first_row = row;
    out->count = 1;
    out->times += at;
    for (i = 0; i < s->timeline_count; i++) out->timelines[i] += at;
    if (out->tags != NULL) out->tags += at;
    if (out->key_offsets != NULL) {
        out->key_offsets += at;
        out->row_flags += at;
    }
    for (i = 0; i < s->field_count; i++) {
        lane->fields[i] = lane->view.columns[i];
        lane->fields[i].values = (const uint8_t *)lane->fields[i].values +
                                 at * s->columns[s->field_columns[i]].row_bytes;
        if (lane->fields[i].offsets != NULL) lane->fields[i].offsets += at;
    }
    out->values = lane->fields[0].values;
    out->offsets = lane->fields[0].offsets;
    out->columns = lane->fields;
}

static int ssti_replay_step(sst_replay *r, bool forwards, size_t *stream, sst_view *out) {
    size_t lane = r->last;
    bool back = r->given && r->forwards && !forwards;   /* over the row that was given: it may have
                                                           come late, before rows that were given */
    int result;
    if (r->forwards != forwards) r->ready = false;
    r->forwards = forwards;
    result = back ? ssti_replay_load(&r->lanes[lane], forwards) : ssti_replay_find(r, &lane);
    r->given = result == SST_OK;
    if (result == SST_OK) {
        r->last = lane;
        ssti_replay_give(r, &r->lanes[lane], out);
    } else {
        r->ready = false;               /* there may be more rows when it is asked again */
        memset(out, 0, sizeof *out);
    }
    if (stream != NULL) *stream = lane;
    return result;
}

SST_API int sst_replay_next(sst_replay *replay, size_t *stream, sst_view *row) {
    if (replay == NULL || row == NULL) return SST_ERR_ARG;
    return ssti_replay_step(replay, true, stream, row);
}

SST_API int sst_replay_prev(sst_replay *replay, size_t *stream, sst_view *row) {
    if (replay == NULL || row == NULL) return SST_ERR_ARG;
    return ssti_replay_step(replay, false, stream, row);
}

/* How many rows of the lane are before a time: counted at once, since another thread may append. */
static int ssti_replay_rank(ssti_lane *lane, int64_t time) {
    ssti_look k;
    lane->view.count = 0;               /* a query ends it */
    SSTI_TRY(ssti_look_stream(&k, lane->stream));
    return ssti_look_end(lane->stream, ssti_rank_before(&k, 0, time, &lane->sought));
}

SST_API int sst_replay_seek(sst_replay *replay, int64_t time) {
    size_t i;
    if (replay == NULL) return SST_ERR_ARG;
    replay->ready = false;
    for (i = 0; i < replay->n; i++) {
        ssti_lane *lane = &replay->lanes[i];
        int result = ssti_replay_rank(lane, time);
        if (ssti_again(lane->stream, result)) result = ssti_replay_rank(lane, time);
        if (result != SST_OK) return result;
    }
    for (i = 0; i < replay->n; i++) replay->lanes[i].row = replay->lanes[i].sought;
    replay->given = false;
    return SST_OK;
}

SST_API void sst_replay_close(sst_replay *replay) {
    size_t i;
    sst_allocator a;
    if (replay == NULL) return;
    a = replay->allocator;
    for (i = 0; i < replay->n; i++) {
        ssti_lane *lane = &replay->lanes[i];
        if (lane->stream == NULL) continue;
        ssti_free(&a, lane->fields, lane->stream->series->field_count * sizeof(sst_column));
        sst_stream_close(lane->stream);
    }
    ssti_free(&a, replay->lanes, replay->n * SSTI_LANE_BYTES);
    ssti_free(&a, replay, sizeof *replay);
}

SST_API int sst_replay_open(sst_stream *const *streams, size_t n, int64_t start,
                            sst_replay **out) {
    sst_allocator a;
    sst_replay *r;
    size_t i;
    int result = SST_OK;
    if (out != NULL) *out = NULL;
    if (out == NULL || streams == NULL || n == 0 || n > SIZE_MAX / SSTI_LANE_BYTES) {
        return SST_ERR_ARG;
    }
    for (i = 0; i < n; i++) {
        if (streams[i] == NULL) return SST_ERR_ARG;
        SSTI_TRY(ssti_query_timed(streams[i]));
    }
    a = streams[0]->series->store->allocator;
    r = (sst_replay *)ssti_alloc_zero(&a, sizeof *r);
    if (r == NULL) return SST_ERR_MEMORY;
    r->allocator = a;
    r->lanes = (ssti_lane *)ssti_alloc_zero(&a, n * SSTI_LANE_BYTES);
    if (r->lanes == NULL) {
        ssti_free(&a, r, sizeof *r);
        return SST_ERR_MEMORY;
    }
    r->n = n;
    r->heap = (size_t *)(void *)(r->lanes + n);
    for (i = 0; i < n && result == SST_OK; i++) {
        const ssti_series *s = streams[i]->series;
        ssti_lane *lane = &r->lanes[i];
        result = sst_stream_open(s->store, s->name, &lane->stream);
        if (result != SST_OK) break;
        lane->fields = (sst_column *)ssti_alloc_zero(&a, s->field_count * sizeof(sst_column));
        if (lane->fields == NULL) result = SST_ERR_MEMORY;
    }
    if (result == SST_OK) result = sst_replay_seek(r, start);
    if (result == SST_OK) *out = r;
    else sst_replay_close(r);
    return result;
}

/* ---- facts ---- */

/* The first or last time, which block headers know without their columns. */
static int ssti_edge_time(const ssti_look *k, uint64_t row, int64_t *time) {
    uint32_t block;
    if (time == NULL) return SST_OK;
    *time = 0;
    if (k->rows == 0 || !k->series->timed) return SST_OK;
    if (row >= k->sealed) return ssti_time(k, 0, row, time);
    SSTI_TRY(ssti_block_of_row(k, row, &block));
    return ssti_block_time(k, block, 0, (uint32_t)(row - ssti_list_at(k->list, block)->first_row),
                           time);
}

static void ssti_desc_of(const ssti_series *s, sst_stream_desc *desc) {
    uint32_t i;
    memset(desc, 0, sizeof *desc);
    desc->name = s->name;
    if (s->field_count == 1) {
        desc->type = s->fields[0].type;
        memcpy(desc->shape, s->fields[0].shape, sizeof desc->shape);
    }
    desc->flags = s->flags | (s->field_count == 1 ? s->fields[0].flags : 0);
    if (s->field_count != 1 || s->fields[0].name[0] != 0) {
        desc->fields = s->fields;
        desc->field_count = s->field_count;
    }
    for (i = 0; i < s->timeline_count; i++) desc->timelines[i] = s->timelines[i];
    desc->time_unit = s->unit;
    desc->block_bytes = s->block_bytes == s->store->block_bytes ? 0 : s->block_bytes;
    if (s->keep != NULL) {
        desc->retain_rows = s->keep->rows;
        desc->retain_time = s->keep->time;
    }
}

/* Where a stream begins and ends. Any thread may ask: nothing of a handle is used. */
static int ssti_series_ends(ssti_series *s, uint64_t *first_row, uint64_t *rows,
                            int64_t *first_time, int64_t *last_time) {
    ssti_look k;
    ssti_cache cache;
    sst_error error;
    uint32_t hint = 0;
    bool retained = s->keep != NULL;
    int result;
    memset(&cache, 0, sizeof cache);
    if (retained) ssti_lock(&s->store->lock);       /* nothing is dropped meanwhile */
    ssti_look_begin(&k, s, &error, &hint);
    k.cache = &cache;
    if (retained) ssti_look_oldest(&k);
    if (first_row != NULL) *first_row = k.oldest;
    if (rows != NULL) *rows = k.rows;
    result = ssti_edge_time(&k, k.oldest, first_time);
    if (result == SST_OK) result = ssti_edge_time(&k, k.rows - 1, last_time);
    if (retained) ssti_unlock(&s->store->lock);
    ssti_free(&s->store->allocator, cache.bytes, cache.capacity);
    return result;
}

SST_API uint64_t sst_first_row(const sst_stream *stream) {
    uint64_t row;
    if (stream == NULL || stream->series->keep == NULL) return 0;
    (void)ssti_series_ends(stream->series, &row, NULL, NULL, NULL);
    return row;
}

SST_API int sst_stream_info(const sst_stream *stream, sst_stream_desc *desc, uint64_t *rows,
                            int64_t *first_time, int64_t *last_time) {
    if (stream == NULL) return SST_ERR_ARG;
    if (*stream->series->store->alive == 0) return SST_ERR_STATE;
    if (desc != NULL) ssti_desc_of(stream->series, desc);
    return ssti_series_ends(stream->series, NULL, rows, first_time, last_time);
}

#endif /* SSTI_HAS_READ */

/* ============================================================================================
 * >>admin  Verify, compact.
 * ============================================================================================ */

#if SSTI_HAS_READ

/* A verification under way. */
typedef struct ssti_audit {
    sst_store *store;
    sst_report *report;
    uint64_t *next;                 /* per stream: the row its next block should begin with */
    uint64_t gap, gap_bytes;        /* the last range that was stepped over */
    bool gap_open;                  /* and no damage has named its rows yet */
} ssti_audit;

static void ssti_audit_note(ssti_audit *a, uint32_t stream, uint64_t offset, uint64_t size,
                            ssti_range rows) {
    sst_report *r = a->report;
    if (r->damage != NULL && r->damage_count < r->damage_capacity) {
        sst_damage *d = &r->damage[(size_t)r->damage_count];
        d->stream = stream;
        d->result = SST_ERR_CORRUPT;
        d->offset = offset;
        d->size = size;
        d->first_row = rows.first;
        d->rows = rows.count;
    }
    r->damage_count++;
}

/* Reports a range that was stepped over and whose rows nobody has named. */
static void ssti_audit_close_gap(ssti_audit *a) {
    ssti_range none;
    none.first = none.count = 0;
    if (a->gap_open) ssti_audit_note(a, 0, a->gap, a->gap_bytes, none);
    a->gap_open = false;
}

/* Rows of a stream that should have come before `first_row` were in what was stepped over. */
static void ssti_audit_lost(ssti_audit *a, uint32_t at, uint64_t first_row) {
    ssti_range lost;
    lost.first = a->next[at];
    lost.count = first_row - lost.first;
    if (first_row <= a->next[at]) return;
    ssti_audit_note(a, ssti_series_at(a->store, at)->number, a->gap, a->gap_bytes, lost);
    a->gap_open = false;
}

/* Checks every column of a block: of the file, or where it is in memory. */
static void ssti_audit_columns(ssti_audit *a, uint64_t offset, const ssti_header *h,
                               const uint8_t *record) {
    ssti_directory d;
    ssti_range rows;
    uint32_t i;
    rows.first = h->first_row;
    rows.count = h->rows;
    if (!ssti_directory_open(&d, a->store, offset, h, record) || !ssti_directory_sound(&d, h)) {
        ssti_audit_note(a, h->stream, offset, SSTI_RECORD_BYTES + h->payload, rows);
        return;
    }
    for (i = 0; i < d.count; i++) {
        ssti_entry e;
        if (ssti_directory_check(&d, i)) continue;
        if (ssti_directory_entry(&d, i, &e)) {
            ssti_audit_note(a, h->stream, offset + e.offset, e.stored, rows);
        } else {
            ssti_audit_note(a, h->stream, offset, SSTI_RECORD_BYTES + h->payload, rows);
        }
    }
}

/* Checks the blocks of a stream whose rows are dropped, which are not in the image. */
static void ssti_audit_retained(ssti_audit *a, const ssti_series *s) {
    uint32_t i;
    for (i = s->first_block; i != s->list->count; i++) {
        const ssti_block *b = ssti_list_at(s->list, i);
        ssti_header h;
        ssti_range rows;
        rows.first = b->first_row;
        rows.count = b->rows;
        a->report->records++;
        a->report->rows += b->rows;
        if (ssti_header_decode(b->data, b->offset, &h) && h.first_row == b->first_row &&
            h.rows == b->rows) {
            a->report->bytes += SSTI_RECORD_BYTES + h.payload;
            ssti_audit_columns(a, b->offset, &h, b->data);
        } else {
            ssti_audit_note(a, s->number, b->offset, SSTI_RECORD_BYTES, rows);
        }
    }
}

static void ssti_audit_block(ssti_audit *a, const ssti_walk *w) {
    const ssti_header *h = &w->header;
    bool found;
    uint32_t at = ssti_series_find(a->store, h->stream, &found);
    a->report->rows += h->rows;
    if (found) {
        ssti_audit_lost(a, at, h->first_row);
        a->next[at] = h->first_row + h->rows;
    }
    ssti_audit_columns(a, w->offset, h, NULL);
}

static void ssti_audit_file(ssti_audit *a) {
    sst_store *store = a->store;
    ssti_range none;
    ssti_walk w;
    uint32_t i;
    none.first = none.count = 0;
    ssti_walk_begin(&w, store);
    for (;;) {
        bool more = ssti_walk_next(&w);
        if (w.gap != w.offset) {
            ssti_audit_close_gap(a);
            a->gap = w.gap;
            a->gap_bytes = w.offset - w.gap;
            a->gap_open = true;
        }
        if (!more) break;
        a->report->records++;
        if (w.header.type == SSTI_BLOCK) ssti_audit_block(a, &w);
        else if (!w.sound) {
            ssti_audit_note(a, w.header.stream, w.offset, SSTI_RECORD_BYTES + w.header.payload,
                            none);
        }
    }
    for (i = 0; i < store->series_count; i++) {
        const ssti_series *s = ssti_series_at(store, i);
        if (s->keep != NULL) ssti_audit_retained(a, s);
        else ssti_audit_lost(a, i, ssti_sealed_rows(s));
    }
    ssti_audit_close_gap(a);
}

static int ssti_verify(sst_store *store, sst_report *report) {
    const sst_allocator *a = &store->allocator;
    size_t bytes = (store->series_count + (size_t)1) * sizeof(uint64_t);
    ssti_audit audit;
    ssti_range none;
    uint8_t header[SSTI_RECORD_BYTES];
    none.first = none.count = 0;
    memset(&audit, 0, sizeof audit);
    audit.store = store;
    audit.report = report;
    audit.next = (uint64_t *)ssti_alloc_zero(a, bytes);
    if (audit.next == NULL) return SST_ERR_MEMORY;
    report->bytes = ssti_length(store);
    report->torn_bytes = store->torn_bytes;
    store->read_error = SST_OK;
    if ((!ssti_copy_at(store, 0, header, sizeof header) ||
         ssti_file_header_check(header) != SST_OK) && store->synced != 0) {
        ssti_audit_note(&audit, 0, 0, SSTI_RECORD_BYTES, none);
    }
    ssti_audit_file(&audit);
    ssti_free(a, audit.next, bytes);
    if (store->read_error != SST_OK) return SST_ERR_IO;
    return report->damage_count == 0 ? SST_OK : SST_ERR_CORRUPT;
}

SST_API int sst_verify(sst_store *store, sst_report *report) {
    sst_report r;
    int result;
    if (store == NULL) return SST_ERR_ARG;
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    memset(&r, 0, sizeof r);
    if (report != NULL) {
        r.damage = report->damage;
        r.damage_capacity = report->damage_capacity;
    }
    ssti_lock(&store->lock);
    result = ssti_verify(store, &r);
    ssti_unlock(&store->lock);
    if (report != NULL) *report = r;
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(store, result, result == SST_ERR_CORRUPT
                                              ? SSTI_TEXT("something is damaged")
                                              : SSTI_TEXT("no memory, or a read failed"));
}

/* ---- compacting ---- */

#ifndef SSTI_COPY_BYTES
#define SSTI_COPY_BYTES 0x800000u       /* on their way from store to store at once: so many that a
                                           system with huge pages keeps the file in such */
#endif
#ifndef SSTI_COPY_BLOCK
#define SSTI_COPY_BLOCK 0x100000u       /* bytes of columns in a block */
#endif
#define SSTI_COPY_ROWS 256u             /* whose offsets are looked at together */
#define SSTI_COPY_COLUMN_MAX 0x1000000000u      /* 64 GiB: offsets are uint32 of 64 bytes */

/* Rows of a stream that become one block of a stream of another store. They pass through the
 * staging memory of that store twice: for the checksums, which stand before them, and to be
 * written. */
typedef struct ssti_copy {
    ssti_look from;
    ssti_series *to;
    ssti_range rows;
    ssti_entry *entries;            /* of `to` */
    uint32_t n;
    uint8_t *pieces;                /* the columns of kind 9, one behind the other */
    size_t pieces_bytes;
    ssti_edges edges;
    uint64_t offset;                /* in the file, of what waits in staging */
    size_t used;                    /* bytes of that */
} ssti_copy;

static int ssti_copy_flush(ssti_copy *c) {
    sst_store *store = c->to->store;
    size_t size = c->used;
    c->used = 0;
    if (SSTI_NEVER(size == 0)) return SST_OK;   /* what is asked for fits an empty staging */
    SSTI_TRY(ssti_records_write(store, c->offset, store->staging, size));
    c->offset += size;
    return SST_OK;
}

/* Room for so many bytes behind those that wait; they count from now on. */
static int ssti_copy_room(ssti_copy *c, size_t size, uint8_t **out) {
    sst_store *store = c->to->store;
    if (store->staging_bytes - c->used < size) SSTI_TRY(ssti_copy_flush(c));
    *out = store->staging + c->used;
    c->used += size;
    return SST_OK;
}

static int ssti_copy_zeros(ssti_copy *c, uint64_t size) {
    uint8_t *p;
    SSTI_TRY(ssti_copy_room(c, (size_t)size, &p));      /* less than 64 */
    memset(p, 0, (size_t)size);
    return SST_OK;
}

/* The rows of one column that are taken at once, from `at` on, and their bytes; staging has room
 * for them. Of items as many rows as may be, but one at least. */
static int ssti_copy_part(const ssti_copy *c, uint32_t column, uint64_t at, ssti_range *part,
                          uint64_t *bytes) {
    const ssti_column *col = &c->to->columns[column];
    uint64_t most = col->row_bytes == 0 ? UINT64_MAX : SSTI_COPY_BYTES / col->row_bytes, items;
    part->first = c->rows.first + at;
    part->count = c->rows.count - at;
    if (most == 0) most = 1;
    if (part->count > most) part->count = most;
    *bytes = part->count * col->row_bytes + (ssti_is_offsets(col) && at == 0 ? 4 : 0);
    while (col->item_bytes != 0) {
        SSTI_TRY(ssti_items_count(&c->from, column, *part, &items));
        *bytes = items * col->item_bytes;
        if (*bytes <= SSTI_COPY_BYTES || part->count == 1) break;
        part->count /= 2;
    }
    return ssti_staging_room(c->to->store, (size_t)*bytes + 2 * SSTI_PAGE_BYTES);
}

/* Copies that part of a column of offsets. *end: the last one before it. */
static int ssti_copy_offsets(const ssti_copy *c, uint32_t column, ssti_range part, uint32_t *end,
                             uint8_t *to) {
    uint32_t offsets[SSTI_COPY_ROWS + 1];
    while (part.count != 0) {
        ssti_range some = part;
        if (some.count > SSTI_COPY_ROWS) some.count = SSTI_COPY_ROWS;
        offsets[0] = *end;
        SSTI_TRY(ssti_fetch(&c->from, column, some, (uint8_t *)(offsets + 1)));
        *end = offsets[some.count];
        memcpy(to, offsets + 1, (size_t)some.count * 4);
        to += (size_t)some.count * 4;
        part.first += some.count;
        part.count -= some.count;
    }
    return SST_OK;
}

/* Copies that part of a column of items. */
static int ssti_copy_items(const ssti_copy *c, uint32_t column, ssti_range part, uint64_t bytes,
                           uint8_t *to) {
    uint32_t offsets[SSTI_COPY_ROWS + 1];
    while (part.count != 0) {
        ssti_range some = part;
        uint64_t n;
        if (some.count > SSTI_COPY_ROWS) some.count = SSTI_COPY_ROWS;
        offsets[0] = 0;
        SSTI_TRY(ssti_fetch(&c->from, column - 1, some, (uint8_t *)(offsets + 1)));
        n = (uint64_t)offsets[some.count] * c->to->columns[column].item_bytes;
        if (SSTI_RACE(n > bytes)) {     /* what was measured has changed */
            return ssti_fail(c->from.error, SST_ERR_CORRUPT, SSTI_TEXT("the file is changing"));
        }
        SSTI_TRY(ssti_fetch_items(&c->from, column, some, (uint8_t *)(offsets + 1), to));
        to += (size_t)n;
        bytes -= n;
        part.first += some.count;
        part.count -= some.count;
    }
    return SST_OK;
}

/* Copies that part of a column as the file has it. */
static int ssti_copy_fetch(const ssti_copy *c, uint32_t column, ssti_range part, uint64_t bytes,
                           uint32_t *end, uint8_t *to) {
    const ssti_column *col = &c->to->columns[column];
    if (ssti_is_offsets(col)) {
        bool first = part.first == c->rows.first;
        if (first) *end = 0;
        memset(to, 0, first ? 4 : 0);
        SSTI_TRY(ssti_copy_offsets(c, column, part, end, to + (first ? 4 : 0)));
    } else if (col->item_bytes != 0) {
        SSTI_TRY(ssti_copy_items(c, column, part, bytes, to));
    } else {
        SSTI_TRY(ssti_fetch(&c->from, column, part, to));
    }
    return SST_OK;
}

/* Notes the edges of a column of times, and whether it is in order. */
static int ssti_copy_times(ssti_copy *c, uint32_t column, ssti_range part, const uint8_t *bytes) {
    int64_t *last = &c->edges.last[column];
    uint64_t i;
    for (i = 0; i < part.count; i++) {
        int64_t time = ssti_native_time(bytes + (size_t)i * 8);
        bool first = part.first + i == c->rows.first;
        if (first) c->edges.first[column] = time;
        if (column == 0 && !first && !ssti_follows(c->to, *last, time)) {
            return ssti_fail_at(c->from.error, SST_ERR_CORRUPT,
                                SSTI_TEXT("times are not in order"), 0, part.first + i);
        }
        if (column != 0 && (!first || c->to->any) && time < c->to->clock_last[column - 1]) {
            c->to->clocks[column - 1].sorted = SSTI_UNSORTED;
        }
        *last = time;
        if (column != 0) c->to->clock_last[column - 1] = time;
    }
    return SST_OK;
}

/* Takes bytes of a column into its checksums. done: bytes of the column before. */
static void ssti_copy_sum(ssti_entry *e, uint8_t *pieces, uint64_t done, const uint8_t *bytes,
                          size_t size) {
    while (size != 0 && e->stored > SSTI_PIECE_BYTES) {
        uint8_t *crc = pieces + (size_t)(done / SSTI_PIECE_BYTES * 4);
        size_t n = (size_t)(SSTI_PIECE_BYTES - done % SSTI_PIECE_BYTES);
        if (n > size) n = size;
        ssti_put32(crc, sst_crc32c(bytes, n, ssti_get32(crc)));
        bytes += n;
        size -= n;
        done += n;
    }
    if (size != 0) e->crc = sst_crc32c(bytes, size, e->crc);
}

/* The first pass: all checksums. Staging grows where a row needs that. */
static int ssti_copy_sums(ssti_copy *c) {
    uint8_t *pieces = c->pieces;
    uint32_t i, k, end = 0;
    for (i = 0, k = c->to->column_count; i < c->to->column_count; i++) {
        ssti_entry *e = &c->entries[i];
        uint64_t at, done = 0, bytes;
        ssti_range part;
        for (at = 0; at < c->rows.count; at += part.count, done += bytes) {
            uint8_t *staging;
            SSTI_TRY(ssti_copy_part(c, i, at, &part, &bytes));
            staging = c->to->store->staging;
            SSTI_TRY(ssti_copy_fetch(c, i, part, bytes, &end, staging));
            if (i < c->to->clock_count) SSTI_TRY(ssti_copy_times(c, i, part, staging));
            ssti_swap_elements(staging, (size_t)bytes, c->to->columns[i].element);
            ssti_copy_sum(e, pieces, done, staging, (size_t)bytes);
        }
        if (e->stored > SSTI_PIECE_BYTES) {
            ssti_entry *sums = &c->entries[k++];
            sums->crc = e->crc = sst_crc32c(pieces, (size_t)sums->stored, 0);
            pieces += (size_t)sums->stored;
        }
    }
    return SST_OK;
}

/* The second pass: the columns, each at its place behind the record's start. */
static int ssti_copy_columns(ssti_copy *c, uint64_t record) {
    const uint8_t *pieces = c->pieces;
    uint8_t *p;
    uint32_t i, end = 0;
    for (i = 0; i < c->n; i++) {
        const ssti_entry *e = &c->entries[i];
        uint64_t at = 0, bytes;
        SSTI_TRY(ssti_copy_zeros(c, record + e->offset - (c->offset + c->used)));
        while (i < c->to->column_count && at < c->rows.count) {
            ssti_range part;
            SSTI_TRY(ssti_copy_part(c, i, at, &part, &bytes));
            SSTI_TRY(ssti_copy_room(c, (size_t)bytes, &p));
            SSTI_TRY(ssti_copy_fetch(c, i, part, bytes, &end, p));
            ssti_swap_elements(p, (size_t)bytes, c->to->columns[i].element);
            at += part.count;
        }
        for (; i >= c->to->column_count && at < e->stored; at += 4) {
            SSTI_TRY(ssti_copy_room(c, 4, &p));
            memcpy(p, pieces, 4);
            pieces += 4;
        }
    }
    return ssti_copy_zeros(c, (0u - (c->offset + c->used)) & 63u);
}

/* Makes the block known. */
static void ssti_copy_publish(ssti_copy *c, const ssti_draft *d) {
    ssti_block b;
    memset(&b, 0, sizeof b);
    b.offset = d->offset;
    b.first_row = d->header.first_row;
    b.first_time = d->header.first_time;
    b.last_time = d->header.last_time;
    b.rows = d->header.rows;
    c->to->any = true;
    ssti_block_publish(c->to, &b, &c->edges);
}

/* Writes the rows as one block. Under the lock of the store that is written. */
static int ssti_copy_write(ssti_copy *c, uint64_t payload) {
    sst_store *store = c->to->store;
    ssti_draft d;
    size_t head;
    SSTI_TRY(ssti_copy_sums(c));
    ssti_draft_begin(store, &d, SSTI_BLOCK, payload, c->entries[0].offset);
    c->offset = store->end;
    head = d.skip + SSTI_RECORD_BYTES + SSTI_ENTRY_BYTES * ((size_t)c->n + 1);
    c->used = head;
    d.record = store->staging + d.skip;
    ssti_block_directory(d.record, c->entries, c->n);
    d.header.stream = c->to->number;
    d.header.rows = (uint32_t)c->rows.count;
    d.header.first_row = ssti_list_end(c->to->list, c->to->list->count);
    d.header.first_time = c->edges.first[0];
    d.header.last_time = c->edges.last[0];
    d.header.crc = sst_crc32c(ssti_draft_payload(&d), head - d.skip - SSTI_RECORD_BYTES, 0);
    ssti_draft_encode(store, &d);
    SSTI_TRY(ssti_copy_columns(c, d.offset));
    SSTI_TRY(ssti_copy_flush(c));
    store->end = c->offset;
    store->sequence = d.header.sequence + 1;
    store->ended = false;
    ssti_copy_publish(c, &d);
    return SST_OK;
}

static int ssti_copy_block(ssti_copy *c) {
    sst_store *store = c->to->store;
    const sst_allocator *a = &store->allocator;
    uint64_t payload, pieces = 0;
    uint32_t i;
    int result;
    for (i = 0; i < c->to->column_count; i++) {
        const ssti_column *col = &c->to->columns[i];
        ssti_entry *e = &c->entries[i];
        uint64_t items = 0;
        memset(e, 0, sizeof *e);
        e->kind = col->kind;
        e->part = col->part;
        if (col->item_bytes != 0) SSTI_TRY(ssti_items_count(&c->from, i, c->rows, &items));
        e->stored = c->rows.count * col->row_bytes + (ssti_is_offsets(col) ? 4 : 0) +
                    items * col->item_bytes;
        e->decoded = e->stored;
    }
    c->n = ssti_block_layout(c->to, &payload);
    for (i = c->to->column_count; i < c->n; i++) pieces += c->entries[i].stored;
    c->pieces_bytes = (size_t)pieces + 1;
    SSTI_TRY(ssti_block_room(c->to));
    c->pieces = (uint8_t *)ssti_alloc_zero(a, c->pieces_bytes);
    if (c->pieces == NULL) return SST_ERR_MEMORY;
    result = ssti_copy_write(c, payload);
    ssti_free(a, c->pieces, c->pieces_bytes);
    return result;
}

/* Do the rows fit into a block whose columns have so many bytes together (each: 0)? */
static int ssti_copy_fits(const ssti_copy *c, ssti_range rows, uint64_t block_bytes, bool *fit) {
    uint64_t all = rows.count * c->to->row_bytes, items;
    uint32_t i;
    *fit = true;
    for (i = 0; i < c->to->column_count && *fit; i++) {
        const ssti_column *col = &c->to->columns[i];
        if (col->item_bytes == 0) continue;
        SSTI_TRY(ssti_items_count(&c->from, i, rows, &items));
        all += items * col->item_bytes;
        *fit = !SSTI_HUGE(items > UINT32_MAX) &&
               (block_bytes == 0 ? items <= SSTI_COPY_COLUMN_MAX / col->item_bytes
                                 : all <= block_bytes);
    }
    return SST_OK;
}

/* How many of the rows become one block: of ragged ones by bisection. */
static int ssti_copy_choose(ssti_copy *c, uint64_t block_bytes) {
    uint64_t low = 1, high = c->rows.count;     /* one row always is one */
    bool fit;
    if (c->to->items_count == 0) return SST_OK;
    SSTI_TRY(ssti_copy_fits(c, c->rows, block_bytes, &fit));
    while (!fit && high - low > 1) {
        ssti_range some = c->rows;
        bool half;
        some.count = low + (high - low) / 2;
        SSTI_TRY(ssti_copy_fits(c, some, block_bytes, &half));
        if (half) low = some.count;
        else high = some.count;
    }
    if (!fit) c->rows.count = low;
    return SST_OK;
}

/* What is copied from store to store. */
typedef struct ssti_copying {
    uint64_t block_bytes;           /* of the columns of a block; 0: as few blocks as can be */
    bool some;                      /* only rows of an interval */
    int64_t interval[2];
} ssti_copying;

/* Copies the rows that a look sees. */
static int ssti_copy_rows(const ssti_look *from, ssti_series *to, const ssti_copying *how) {
    uint64_t most = how->block_bytes / to->row_bytes, widest = 0, at;
    ssti_range all;
    ssti_copy c;
    uint32_t i;
    memset(&c, 0, sizeof c);
    c.from = *from;
    c.to = to;
    c.entries = to->entries;
    for (i = 0; i < to->column_count; i++) {
        if (to->columns[i].row_bytes > widest) widest = to->columns[i].row_bytes;
    }
    if (how->block_bytes == 0) most = SSTI_COPY_COLUMN_MAX / widest;
    if (most == 0) most = 1;
    if (most > UINT32_MAX) most = UINT32_MAX;
    if (widest < SSTI_COPY_BYTES) widest = SSTI_COPY_BYTES;
    SSTI_TRY(ssti_staging_room(to->store, (size_t)widest + 2 * SSTI_PAGE_BYTES));
    all.first = from->oldest;
    all.count = from->rows - from->oldest;
    if (how->some && to->timed) SSTI_TRY(ssti_window_rows(&c.from, 0, how->interval, 0, &all));
    for (at = 0; at < all.count; at += c.rows.count) {
        int result;
        c.rows.first = all.first + at;
        c.rows.count = all.count - at < most ? all.count - at : most;
        ssti_lock(&to->store->lock);
        result = ssti_copy_choose(&c, how->block_bytes);
        if (result == SST_OK) result = ssti_copy_block(&c);
        ssti_unlock(&to->store->lock);
        if (result != SST_OK) return result;
    }
    return SST_OK;
}

static int ssti_copy_metas(const ssti_metas *from, sst_store *store, sst_stream *stream) {
    uint32_t i;
    for (i = 0; i < from->count; i++) {
        const ssti_meta *m = &from->items[i];
        if (m->key == NULL) continue;
        SSTI_TRY(stream != NULL ? sst_stream_set_meta(stream, m->key, m->value, m->size)
                                : sst_set_meta(store, m->key, m->value, m->size));
    }
    return SST_OK;
}

static int ssti_copy_stream(sst_store *source, uint32_t index, sst_store *target,
                            const ssti_copying *how) {
    ssti_series *s = ssti_series_at(source, index);
    sst_stream *in, *out = NULL;
    sst_stream_desc desc;
    ssti_look from;
    int result = sst_stream_open(source, s->name, &in);
    if (result != SST_OK || SSTI_NEVER(in == NULL)) return result;
    ssti_desc_of(s, &desc);
    desc.retain_rows = 0;
    desc.retain_time = 0;
    result = sst_stream_create(target, &desc, &out);
    if (result == SST_OK && !SSTI_NEVER(out == NULL)) {
        result = ssti_copy_metas(&s->metas, NULL, out);
        if (result == SST_OK) result = ssti_look_stream(&from, in);
        if (result == SST_OK) {
            result = ssti_look_end(in, ssti_copy_rows(&from, out->series, how));
        }
        if (result == SST_OK && s->finished != 0) result = sst_stream_finish(out);
    }
    sst_stream_close(in);
    return result;
}

/* Does a path lead to the file of this store, or to one as like it as can be told? */
static bool ssti_path_same(const sst_store *store, const char *path) {
    const sst_io *io = &store->io;
    uint64_t size = 0, own = 0;
    void *file;
    if (store->path == NULL) return false;
    if (strcmp(path, store->path) == 0) return true;
    if (io->size == NULL || io->open(io->user, path, SST_IO_READ, &file) != SST_OK) return false;
    if (io->size(io->user, file, &size) != SST_OK) size = 0;
    (void)io->close(io->user, file);
    return io->size(io->user, store->file, &own) == SST_OK && own == size &&
           ssti_path_holds(store, path, store->header, SSTI_RECORD_BYTES) == SST_OK;
}

static int ssti_copy_once(sst_store *source, const char *path, const sst_options *o,
                          const ssti_copying *how) {
    sst_store *target;
    uint32_t i, n = ssti_atomic_load(&source->series_count);
    int result = sst_create(path, o, &target);
    if (result != SST_OK) return result;
    result = ssti_copy_metas(&source->metas, target, NULL);
    for (i = 0; i < n && result == SST_OK; i++) {
        result = ssti_copy_stream(source, i, target, how);
    }
    if (result == SST_OK && *target->alive == 0) result = SST_ERR_STATE;    /* a forked child */
    if (result == SST_OK) result = ssti_file_finish(target);
    if (result == SST_OK) return ssti_store_free(target);
    if (sst_abort(target) == SST_ERR_STATE) (void)sst_close(target);    /* in a forked child */
    return result;
}

static int ssti_copy_store(sst_store *source, const char *path, const sst_options *options,
                           ssti_copying *how) {
    sst_options o;
    int result;
    if (path == NULL || ssti_path_same(source, path)) {
        return ssti_store_fail(source, SST_ERR_ARG, SSTI_TEXT("not a path for another file"));
    }
    if (source->writable && !how->some) SSTI_TRY(sst_flush(source));
    memset(&o, 0, sizeof o);
    if (options != NULL) o = *options;
    how->block_bytes = o.block_bytes != 0 ? o.block_bytes : SSTI_COPY_BLOCK;
    if ((o.flags & SST_SINGLE_BLOCK) != 0) how->block_bytes = 0;
    o.flags = (o.flags & ~(uint32_t)SST_SINGLE_BLOCK) | SST_NO_LIVE;
    result = ssti_copy_once(source, path, &o, how);
    if (result == SST_ERR_CORRUPT && ssti_index_mend(source)) {     /* the INDEX lied */
        result = ssti_copy_once(source, path, &o, how);
    }
    if (result == SST_OK) return SST_OK;
    return ssti_store_fail(source, result, ssti_make_text(result));
}

SST_API int sst_compact(sst_store *source, const char *path, const sst_options *options) {
    ssti_copying how;
    if (source == NULL) return SST_ERR_ARG;
    if (*source->alive == 0) return ssti_store_fail(source, SST_ERR_STATE, SSTI_FORKED);
    if (ssti_atomic_load(&source->retains) != 0) {
        return ssti_store_fail(source, SST_ERR_UNSUPPORTED,
                               SSTI_TEXT("rows are dropped: sst_save"));
    }
    memset(&how, 0, sizeof how);
    return ssti_copy_store(source, path, options, &how);
}

SST_API int sst_save(sst_store *store, const char *path, int64_t start, int64_t end,
                     const sst_options *options) {
    ssti_copying how;
    if (store == NULL) return SST_ERR_ARG;
    if (*store->alive == 0) return ssti_store_fail(store, SST_ERR_STATE, SSTI_FORKED);
    memset(&how, 0, sizeof how);
    how.some = true;
    how.interval[0] = start;
    how.interval[1] = end;
    return ssti_copy_store(store, path, options, &how);
}

#endif /* SSTI_HAS_READ */

/* Private macros end here. */
#undef SSTI_HAS_OS
#undef SSTI_IMPOSSIBLE
#undef SSTI_NEVER
#undef SSTI_RACE
#undef SSTI_HUGE
#undef SSTI_NEVER_64
#undef ssti_prefetch
#undef ssti_prefetch_write
#undef SSTI_TABLE_MIN_ROWS
#undef SSTI_EVEN_ROWS
#undef SSTI_NEAR
#undef SSTI_TABLE_ROWS
#undef SSTI_TABLE_CROWD
#undef SSTI_TABLE_WIDER
#undef SSTI_TABLE_DEPTH
#undef SSTI_TABLE_PART_HEAD
#undef SSTI_TABLE_UNIT
#undef SSTI_NEAR_ROWS
#undef SSTI_SAMPLE_BATCH
#undef SSTI_SAMPLE_LANES
#undef SSTI_GATHER_AHEAD
#undef SSTI_SNAPSHOT_BATCH
#undef SSTI_GATHER_BYTES
#undef SSTI_COPY_BYTES
#undef SSTI_COPY_ROWS
#undef SSTI_MEAN_FIRST
#undef SSTI_REPLAY_COPY
#undef SSTI_LANE_BYTES
#undef SSTI_BUF_PAGE
#undef SSTI_BUF_ALIGN
#undef SSTI_BUF_RESERVE
#undef SSTI_COPY_BLOCK
#undef SSTI_COPY_COLUMN_MAX
#undef SSTI_FETCH_MISSES
#undef SSTI_BROKEN
#undef SSTI_BATCH_BLOCKS
#undef SSTI_BATCH_BYTES
#undef SSTI_BATCH_STREAMS
#undef SSTI_HAS_MALLOC
#undef SSTI_HAS_READ
#undef SSTI_HAS_FLOAT
#undef SSTI_TEXT
#undef SSTI_HAS_THREADS
#undef SSTI_INLINE
#undef SSTI_BIG_ENDIAN
#undef SSTI_TSAN
#undef SSTI_HAS_INT128
#undef SSTI_INDEX_BLOCKS
#undef SSTI_TABLE_MIN_BLOCKS
#undef SSTI_TAIL_FIRST_BYTES
#undef SSTI_BLOCK_BYTES
#undef SSTI_BLOCK_BYTES_MIN
#undef SSTI_BLOCK_BYTES_MAX
#undef SSTI_TRY
#undef ssti_atomic_load
#undef ssti_atomic_store
#undef ssti_atomic_swap
#undef ssti_atomic_or
#undef ssti_atomic_claim
#undef ssti_atomic_say
#undef ssti_atomic_hear
#undef ssti_fence_acquire
#undef ssti_fence_release
#undef ssti_word_load
#undef ssti_word_store
#undef ssti_swap16
#undef ssti_swap32
#undef ssti_swap64
#undef ssti_swap_elements
#undef SSTI_ARENA_ROUND
#undef ssti_lock
#undef ssti_unlock
#undef SSTI_CRC_POLY
#undef SSTI_CRC_CHUNK
#undef SSTI_CRC_SHIFT_1
#undef SSTI_CRC_SHIFT_2
#undef SSTI_CRC_X86
#undef SSTI_CRC_ARM
#undef SSTI_CRC_SLICES
#undef SSTI_CRC_TARGET
#undef ssti_crc_word
#undef SSTI_EXTENT_FIRST
#undef SSTI_BUFFER_FROM
#undef SSTI_BUFFER_RESERVE
#undef SSTI_RECORD_BYTES
#undef SSTI_ENTRY_BYTES
#undef SSTI_PAGE_BYTES
#undef SSTI_ALIGN_FROM
#undef SSTI_SESSION_STEP
#undef SSTI_PART_BYTES
#undef SSTI_SEGMENT_BYTES
#undef SSTI_PIECE_BYTES
#undef SSTI_LIVE_LENGTH
#undef SSTI_CHUNKS
#undef SSTI_SERIES_CHUNKS
#undef SSTI_LIST_CHUNKS
#undef ssti_ring_clear
#undef ssti_rows_now
#undef ssti_retain
#undef ssti_slab_begin
#undef SSTI_CHUNK_FIRST
#undef SSTI_CHUNK_ITEMS
#undef SSTI_RESERVE_MAX
#undef SSTI_WHERE_LARGE
#undef SSTI_STREAM_FIXED_BYTES
#undef SSTI_FIELD_BYTES
#undef SSTI_INDEX_HEAD_BYTES
#undef SSTI_INDEX_STREAM_BYTES
#undef SSTI_INDEX_CLOCK_BYTES
#undef SSTI_INDEX_BLOCK_BYTES
#undef SSTI_LIVE_VERSION
#undef SSTI_LIVE_TABLES
#undef SSTI_LIVE_SLOT
#undef SSTI_LIVE_HALF
#undef SSTI_LIVE_DESCRIPTOR
#undef SSTI_FORKED

#endif /* STREAMSTORE_IMPLEMENTATION */

/* ============================================================================================
 * >>history  What changed.
 * ============================================================================================
 *
 * 0.6.0  Retention: retain_rows and retain_time. The image of a memory store grows in one piece.
 *        Who only records forgets the blocks that an INDEX has. sst_compact and sst_save leave
 *        nothing behind when closing the copy fails.
 * 0.5.0  Every kind of row: several fields, ragged ones, text and bytes, tags, keys, rows without
 *        times or with equal ones; sst_append_n, sst_sample_field, sst_gather_field; sst_save.
 * 0.4.0  sst_snapshot, sst_replay, sst_buf. Time tables have tables of crowded buckets. Single
 *        times, windows and rows in blocks that were looked at before are found without a search; a
 *        reader that follows a recording reads what is new. A block whose record has no room for
 *        its rows is none, nor does a synced record end where no other begins.
 * 0.3.0  sst_compact. A SYNC that jumps in sequence names the record before it; recovery begins
 *        with one. Rows keep their numbers when the blocks at the end of a stream are lost.
 * 0.2.0  Recording to files: the companion, sessions, recovery, syncing, live readers.
 * 0.1.0  Stores in memory, the file format, streams of one field of a fixed shape, queries.
 */

/* ============================================================================================
 * >>licence  Public domain or MIT-0.
 * ============================================================================================
 *
 * This software is available under two licences: choose whichever you prefer.
 *
 * ALTERNATIVE A - Public domain (unlicense.org)
 *
 * This is free and unencumbered software released into the public domain.
 *
 * Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either
 * in source code form or as a compiled binary, for any purpose, commercial or non-commercial, and
 * by any means.
 *
 * In jurisdictions that recognize copyright laws, the author or authors of this software dedicate
 * any and all copyright interest in the software to the public domain. We make this dedication for
 * the benefit of the public at large and to the detriment of our heirs and successors. We intend
 * this dedication to be an overt act of relinquishment in perpetuity of all present and future
 * rights to this software under copyright law.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
 * BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
 * CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * ALTERNATIVE B - MIT No Attribution (MIT-0)
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software
 * and associated documentation files (the "Software"), to deal in the Software without
 * restriction, including without limitation the rights to use, copy, modify, merge, publish,
 * distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
 * Software is furnished to do so.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
 * BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 */
