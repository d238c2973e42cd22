#include "engine/resource_manager/spaces.h"

#include <algorithm>
#include <numeric>

namespace vtpm {
namespace {

template <class Count>
size_t sum(const std::list<SpaceTables>& spaces, Count count) {
  return std::accumulate(
      spaces.begin(), spaces.end(), size_t{0},
      [&](size_t so_far, const SpaceTables& one) { return so_far + count(one); });
}

size_t objects_in(const SpaceTables& space) {
  return space.objects.size();
}

size_t sessions_in(const SpaceTables& space) {
  return space.sessions.size();
}

}  // namespace

Spaces::Handle Spaces::open(SpaceOwner peer) {
  std::list<SpaceTables> opened(1);
  opened.front().id = ++opened_;
  opened.front().peer = peer;
  MutexLock lock(mutex_);
  shown_.push_back({.id = opened_, .peer = peer});
  spaces_.splice(spaces_.end(), opened);
  return std::prev(spaces_.end());
}

void Spaces::close(Handle space) {
  {
    MutexLock lock(mutex_);
    std::erase_if(shown_, [&](const SpaceStatus& one) { return one.id == space->id; });
  }
  closed_.splice(closed_.end(), spaces_, space);
}

void Spaces::show(const SpaceTables& space) {
  MutexLock lock(mutex_);
  auto status = std::ranges::lower_bound(shown_, space.id, {}, &SpaceStatus::id);
  status->objects = space.objects.size();
  status->sessions = space.sessions.size();
  status->commands = space.commands;
}

std::vector<SpaceStatus> Spaces::statuses() const {
  MutexLock lock(mutex_);
  return shown_;
}

size_t Spaces::objects() const {
  return sum(spaces_, objects_in);
}

size_t Spaces::sessions() const {
  return sum(spaces_, sessions_in);
}

size_t Spaces::objects_of(pid_t pid) const {
  return sum(spaces_,
             [&](const SpaceTables& one) { return one.peer.pid == pid ? objects_in(one) : 0; });
}

size_t Spaces::sessions_of(pid_t pid) const {
  return sum(spaces_,
             [&](const SpaceTables& one) { return one.peer.pid == pid ? sessions_in(one) : 0; });
}

SpaceTables* Spaces::find_owner(TpmHandle session) {
  auto has_it = [&](const SpaceTables& space) {
    return std::ranges::any_of(space.sessions, [&](const auto& one) {
      return session_index(one->handle) == session_index(session);
    });
  };
  for (std::list<SpaceTables>* list : {&spaces_, &closed_}) {
    auto found = std::ranges::find_if(*list, has_it);
    if (found != list->end()) {
      return &*found;
    }
  }
  return nullptr;
}

}  // namespace vtpm
