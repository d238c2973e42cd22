#include "ctl/tool/device/node_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>  // NOLINT: kill
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "ctl/tool/device/process_handle.h"

namespace vtpm {
namespace {

constexpr size_t kLargestStructure = size_t{1} << _IOC_SIZEBITS;

// One packet each way: the request's number, or the errno value of its answer, and the structure,
// which lies as a structure of the ABI may have to.
struct Packet {
  uint64_t word;
  alignas(uint64_t) std::array<std::byte, kLargestStructure> structure;

  static size_t size_with(size_t structure_size) { return sizeof(word) + structure_size; }
};

bool is_readable(int fd, std::chrono::milliseconds patience) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  pollfd poller{.fd = fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    ready = ::poll(&poller, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// A process that cannot end must hold nothing that somebody waits for: not our standard output.
void close_all_but(int fd) {
  auto kept = static_cast<unsigned>(fd);
  if (kept > 0) {
    ::syscall(SYS_close_range, 0U, kept - 1, 0);
  }
  ::syscall(SYS_close_range, kept + 1, ~0U, 0);
}

void send_packet(int socket, const Packet& packet, size_t structure_size) {
  if (::send(socket, &packet, Packet::size_with(structure_size), MSG_NOSIGNAL) < 0) {
    ::_exit(1);
  }
}

[[noreturn]] void serve(int socket, const std::string& path, const NodeCalls& calls) {
  Packet packet{};
  int node = calls.open(path.c_str());
  packet.word = node < 0 ? static_cast<uint64_t>(errno) : 0;
  send_packet(socket, packet, 0);
  while (::recv(socket, &packet, sizeof(packet), 0) > 0) {
    auto number = static_cast<uint32_t>(packet.word);
    bool failed = calls.ioctl(node, number, packet.structure.data()) < 0;
    packet.word = failed ? static_cast<uint64_t>(errno) : 0;
    send_packet(socket, packet, _IOC_SIZE(number));
  }
  ::_exit(0);
}

}  // namespace

NodeCalls system_calls() {
  return {[](const char* path) {
            int node = ::open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);  // NOLINT
            // Who may only read it may look.
            return node < 0 && errno == EACCES ? ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                                               : node;
          },
          [](int node, uint32_t number, void* structure) {
            return ::ioctl(node, number, structure);  // NOLINT: the C interface
          }};
}

Result<std::unique_ptr<NodeProcess>> NodeProcess::start(const std::string& path,
                                                        const NodeCalls& calls) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_failure("socketpair", errno);
  }
  FileDescriptor ours(ends[0]);
  FileDescriptor theirs(ends[1]);
  pid_t parent = ::getpid();
  pid_t child = ::fork();
  if (child < 0) {
    return system_failure("cannot start a process to open " + path, errno);
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close_all_but(theirs.get());
    if (::getppid() != parent) {
      ::_exit(1);
    }
    serve(theirs.get(), path, calls);
  }
  return std::unique_ptr<NodeProcess>(new NodeProcess(std::move(ours), child));
}

NodeProcess::~NodeProcess() {
  constexpr std::chrono::seconds kPatience{5};
  socket_.reset();
  FileDescriptor process = open_process(pid_);
  if (process && !given_up_) {
    is_readable(process.get(), kPatience);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, WNOHANG);  // who cannot end is buried by init
}

int NodeProcess::opened(std::chrono::milliseconds patience) {
  return answer(nullptr, 0, patience);
}

int NodeProcess::ioctl(uint32_t number, void* structure, std::chrono::milliseconds patience) {
  if (given_up_) {
    return ETIMEDOUT;
  }
  Packet packet{};
  packet.word = number;
  std::memcpy(packet.structure.data(), structure, _IOC_SIZE(number));
  if (::send(socket_.get(), &packet, Packet::size_with(_IOC_SIZE(number)), MSG_NOSIGNAL) < 0) {
    return errno;
  }
  int error = answer(structure, _IOC_SIZE(number), patience);
  ::explicit_bzero(&packet, sizeof(packet));
  return error;
}

int NodeProcess::answer(void* structure, size_t size, std::chrono::milliseconds patience) {
  if (!is_readable(socket_.get(), patience)) {
    given_up_ = true;
    ::kill(pid_, SIGKILL);
    return ETIMEDOUT;
  }
  Packet packet{};
  ssize_t got = ::recv(socket_.get(), &packet, sizeof(packet), 0);
  if (got != static_cast<ssize_t>(Packet::size_with(size))) {
    return ECONNABORTED;  // the process was ended by somebody
  }
  if (size > 0) {
    std::memcpy(structure, packet.structure.data(), size);
  }
  int error = static_cast<int>(packet.word);
  ::explicit_bzero(&packet, sizeof(packet));
  return error;
}

}  // namespace vtpm
