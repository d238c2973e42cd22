// A device node that is opened and asked by a process of its own, which can be given up.
//
// open(), ioctl() and close() on a node whose daemon does not answer wait in the kernel for as long
// as the daemon likes, and no signal ends that once the daemon has read the request. So another
// process waits there, with nothing of ours but one socket, and we wait for it no longer than we
// want to.
//
// Ownership: owns the process and ends it. Threads: one at a time. Errors: errno values; ETIMEDOUT
// when there was no answer in time, and for everything from then on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

namespace vtpm {

// What the process does; tests put calls of their own here.
struct NodeCalls {
  std::function<int(const char* path)> open;  // a descriptor, or -1 and errno
  std::function<int(int node, uint32_t number, void* structure)> ioctl;  // negative: errno says why
};
NodeCalls system_calls();

class NodeProcess {
 public:
  // Of the system: when there can be no process.
  static Result<std::unique_ptr<NodeProcess>> start(const std::string& path,
                                                    const NodeCalls& calls);
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;
  // The node is closed by then, unless its daemon does not answer.
  ~NodeProcess();

  // Once, before the first ioctl(): 0 when the node is open.
  int opened(std::chrono::milliseconds patience);
  // 0 with the structure as the node answered it.
  int ioctl(uint32_t number, void* structure, std::chrono::milliseconds patience);

 private:
  NodeProcess(FileDescriptor socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  // The answer's first word, an errno value; the rest is put where `structure` points.
  int answer(void* structure, size_t size, std::chrono::milliseconds patience);

  FileDescriptor socket_;
  pid_t pid_;
  bool given_up_ = false;
};

}  // namespace vtpm
