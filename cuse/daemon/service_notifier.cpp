#include "cuse/daemon/service_notifier.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <string_view>

namespace vtpm {

ServiceNotifier ServiceNotifier::connect() {
  const char* wanted = std::getenv("NOTIFY_SOCKET");  // NOLINT: no thread yet
  std::string_view name = wanted != nullptr ? wanted : "";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof(address.sun_path)) {
    return ServiceNotifier(FileDescriptor());
  }
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') {
    address.sun_path[0] = '\0';
  }
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  // NOLINTNEXTLINE: the shape of socket addresses
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    socket.reset();
  }
  return ServiceNotifier(std::move(socket));
}

void ServiceNotifier::tell(const std::string& state) const {
  constexpr int kMilliseconds = 5000;
  pollfd room{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
  if (socket_ && poll(&room, 1, kMilliseconds) == 1) {
    static_cast<void>(!write(socket_.get(), state.data(), state.size()));
  }
}

}  // namespace vtpm
