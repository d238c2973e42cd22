/*
 * The ioctl interface of a virtual TPM's device nodes, usable from C and C++.
 *
 * Requests of type byte 'P' have the numbers and structures of swtpm's public interface, so
 * programs written for its CUSE device work here unchanged; those of type byte 0xE9 are vtpm's own.
 * Every number is a literal and is never changed or used again for something else. Structures are
 * in the caller's byte order and the same for 32-bit and 64-bit callers.
 *
 * Every response begins with a 32-bit TPM result code (0: success), but for VTPM_GET_CAPABILITY. A
 * refused request gets the result code alone: the rest of the caller's structure stays as it was.
 * docs/ioctl_abi.md says for each request when it is possible, whether it waits for a running
 * command, and who may send it.
 */
#ifndef VTPM_IOCTL_H
#define VTPM_IOCTL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- requests; (in), (out): the structure is read, written -- */

#define VTPM_GET_CAPABILITY 0x80085000u     /* vtpm_capability (out) */
#define VTPM_INIT 0xc0045001u               /* vtpm_init (in, out): power on, or power cycle */
#define VTPM_SHUTDOWN 0x80045002u           /* vtpm_result (out): power off, end the daemon */
#define VTPM_GET_TPMESTABLISHED 0x80085003u /* vtpm_established (out) */
#define VTPM_SET_LOCALITY 0xc0045004u       /* vtpm_locality (in, out): for commands from now on */
#define VTPM_HASH_START 0x80045005u         /* vtpm_result (out) */
#define VTPM_HASH_DATA 0xd0045006u          /* vtpm_hash_data (in, out) */
#define VTPM_HASH_END 0x80045007u           /* vtpm_result (out) */
#define VTPM_CANCEL_TPM_CMD 0x80045008u     /* vtpm_result (out): ask the running command to end */
#define VTPM_STORE_VOLATILE 0x80045009u     /* vtpm_result (out): volatile state to storage */
#define VTPM_RESET_TPMESTABLISHED 0xc004500au /* vtpm_locality (in, out) */
#define VTPM_GET_STATEBLOB 0xcc10500bu        /* vtpm_get_state (in, out) */
#define VTPM_SET_STATEBLOB 0xcc0c500cu        /* vtpm_set_state (in, out) */
#define VTPM_STOP 0x8004500du                 /* vtpm_result (out): power off */
#define VTPM_GET_CONFIG 0x8008500eu           /* vtpm_config (out) */
#define VTPM_SET_DATAFD 0x8004500fu           /* sockets only: no device node has it (ENOTTY) */
#define VTPM_SET_BUFFERSIZE 0xc0105010u /* vtpm_buffersize (in, out): changes only while off */
#define VTPM_GET_INFO 0xcc105011u       /* vtpm_info (in, out) */
#define VTPM_LOCK_STORAGE 0xc0045012u   /* vtpm_lock_storage (in, out) */

#define VTPM_EXECUTE 0xd008e900u     /* vtpm_execute (in, out): one command and its response */
#define VTPM_GET_STATUS 0x8228e901u  /* vtpm_status (out) */
#define VTPM_GET_DETAILS 0x81a8e903u /* vtpm_details (out): what GET_STATUS has no room for */
#define VTPM_GET_SPACES 0xc410e904u  /* vtpm_spaces (in, out): who has the managed node open */
#define VTPM_SET_VERSION 0xc004e902u /* vtpm_version (in, out): TPM 1.2 or 2.0, only while off */

/* -- capability bits, one for each request -- */

#define VTPM_CAP_INIT (1ull << 0)
#define VTPM_CAP_SHUTDOWN (1ull << 1)
#define VTPM_CAP_GET_TPMESTABLISHED (1ull << 2)
#define VTPM_CAP_SET_LOCALITY (1ull << 3)
#define VTPM_CAP_HASHING (1ull << 4) /* HASH_START, HASH_DATA and HASH_END */
#define VTPM_CAP_CANCEL_TPM_CMD (1ull << 5)
#define VTPM_CAP_STORE_VOLATILE (1ull << 6)
#define VTPM_CAP_RESET_TPMESTABLISHED (1ull << 7)
#define VTPM_CAP_GET_STATEBLOB (1ull << 8)
#define VTPM_CAP_SET_STATEBLOB (1ull << 9)
#define VTPM_CAP_STOP (1ull << 10)
#define VTPM_CAP_GET_CONFIG (1ull << 11)
#define VTPM_CAP_SET_DATAFD (1ull << 12)
#define VTPM_CAP_SET_BUFFERSIZE (1ull << 13)
#define VTPM_CAP_GET_INFO (1ull << 14)
#define VTPM_CAP_SEND_COMMAND_HEADER (1ull << 15)
#define VTPM_CAP_LOCK_STORAGE (1ull << 16)
#define VTPM_CAP_EXECUTE (1ull << 32)
#define VTPM_CAP_GET_STATUS (1ull << 33)
#define VTPM_CAP_SET_VERSION (1ull << 34)
#define VTPM_CAP_GET_DETAILS (1ull << 35)
#define VTPM_CAP_GET_SPACES (1ull << 36)

