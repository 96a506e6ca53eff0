"""A library that makes a process's file system refuse calls, as file systems without them do.

The product runs unchanged in a process of its own; only the C library below it answers differently.
"""

import os
import shutil
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The names of Python modules keep their case. */
static int is_trial(const char *path) { return strstr(path, ".weft-doctor-") && strlen(path) < 8192; }

static int refuses(const char *name) {
    const char *list = getenv("REFUSED");
    return list && strstr(list, name);
}

int flock(int fd, int operation) {
    if (refuses("flock-error")) { errno = ENOLCK; return -1; }
    if (refuses("flock-nothing")) return 0;               /* as Lustre with localflock, seen from elsewhere */
    return ((int (*)(int, int)) dlsym(RTLD_NEXT, "flock"))(fd, operation);
}

int link(const char *from, const char *to) {
    if (refuses("link")) { errno = EPERM; return -1; }     /* as FAT and many network file systems */
    return ((int (*)(const char *, const char *)) dlsym(RTLD_NEXT, "link"))(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    if (refuses("link")) { errno = EPERM; return -1; }
    int (*real)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
    return real(a, from, b, to, flags);
}

int rename(const char *from, const char *to) {
    if (refuses("rename")) { errno = EEXIST; return -1; }  /* a file system that replaces nothing */
    return ((int (*)(const char *, const char *)) dlsym(RTLD_NEXT, "rename"))(from, to);
}

int fsync(int fd) {
    if (refuses("fsync")) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}

static const char *lower(const char *path, char *copy) {
    size_t last = strlen(path);
    strcpy(copy, path);
    while (last > 0 && copy[last - 1] != '/') {
        last--;
        if (copy[last] >= 'A' && copy[last] <= 'Z') copy[last] += 'a' - 'A';
    }
    return copy;
}

int stat(const char *path, struct stat *result) {          /* a file system that ignores case */
    char copy[8192];
    int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
    return real(refuses("case") && is_trial(path) ? lower(path, copy) : path, result);
}

int stat64(const char *path, struct stat64 *result) {
    char copy[8192];
    int (*real)(const char *, struct stat64 *) = dlsym(RTLD_NEXT, "stat64");
    return real(refuses("case") && is_trial(path) ? lower(path, copy) : path, result);
}
"""


def build(folder):
    """Compile the library into a folder and return its path; None if there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "refusals.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
    subprocess.run(command, input=SOURCE, text=True, check=True, capture_output=True)
    return library


def environment(library, *refused):
    """Return the environment of a process whose file system refuses these calls."""
    return os.environ | {"LD_PRELOAD": str(library), "REFUSED": " ".join(refused)}
