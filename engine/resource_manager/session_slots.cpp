#include "engine/resource_manager/session_slots.h"

#include <algorithm>

#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context.h"
#include "engine/resource_manager/victims.h"

namespace vtpm {
namespace {

bool is_loaded(const Session* session) {
  return session->loaded;
}

uint64_t count_of(const Session& session) {
  return ContextLabel(session.context.get()).sequence;
}

}  // namespace

void SessionSlots::make_place() {
  all_.reserve(all_.size() + 1);
}

void SessionSlots::add(Session& session) {
  all_.push_back(&session);
}

void SessionSlots::remove(const Session& session) {
  std::erase(all_, &session);
}

std::vector<Session*> SessionSlots::loaded() const {
  std::vector<Session*> some;
  std::ranges::copy_if(all_, std::back_inserter(some), is_loaded);
  return some;
}

size_t SessionSlots::loaded_count() const {
  return static_cast<size_t>(std::ranges::count_if(all_, is_loaded));
}

Answer<void> SessionSlots::load(Session& session) {
  auto handle = tpm_.load(session.context.get());
  if (handle && *handle == session.handle) {
    session.loaded = true;
    session.is_given = false;
    session.context.wipe();
    return {};
  }
  ResponseCode code = handle ? rc::parameter_handle : handle.error();
  if (is_format_one(code)) {
    session.context.wipe();
  }
  return tl::unexpected(code);
}

Answer<void> SessionSlots::save_alone(Session& session) {
  auto context = tpm_.save(session.handle);
  if (!context) {
    if (context.error() == rc::reference_h0 || is_format_one(context.error())) {
      session.loaded = false;
    }
    return tl::unexpected(context.error());
  }
  session.context = std::move(*context);
  session.loaded = false;
  newest_ = std::max(newest_, count_of(session));
  return {};
}

Answer<void> SessionSlots::save(Session& session) {
  auto saved = save_alone(session);
  if (!saved && saved.error() == rc::context_gap && regap_oldest()) {
    saved = save_alone(session);
  }
  if (saved) {
    regap_what_is_due();
  }
  return saved;
}

bool SessionSlots::save_one(const SpaceTables* asking, uint64_t now) {
  return std::ranges::any_of(victims(loaded(), asking, now),
                             [&](Session* session) { return save(*session) || !session->loaded; });
}

Session* SessionSlots::oldest() const {
  Session* found = nullptr;
  for (Session* one : all_) {
    if (!one->loaded && !one->gone() && (found == nullptr || count_of(*one) < count_of(*found))) {
      found = one;
    }
  }
  return found;
}

bool SessionSlots::regap(Session& session) {
  return load(session) && save_alone(session);
}

bool SessionSlots::regap_oldest() {
  Session* session = oldest();
  return session != nullptr && (regap(*session) || session->gone());
}

void SessionSlots::regap_what_is_due() {
  for (size_t most = all_.size(); gap_ != 0 && most > 0; --most) {
    Session* session = oldest();
    if (session == nullptr || newest_ - count_of(*session) <= gap_ / 2 || !regap(*session)) {
      return;
    }
  }
}

}  // namespace vtpm