/* -- TPM result codes that requests are answered with; others come from the TPM itself -- */

#define VTPM_RESULT_SUCCESS 0x00u
#define VTPM_RESULT_BAD_PARAMETER 0x03u
#define VTPM_RESULT_FAIL 0x09u
#define VTPM_RESULT_BAD_ORDINAL 0x0au /* not possible in the TPM's present phase */
#define VTPM_RESULT_KEYNOTFOUND 0x0du /* the blob is encrypted and there is no key for it */
#define VTPM_RESULT_SIZE 0x17u        /* more than a blob may have */
#define VTPM_RESULT_IOERROR 0x1fu
#define VTPM_RESULT_DECRYPT_ERROR 0x21u    /* the key is wrong, or the blob was altered */
#define VTPM_RESULT_BAD_KEY_PROPERTY 0x28u /* the blob wants a key of the other length */
#define VTPM_RESULT_BAD_DATASIZE 0x2bu /* the blob's lengths do not fit, or INIT lacks its rest */
#define VTPM_RESULT_BAD_VERSION 0x2eu  /* the blob's format is newer */
#define VTPM_RESULT_BAD_TYPE 0x34u
#define VTPM_RESULT_BAD_LOCALITY 0x3du
#define VTPM_RESULT_TPM2_FAILURE 0x101u
#define VTPM_RESULT_RETRY 0x800u /* not there, or not now */

/* -- structures; a union where the same memory carries the request and the response -- */

typedef uint64_t vtpm_capability; /* VTPM_CAP_* */

typedef struct vtpm_result {
  uint32_t tpm_result;
} vtpm_result;

#define VTPM_INIT_FLAG_DELETE_VOLATILE \
  (1u << 0) /* remove stored volatile state once it is loaded */

typedef union vtpm_init {
  struct {
    uint32_t init_flags; /* unknown bits are ignored */
  } req;
  vtpm_result resp;
} vtpm_init;

typedef struct vtpm_established {
  uint32_t tpm_result;
  uint8_t bit; /* 0 or 1 */
  uint8_t pad[3];
} vtpm_established;

typedef union vtpm_locality {
  struct {
    uint8_t loc; /* 0 to 4 */
  } req;
  vtpm_result resp;
} vtpm_locality;

#define VTPM_HASH_DATA_MAX 4096

typedef union vtpm_hash_data {
  struct {
    uint32_t length;
    uint8_t data[VTPM_HASH_DATA_MAX];
  } req;
  vtpm_result resp;
} vtpm_hash_data;

/* A blob travels in pieces of at most this many bytes; read() and write() carry the rest faster. */
#define VTPM_STATE_BLOB_SIZE 3072

#define VTPM_BLOB_TYPE_PERMANENT 1u
#define VTPM_BLOB_TYPE_VOLATILE 2u
#define VTPM_BLOB_TYPE_SAVESTATE 3u

#define VTPM_STATE_FLAG_DECRYPTED 1u /* asked: without the encryption of the stored file */
#define VTPM_STATE_FLAG_ENCRYPTED 2u /* answered, given: with it */

typedef union vtpm_get_state {
  struct {
    uint32_t state_flags; /* VTPM_STATE_FLAG_DECRYPTED or 0 */
    uint32_t type;        /* VTPM_BLOB_TYPE_* */
    uint32_t offset;      /* 0 takes the blob anew; more goes on with the one taken */
  } req;
  struct {
    uint32_t tpm_result;
    uint32_t state_flags; /* VTPM_STATE_FLAG_ENCRYPTED or 0 */
    uint32_t totlength;   /* of the whole blob */
    uint32_t length;      /* of this piece */
    uint8_t data[VTPM_STATE_BLOB_SIZE];
  } resp;
} vtpm_get_state;

typedef union vtpm_set_state {
  struct {
    uint32_t state_flags; /* VTPM_STATE_FLAG_ENCRYPTED or 0 */
    uint32_t type;        /* VTPM_BLOB_TYPE_* */
    uint32_t length; /* 3072: more comes; less: the last piece; 0 in the first: write() follows */
    uint8_t data[VTPM_STATE_BLOB_SIZE];
  } req;
  vtpm_result resp;
} vtpm_set_state;

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

#define VTPM_INFO_TPMSPECIFICATION (1ull << 0)
#define VTPM_INFO_TPMATTRIBUTES (1ull << 1)
#define VTPM_INFO_TPMFEATURES (1ull << 2)

#define VTPM_INFO_SIZE 3072

typedef union vtpm_info {
  struct {
    uint64_t flags; /* VTPM_INFO_* */
    uint32_t offset;
    uint32_t pad;
  } req;
  struct {
    uint32_t tpm_result;
    uint32_t totlength; /* of the JSON text with its terminating NUL */
    uint32_t length;    /* of this piece */
    char buffer[VTPM_INFO_SIZE];
  } resp;
} vtpm_info;

