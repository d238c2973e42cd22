#include "engine/tpm/commits.h"

#include <utility>

#include "engine/command/codec.h"
#include "engine/command/storing_commands.h"

namespace vtpm {

Commits::Command Commits::begin(TpmVersion version, ByteView command) {
  changes_.keep();
  auto header = parse_command_header(command);
  CommandCode code = header ? header->code : CommandCode{0};
  bool stores = ends_saved_state_ || stores_by_design(version, code, command);
  return {version, code, stores, !carries_another(version, code),
          stores ? tpm_.copy() : std::nullopt};
}

Commits::Command Commits::begin_call(TpmVersion version) {
  changes_.keep();
  return {version, std::nullopt, true, true, tpm_.copy()};
}

Result<void> Commits::end(const Command& command, bool succeeded) {
  const bool acknowledged = command.stores && succeeded;
  const bool changed = changes_.any_new();
  const bool undo = acknowledged && changed && command.may_be_undone;
  auto previous = undo && command.before ? stored_before(command) : UnstoredChanges::Changes();
  auto committed = changes_.commit();
  if (committed || !changed || !acknowledged) {
    note_saved_state(command, succeeded);
    return {};
  }
  if (undo && command.before) {
    changes_.replace(std::move(previous));
  }
  if (undo) {
    tpm_.go_back_to(command.before);
    // A store may have failed when the new state was in its place already, so the old one is stored
    // once more, now or later.
    static_cast<void>(changes_.commit());
  }
  return committed;
}

// What the store has to have when the command has not been: of the blobs that it wants changed,
// what is there now.
UnstoredChanges::Changes Commits::stored_before(const Command& command) const {
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
  previous.insert_or_assign({command.version, BlobKind::permanent}, command.before->permanent);
  return previous;
}

void Commits::note_saved_state(const Command& command, bool succeeded) {
  if (!command.code) {
    return;
  }
  if (command.version == TpmVersion::tpm20) {
    ends_saved_state_ = ends_saved_state_ || (succeeded && command.code == cc::shutdown);
  } else {
    ends_saved_state_ = succeeded && command.code == ordinal::save_state;
  }
}

}  // namespace vtpm
