// The operating-system tail of wasi-libc, closed off: time comes from the host, standard streams swallow
// what they are given, abort traps. Defining these here keeps every WASI import out of the link.
// Not stubbed on purpose: fwrite and __towrite, which snprintf needs.
#ifndef ALK_LIBC_TAIL_H
#define ALK_LIBC_TAIL_H

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

__attribute__((import_module("alk"), import_name("now_ms"))) extern long long host_now_ms(void);

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    long long ms = host_now_ms();
    (void)tz;
    tv->tv_sec = ms / 1000;
    tv->tv_usec = (suseconds_t)(ms % 1000) * 1000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    long long ms = host_now_ms();
    (void)clock;
    ts->tv_sec = ms / 1000;
    ts->tv_nsec = (long)(ms % 1000) * 1000000;
    return 0;
}

// Tools live in UTC: there is no time zone database.
struct tm *localtime_r(const time_t *restrict t, struct tm *restrict tm)
{
    (void)t;
    memset(tm, 0, sizeof *tm);
    return tm;
}

_Noreturn void abort(void) { __builtin_trap(); }

_Noreturn void __assert_fail(const char *expr, const char *file, int line, const char *func)
{
    (void)expr, (void)file, (void)line, (void)func;
    __builtin_trap();
}

int fprintf(FILE *restrict f, const char *restrict format, ...) { (void)f, (void)format; return 0; }
int printf(const char *restrict format, ...) { (void)format; return 0; }
int fputc(int c, FILE *f) { (void)f; return c; }
int putchar(int c) { return c; }
int fputs(const char *restrict s, FILE *restrict f) { (void)s, (void)f; return 0; }
int fflush(FILE *f) { (void)f; return 0; }
size_t __stdio_write(FILE *f, const unsigned char *b, size_t n) { (void)f, (void)b; return n; }
size_t __stdout_write(FILE *f, const unsigned char *b, size_t n) { (void)f, (void)b; return n; }
off_t __stdio_seek(FILE *f, off_t at, int whence) { (void)f, (void)at, (void)whence; return -1; }
int __stdio_close(FILE *f) { (void)f; return 0; }
int __isatty(int fd) { (void)fd; return 0; }

#endif
