// Any sequence of requests on the raw, the control and the managed node, through the wire to real
// CuseSessions: each is answered exactly once, and nothing is written without the storage lock.
//
// An input is a sequence of steps: one byte that says which, then its operands. Requests are not
// waited for until a step asks for it, so that they meet each other.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <array>
#include <chrono>
#include <functional>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

class Client {
 public:
  explicit Client(ByteView input) : input_(input) {}

  void run() {
    while (input_.remaining() > 0) {
      steps_.at(input_.u8() % steps_.size())();
    }
    settle();
    EXPECT_EQ(store_.unlocked_writes, 0);
  }

 private:
  struct File {
    WireKernel* kernel;
    uint64_t handle;
    friend bool operator==(const File&, const File&) = default;
  };
  using Request = WireKernel::Unique;

  Bytes bytes(size_t size) {
    ByteView taken = input_.bytes(std::min(size, input_.remaining()));
    return {taken.begin(), taken.end()};
  }
  // One that is open, if any is.
  File file() {
    size_t which = input_.u8();
    return files_.empty() ? File{&wired_.kernel, which} : files_[which % files_.size()];
  }
  void send(const std::function<Request(WireKernel&, uint64_t)>& request) {
    File to = file();
    pending_.emplace_back(to.kernel, request(*to.kernel, to.handle));
  }
  void write(const Bytes& data) {
    int flags = input_.u8() % 2 * O_NONBLOCK;
    send([&](WireKernel& kernel, uint64_t f) { return kernel.send_write(f, data, flags); });
  }

  void open() {
    const std::array<WireKernel*, 3> kernels{&wired_.kernel, &wired_.control_kernel,
                                             &wired_.managed_kernel};
    WireKernel& kernel = *kernels.at(input_.u8() % kernels.size());
    if (files_.size() < 8 && (&kernel != &wired_.kernel || !wired_.node.in_use())) {
      files_.push_back({&kernel, kernel.open_file(O_RDWR, {.uid = input_.u8() % 2U * 1000})});
    }
  }
  void read() {
    uint16_t size = input_.u16();
    send([&](WireKernel& kernel, uint64_t f) { return kernel.send_read(f, size); });
  }
  void write_command() {
    const std::array commands = {tpm2_startup(),
                                 get_random(input_.u8()),
                                 create_primary(),
                                 shutdown_command(ShutdownType::state),
                                 tpm2_command(FakeEngine::kRemember, bytes(4)),
                                 tpm2_command(FakeEngine::kExtend, Bytes(3900))};
    write(commands.at(input_.u8() % commands.size()));
  }
  void poll() {
    uint16_t events = input_.u16();
    send([&](WireKernel& kernel, uint64_t f) { return kernel.send_poll(f, events, true); });
  }
  void ioctl(uint32_t number, const Bytes& in, uint32_t out) {
    send([&](WireKernel& kernel, uint64_t f) { return kernel.send_ioctl(f, number, in, out); });
  }
  void ioctl_of_table() {
    uint32_t number = ioctl_table()[input_.u8() % ioctl_table().size()].number;
    Bytes in = bytes(input_.u8());
    in.resize((_IOC_DIR(number) & _IOC_WRITE) == 0 ? 0 : _IOC_SIZE(number));
    ioctl(number, in, _IOC_SIZE(number));
  }
  // The kernel releases a file when nothing is outstanding on it.
  void release() {
    settle();
    File closed = file();
    closed.kernel->release(closed.handle);
    std::erase(files_, closed);
  }
  // Every request so far is answered.
  void settle() {
    engine_.release();
    store_.held_by_another = false;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (auto [kernel, request] : pending_) {
      while (!kernel->answered(request)) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "a request was not answered";
        wired_.clock.advance(std::chrono::milliseconds(10));
      }
    }
    pending_.clear();
  }

  BigEndianReader input_;
  MemoryStore store_;
  FakeEngine engine_{store_};
  WiredTpm wired_{engine_, store_, {.policy = {.release_lock_outgoing = true, .incoming = true}}};
  std::vector<File> files_;
  std::vector<std::pair<WireKernel*, Request>> pending_;
  const std::vector<std::function<void()>> steps_ = {
      [this] { open(); },
      [this] { read(); },
      [this] { write(bytes(input_.u16() % 5000)); },
      [this] { write_command(); },
      [this] { poll(); },
      [this] { ioctl_of_table(); },
      [this] { ioctl(input_.u32(), bytes(input_.u16()), input_.u16()); },
      [this] { release(); },
      [this] { settle(); },
      [this] { engine_.hold_long_commands(); },
      [this] { store_.held_by_another = !store_.held_by_another; },
      [this] { wired_.clock.advance(std::chrono::seconds(input_.u8())); }};
};

}  // namespace
}  // namespace vtpm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  GTEST_FLAG_SET(throw_on_failure, true);  // what fails ends the process
  vtpm::Client(std::as_bytes(std::span(data, size))).run();
  return 0;
}
