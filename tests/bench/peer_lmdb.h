/* peer_lmdb.h - LMDB as a peer: one transaction that appends to a writable map and is not synced.
 * For benchmarks that have a line `bench-peer LMDB`; include bench.h before. */
#ifndef PEER_LMDB_H
#define PEER_LMDB_H

#include <lmdb.h>

typedef struct lmdb_peer {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    MDB_cursor *cursor;
} lmdb_peer;

static inline void lmdb_open(lmdb_peer *p, const char *path, size_t bytes) {
    const unsigned flags = MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP;
    bench_check("mdb_env_create", mdb_env_create(&p->env));
    bench_check("mdb_env_set_mapsize", mdb_env_set_mapsize(p->env, bytes));
    bench_check("mdb_env_open", mdb_env_open(p->env, path, flags, 0644));
    bench_check("mdb_txn_begin", mdb_txn_begin(p->env, NULL, 0, &p->txn));
    bench_check("mdb_dbi_open", mdb_dbi_open(p->txn, NULL, MDB_INTEGERKEY, &p->table));
    bench_check("mdb_cursor_open", mdb_cursor_open(p->txn, p->table, &p->cursor));
}

static inline int lmdb_put(lmdb_peer *p, int64_t time, const void *bytes, size_t size) {
    MDB_val key, data;
    key.mv_size = sizeof time;
    key.mv_data = &time;
    data.mv_size = size;
    data.mv_data = (void *)(uintptr_t)bytes;        /* it is only read */
    return mdb_cursor_put(p->cursor, &key, &data, MDB_APPEND);
}

/* Commits; all rows have to be there. */
static inline void lmdb_close(lmdb_peer *p, uint64_t rows) {
    MDB_stat stat;
    bench_check("mdb_stat", mdb_stat(p->txn, p->table, &stat));
    mdb_cursor_close(p->cursor);
    bench_check("mdb_txn_commit", mdb_txn_commit(p->txn));
    mdb_env_close(p->env);
    if (stat.ms_entries != rows) bench_stop("rows are missing in LMDB", 0);
}

#endif
