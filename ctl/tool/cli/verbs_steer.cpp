#include <fstream>
#include <istream>
#include <iterator>
#include <ostream>

#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/transfers.h"
#include "engine/command/codec.h"
#include "engine/command/response_codes.h"

namespace vtpm::verb {
namespace {

// The longest text that a command of the largest size can be, written with some space in it.
constexpr size_t kMostHexText = size_t{16} * VTPM_COMMAND_MAX;

vtpm_locality locality_structure(Locality locality) {
  vtpm_locality structure{};
  structure.req.loc = static_cast<uint8_t>(locality);
  return structure;
}

Result<Bytes> read_some(std::istream& in, const std::string& name, size_t most) {
  Bytes bytes(most);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(most));
  if (in.bad()) {
    return failure(Errc::io, "cannot read " + name);
  }
  bytes.resize(static_cast<size_t>(in.gcount()));
  return bytes;
}

Result<Bytes> read_command(std::istream& in) {
  auto text = read_some(in, "standard input", kMostHexText);
  if (!text) {
    return text;
  }
  auto command = parse_hex({reinterpret_cast<const char*>(text->data()), text->size()});
  if (!command) {
    return failure(Errc::invalid, "standard input is no command in hexadecimal digits");
  }
  return *command;
}

Report response_report(ByteView response, const CodeInWords& code) {
  Report report;
  report.add("response", hex_text(response))
      .add("code", uint64_t{code.number}, hex_number(code.number, 8))
      .add("name", code.name)
      .add("meaning", code.meaning);
  return report;
}

// A command has ten bytes at least, of which four say how many it has.
Result<void> check_length(const Command& command) {
  std::string given = std::to_string(command.bytes().size()) + " bytes were given";
  if (!command.has_header()) {
    return failure(Errc::invalid,
                   given + ", and a command has " + std::to_string(kHeaderSize) + " at least");
  }
  return command.declared_size() == command.bytes().size()
             ? Result<void>()
             : failure(Errc::invalid, given + ", and the command's header declares " +
                                          std::to_string(command.declared_size()));
}

}  // namespace

Result<void> locality(const Arguments& arguments, DeviceClient& device, Host& host) {
  return device.call(request::set_locality, locality_structure(*arguments.locality))
      .map([&](const vtpm_locality&) {
        host.out << device.asked() << ": commands have locality "
                 << static_cast<int>(*arguments.locality)
                 << " from now on, until another one is set, the TPM is powered on or reset, or "
                    "the raw node closes\n";
      });
}

Result<void> cancel(const Arguments&, DeviceClient& device, Host&) {
  return device.call(request::cancel).map([](const vtpm_result&) {});
}

Result<void> established(const Arguments& arguments, DeviceClient& device, Host& host) {
  if (arguments.reset) {
    return device.call(request::reset_established, locality_structure(*arguments.reset))
        .map([](const vtpm_locality&) {});
  }
  return device.call(request::get_established).map([&](const vtpm_established& answer) {
    bool set = answer.bit != 0;
    Report report;
    report.add("established", set, set ? "yes, a dynamic launch has been measured" : "no");
    print(arguments, host, report);
  });
}

Result<void> hash(const Arguments& arguments, DeviceClient& device, Host& host) {
  bool standard_input = arguments.file == "-";
  std::ifstream file;
  if (!standard_input) {
    file.open(arguments.file, std::ios::binary);
    if (!file) {
      return system_failure("cannot read " + arguments.file, errno);
    }
  }
  std::istream& in = standard_input ? host.in : file;
  std::string name = standard_input ? "standard input" : arguments.file;
  return vtpm::hash(device, [&](size_t most) { return read_some(in, name, most); });
}

Result<void> buffer_size(const Arguments& arguments, DeviceClient& device, Host& host) {
  vtpm_buffersize structure{};
  structure.req.buffersize = arguments.buffer_size.value_or(0);
  return device.call(request::set_buffersize, structure).map([&](const vtpm_buffersize& answer) {
    const auto& sizes = answer.resp;
    Report report;
    report.add("size", uint64_t{sizes.buffersize}, std::to_string(sizes.buffersize) + " bytes")
        .add("smallest", uint64_t{sizes.minsize}, std::to_string(sizes.minsize) + " bytes")
        .add("largest", uint64_t{sizes.maxsize}, std::to_string(sizes.maxsize) + " bytes");
    print(arguments, host, report);
  });
}

Result<void> lock(const Arguments& arguments, DeviceClient& device, Host&) {
  vtpm_lock_storage structure{};
  structure.req.retries = arguments.retries;
  auto locked = device.call(request::lock_storage, structure);
  if (!locked) {
    Error error = locked.error();
    if (error.tpm_result == VTPM_RESULT_FAIL || error.tpm_result == VTPM_RESULT_RETRY) {
      error.message += "; somebody else may hold the storage, try with --retries";
    }
    return tl::unexpected(error);
  }
  return {};
}

Result<void> send(const Arguments& arguments, DeviceClient& device, Host& host) {
  auto command = arguments.command ? Result<Bytes>(*arguments.command) : read_command(host.in);
  if (!command) {
    return tl::unexpected(command.error());
  }
  if (auto whole = check_length(Command(*command)); !whole) {
    return whole;
  }
  auto response = execute(device, arguments.locality, *command);
  if (!response) {
    return tl::unexpected(response.error());
  }
  auto header = parse_response_header(*response);  // execute() has checked that there is one
  CodeInWords code = describe_response_code(family_of_response(header->tag), header->code);
  print(arguments, host, response_report(*response, code));
  if (header->code != rc::success) {
    return tl::unexpected(device.error(Errc::tpm, "the TPM answered " + code.text()));
  }
  return {};
}

}  // namespace vtpm::verb
