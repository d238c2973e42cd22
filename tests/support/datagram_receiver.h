// What listens at a Unix datagram socket, as syslog and service managers do.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <stdexcept>
#include <string>

#include "engine/base/file_descriptor.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {

class DatagramReceiver {
 public:
  enum class At { abstract, path };

  // `where`: "@NAME", or a path; empty: a path of its own.
  explicit DatagramReceiver(const std::string& where = "", At at = At::abstract)
      : path_(where.empty() ? directory_ / "socket" : where),
        socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (!where.empty() && at == At::abstract) {
      address.sun_path[0] = '\0';
    }
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {  // NOLINT
      throw std::runtime_error("cannot bind " + path_);
    }
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  // Waits for the next one.
  [[nodiscard]] std::string receive() const {
    std::array<char, 4096> message{};
    ssize_t got = recv(socket_.get(), message.data(), message.size(), 0);
    return {message.data(), static_cast<size_t>(got < 0 ? 0 : got)};
  }

 private:
  TemporaryDirectory directory_;
  std::string path_;
  FileDescriptor socket_;
};

}  // namespace vtpm
