#include "ctl/tool/states/state_locations.h"

#include <sys/stat.h>

#include <array>

#include "ctl/config/settings.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/states/linear_store.h"
#include "engine/state/file/file_store.h"
#include "engine/state/swtpm/dir_store.h"

namespace vtpm {
namespace {

struct Scheme {
  LocationKind kind;
  std::string_view prefix;
};

constexpr auto kSchemes = std::to_array<Scheme>({
    {LocationKind::file, "file:"},
    {LocationKind::directory, "dir:"},
    {LocationKind::linear, "linear:"},
});

Result<Location> of_instance(const std::string& name, const InstancePaths& instances) {
  if (auto exists = check_instance_exists(instances, name); !exists) {
    return tl::unexpected(exists.error());
  }
  std::string file = instances.configuration_of(name);
  auto settings = read_settings(file);
  if (!settings) {
    return tl::unexpected(settings.error());
  }
  std::string state = value_of(*settings, "state").value_or(instances.state_of(name).describe());
  if (state.find(':') == std::string::npos) {
    return failure(Errc::invalid, file + ": '" + state + "' is no place of a state");
  }
  return find_location(state, instances).map([&](Location location) {
    location.key = value_of(*settings, "key").value_or("");
    return location;
  });
}

}  // namespace

std::string Location::text() const {
  std::string text;
  for (const Scheme& scheme : kSchemes) {
    if (scheme.kind == kind) {
      text = std::string(scheme.prefix) + path;
    }
  }
  return text;
}

namespace {

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

tl::unexpected<Error> no_directory(const std::string& path) {
  std::string message = path;
  message += " is a directory; one of swtpm's is dir:" + path;
  return failure(Errc::invalid, message);
}

}  // namespace

Result<Location> find_location(const std::string& text, const InstancePaths& instances) {
  for (const Scheme& scheme : kSchemes) {
    if (text.starts_with(scheme.prefix) && text.size() > scheme.prefix.size()) {
      std::string path = text.substr(scheme.prefix.size());
      return scheme.kind != LocationKind::directory && is_directory(path)
                 ? no_directory(path)
                 : Result<Location>(Location{scheme.kind, std::move(path)});
    }
  }
  struct stat status {};
  bool named = text.find('/') != std::string::npos || !instance_exists(instances, text);
  if (named && text.find(':') == std::string::npos && ::stat(text.c_str(), &status) == 0) {
    return failure(Errc::invalid,
                   "'" + text + "' is no instance. A file is file:" + text +
                       (S_ISDIR(status.st_mode) ? "; this is a directory: dir:" + text
                                                : ", or linear:" + text + " if it is swtpm's"));
  }
  if (text.find_first_of(":/") != std::string::npos) {
    return failure(Errc::invalid,
                   "'" + text +
                       "' is no place of a state; say file:PATH, dir:PATH, linear:PATH or "
                       "the name of an instance");
  }
  return of_instance(text, instances);
}

Result<LocationKey> LocationKey::read(const Location& location, const std::string& said) {
  KeyForm form = location.kind == LocationKind::file ? KeyForm::file : KeyForm::swtpm;
  return read_state_keys(form, said.empty() ? location.key : said).map([](StateKeys&& keys) {
    LocationKey key;
    key.keys_ = std::move(keys);
    return key;
  });
}

SwtpmKey LocationKey::swtpm() const {
  return SwtpmKey(keys_.swtpm.view());
}

SealingKey LocationKey::sealing() const {
  return copy_of(keys_.file);
}

namespace {

Result<std::unique_ptr<StateStore>> open_store(const Location& location, const LocationKey& key,
                                               CreateState create, StorageFile::Access access) {
  auto as_store = [](auto store) -> std::unique_ptr<StateStore> { return store; };
  if (location.kind == LocationKind::directory) {
    return DirStore::open(location.path, create, Sync::full, key.swtpm()).map(as_store);
  }
  if (location.kind == LocationKind::linear) {
    return LinearStore::open(location.path, create, location.version, key.swtpm()).map(as_store);
  }
  FileStoreOptions options;
  options.access = access;
  options.create = create;
  options.key = key.sealing();
  return FileStore::open(location.path, std::move(options)).map(as_store);
}

}  // namespace

Result<std::unique_ptr<StateStore>> open_location(const Location& location, const LocationKey& key,
                                                  CreateState create) {
  return open_store(location, key, create, StorageFile::Access::write);
}

Result<std::unique_ptr<StateStore>> open_source(const Location& location, const LocationKey& key) {
  return open_store(location, key, CreateState::never, StorageFile::Access::read);
}

std::array<BlobName, 6> all_blob_names() {
  std::array<BlobName, kBlobs> names{};
  for (size_t number = 0; number < kBlobs; ++number) {
    names.at(number) = blob_name(number);
  }
  return names;
}

}  // namespace vtpm
