/*
 * Every limit of quitring: its name, its unit and its reason. A board overrides one by defining it
 * on the compiler's command line, where it stands under #ifndef.
 */
#ifndef QR_LIMITS_H
#define QR_LIMITS_H

/* ---- HTTP (src/http) ---- */

/* Bytes of a request target. OpenIM's is a prefix and 50 bytes; a poll with two IDs of 255 bytes,
 * each byte percent-encoded, is 1.6 KB. Past it: 414. */
#ifndef QR_TARGET_MAX
#define QR_TARGET_MAX 2048
#endif

/* Bytes of a request's head: request line, fields and, behind chunked content, trailers; line ends
 * included. Nothing of it is kept but target and operationID, so it costs no memory; it bounds the
 * work. Past it: 431. */
#ifndef QR_HEAD_MAX
#define QR_HEAD_MAX 8192
#endif

/* Bytes of a head, up to the operationID, that are kept so that the next one need not be read anew
 * where it begins alike: OpenIM's have some 200. Past it: it is read anew. */
#define QR_HEAD_ALIKE_MAX 256

/* Bytes of chunk-size lines' extensions in one request: no client sends any. Past it: 400. */
#define QR_CHUNK_EXT_MAX 256

/* Bytes of content. A quit is 120 bytes; two IDs of 255 bytes, each written as a \u escape, are
 * 3.1 KB. Past it: 413. */
#ifndef QR_CONTENT_MAX
#define QR_CONTENT_MAX 4096
#endif

/* Bytes kept of the header operationID. OpenIM's is a UUID or a number. A longer one is cut, at a
 * character's end: it is for people to search their logs with. */
#define QR_OPERATION_ID_MAX 127

/* ---- JSON (src/json) ---- */

/* Arrays and objects that may be open at once. Past it: 400. At most 32: one bit each in a word. */
#ifndef QR_JSON_DEPTH_MAX
#define QR_JSON_DEPTH_MAX 32
#endif

/* Values and member names in one text; 16 bytes each while a text is read. Past it: 400. */
#ifndef QR_JSON_TOKENS_MAX
#define QR_JSON_TOKENS_MAX 256
#endif

/* ---- callback and ring ---- */

/* Bytes of a groupID or userID, decoded. At most 255: one byte holds a length in the ring. OpenIM's
 * database columns take 64. Past it: 422, never cut short. */
#ifndef QR_ID_MAX
#define QR_ID_MAX 255
#endif

/* Bytes of the ring: at least one record of the largest size, whatever is in it. */
#ifndef QR_RING_MIN
#define QR_RING_MIN 1024
#endif
#ifndef QR_RING_MAX
#define QR_RING_MAX 16384
#endif
#ifndef QR_RING_DEFAULT
#define QR_RING_DEFAULT QR_RING_MAX
#endif

/* Records between two whose places are kept (src/ring.h): what finding one walks at most. Four
 * bytes each: of 16 KB of the smallest records 52 bytes, of 16 MB 49 KB. */
#ifndef QR_RING_STRIDE
#define QR_RING_STRIDE 64
#endif

/* ---- status ---- */

/* Events in one document: what ?limit= takes, and what stands without it. */
#define QR_STATUS_LIMIT_MAX     65535
#define QR_STATUS_LIMIT_DEFAULT 100

/* Seconds that ?wait= may hold a reply: less than what proxies wait for one. */
#define QR_WAIT_MAX_S 60

/* Records of the ring that one connection looks at in its turn, where a filter takes few of them: a
 * callback that has come meanwhile waits for that long, some ten microseconds on a small computer.
 */
#define QR_LOOKS_A_TURN 256

/* Milliseconds without an event after which an event stream says something, so that proxies and
 * clients see that it lives: a comment at least every 15 s is promised. */
#define QR_HEARTBEAT_MS 12000

/* ---- connections (src/conn, src/slots, src/server) ---- */

/* Connections at once. OpenIM keeps up to 16 idle ones for days (2 for each of 8 services); the
 * rest is for those who poll. Past it: the newest waits in the listen backlog. */
#ifndef QR_CONNS_MAX
#define QR_CONNS_MAX 24
#endif

