/* folder.h - a folder of the test's own, and names of files in it. Include test.h before. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[300];

/* In TMPDIR or /tmp; name: of the test. */
static inline bool make_folder(const char *name) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.200s/%.50s.XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp", name);
    if (mkdtemp(folder) != NULL) return true;
    perror(folder);
    return false;
}

/* A path in it; good for eight calls. */
static inline const char *at(const char *name) {
    static char path[8][600];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* With all that is in it. */
static inline void remove_folder(void) {
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK_INT(system(command), 0);
}

#endif
