#include "ctl/tool/states/linear_store.h"

#include <algorithm>
#include <array>

#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm {
namespace {

// Three sections, each larger than anything that libtpms keeps.
constexpr size_t kMostBytes = size_t{4} << 20;
constexpr std::string_view kMagic = "nilmptws";
constexpr std::array kKinds = {BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate};

}  // namespace

Result<Bytes> read_linear(const StorageFile& file) {
  auto size = file.size();
  if (!size) {
    return tl::unexpected(size.error());
  }
  return file.read(0, static_cast<size_t>(std::min<uint64_t>(*size, kMostBytes)));
}

Result<LinearContent> look_at_linear(const StorageFile& file) {
  auto bytes = read_linear(file);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (std::ranges::equal(ByteView(*bytes).first(std::min(bytes->size(), kMagic.size())),
                         as_bytes(kMagic))) {
    return LinearContent::linear;
  }
  return is_zero(*bytes) ? LinearContent::blank : LinearContent::foreign;
}

std::optional<TpmVersion> version_of_permanent(ByteView data) {
  constexpr uint32_t kMagic20 = 0xab364723;
  constexpr uint16_t kTag12 = 1;  // TPM_TAG_NVSTATE_V1
  BigEndianReader reader(data);
  uint16_t first = reader.u16();
  uint32_t magic = reader.u32();
  if (!reader.ok()) {
    return std::nullopt;
  }
  if (magic == kMagic20) {
    return TpmVersion::tpm20;
  }
  return first == kTag12 ? std::optional(TpmVersion::tpm12) : std::nullopt;
}

Result<std::unique_ptr<LinearStore>> LinearStore::open(const std::string& path, CreateState create,
                                                       std::optional<TpmVersion> version,
                                                       SwtpmKey key) {
  auto file = StorageFile::open(path, StorageFile::Access::write, create);
  if (!file) {
    return tl::unexpected(file.error());
  }
  return std::unique_ptr<LinearStore>(new LinearStore(std::move(*file), version, std::move(key)));
}

Result<Bytes> LinearStore::load(BlobKind kind) {
  auto content = look_at_linear(file_);
  if (content && *content == LinearContent::blank) {
    return failure(Errc::not_found, file_.path() + " is empty");
  }
  auto file = content ? read_linear(file_) : tl::unexpected(content.error());
  auto section = file ? read_linear_file(*file, kind) : tl::unexpected(file.error());
  auto data = section ? unwrap_swtpm_blob(*section, key()) : tl::unexpected(section.error());
  return data ? std::move(data)
              : failure(data.error().code, describe() + ": " + data.error().message);
}

Result<TpmVersion> LinearStore::find_version() {
  if (version_) {
    return *version_;
  }
  auto permanent = load(BlobKind::permanent);
  if (!permanent) {
    return tl::unexpected(permanent.error());
  }
  version_ = version_of_permanent(*permanent);
  return version_ ? Result<TpmVersion>(*version_)
                  : failure(Errc::invalid, "whether the state in " + file_.path() +
                                               " is of a TPM 2.0 or 1.2 cannot be told; say --tpm");
}

Result<Bytes> LinearStore::load(BlobName name) {
  auto version = find_version();
  if (!version) {
    return tl::unexpected(version.error());
  }
  return *version == name.version
             ? load(name.kind)
             : failure(Errc::not_found, describe() + " holds the state of the other TPM version");
}

Result<void> LinearStore::store(BlobName name, ByteView blob) {
  if (version_.value_or(name.version) != name.version) {
    return failure(Errc::invalid, describe() +
                                      " can hold the state of one TPM only, and there are a 2.0's "
                                      "and a 1.2's; say which with --tpm");
  }
  version_ = name.version;
  auto wrapped = wrap_swtpm_blob(blob, key());
  return wrapped ? change(name.kind, *wrapped) : tl::unexpected(wrapped.error());
}

Result<void> LinearStore::remove(BlobName name) {
  return version_ == name.version ? change(name.kind, std::nullopt) : Result<void>();
}

Result<void> LinearStore::change(BlobKind kind, const std::optional<Bytes>& blob) {
  auto file = read_linear(file_);
  if (!file) {
    return tl::unexpected(file.error());
  }
  std::vector<LinearSection> sections;
  for (BlobKind each : kKinds) {
    auto there = each == kind || is_zero(*file) ? failure(Errc::not_found, {})
                                                : read_linear_file(*file, each);
    if (there) {
      sections.push_back({each, Bytes(there->begin(), there->end())});
    } else if (there.error().code != Errc::not_found) {
      return tl::unexpected(there.error());
    }
    if (each == kind && blob) {
      sections.push_back({each, *blob});
    }
  }
  Bytes built = build_linear_file(sections);
  return file_.resize(built.size()).and_then([&] { return file_.write(0, built); }).and_then([&] {
    return file_.make_durable();
  });
}

}  // namespace vtpm
