#include "engine/state_keys.h"

namespace vtpm {

Result<StateKeys> read_state_keys(KeyForm form, const std::string& source) {
  if (source.empty()) {
    return StateKeys();
  }
  if (form == KeyForm::file) {
    return read_sealing_key(source).map([](SealingKey&& key) {
      return StateKeys{std::move(key), {}};
    });
  }
  return read_swtpm_key(source).map([](SwtpmKey&& key) { return StateKeys{{}, std::move(key)}; });
}

}  // namespace vtpm
