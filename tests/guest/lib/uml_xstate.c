/* Preloaded into User-Mode Linux: lets its 6.1 kernel run on CPUs with AMX.
 *
 * That kernel saves and restores a process's extended registers in a buffer of its own fixed size
 * (2696 bytes). A host kernel takes PTRACE_SETREGSET of NT_X86_XSTATE only in the size of the whole
 * register file, which is about 11 KB with AMX, and answers EFAULT otherwise: User-Mode Linux then
 * dies before its first process. So a short buffer is padded here to the size the host wants.
 * Nothing is lost: AMX needs arch_prctl, which User-Mode Linux does not pass on.
 *
 * ptrace is called from one thread of User-Mode Linux only; the statics need no lock. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  kFeatureMapOffset = 512, /* XSTATE_BV, the first field of the XSAVE header */
  kFeaturesInShort =
      0x1ffff, /* components 0..16 lie within the short buffer; 17 and up (AMX) do not */
  kLargest = 65536,
};

static unsigned char padded[kLargest] __attribute__((aligned(64)));

static size_t sizeOnHost(long pid) {
  static size_t size;
  struct iovec all = {padded, sizeof padded};
  if (size == 0 && syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) == 0) {
    size = all.iov_len;
  }
  return size;
}

static long setXstate(long pid, const struct iovec* given) {
  struct iovec wide = {padded, sizeOnHost(pid)};
  uint64_t features;
  if (wide.iov_len <= given->iov_len || given->iov_len < kFeatureMapOffset + sizeof features) {
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, given);
  }
  memset(padded, 0, wide.iov_len);
  memcpy(padded, given->iov_base, given->iov_len);
  memcpy(&features, padded + kFeatureMapOffset, sizeof features);
  features &= kFeaturesInShort;
  memcpy(padded + kFeatureMapOffset, &features, sizeof features);
  return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &wide);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list args;
  va_start(args, request);
  const long pid = va_arg(args, long);
  const uintptr_t address = va_arg(args, uintptr_t);
  const uintptr_t data = va_arg(args, uintptr_t);
  va_end(args);

  if (request == PTRACE_SETREGSET && address == NT_X86_XSTATE) {
    return setXstate(pid, (const struct iovec*)data);
  }
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    long word; /* the system call stores the word, the C function returns it */
    if (syscall(SYS_ptrace, request, pid, address, &word) < 0) {
      return -1;
    }
    errno = 0;
    return word;
  }
  return syscall(SYS_ptrace, request, pid, address, data);
}
