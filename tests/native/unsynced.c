/* A disk that forgets: preloaded, it journals every write to the files under $UNSYNCED_DIR with
 * the bytes they replace, and every sync. After a kill, unsynced.py drops from the files what was
 * never synced (all of it, or any subset), as a power failure would.
 *
 * Writes still reach the page cache, since the program maps its files and must see them. Syncs are
 * recorded and not carried out. Journal records are single writev calls on an O_APPEND file, so a
 * SIGKILL leaves whole records. Syncs named in $UNSYNCED_FAILING fail with EIO, after which the kernel
 * takes what was written for clean: no later sync brings it to the disk. Writes to descriptor 1 are recorded too: acknowledgements.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 3, ACKNOWLEDGE = 4, FAILED_SYNC = 5 };

struct record {
    uint32_t kind, durable;
    uint64_t offset, size_before, new_length, old_length;
    uint32_t path_length, unused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;

static int journal_fd(void) {
    if (journal < 0) {
        const char *path = getenv("UNSYNCED_JOURNAL");
        if (path) journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return journal;
}

/* The path behind a descriptor if it is one of the watched files; lock files hold no data. */
static int watched(int fd, char *path, size_t room) {
    const char *dir = getenv("UNSYNCED_DIR");
    char link[64];
    if (!dir || fd < 3) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, room - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, dir, strlen(dir)) != 0) return 0;
    const char *name = strrchr(path, '/');
    return name && strcmp(name, "/lock.mdb") != 0 && strcmp(name, "/writer") != 0;
}

static void append(struct record *head, const char *path, const void *old, const struct iovec *new, int parts) {
    struct iovec all[3 + 64];
    int count = 0;
    head->path_length = path ? strlen(path) : 0;
    all[count++] = (struct iovec){head, sizeof *head};
    if (path) all[count++] = (struct iovec){(void *)path, head->path_length};
    if (head->old_length) all[count++] = (struct iovec){(void *)old, head->old_length};
    for (int i = 0; i < parts && count < 67; i++) all[count++] = new[i];
    if (syscall(SYS_writev, journal_fd(), all, count) < 0) abort();
}

static void note(int fd, const struct iovec *new, int parts, off_t offset) {
    char path[4096];
    struct stat stat;
    if (!watched(fd, path, sizeof path) || fstat(fd, &stat) != 0) return;
    struct record head = {.kind = WRITE};
    for (int i = 0; i < parts; i++) head.new_length += new[i].iov_len;
    head.durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0; /* O_SYNC includes O_DSYNC */
    head.offset = offset < 0 ? (uint64_t)lseek(fd, 0, SEEK_CUR) : (uint64_t)offset;
    head.size_before = stat.st_size;
    char *old = malloc(head.new_length + 1);
    int reader = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = reader < 0 ? 0 : syscall(SYS_pread64, reader, old, head.new_length, head.offset);
    head.old_length = got > 0 ? got : 0;
    if (reader >= 0) syscall(SYS_close, reader);
    append(&head, path, old, new, parts);
    free(old);
}

static void mark(int fd, uint32_t kind, uint64_t offset) {
    char path[4096];
    struct stat stat;
    if (!watched(fd, path, sizeof path) || fstat(fd, &stat) != 0) return;
    struct record head = {.kind = kind, .offset = offset, .size_before = stat.st_size};
    append(&head, path, NULL, NULL, 0);
}

static long vector(int fd, const struct iovec *parts, int count, off_t offset) {
    pthread_mutex_lock(&lock);
    note(fd, parts, count, offset);
    long result = offset < 0 ? syscall(SYS_writev, fd, parts, count)
                             : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    struct iovec part = {(void *)data, length};
    return vector(fd, &part, 1, offset);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return vector(fd, parts, count, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return vector(fd, parts, count, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return vector(fd, parts, count, -1); }

ssize_t write(int fd, const void *data, size_t length) {
    if (fd == 1 && journal_fd() >= 0) {
        struct record head = {.kind = ACKNOWLEDGE, .new_length = length};
        struct iovec part = {(void *)data, length};
        pthread_mutex_lock(&lock);
        append(&head, NULL, NULL, &part, 1);
        pthread_mutex_unlock(&lock);
        return syscall(SYS_write, fd, data, length);
    }
    struct iovec part = {(void *)data, length};
    return vector(fd, &part, 1, -1);
}

int fdatasync(int fd) {
    static long syncs;
    const char *failing = getenv("UNSYNCED_FAILING"); /* the n-th, m-th ... sync: ",3,8," */
    char path[4096], number[32];
    pthread_mutex_lock(&lock);
    int fails = 0;
    if (failing && watched(fd, path, sizeof path)) {
        snprintf(number, sizeof number, ",%ld,", ++syncs);
        fails = strstr(failing, number) != NULL;
    }
    mark(fd, fails ? FAILED_SYNC : SYNC, 0);
    pthread_mutex_unlock(&lock);
    if (!fails) return 0;
    errno = EIO;
    return -1;
}
int fsync(int fd) { return fdatasync(fd); }

int ftruncate64(int fd, off_t length) {
    pthread_mutex_lock(&lock);
    mark(fd, TRUNCATE, length);
    int result = syscall(SYS_ftruncate, fd, length);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
