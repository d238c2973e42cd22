// A mutex that clang's thread-safety analysis understands, so that the prose about who guards what
// is checked by `tests/dev check`.
//
// Same cost and rules as std::mutex. Members are declared VTPM_GUARDED_BY(mutex); functions that
// need it held say VTPM_REQUIRES(mutex).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VTPM_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define VTPM_THREAD_ANNOTATION(x)
#endif

#define VTPM_CAPABILITY(name) VTPM_THREAD_ANNOTATION(capability(name))
#define VTPM_SCOPED_CAPABILITY VTPM_THREAD_ANNOTATION(scoped_lockable)
#define VTPM_GUARDED_BY(mutex) VTPM_THREAD_ANNOTATION(guarded_by(mutex))
#define VTPM_REQUIRES(...) VTPM_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define VTPM_EXCLUDES(...) VTPM_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define VTPM_ACQUIRE(...) VTPM_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define VTPM_TRY_ACQUIRE(...) VTPM_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define VTPM_RELEASE(...) VTPM_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define VTPM_NO_ANALYSIS VTPM_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace vtpm {

class VTPM_CAPABILITY("mutex") Mutex {
 public:
  void lock() VTPM_ACQUIRE() { mutex_.lock(); }
  bool try_lock() VTPM_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() VTPM_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class VTPM_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) VTPM_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() VTPM_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a Mutex that the caller holds.
using ConditionVariable = std::condition_variable_any;

}  // namespace vtpm