typedef union vtpm_lock_storage {
  struct {
    uint32_t retries; /* 10 ms apart; counts above 6000 (a minute) are taken as 6000 */
  } req;
  vtpm_result resp;
} vtpm_lock_storage;

#define VTPM_COMMAND_MAX 4096
#define VTPM_LOCALITY_CURRENT 0xffu /* what VTPM_SET_LOCALITY said last */

typedef union vtpm_execute {
  struct {
    uint32_t locality; /* 0 to 4, or VTPM_LOCALITY_CURRENT; for this command only */
    uint32_t length;   /* bytes in data; as many as the command's header declares, at least */
    uint8_t data[VTPM_COMMAND_MAX];
  } req;
  struct {
    uint32_t tpm_result; /* of the request; the command's own code is in the response */
    uint32_t length;
    uint8_t data[VTPM_COMMAND_MAX];
  } resp;
} vtpm_execute;

#define VTPM_PHASE_OFF 0u
#define VTPM_PHASE_ON 1u
#define VTPM_PHASE_FAILED 2u

#define VTPM_VERSION_1_2 1u
#define VTPM_VERSION_2_0 2u

#define VTPM_STATUS_STARTED (1u << 0)        /* Startup was given since power-on */
#define VTPM_STATUS_STORAGE_LOCKED (1u << 1) /* the daemon holds the lock of the TPM's storage */
#define VTPM_STATUS_IN_USE (1u << 2)         /* somebody has the raw node open */

#define VTPM_STATUS_TEXT 256

typedef struct vtpm_status {
  uint32_t tpm_result;
  uint32_t phase;    /* VTPM_PHASE_* */
  uint32_t version;  /* VTPM_VERSION_* */
  uint32_t locality; /* that commands are sent with now */
  uint32_t flags;    /* VTPM_STATUS_*; other bits are 0 */
  uint32_t pid;      /* of the daemon, in its own namespace */
  uint64_t commands; /* executed since the daemon began */
  /* The process (not the thread) that opened the raw node last, in the daemon's pid namespace; 0:
     nobody. While VTPM_STATUS_IN_USE is set it is the one that has it open. */
  uint32_t opener_pid;
  uint32_t reserved;             /* 0 */
  char state[VTPM_STATUS_TEXT];  /* where the state is, NUL-terminated */
  char reason[VTPM_STATUS_TEXT]; /* why the phase is FAILED, NUL-terminated */
} vtpm_status;

#define VTPM_DETAILS_LOCKOUT_KNOWN (1u << 0)  /* the four fields lockout_* are the TPM's */
#define VTPM_DETAILS_STORAGE_FAILED (1u << 1) /* storage has failed since the daemon began */
#define VTPM_DETAILS_STORAGE_FAILS (1u << 2)  /* and nothing was stored since it failed last */

#define VTPM_DETAILS_NAME 64

/* How the TPM is doing, beside what VTPM_GET_STATUS says. Never waits for a running command: while
   one runs, or the TPM is not started, or is a TPM 1.2, the lockout is not known. */
typedef struct vtpm_details {
  uint32_t tpm_result;
  uint32_t flags;                         /* VTPM_DETAILS_*; other bits are 0 */
  uint64_t uptime;                        /* seconds since the daemon began */
  uint64_t storage_failure_age;           /* seconds since storage failed last */
  uint32_t lockout_failed;                /* tries with a wrong authorisation that count now */
  uint32_t lockout_limit;                 /* so many, and the TPM is locked out */
  uint32_t lockout_interval;              /* seconds until one of them counts no more */
  uint32_t lockout_recovery;              /* seconds until the lockout hierarchy may try again */
  char program[VTPM_DETAILS_NAME];        /* the daemon's version, NUL-terminated */
  char opener[VTPM_DETAILS_NAME];         /* name of the process opener_pid, NUL-terminated */
  char storage_failure[VTPM_STATUS_TEXT]; /* why storage failed last, NUL-terminated */
} vtpm_details;

/* What one opener of the managed node has. */
typedef struct vtpm_space {
  uint64_t id;       /* in the order of opening, from 1 on; never given twice */
  uint64_t commands; /* that the opener has sent */
  uint32_t pid;      /* of the process that opened it; 0: one that the daemon cannot see */
  uint32_t uid;      /* its user */
  uint32_t objects;  /* and sequences */
  uint32_t sessions;
} vtpm_space;

#define VTPM_SPACES_MAX 32

/* In the order of opening. Ask again, after the last one, while there are more. */
typedef union vtpm_spaces {
  struct {
    uint64_t after; /* an id: those that were opened later; 0: from the first one on */
  } req;
  struct {
    uint32_t tpm_result;
    uint32_t count; /* of those below that are filled in */
    uint32_t more;  /* so many come behind them */
    uint32_t pad;   /* 0 */
    vtpm_space spaces[VTPM_SPACES_MAX];
  } resp;
} vtpm_spaces;

typedef union vtpm_version {
  struct {
    uint32_t version; /* VTPM_VERSION_* */
  } req;
  vtpm_result resp;
} vtpm_version;

#ifdef __cplusplus
}
#endif

#endif
