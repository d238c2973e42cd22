#include "engine/tpm/commits.h"

#include <utility>

#include "engine/command/command.h"
#include "engine/command/command_traits.h"

namespace vtpm {
namespace {

constexpr uint32_t kSavedPcrs = 16;  // the first so many

bool extends_saved_pcr(TpmVersion version, const Command& command) {
  bool extends = command.code() == cc::pcr_extend || command.code() == cc::pcr_event;
  if (version != TpmVersion::tpm20 || !extends) {
    return false;
  }
  BigEndianReader reader(command.bytes());
  reader.bytes(kHeaderSize);
  return reader.u32() < kSavedPcrs && reader.ok();
}

}  // namespace

Commits::Begun Commits::begin(TpmVersion version, ByteView bytes) {
  changes_.keep();
  Command command(bytes);
  CommandTraits traits = traits_of(version, command.code());
  bool stores = ends_saved_state_ || stores_by_design(traits, bytes);
  return {version,
          command.code(),
          stores,
          !traits.carries_another,
          ends_saved_state_ && extends_saved_pcr(version, command),
          stores ? tpm_.copy() : std::nullopt};
}

Commits::Begun Commits::begin_call(TpmVersion version) {
  changes_.keep();
  return {version, std::nullopt, true, true, false, tpm_.copy()};
}

Result<void> Commits::end(const Begun& begun, bool succeeded) {
  const bool acknowledged = begun.stores && succeeded;
  const bool changed = changes_.any_new();
  const bool undo = acknowledged && changed && begun.may_be_undone;
  auto previous = undo && begun.before ? stored_before(begun) : UnstoredChanges::Changes();
  auto committed = changes_.commit();
  if (committed || !changed || !acknowledged) {
    note_saved_state(begun, succeeded);
    return {};
  }
  if (undo && begun.before) {
    changes_.replace(std::move(previous));
  }
  if (undo) {
    tpm_.go_back_to(begun.before);
    // A store may have failed when the new state was in its place already, so the old one is stored
    // once more, now or later.
    static_cast<void>(changes_.commit());
  }
  return committed;
}

// What the store has to have when the command has not been: of the blobs that it wants changed,
// what is there now.
UnstoredChanges::Changes Commits::stored_before(const Begun& begun) const {
  UnstoredChanges::Changes previous = changes_.kept();
  for (const auto& [name, wanted] : changes_.added()) {
    if (name.kind == BlobKind::permanent || previous.contains(name)) {
      continue;
    }
    auto stored = store_.load(name);
    if (stored || stored.error().code == Errc::not_found) {
      previous.emplace(name, stored ? UnstoredChanges::Wanted(std::move(*stored)) : std::nullopt);
    }
  }
  previous.insert_or_assign({begun.version, BlobKind::permanent}, begun.before->permanent);
  return previous;
}

void Commits::note_saved_state(const Begun& begun, bool succeeded) {
  if (!begun.code) {
    return;
  }
  if (begun.version == TpmVersion::tpm20) {
    bool ended = succeeded && begun.ends_saved_state;
    ends_saved_state_ = (ends_saved_state_ && !ended) || (succeeded && begun.code == cc::shutdown);
  } else {
    ends_saved_state_ = succeeded && begun.code == ordinal::save_state;
  }
}

}  // namespace vtpm
