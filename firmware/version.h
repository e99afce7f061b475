/* The version of quitring, as --version and the status document say it (semantic versioning). */
#ifndef QR_VERSION_H
#define QR_VERSION_H

#define QR_VERSION "0.1.0"

#endif
