/* Data directory and key file. If the process dies while making the key file, the next start finds a short or empty file
 * and says so; no secret has been encrypted with it yet. */
#include "app/datadir.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/sync.h"
#include "lib/crypto.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum th_error refuse(char *why, size_t why_size, const char *path, const char *what)
{
    snprintf(why, why_size, "%s: %s", path, what);
    return TH_IO;
}

enum th_error th_datadir_make(const char *dir, char *why, size_t why_size)
{
    char path[4096], what[160];
    struct stat st;
    size_t n = strlen(dir);
    bool made;

    if (n == 0 || n >= sizeof path)
        return refuse(why, why_size, dir, "is not a usable directory name");
    memcpy(path, dir, n + 1);
    for (char *p = path + 1;; p++) {
        char old = *p;
        if (old != '/' && old != 0)
            continue;
        *p = 0;
        made = mkdir(path, 0700) == 0;
        if ((!made && errno != EEXIST) || (made && !th_sync_folder_of(path))) {
            snprintf(what, sizeof what, "the data directory cannot be made: %s", strerror(errno));
            return refuse(why, why_size, path, what);
        }
        *p = old;
        if (old == 0)
            break;
    }
    if (stat(dir, &st) != 0)
        return refuse(why, why_size, dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return refuse(why, why_size, dir, "is not a directory");
    if (access(dir, R_OK | W_OK | X_OK) != 0)
        return refuse(why, why_size, dir, "cannot be written by this user");
    if (st.st_mode & 077)
        th_log(TH_LOG_WARN, "the data directory can be read by others; chmod 700 it",
               TH_KC("directory", dir));
    return TH_OK;
}

/* The output of `openssl rand -hex 32` is a key that nobody can guess; any other text may be one that can be
 * guessed. */
static bool is_phrase(struct th_span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isxdigit((unsigned char)text.p[i]))
            return true;
    return text.n < 64;
}

/* Any text of enough length is a key: its SHA-256, with a prefix so that the same text hashed elsewhere differs. */
static void derive(struct th_span text, struct th_base_key *out)
{
    static const char label[] = "tenterhook secret key 1\n";
    struct th_buf b;

    th_buf_init(&b, 1u << 20);
    th_buf_add(&b, label, sizeof label - 1);
    th_buf_span(&b, text);
    th_sha256(b.p, b.n, out->bytes);
    out->phrase = is_phrase(text);
    th_buf_wipe(&b);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t some = write(fd, p, n);
        if (some <= 0)
            return false;
        p += some;
        n -= (size_t)some;
    }
    return true;
}

static enum th_error make_key_file(const char *path, char *why, size_t why_size)
{
    uint8_t raw[32];
    struct th_buf text;
    int fd;
    bool ok;

    if (!th_random(raw, sizeof raw))
        return refuse(why, why_size, path, "the kernel has no randomness");
    th_buf_init(&text, 128);
    th_hex(&text, raw, sizeof raw);
    th_buf_char(&text, '\n');
    th_wipe(raw, sizeof raw);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        th_buf_wipe(&text);
        return refuse(why, why_size, path, strerror(errno));
    }
    ok = !text.failed && write_all(fd, text.p, text.n) && fsync(fd) == 0;
    close(fd);
    th_buf_wipe(&text);
    if (!ok || !th_sync_folder_of(path)) {
        unlink(path);
        return refuse(why, why_size, path, "could not be written durably");
    }
    return TH_OK;
}

enum th_error th_datadir_read_key(const char *path, struct th_base_key *out, char *why, size_t why_size)
{
    struct stat st;
    char line[256];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return refuse(why, why_size, path, strerror(errno));
    if (fstat(fd, &st) == 0 && (st.st_mode & 077))
        th_log(TH_LOG_WARN, "the secret key can be read by others; chmod 600 it", TH_KC("file", path));
    n = read(fd, line, sizeof line);
    close(fd);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if (n < 16)
        return refuse(why, why_size, path, "is damaged: it should hold one line of 64 hexadecimal digits");
    derive(th_span(line, (size_t)n), out);
    th_wipe(line, sizeof line);
    return TH_OK;
}

enum th_error th_datadir_secret_key(const char *dir, const char *text, struct th_base_key *out, char *why,
                                    size_t why_size)
{
    char path[4200], db[4200];
    struct stat st;

    if (text) {
        derive(th_str(text), out);
        return TH_OK;
    }
    snprintf(path, sizeof path, "%s/secret.key", dir);
    snprintf(db, sizeof db, "%s/tenterhook.db", dir);
    if (stat(path, &st) != 0) {
        enum th_error error;
        if (errno != ENOENT)
            return refuse(why, why_size, path, strerror(errno));
        if (stat(db, &st) == 0 && st.st_size > 0)
            return refuse(
                why, why_size, path,
                "is missing, and this data directory has a database encrypted with it; put the key file "
                "back or give TENTERHOOK_SECRET_KEY");
        error = make_key_file(path, why, why_size);
        if (error)
            return error;
    }
    return th_datadir_read_key(path, out, why, why_size);
}
