// An instance: one virtual TPM that is kept, by the name of the machine it belongs to, and where
// its things are.
//
// Threads: plain functions and values.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/base/state_location.h"

namespace vtpm {

// Where instances are; other directories in tests.
struct InstancePaths {
  std::string configuration = "/etc/vtpm";  // NAME.toml
  std::string state = "/var/lib/vtpm";      // NAME/state
  std::string run = "/run/vtpm";            // NAME.pid without systemd; devices/ for udev

  [[nodiscard]] std::string configuration_of(std::string_view name) const {
    return configuration + "/" + std::string(name) + ".toml";
  }
  // Only the instance's user can look inside.
  [[nodiscard]] std::string directory_of(std::string_view name) const {
    return state + "/" + std::string(name);
  }
  // Where its configuration says nothing else.
  [[nodiscard]] StateLocation state_of(std::string_view name) const {
    return {StateFormat::file, directory_of(name) + "/state"};
  }
  // What udev is told of a node (cuse/channel/udev_properties.h).
  [[nodiscard]] std::string properties_of(std::string_view node) const {
    return run + "/devices/" + std::string(node);
  }
  // When `vtpmctl state backup` made its last backup: "2026-11-25T18:30:00Z" and a line break; the
  // file's own time says the same. No instance's name begins with a dot.
  [[nodiscard]] std::string last_backups() const { return state + "/.last-backup"; }
  [[nodiscard]] std::string last_backup_of(std::string_view name) const {
    return last_backups() + "/" + std::string(name);
  }
  [[nodiscard]] std::string pid_file_of(std::string_view name) const {
    return run + "/" + std::string(name) + ".pid";
  }
};

// Up to 64 letters, digits, '-', '.', '_', the first a letter or digit: what virtual machines are
// called, UUIDs too. Not what devices are called (vtpm0), nor what ends as the links beside a name
// do (web-ctl, web-rm). Errors: invalid.
Result<void> check_instance_name(std::string_view name);

// A name in hexadecimal digits, since the values of uevents are letters and digits only.
std::string encode_instance_name(std::string_view name);
// Errors: invalid for what is no encoded name.
Result<std::string> decode_instance_name(std::string_view encoded);

}  // namespace vtpm
