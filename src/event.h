/*
 * An event as a JSON object, written in as many pieces as it takes:
 *
 *   {"seq":1,"time":"…","uptimeMs":…,"groupID":"G001","userID":"user123","operationID":"…"}
 */
#ifndef QR_EVENT_H
#define QR_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "reply.h"
#include "ring.h"

/* When it was stored, since 1970; 0: not known. The time of an event from before the device had a
 * clock follows from its clock now. */
uint64_t qr_event_time(const struct qr_event *event, const struct qr_now *now);

/* One that is being written. The event is the caller's to fill in; it is copied, so that a reader
 * however slow sees none that is half of one and half of another. */
struct qr_event_text {
    struct qr_event event;
    uint8_t step;
    size_t off; /* bytes done of the string under way */
};

/* The event is filled in, and none of it written. */
void qr_event_begin(struct qr_event_text *text);

/* Writes as much of it as fits; out has QR_EVENT_ROOM bytes of room at least. now is for
 * qr_event_time(). Returns whether it is whole. */
bool qr_event_write(struct qr_event_text *text, const struct qr_now *now, struct qr_out *out);
#define QR_EVENT_ROOM 160

#endif
