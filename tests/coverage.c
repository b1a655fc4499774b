/* coverage.c - for tests/coverage.sh, linked into every instrumented program: a child that ends
 * with _exit, or kills itself, writes its counters too, to a file of its own. The linker sends the
 * calls of the program here (--wrap). A child that is killed from outside writes nothing. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int __llvm_profile_write_file(void);
void __llvm_profile_set_filename(const char *name);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

pid_t __wrap_fork(void) {
    pid_t pid = __real_fork();
    const char *name = getenv("LLVM_PROFILE_FILE");
    /* %p is the process that set the name. */
    if (pid == 0 && name != NULL) __llvm_profile_set_filename(name);
    return pid;
}

int __wrap_kill(pid_t pid, int number) {
    if (pid == getpid() && number == SIGKILL) __llvm_profile_write_file();
    return __real_kill(pid, number);
}

void __wrap__exit(int status) {
    __llvm_profile_write_file();
    __real__exit(status);
}
