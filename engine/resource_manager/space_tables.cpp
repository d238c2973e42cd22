#include "engine/resource_manager/space_tables.h"

#include <algorithm>

namespace vtpm {
namespace {

template <class T>
std::unique_ptr<T> take(std::vector<std::unique_ptr<T>>& from, const T& wanted) {
  auto found = std::ranges::find(from, &wanted, &std::unique_ptr<T>::get);
  if (found == from.end()) {
    return nullptr;
  }
  std::unique_ptr<T> taken = std::move(*found);
  from.erase(found);
  return taken;
}

// Doubles, as a vector that grows does.
template <class T>
void make_place_in(std::vector<T>& vector) {
  if (vector.size() == vector.capacity()) {
    vector.reserve(vector.size() * 2 + 4);
  }
}

}  // namespace

Object* SpaceTables::find_object(uint32_t handle) const {
  auto found = std::ranges::find(objects, VirtualHandle{handle},
                                 [](const auto& object) { return object->name; });
  return found == objects.end() ? nullptr : found->get();
}

Session* SpaceTables::find_session(TpmHandle handle) const {
  auto found =
      std::ranges::find(sessions, handle, [](const auto& session) { return session->handle; });
  return found == sessions.end() ? nullptr : found->get();
}

Object& SpaceTables::add(std::unique_ptr<Object> object) {
  uint32_t name = kFirstTransient;
  auto at = objects.begin();
  for (; at != objects.end() && (*at)->name == VirtualHandle{name}; ++at) {
    ++name;
  }
  object->owner = this;
  object->name = VirtualHandle{name};
  return **objects.insert(at, std::move(object));
}

Session& SpaceTables::add(std::unique_ptr<Session> session) {
  session->owner = this;
  auto at = std::ranges::lower_bound(sessions, session_index(session->handle), {},
                                     [](const auto& one) { return session_index(one->handle); });
  return **sessions.insert(at, std::move(session));
}

std::unique_ptr<Object> SpaceTables::remove(const Object& object) {
  return take(objects, object);
}

std::unique_ptr<Session> SpaceTables::remove(const Session& session) {
  return take(sessions, session);
}

void SpaceTables::make_place() {
  make_place_in(objects);
  make_place_in(sessions);
}

}  // namespace vtpm
