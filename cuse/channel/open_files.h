// The open files of one channel, by the handles that the kernel knows them by.
//
// Ownership: keeps each file until it is taken out. Threads: any; one lock, held briefly, never
// while a file is used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "ctl/door/node.h"
#include "engine/base/mutex.h"

namespace vtpm {

class OpenFiles {
 public:
  // Never twice the same handle.
  uint64_t keep(std::shared_ptr<OpenFile> file) {
    MutexLock lock(mutex_);
    uint64_t handle = next_handle_++;
    files_.emplace(handle, std::move(file));
    return handle;
  }

  // Null when there is none.
  [[nodiscard]] std::shared_ptr<OpenFile> find(uint64_t handle) const {
    MutexLock lock(mutex_);
    auto found = files_.find(handle);
    return found == files_.end() ? nullptr : found->second;
  }

  // It is the caller's from now on; null when there is none.
  std::shared_ptr<OpenFile> take(uint64_t handle) {
    MutexLock lock(mutex_);
    auto node = files_.extract(handle);
    return node ? std::move(node.mapped()) : nullptr;
  }

  // Each of them as it is, with its handle. Once no request on any is under way.
  struct Saved {
    uint64_t handle;
    WipedBytes file;
  };
  [[nodiscard]] std::vector<Saved> save() const {
    MutexLock lock(mutex_);
    std::vector<Saved> saved;
    for (const auto& [handle, file] : files_) {
      saved.push_back({handle, file->save()});
    }
    return saved;
  }
  // Under the handle that the kernel knows it by. Before the first request.
  void keep_as(uint64_t handle, std::shared_ptr<OpenFile> file) {
    MutexLock lock(mutex_);
    files_.insert_or_assign(handle, std::move(file));
    next_handle_ = std::max(next_handle_, handle + 1);
  }

  void clear() {
    MutexLock lock(mutex_);
    files_.clear();
  }

 private:
  mutable Mutex mutex_;
  uint64_t next_handle_ VTPM_GUARDED_BY(mutex_) = 1;
  std::unordered_map<uint64_t, std::shared_ptr<OpenFile>> files_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
