#include "cuse/daemon/tpm_log.h"

#include <sstream>

#include "cuse/daemon/log.h"

namespace vtpm {

void TpmLog::on_state_change(TpmState state, Event event, const std::string& reason) {
  if (state == TpmState::failed) {
    log::error("the TPM has failed: " + reason +
               ". Its node stays and answers every command with failure");
  } else {
    log::debug("the TPM is " + std::string(name(state)) + " after " + std::string(name(event)));
  }
}

void TpmLog::on_not_stored(CommandCode command, Change change, const std::string& reason) {
  std::ostringstream text;
  text << "command 0x" << std::hex << static_cast<uint32_t>(command)
       << (change == Change::undone
               ? " was undone: its change could not be stored: "
               : " was answered with failure: what it carried is done, and kept in memory until "
                 "it can be stored: ")
       << reason << ". Commands that change nothing go on, and others do once the storage is back";
  log::error(text.str());
}

void TpmLog::on_unstored(Unstored what, const std::string& reason) {
  const std::string counted =
      "what the TPM wants stored (counts of failed authorisations, its time, the state before a "
      "command that was undone, or what a command inside another one changed) ";
  switch (what) {
    case Unstored::kept:
      log::error(counted + "cannot be stored: " + reason +
                 ". It is kept in memory and tried again");
      break;
    case Unstored::stored:
      log::info(counted + "is stored");
      break;
    case Unstored::lost:
      log::error(counted + "could not be stored and is lost: " + reason);
      break;
  }
}

}  // namespace vtpm
