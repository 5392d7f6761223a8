/* The board that load generator and sink share: a file mapped by both, one slot an event, so that the way of
 * each event is timed with one clock (CLOCK_MONOTONIC of this machine) without a message between them. */
#ifndef TH_BENCH_BOARD_H
#define TH_BENCH_BOARD_H
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Event i carries the number BOARD_FIRST + i, always ten digits: JSON allows no leading zeros. */
#define BOARD_FIRST 1000000000ull

struct board_slot {
    _Atomic uint64_t due_ns;      /* load: when it should have been posted (open loop) or was (closed loop) */
    _Atomic uint64_t accepted_ns; /* load: when the 2xx was read */
    _Atomic uint64_t arrived_ns;  /* sink: when it arrived for the first time */
};

struct board {
    _Atomic uint64_t arrived;  /* sink: events, each counted once */
    _Atomic uint64_t repeated; /* sink: requests of an event that had arrived */
    _Atomic uint64_t unknown;  /* sink: requests without a number */
    _Atomic uint64_t last_ns;  /* sink: the newest arrival */
    uint64_t capacity;         /* slots */
    struct board_slot slots[];
};

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/** Maps the board of an existing file; its size says how many slots it has. Ends the program if it cannot. */
static inline struct board *board_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 ||
        (size_t)st.st_size < sizeof(struct board) + sizeof(struct board_slot)) {
        fprintf(stderr, "%s: no board\n", path);
        exit(1);
    }
    struct board *b = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (b == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    close(fd);
    b->capacity = ((size_t)st.st_size - sizeof *b) / sizeof b->slots[0];
    return b;
}

/** The value of an option: a whole number, or the end of the program. */
static inline uint64_t number_arg(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0') {
        fprintf(stderr, "%s: not a number\n", text);
        exit(2);
    }
    return value;
}
#endif
