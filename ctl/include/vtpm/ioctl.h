/*
 * The ioctl interface of a virtual TPM's device nodes, usable from C and C++.
 *
 * Numbers and structures are those of swtpm's public interface (type byte 'P'), so programs written
 * for its CUSE device work here unchanged. Every number is a literal and is never changed or used
 * again for something else. Structures are in the caller's byte order and the same for 32-bit and
 * 64-bit callers.
 *
 * Every response begins with a 32-bit TPM result code (0: success), but for VTPM_GET_CAPABILITY. A
 * refused request gets the result code alone: the rest of the caller's structure stays as it was.
 */
#ifndef VTPM_IOCTL_H
#define VTPM_IOCTL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- requests -- */

#define VTPM_GET_CAPABILITY 0x80085000u /* out: vtpm_capability */
#define VTPM_INIT 0xc0045001u           /* in, out: vtpm_init; power on, or power cycle */
#define VTPM_SHUTDOWN 0x80045002u       /* out: vtpm_result; power off and end the daemon */
#define VTPM_SET_LOCALITY 0xc0045004u   /* in, out: vtpm_locality; for commands from now on */
#define VTPM_CANCEL_TPM_CMD 0x80045008u /* out: vtpm_result; ask the running command to end */
#define VTPM_STOP 0x8004500du           /* out: vtpm_result; power off */
#define VTPM_GET_CONFIG 0x8008500eu     /* out: vtpm_config */
#define VTPM_SET_BUFFERSIZE 0xc0105010u /* in, out: vtpm_buffersize; changes only while off */

/* -- capability bits, one for each request -- */

#define VTPM_CAP_INIT (1ull << 0)
#define VTPM_CAP_SHUTDOWN (1ull << 1)
#define VTPM_CAP_SET_LOCALITY (1ull << 3)
#define VTPM_CAP_CANCEL_TPM_CMD (1ull << 5)
#define VTPM_CAP_STOP (1ull << 10)
#define VTPM_CAP_GET_CONFIG (1ull << 11)
#define VTPM_CAP_SET_BUFFERSIZE (1ull << 13)

/* -- TPM result codes that requests are answered with -- */

#define VTPM_RESULT_SUCCESS 0x00u
#define VTPM_RESULT_BAD_PARAMETER 0x03u
#define VTPM_RESULT_FAIL 0x09u
#define VTPM_RESULT_BAD_ORDINAL 0x0au /* not possible in the TPM's present phase */
#define VTPM_RESULT_IOERROR 0x1fu
#define VTPM_RESULT_BAD_LOCALITY 0x3du
#define VTPM_RESULT_TPM2_FAILURE 0x101u

/* -- structures; a union where one and the same memory carries the request and the response -- */

typedef uint64_t vtpm_capability; /* VTPM_CAP_* */

typedef struct vtpm_result {
  uint32_t tpm_result;
} vtpm_result;

#define VTPM_INIT_FLAG_DELETE_VOLATILE (1u << 0)

typedef union vtpm_init {
  struct {
    uint32_t init_flags; /* unknown bits are ignored */
  } req;
  vtpm_result resp;
} vtpm_init;

typedef union vtpm_locality {
  struct {
    uint8_t loc; /* 0 to 4 */
  } req;
  vtpm_result resp;
} vtpm_locality;

#define VTPM_CONFIG_FLAG_FILE_KEY 0x1u
#define VTPM_CONFIG_FLAG_MIGRATION_KEY 0x2u

typedef struct vtpm_config {
  uint32_t tpm_result;
  uint32_t flags; /* VTPM_CONFIG_FLAG_* */
} vtpm_config;

typedef union vtpm_buffersize {
  struct {
    uint32_t buffersize; /* bytes; 0 asks only */
  } req;
  struct {
    uint32_t tpm_result;
    uint32_t buffersize; /* bytes: the size now, the smallest and the largest possible */
    uint32_t minsize;
    uint32_t maxsize;
  } resp;
} vtpm_buffersize;

#ifdef __cplusplus
}
#endif

#endif
