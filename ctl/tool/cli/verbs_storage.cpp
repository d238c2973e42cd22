#include <optional>
#include <ostream>

#include "ctl/config/settings.h"
#include "ctl/tool/cli/present_state.h"
#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/states/state_copies.h"
#include "ctl/tool/states/state_inspection.h"
#include "engine/state/file/file_store.h"
#include "engine/state/file/state_file_format.h"

namespace vtpm::verb {
namespace {

using State = std::vector<StoredBlob>;

struct Place {
  Location where;
  LocationKey key;
};

Result<Place> find_place(const std::string& text, const std::string& key_source, Host& host) {
  auto where = find_location(text, host.instances);
  auto key = where ? LocationKey::read(*where, key_source) : tl::unexpected(where.error());
  return key ? Result<Place>(Place{std::move(*where), std::move(*key)})
             : tl::unexpected(key.error());
}

// Somebody who runs a TPM on it is the likely holder of a lock.
Error with_remedy(Error error) {
  if (error.code == Errc::busy) {
    error.message +=
        ". If a TPM runs on it, end that first: vtpmctl stop NAME, or vtpmctl terminate DEV. An "
        "instance that is named instead of its file can be exported and backed up while it runs";
  }
  return error;
}

Result<State> take_from(const Place& from) {
  return take_state_at(from.where, from.key).map_error(with_remedy);
}

Result<void> put_into(const Place& to, State state, const Location& from,
                      const Arguments& arguments, Host& host) {
  std::erase_if(state, [&](const StoredBlob& blob) {
    return arguments.version.value_or(blob.name.version) != blob.name.version;
  });
  if (state.empty()) {
    return failure(Errc::not_found, "there is no state of that TPM version in " + from.text());
  }
  auto open = [&](const Location& place, CreateState create) {
    return open_location(place, to.key, create);
  };
  auto put = put_state(state, to.where, arguments.replace ? Replace::always : Replace::never, open);
  if (!put) {
    return tl::unexpected(with_remedy(put.error()));
  }
  for (const StoredBlob& blob : state) {
    host.out << in_words(blob.name) << ": " << blob.data.size() << " bytes\n";
  }
  return {};
}

struct Way {
  Location from;
  Location to;
};

// Import goes to a file of our own format, export from one.
Result<Way> find_way(const Arguments& arguments, const Host& host, bool to_file,
                     const char* wrong_way) {
  auto from = find_location(arguments.from, host.instances);
  auto to = from ? find_location(arguments.to, host.instances) : tl::unexpected(from.error());
  if (!to) {
    return tl::unexpected(to.error());
  }
  if ((to->kind == LocationKind::file) != to_file ||
      (from->kind == LocationKind::file) == to_file) {
    return failure(Errc::invalid, "from " + from->text() + " to " + to->text() + ": " + wrong_way);
  }
  from->version = arguments.version;
  to->version = arguments.version;
  return Way{std::move(*from), std::move(*to)};
}

// Of an instance by its daemon, while its TPM is on.
Result<State> take_for_export(const Way& way, const Arguments& arguments, Host& host) {
  if (!instance_exists(host.instances, arguments.from)) {
    auto key = LocationKey::read(way.from, arguments.from_key);
    return key ? take_from({way.from, std::move(*key)}) : tl::unexpected(key.error());
  }
  std::optional<SwtpmKey> daemons;
  if (!arguments.migration_key.empty()) {
    auto key = read_swtpm_key(arguments.migration_key);
    if (!key) {
      return tl::unexpected(key.error());
    }
    daemons = std::move(*key);
  }
  auto state = take_present_state(arguments.from, arguments.from_key, daemons ? &*daemons : nullptr,
                                  false, host);
  if (state && state->on) {
    host.err << "vtpmctl: " << arguments.from
             << " runs, and goes on: what it changes from now on is "
             << "not in " << way.to.text() << ", and no more than one of the two may be used\n";
  }
  return state ? Result<State>(std::move(state->blobs))
               : tl::unexpected(with_remedy(state.error()));
}

TpmVersion version_of_instance(const std::string& name, const Host& host) {
  auto settings = read_settings(host.instances.configuration_of(name));
  bool is_12 = settings && value_of(*settings, "tpm").value_or("2.0") == "1.2";
  return is_12 ? TpmVersion::tpm12 : TpmVersion::tpm20;
}

// How to tell, after a failure, which of two keys holds.
Error with_key_that_holds(Error error, const StateInspection& before, const std::string& location) {
  error.message +=
      ". The whole state is there, under one of the two keys: if vtpmctl state inspect " +
      location + " shows the key epoch " + before.key_epoch +
      ", it is the old one, else the new one";
  return error;
}

}  // namespace

Result<void> state_inspect(const Arguments& arguments, Host& host) {
  auto location = find_location(arguments.from, host.instances);
  auto found = location ? inspect_state(*location) : tl::unexpected(location.error());
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (arguments.json) {
    host.out << found->whole.add_rows("blobs", found->blobs).json();
  } else {
    host.out << found->whole.text() << "\n" << table(found->rows);
  }
  return {};
}

Result<void> state_import(const Arguments& arguments, Host& host) {
  auto way = find_way(
      arguments, host, true,
      "import takes a state of swtpm's (dir: or linear:) into a file (file:); the other way is "
      "vtpmctl state export");
  auto from_key =
      way ? LocationKey::read(way->from, arguments.from_key) : tl::unexpected(way.error());
  auto key =
      from_key ? LocationKey::read(way->to, arguments.key) : tl::unexpected(from_key.error());
  auto state = key ? take_from({way->from, std::move(*from_key)}) : tl::unexpected(key.error());
  return state ? put_into({way->to, std::move(*key)}, std::move(*state), way->from, arguments, host)
               : tl::unexpected(state.error());
}

Result<void> state_export(const Arguments& arguments, Host& host) {
  auto way = find_way(
      arguments, host, false,
      "export gives a file's state (file:) to swtpm (dir: or linear:); the other way is vtpmctl "
      "state import");
  auto key = way ? LocationKey::read(way->to, arguments.key) : tl::unexpected(way.error());
  auto state = key ? take_for_export(*way, arguments, host) : tl::unexpected(key.error());
  return state ? put_into({way->to, std::move(*key)}, std::move(*state), way->from, arguments, host)
               : tl::unexpected(state.error());
}

Result<void> import_into_instance(const Arguments& arguments, Host& host) {
  Arguments import = arguments;
  import.version = version_of_instance(arguments.device, host);
  import.replace = true;  // the new TPM's own state, which nobody has used
  auto from = find_location(arguments.from, host.instances);
  if (from) {
    from->version = import.version;
  }
  auto from_key =
      from ? LocationKey::read(*from, arguments.from_key) : tl::unexpected(from.error());
  auto to = from_key ? find_place(arguments.device, {}, host) : tl::unexpected(from_key.error());
  auto state = to ? take_from({*from, std::move(*from_key)}) : tl::unexpected(to.error());
  auto moved =
      state ? put_into(*to, std::move(*state), *from, import, host) : tl::unexpected(state.error());
  if (moved) {
    host.err << "vtpmctl: the state in " << from->text()
             << " still works: see to it that no TPM runs on it any more, and remove it once "
             << arguments.device << " has been seen to work\n";
    return moved;
  }
  auto removed = remove_instance(host.instances, arguments.device, false);
  Error error = moved.error();
  error.message +=
      removed ? ". " + arguments.device + " was not made" : ". And " + removed.error().message;
  return tl::unexpected(error);
}

Result<void> state_rekey(const Arguments& arguments, Host& host) {
  auto place = find_place(arguments.from, arguments.key, host);
  if (!place) {
    return tl::unexpected(place.error());
  }
  if (place->where.kind != LocationKind::file) {
    return failure(
        Errc::invalid,
        "only the state in a file (file:) can be given another key, not " + place->where.text());
  }
  // Not the key of the instance's configuration, which is the old one.
  auto new_key = LocationKey::read({LocationKind::file, place->where.path}, arguments.new_key);
  auto before = inspect_state(place->where);
  if (!new_key || !before) {
    return tl::unexpected(new_key ? before.error() : new_key.error());
  }
  if (arguments.remove_key && !before->sealed) {
    return failure(Errc::invalid,
                   place->where.text() + " is not sealed; there is no key to remove");
  }
  FileStoreOptions options;
  options.create = CreateState::never;
  options.key = place->key.sealing();
  options.writer = before->writer;
  auto store = FileStore::open(place->where.path, std::move(options));
  auto locked = store ? (*store)->lock() : tl::unexpected(store.error());
  if (!locked) {
    return tl::unexpected(with_remedy(locked.error()));
  }
  auto rekeyed = (*store)->rekey(new_key->sealing());
  if (rekeyed && arguments.from.find(':') == std::string::npos) {
    host.out << "the configuration has to say so: "
             << (arguments.remove_key ? "remove key" : "key = \"" + arguments.new_key + "\"")
             << " in " << host.instances.configuration_of(arguments.from) << "\n";
  }
  bool refused = !rekeyed && rekeyed.error().code == Errc::denied;  // before anything was written
  return rekeyed || refused
             ? rekeyed
             : tl::unexpected(with_key_that_holds(rekeyed.error(), *before, arguments.from));
}

}  // namespace vtpm::verb
