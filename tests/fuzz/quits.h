/*
 * Quits that are put into a ring and remembered beside it, so that what documents and streams say
 * of them can be compared; and a second reading of which of them a query takes.
 */
#ifndef QR_FUZZ_QUITS_H
#define QR_FUZZ_QUITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "query.h"
#include "ring.h"
#include "span.h"

#define QUITS_DECODED_MAX 4096

/* Forgets all. They go into that ring, and many of them have IDs that the query takes. Both stay
 * the caller's. */
void quits_begin(struct qr_ring *ring, const struct qr_query *query);

/* Stores as the input says: one, or some hundred small ones. */
void quits_put(struct fuzz_input *input, const struct qr_now *now);

/* One that was stored, as it was, though the ring may have it no more. */
const struct qr_event *quits_at(uint64_t seq);

/* Whether the query takes it. */
bool quits_takes(uint64_t seq);

/* How many of those the query takes, seq first to last. */
uint64_t quits_count(uint64_t first, uint64_t last);

/* The object of an event in the JSON text that was read last: that it says what was stored. Returns
 * its seq. */
uint64_t quits_check(const char *text, int token);

/* The number that the object's member of this name is. */
uint64_t quits_number(const char *text, int object, const char *name);

/* Percent-decodes a query's value of at most QUITS_DECODED_MAX bytes. Returns its length. */
size_t quits_decode(struct qr_span value, char *out);

/* Writes an x for each percent sign that has no two digits behind it: src/http lets none pass. */
void quits_mend(char *query, size_t len);

/* What a document has for the bytes: U+FFFD for each that is none of UTF-8 and, where controls are
 * not to stand there, for those. out has three times as many. Returns its length. */
size_t quits_text(const char *bytes, size_t len, bool controls, char *out);

#endif
