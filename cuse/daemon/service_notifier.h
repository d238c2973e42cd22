// Tells the service manager that started the daemon how it is (sd_notify(3)), over a socket that is
// opened early: a serving vtpmd can open none.
//
// Threads: any. Errors: none; nobody has to listen.
#pragma once

#include <string>

#include "engine/base/file_descriptor.h"

namespace vtpm {

class ServiceNotifier {
 public:
  // By NOTIFY_SOCKET: a path, or @NAME for an abstract address. Without it nothing is told.
  static ServiceNotifier connect();

  // Lines of NAME=VALUE. A service manager that does not read is waited for a few seconds at most.
  void tell(const std::string& state) const;

  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  explicit ServiceNotifier(FileDescriptor socket) : socket_(std::move(socket)) {}
  FileDescriptor socket_;
};

}  // namespace vtpm
