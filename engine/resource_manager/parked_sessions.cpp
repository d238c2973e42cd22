#include "engine/resource_manager/parked_sessions.h"

#include <algorithm>

#include "engine/resource_manager/codes.h"

namespace vtpm {

void ParkedSessions::park(std::unique_ptr<Session> session, const SpaceTables& keeper) {
  session->owner = nullptr;
  WipedBytes given(session->context.get());
  slots_.add(*session);
  parked_.push_back({std::move(session), std::move(given), keeper.id, keeper.peer.uid});
  forget_gone();
  while (parked_.size() > most_ && flush_oldest_of(user_with_most())) {
  }
}

std::unique_ptr<Session> ParkedSessions::take(ByteView given) {
  forget_gone();
  auto found = std::ranges::find_if(
      parked_, [&](const Parked& one) { return std::ranges::equal(one.given.get(), given); });
  if (found == parked_.end()) {
    return nullptr;
  }
  std::unique_ptr<Session> session = std::move(found->session);
  session->is_given = session->context == found->given;
  slots_.remove(*session);
  parked_.erase(found);
  return session;
}

std::vector<TpmHandle> ParkedSessions::kept_by(const SpaceTables& keeper) const {
  std::vector<TpmHandle> handles;
  for (const Parked& one : parked_) {
    if (one.keeper == keeper.id && !one.session->gone()) {
      handles.push_back(one.session->handle);
    }
  }
  std::ranges::sort(handles, {}, session_index);
  return handles;
}

bool ParkedSessions::has(TpmHandle handle) const {
  return std::ranges::any_of(parked_, [&](const Parked& one) {
    return session_index(one.session->handle) == session_index(handle);
  });
}

Answer<void> ParkedSessions::flush(TpmHandle handle, const SpaceTables& keeper) {
  auto found = std::ranges::find_if(parked_, [&](const Parked& one) {
    return one.keeper == keeper.id && session_index(one.session->handle) == session_index(handle);
  });
  return found == parked_.end() ? tl::unexpected(rc::parameter_handle) : flush(found);
}

bool ParkedSessions::flush_oldest_of(uid_t uid) {
  auto found = std::ranges::find(parked_, uid, &Parked::uid);
  return found != parked_.end() && flush(found);
}

void ParkedSessions::forget(TpmHandle handle) {
  auto found = std::ranges::find_if(parked_, [&](const Parked& one) {
    return session_index(one.session->handle) == session_index(handle);
  });
  if (found != parked_.end()) {
    erase(found);
  }
}

void ParkedSessions::forget_all() {
  while (!parked_.empty()) {
    erase(parked_.begin());
  }
}

void ParkedSessions::forget_gone() {
  for (auto at = parked_.begin(); at != parked_.end();) {
    auto next = at + 1;
    if (at->session->gone()) {
      slots_.remove(*at->session);
      next = parked_.erase(at);
    }
    at = next;
  }
}

uid_t ParkedSessions::user_with_most() const {
  auto count = [&](const Parked& one) {
    return std::ranges::count(parked_, one.uid, &Parked::uid);
  };
  return std::ranges::max_element(parked_, {}, count)->uid;
}

void ParkedSessions::erase(Iterator at) {
  slots_.remove(*at->session);
  parked_.erase(at);
}

// What the TPM does not have any more needs no flush.
Answer<void> ParkedSessions::flush(Iterator at) {
  auto flushed = tpm_.flush(at->session->handle);
  if (!flushed && !is_format_one(flushed.error())) {
    return flushed;
  }
  erase(at);
  return {};
}

}  // namespace vtpm
