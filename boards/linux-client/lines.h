/*
 * Lines for a terminal, or for who reads what one would show. IDs are hostile text: what would move
 * a cursor, or be seen as something else than it is, is shown as an escape. Pure, but for the time
 * zone.
 */
#ifndef QR_LINES_H
#define QR_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "src/reply.h"

/* Bytes of a line: three IDs of 255 bytes, each byte an escape of 6. */
#define QR_LINES_MAX 5120

/* Text in at most max columns of a terminal; more is cut, and ends in an ellipsis. Returns the
 * columns it takes. What is not UTF-8 is shown byte by byte. */
size_t qr_lines_text(struct qr_out *out, struct qr_span text, size_t max);

/* 3d 04:05:06 */
void qr_lines_duration(struct qr_out *out, uint64_t ms);

/* RFC 3339, as the local 2026-01-02 03:04:05; what is not that, as it is. */
void qr_lines_time(struct qr_out *out, const char *time);

/* A row of the table, with its line feed; columns is the terminal's width, SIZE_MAX: none. Where
 * the time is not known, it tells how long ago that was; now_ms is the server's uptime, and 0 where
 * it is not known, either: then the uptime of then. */
void qr_lines_heading(struct qr_out *out, size_t columns);
void qr_lines_quit(struct qr_out *out, const struct qr_quit *quit, uint64_t now_ms, size_t columns);

#endif
