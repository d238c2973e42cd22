#include <array>
#include <ostream>
#include <vector>

#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/transfers.h"
#include "ctl/tool/states/state_file.h"

namespace vtpm::verb {
namespace {

// In the order that loading needs: the volatile state means something only to its permanent one.
constexpr std::array kKinds{BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate};

struct BlobFile {
  BlobKind kind;
  std::string path;
  Bytes blob;
};

// The files that were named, without their contents.
std::vector<BlobFile> named_files(const Arguments& arguments) {
  std::vector<BlobFile> files;
  for (BlobKind kind : kKinds) {
    const std::string& path = arguments.blob_files.at(static_cast<size_t>(kind));
    if (!path.empty()) {
      files.push_back({kind, path, {}});
    }
  }
  return files;
}

std::string protection_words(const BlobProtection& protection) {
  if (protection.migration_key) {
    return "encrypted with the migration key";
  }
  return protection.state_key ? "encrypted with the storage's key" : "not encrypted";
}

Report saved_report(const BlobFile& file) {
  BlobProtection protection = check_blob(file.blob).value_or(BlobProtection{});
  Report report;
  report.add("blob", std::string(name_of(file.kind)))
      .add("file", file.path)
      .add("bytes", uint64_t{file.blob.size()})
      .add("encrypted", protection.state_key || protection.migration_key,
           protection_words(protection));
  return report;
}

void print_saved(const Arguments& arguments, Host& host, const std::vector<BlobFile>& files) {
  std::vector<Report> reports;
  std::vector<std::vector<std::string>> rows;
  for (const BlobFile& file : files) {
    reports.push_back(saved_report(file));
    rows.push_back({std::string(name_of(file.kind)), std::to_string(file.blob.size()) + " bytes",
                    protection_words(check_blob(file.blob).value_or(BlobProtection{})),
                    printable(file.path)});
  }
  host.out << (arguments.json ? json_array(reports) : table(rows));
}

}  // namespace

Result<void> state_save(const Arguments& arguments, DeviceClient& device, Host& host) {
  std::vector<BlobFile> files = named_files(arguments);
  // All blobs first: files appear only once the device has given everything that was asked for.
  for (BlobFile& file : files) {
    auto blob = get_state_blob(device, file.kind, arguments.decrypted);
    if (!blob) {
      return tl::unexpected(blob.error());
    }
    file.blob = std::move(*blob);
  }
  for (const BlobFile& file : files) {
    if (auto written = write_state_file(file.path, file.blob); !written) {
      return written;
    }
  }
  print_saved(arguments, host, files);
  return {};
}

Result<void> state_load(const Arguments& arguments, DeviceClient& device, Host&) {
  std::vector<BlobFile> files = named_files(arguments);
  // All files are looked at before the device is given anything.
  for (BlobFile& file : files) {
    auto blob = read_state_file(file.path, kLargestBlob);
    if (!blob) {
      return tl::unexpected(blob.error());
    }
    if (auto checked = check_blob(*blob); !checked) {
      return failure(checked.error().code, file.path + ": " + checked.error().message);
    }
    file.blob = std::move(*blob);
  }
  for (const BlobFile& file : files) {
    if (auto loaded = set_state_blob(device, file.kind, file.blob); !loaded) {
      return loaded;
    }
  }
  return {};
}

Result<void> state_store_volatile(const Arguments&, DeviceClient& device, Host&) {
  return device.call(request::store_volatile).map([](const vtpm_result&) {});
}

}  // namespace vtpm::verb
