#include "engine/keys/state_keys.h"

#include "engine/keys/key_source.h"

namespace vtpm {

Result<void> check_state_key_words(KeyForm form, const std::string& source) {
  return form == KeyForm::file ? key_words(source).map([](const auto&) {})
                               : check_swtpm_key_words(source);
}

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
