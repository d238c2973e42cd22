#include "cuse/daemon/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT: sigprocmask
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "engine/base/secret.h"

namespace vtpm {
namespace {

// What request_end() adds to its eventfd; other requests add 1.
constexpr uint64_t kChannelLost = uint64_t{1} << 32;

// By nohup, or by a shell of a job in the background.
bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;  // NOLINT
}

}  // namespace

void harden_process() {
  keep_out_of_dumps();
  // A limit for the size of files (RLIMIT_FSIZE) fails as a full disk does, with EFBIG.
  for (int number : {SIGPIPE, SIGXFSZ}) {
    signal(number, SIG_IGN);  // NOLINT: no thread yet
  }
}

Result<Background> Background::enter() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_failure("pipe", errno);
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  pid_t child = fork();
  if (child < 0) {
    return system_failure("cannot go to the background", errno);
  }
  if (child == 0) {
    setsid();
    return Background(std::move(writing),
                      FileDescriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));  // NOLINT
  }
  writing.reset();
  char verdict = 0;
  ssize_t got = 0;
  do {
    got = read(reading.get(), &verdict, 1);
  } while (got < 0 && errno == EINTR);
  constexpr int kTpmFailed = 3;
  bool ready = got == 1 && verdict == static_cast<char>(Verdict::ready);
  bool tpm_failed = got == 1 && verdict == static_cast<char>(Verdict::tpm_failed);
  _exit(ready ? EXIT_SUCCESS : tpm_failed ? kTpmFailed : EXIT_FAILURE);
}

void Background::announce(Verdict verdict) {
  if (null_) {
    dup2(null_.get(), STDIN_FILENO);
    dup2(null_.get(), STDOUT_FILENO);
    dup2(null_.get(), STDERR_FILENO);
    null_.reset();
  }
  static_cast<void>(!chdir("/"));
  static_cast<void>(!write(verdict_.get(), &verdict, 1));
  verdict_.reset();
}

Result<PidFile> PidFile::create(const std::string& path, const std::optional<RunAs>& owner) {
  constexpr mode_t kMode = 0644;
  std::string absolute = std::filesystem::absolute(path);  // the daemon leaves this directory
  FileDescriptor file(::open(absolute.c_str(),
                             O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,  // NOLINT
                             kMode));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) {
    return system_failure("cannot write the pid file " + path, errno);
  }
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
    return failure(Errc::invalid,
                   "cannot write the pid file " + path + ": it is no regular file with one name");
  }
  if (ftruncate(file.get(), 0) != 0 ||
      (owner && fchown(file.get(), owner->user, owner->group) != 0)) {
    return system_failure("cannot write the pid file " + path, errno);
  }
  return PidFile(absolute, std::move(file));
}

Result<void> PidFile::fill() {
  std::string pid = std::to_string(getpid()) + "\n";
  if (::write(file_.get(), pid.data(), pid.size()) != static_cast<ssize_t>(pid.size())) {
    return system_failure("cannot write the pid file " + path_, errno);
  }
  return {};
}

PidFile::~PidFile() {
  if (file_ && unlinkat(AT_FDCWD, path_.c_str(), 0) != 0) {
    static_cast<void>(!ftruncate(file_.get(), 0));
  }
}

Result<Lifetime> Lifetime::begin() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) {
    if (!is_ignored(number)) {
      sigaddset(&set, number);
    }
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  FileDescriptor signals(signalfd(-1, &set, SFD_CLOEXEC));
  FileDescriptor requests(eventfd(0, EFD_CLOEXEC));
  if (!signals || !requests) {
    return system_failure("cannot wait for signals", errno);
  }
  return Lifetime(std::move(signals), std::move(requests));
}

void Lifetime::request_end(EndReason reason) const {
  uint64_t value = reason == EndReason::channel_lost ? kChannelLost : 1;
  static_cast<void>(!write(requests_.get(), &value, sizeof(value)));
}

EndReason Lifetime::wait() const {
  std::array<pollfd, 2> sources = {pollfd{signals_.get(), POLLIN, 0},
                                   pollfd{requests_.get(), POLLIN, 0}};
  while (poll(sources.data(), sources.size(), -1) < 0) {
  }
  if (sources[0].revents != 0) {
    return EndReason::signal;
  }
  uint64_t value = 0;
  static_cast<void>(!read(requests_.get(), &value, sizeof(value)));
  return value >= kChannelLost ? EndReason::channel_lost : EndReason::requested;
}

}  // namespace vtpm
