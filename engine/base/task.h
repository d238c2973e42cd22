// Something to do later, once. Unlike std::function it may own what can only be moved, such as an
// unanswered request.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace vtpm {

class Task {
 public:
  Task() = default;
  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, Task>)
      Task(Callable&& callable)  // NOLINT: meant to convert
      : held_(std::make_unique<Holder<std::remove_cvref_t<Callable>>>(
            std::forward<Callable>(callable))) {}

  explicit operator bool() const { return held_ != nullptr; }
  void operator()() { held_->call(); }

 private:
  struct Held {
    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    virtual ~Held() = default;
    virtual void call() = 0;
  };

  template <class Callable>
  struct Holder final : Held {
    template <class From>
    explicit Holder(From&& from)  // NOLINT: never from another Holder
        : callable(std::forward<From>(from)) {}
    void call() override { callable(); }
    Callable callable;
  };

  std::unique_ptr<Held> held_;
};

}  // namespace vtpm
