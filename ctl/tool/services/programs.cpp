#include "ctl/tool/services/programs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT: kill
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "ctl/tool/device/process_handle.h"
#include "engine/base/file_descriptor.h"

extern char** environ;  // NOLINT: POSIX leaves its declaration to programs

namespace vtpm {
namespace {

// Where a program is: PATH may lack the directories for system programs, and udev has none.
std::string locate(const std::string& name) {
  const char* path = ::getenv("PATH");  // NOLINT: one thread
  std::string directories =
      std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/bin:/sbin:/bin";
  for (size_t begin = 0; begin <= directories.size();) {
    size_t end = directories.find(':', begin);
    end = end == std::string::npos ? directories.size() : end;
    std::string candidate = directories.substr(begin, end - begin) + "/" + name;
    if (end > begin && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  return name;
}

// posix_spawn's file actions, with their end.
class Redirections {
 public:
  explicit Redirections(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
  }
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;
  ~Redirections() { posix_spawn_file_actions_destroy(&actions_); }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// What has come so far. False at the end of the stream.
bool read_some(int fd, std::string& output) {
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  while ((got = ::read(fd, piece.data(), piece.size())) > 0 || (got < 0 && errno == EINTR)) {
    output.append(piece.data(), got > 0 ? static_cast<size_t>(got) : 0);
  }
  return got < 0;
}

// Until the process has ended; what a daemon that goes on in the background leaves open is not
// waited for. False when that takes longer than until the deadline.
bool read_until_end(int process, int fd, std::chrono::steady_clock::time_point deadline,
                    std::string& output) {
  std::array<pollfd, 2> sources{pollfd{process, POLLIN, 0}, pollfd{fd, POLLIN, 0}};
  while (sources[0].revents == 0) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    if (::poll(sources.data(), sources.size(), static_cast<int>(left.count())) > 0 &&
        !read_some(fd, output)) {
      sources[1].fd = -1;
    }
  }
  read_some(fd, output);
  return true;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  constexpr int kSignalBase = 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

}  // namespace

std::string Ran::text() const {
  std::string text = output;
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

std::string Ran::reason() const {
  constexpr int kSignalBase = 128;
  if (status <= kSignalBase) {
    return output.empty() ? "it ended with status " + std::to_string(status) + ", without a word"
                          : text();
  }
  std::string signal = std::to_string(status - kSignalBase);
  return (output.empty() ? "" : text() + "\n") + "it was ended by signal " + signal +
         (status == kSignalBase + SIGKILL ? " (SIGKILL), as when memory is short" : "");
}

Result<Ran> run_program(const std::vector<std::string>& words) {
  // Longer than what is waited for by those that are run, by systemd above all.
  constexpr std::chrono::minutes kPatience{20};
  return run_program_within(words, kPatience);
}

Result<Ran> run_program_within(const std::vector<std::string>& words,
                               std::chrono::milliseconds patience) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_failure("pipe", errno);
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // NOLINT: the C interface
  }
  arguments.push_back(nullptr);
  std::string program = locate(words.front());
  pid_t pid = 0;
  Redirections redirections(writing.get());
  int error =
      ::posix_spawn(&pid, program.c_str(), redirections.get(), nullptr, arguments.data(), environ);
  if (error != 0) {
    return system_failure("cannot run " + words.front(), error);
  }
  writing.reset();
  FileDescriptor process = open_process(pid);
  ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  std::string output;
  if (!process || !read_until_end(process.get(), reading.get(), deadline, output)) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, WNOHANG);
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience).count();
    return failure(Errc::busy, words.front() + " has not ended within " + std::to_string(seconds) +
                                   " seconds and was killed");
  }
  return Ran{wait_for(pid), std::move(output)};
}

}  // namespace vtpm