/* Desks: what a connection needs while it has a request or a reply, and not while it is idle. Each
 * has QR_TARGET_MAX + QR_CONTENT_MAX + QR_RX_SIZE + QR_TX_SIZE bytes, and a few hundred. Past it:
 * others wait until one is given back, or taken back after a grace; but where there are fewer desks
 * than slots, the last one is for callbacks that have come whole (see DESIGN.md). */
#ifndef QR_DESKS_MAX
#define QR_DESKS_MAX (QR_CONNS_MAX <= 24 ? QR_CONNS_MAX : 8)
#endif

/* Bytes read in one go of who is only waited for to close. */
#define QR_DROP_SIZE 256

/* Free slots at which replies begin to say Connection: close, so that the table never fills with
 * connections that may not be closed for idleness. */
#ifndef QR_CONNS_SPARE
#define QR_CONNS_SPARE (QR_CONNS_MAX / 4)
#endif

/* Milliseconds that others wait for one's request, or reading, before it is given up for them: it
 * comes right behind the handshake, or 0.2 and 0.6 s later, if it is lost (RFC 6298). Each that is
 * given up so takes a quarter off the next ones' grace, until none was for QR_GRACE_REST_MS. */
#define QR_GRACE_MS       700
#define QR_GRACE_LEAST_MS 10
#define QR_GRACE_REST_MS  1000

/* Connections that may wait for events at once, as long polls and event streams do, each at a desk:
 * the others are for callbacks. Past it: a long poll gets its reply at once, an event stream 503.
 */
#ifndef QR_WAITERS_MAX
#define QR_WAITERS_MAX (QR_DESKS_MAX / 3)
#endif

/* Milliseconds that those who wait are left alone after they were told: of each quit by itself,
 * with many who wait, they would take more time than the callers. */
#define QR_NEWS_REST_MS 10

/* Pieces of replies that are under way, of all together, that are sent before callers have their
 * turn again; and replies on one connection whose requests came in one go. */
#define QR_SENDS_A_TURN 4

/* Milliseconds that accepting rests after the network had no memory for a connection. */
#define QR_ACCEPT_REST_MS 100

/* Bytes read of a connection in one go. */
#ifndef QR_RX_SIZE
#define QR_RX_SIZE 1024
#endif

/* Bytes of a reply made in one go: at least a head (QR_REPLY_HEAD_MAX) or one piece. */
#ifndef QR_TX_SIZE
#define QR_TX_SIZE 1400
#endif

/* Milliseconds from the first byte of a request, or from accept for the first one, to its head's
 * end; then to its content's end. Absolute, so that dripping bytes do not extend them. Past it:
 * 408. */
#ifndef QR_HEAD_TIMEOUT_MS
#define QR_HEAD_TIMEOUT_MS 10000
#endif
#ifndef QR_CONTENT_TIMEOUT_MS
#define QR_CONTENT_TIMEOUT_MS 10000
#endif

/* Milliseconds from the first byte of a reply to its last: a reader slower than this is cut off. */
#ifndef QR_REPLY_TIMEOUT_MS
#define QR_REPLY_TIMEOUT_MS 60000
#endif

/* Milliseconds that a connection whose last request was no callback may be idle. A poller asks
 * every few seconds. One whose last request was a callback has no such limit (see DESIGN.md). */
#ifndef QR_IDLE_TIMEOUT_MS
#define QR_IDLE_TIMEOUT_MS 60000
#endif

/* TCP keep-alive: seconds of silence before the first probe, between probes, and probes without an
 * answer. A peer that vanished without a word is noticed after 60 + 3 * 15 s. OpenIM probes every
 * 15 s by itself. */
#define QR_KEEP_IDLE_S     60
#define QR_KEEP_INTERVAL_S 15
#define QR_KEEP_COUNT      3

/* Milliseconds, after a reply that announced the close, to wait for the client's FIN before ours,
 * and then before the connection is dropped. The client closing first keeps TIME_WAIT off us. */
#ifndef QR_CLOSE_TIMEOUT_MS
#define QR_CLOSE_TIMEOUT_MS 1000
#endif

/* Milliseconds that a stop waits for requests under way. */
#ifndef QR_STOP_TIMEOUT_MS
#define QR_STOP_TIMEOUT_MS 2000
#endif

#endif
