#include "tests/support/managed_and_direct.h"

#include <algorithm>
#include <functional>

namespace vtpm {
namespace {

constexpr uint32_t kNobodys = 0x00FFFFFF;  // in handles that no TPM here ever gives
constexpr uint32_t kPersistent = 0x81000001;
constexpr uint8_t kContinue = 0x01;

constexpr std::array kNames = {
    "make key",
    "make owner's key",
    "load child",
    "load external",
    "create",
    "use key",
    "start sequence",
    "start HMAC",
    "update sequence",
    "complete",
    "complete event",
    "start policy",
    "start HMAC session",
    "policy command",
    "policy digest",
    "policy restart",
    "use under session",
    "use, end session",
    "flush object",
    "flush session",
    "save object",
    "save session",
    "load context",
    "close",
    "list",
    "clear",
    "reset",
    "raw command",
    "persistent key",
    "read public",
    "unknown object",
    "unknown session",
};

Bytes with_byte(CommandCode code, uint32_t handle, uint8_t with) {
  return tpm2_command_with_password(code, u32_bytes(handle), BigEndianWriter().u8(with).take());
}

Bytes under_session(uint32_t object, uint32_t session, uint8_t attributes) {
  return BigEndianWriter()
      .u16(0x8002)
      .u32(10 + 4 + 4 + 9 + 1)
      .u32(static_cast<uint32_t>(cc::hmac))
      .u32(object)
      .u32(9)  // one session: handle, no nonce, attributes, no HMAC
      .u32(session)
      .u16(0)
      .u8(attributes)
      .u16(0)
      .u8(0)
      .take();
}

Bytes complete_event(uint32_t sequence) {
  return tpm2_command_with_password(cc::event_sequence_complete,
                                    BigEndianWriter().u32(16).u32(sequence).take(), {});
}

Bytes make_persistent(uint32_t object) {
  return tpm2_command_with_password(cc::evict_control,
                                    BigEndianWriter().u32(kOwnerHierarchy).u32(object).take(),
                                    u32_bytes(kPersistent));
}

ResponseCode without_layer(ByteView response) {
  return ResponseCode{static_cast<uint32_t>(response_code(response)) & 0xFFF};
}

bool returns_handle(ByteView command) {
  CommandCode code = Command(command).code();
  return code == cc::create_primary || code == cc::load || code == cc::load_external ||
         code == cc::hash_sequence_start || code == cc::hmac_start ||
         code == cc::start_auth_session || code == cc::context_load;
}

// Of a response, without the handle it may have.
Bytes comparable(ByteView response, bool has_handle) {
  return to_bytes(response.subspan(kHeaderSize + (has_handle ? sizeof(uint32_t) : 0)));
}

std::string in_hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) {
    text += kDigits[std::to_integer<size_t>(b) >> 4];
    text += kDigits[std::to_integer<size_t>(b) & 0xF];
  }
  return text;
}

}  // namespace

std::string describe(const Step& step) {
  return "client " + std::to_string(step.client) + ": " + kNames.at(step.what % kNames.size()) +
         " " + std::to_string(step.first) + " " + std::to_string(step.second);
}

ManagedAndDirect::ManagedAndDirect(TpmDouble::Sizes few)
    : small_(few),
      large_({.objects = 256, .sessions = 64, .active_sessions = 64, .context_gap = 0xFFFFFFFF}),
      manager_(small_),
      raw_(manager_.raw()) {}

std::optional<std::string> ManagedAndDirect::run(const std::vector<Step>& steps) {
  for (size_t i = 0; i < steps.size() && !difference_; ++i) {
    if (step(steps[i])) {
      *difference_ += " at step " + std::to_string(i) + ", " + describe(steps[i]);
    }
  }
  return finish();
}

const std::optional<std::string>& ManagedAndDirect::step(const Step& step) {
  run(step);
  return difference_;
}

std::optional<std::string> ManagedAndDirect::finish() {
  if (!difference_) {
    check_leftovers();
  }
  return difference_;
}

void ManagedAndDirect::run(const Step& step) {
  Client& client = clients_.at(step.client % kClients);
  reopen(client);
  Pair object = pick(client.objects, step.first);
  Pair session = pick(client.sessions, step.first);
  Pair other_session = pick(client.sessions, step.second);
  const std::array<std::function<void()>, kNames.size()> what = {
      [&] { make_object(client, make_key(step.second), kNullHierarchy); },
      [&] { make_object(client, make_key(step.second, kOwnerHierarchy), kOwnerHierarchy); },
      [&] {
        make_object(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::load, h, w); }, object,
            step.second);
      },
      [&] {
        make_object(client, tpm2_command(cc::load_external, Bytes(1, std::byte{step.second})),
                    kNullHierarchy);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::create, h, w); }, object,
            step.second);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::hmac, h, w); }, object,
            step.second);
      },
      [&] { make_object(client, start_sequence(), kNullHierarchy); },
      [&] {
        make_object(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::hmac_start, h, w); }, object,
            0);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::sequence_update, h, w); },
            object, step.second);
      },
      [&] { complete(client, step); },
      [&] { complete(client, step); },
      [&] { make_session(client, SessionKind::policy); },
      [&] { make_session(client, SessionKind::hmac); },
      [&] {
        use(
            client, [](uint32_t h, uint8_t w) { return policy_command_code(h, w); }, session,
            step.second);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t) { return policy_get_digest(h); }, session, 0);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t) { return policy_restart(h); }, session, 0);
      },
      [&] { use_under_session(client, object, other_session, kContinue); },
      [&] { use_under_session(client, object, other_session, 0); },
      [&] { flush(client, client.objects, step.first); },
      [&] { flush(client, client.sessions, step.first); },
      [&] { save(client, client.objects, step.first, false); },
      [&] { save(client, client.sessions, step.first, true); },
      [&] { load(client, step.first); },
      [&] { close(client); },
      [&] { list(client); },
      [&] { clear(client); },
      [&] { reset(); },
      [&] { raw_.send(tpm2_command(cc::get_random, hex("0008"))); },
      [&] {
        use(
            client, [](uint32_t h, uint8_t) { return make_persistent(h); }, object, 0);
        use(
            client, [](uint32_t h, uint8_t w) { return with_byte(cc::hmac, h, w); },
            {kPersistent, kPersistent}, step.second);
      },
      [&] {
        use(
            client, [](uint32_t h, uint8_t) { return read_public(h); }, object, 0);
      },
      [&] {
        Pair nobodys{kFirstTransient + kNobodys, kFirstTransient + kNobodys};
        use_under_session(client, nobodys, session, kContinue);
        use(
            client, [](uint32_t h, uint8_t) { return flush_context(h); }, nobodys, 0);
      },
      [&] {
        Pair nobodys{0x02000000 + kNobodys, 0x02000000 + kNobodys};
        use_under_session(client, object, nobodys, kContinue);
        use(
            client, [](uint32_t h, uint8_t) { return flush_context(h); }, nobodys, 0);
        use(
            client, [](uint32_t h, uint8_t) { return policy_get_digest(h); }, nobodys, 0);
      }};
  what.at(step.what % what.size())();
}

// Without any, a handle that names nothing.
ManagedAndDirect::Pair ManagedAndDirect::pick(const std::vector<Pair>& things, uint8_t which) {
  constexpr uint32_t kNothing = kFirstTransient + kNobodys;
  return things.empty() ? Pair{kNothing, kNothing} : things[which % things.size()];
}

void ManagedAndDirect::reopen(Client& client) {
  if (!client.space) {
    auto pid = static_cast<pid_t>(&client - clients_.data() + 1);
    client.space.emplace(manager_.open_space({.pid = pid, .uid = 0}));
  }
}

void ManagedAndDirect::close(Client& client) {
  client.space.reset();
  for (const std::vector<Pair>& things : {client.objects, client.sessions}) {
    for (const Pair& thing : things) {
      direct_.send(flush_context(thing.direct));
    }
  }
  client.objects.clear();
  client.sessions.clear();
}

bool ManagedAndDirect::Both::succeeded() const {
  return response_code(managed) == rc::success && response_code(direct) == rc::success;
}

ManagedAndDirect::Both ManagedAndDirect::send(Client& client, ByteView managed, ByteView direct,
                                              bool compare_all) {
  Both both{client.space->send(managed), direct_.send(direct)};
  bool has_handle = returns_handle(managed);
  bool same = without_layer(both.managed) == without_layer(both.direct) &&
              (!both.succeeded() || !compare_all ||
               comparable(both.managed, has_handle) == comparable(both.direct, has_handle));
  if (!same) {
    complain("responses differ", both.managed, both.direct);
  }
  return both;
}

void ManagedAndDirect::complain(const std::string& what, ByteView managed, ByteView direct) {
  if (!difference_) {
    difference_ = what + ": " + in_hex(managed) + " managed, " + in_hex(direct) + " directly";
  }
}

void ManagedAndDirect::make_object(Client& client, const Bytes& command, uint32_t hierarchy) {
  if (client.objects.size() == kMostObjects) {
    return;
  }
  Both both = send(client, command, command);
  if (both.succeeded()) {
    client.objects.push_back(
        {returned_handle(both.managed), returned_handle(both.direct), hierarchy});
  }
}

void ManagedAndDirect::make_object(Client& client, Make make, Pair from, uint8_t with) {
  if (client.objects.size() == kMostObjects) {
    return;
  }
  Both both = send(client, make(from.managed, with), make(from.direct, with));
  if (both.succeeded()) {
    bool is_sequence = Command(make(0, 0)).code() == cc::hmac_start;
    client.objects.push_back({returned_handle(both.managed), returned_handle(both.direct),
                              is_sequence ? kNullHierarchy : from.hierarchy});
  }
}

void ManagedAndDirect::make_session(Client& client, SessionKind kind) {
  if (client.sessions.size() == kMostSessions) {
    return;
  }
  Both both = send(client, start_session(kind), start_session(kind));
  if (both.succeeded()) {
    client.sessions.push_back({returned_handle(both.managed), returned_handle(both.direct)});
  }
}

void ManagedAndDirect::use(Client& client, Make make, Pair thing, uint8_t with) {
  send(client, make(thing.managed, with), make(thing.direct, with));
}

void ManagedAndDirect::use_under_session(Client& client, Pair object, Pair session,
                                         uint8_t attributes) {
  Both both = send(client, under_session(object.managed, session.managed, attributes),
                   under_session(object.direct, session.direct, attributes));
  if (both.succeeded() && attributes == 0) {
    std::erase_if(client.sessions, [&](const Pair& one) { return one.managed == session.managed; });
  }
}

void ManagedAndDirect::complete(Client& client, const Step& step) {
  Pair object = pick(client.objects, step.first);
  bool is_event = kNames.at(step.what % kNames.size()) == std::string_view("complete event");
  Both both = is_event ? send(client, complete_event(object.managed), complete_event(object.direct))
                       : send(client, with_byte(cc::sequence_complete, object.managed, 1),
                              with_byte(cc::sequence_complete, object.direct, 1));
  if (both.succeeded()) {
    std::erase_if(client.objects, [&](const Pair& one) { return one.managed == object.managed; });
  }
}

void ManagedAndDirect::flush(Client& client, std::vector<Pair>& things, uint8_t which) {
  Pair thing = pick(things, which);
  if (send(client, flush_context(thing.managed), flush_context(thing.direct)).succeeded()) {
    std::erase_if(things, [&](const Pair& one) { return one.managed == thing.managed; });
  }
}

void ManagedAndDirect::save(Client& client, std::vector<Pair>& things, uint8_t which,
                            bool is_session) {
  if (contexts_.size() == kMostSaved) {
    return;
  }
  Pair thing = pick(things, which);
  Both both = send(client, context_save(thing.managed), context_save(thing.direct), false);
  if (!both.succeeded()) {
    return;
  }
  contexts_.push_back(
      {parameters_of(both.managed), parameters_of(both.direct), is_session ? 0 : thing.hierarchy});
  if (is_session) {
    std::erase_if(things, [&](const Pair& one) { return one.managed == thing.managed; });
  }
}

// A context that is not good any more is dropped.
void ManagedAndDirect::load(Client& client, uint8_t which) {
  if (contexts_.empty() || client.objects.size() == kMostObjects ||
      client.sessions.size() == kMostSessions) {
    return;
  }
  auto context = contexts_.begin() + which % static_cast<int>(contexts_.size());
  Both both = send(client, context_load(context->managed), context_load(context->direct));
  if (!both.succeeded()) {
    contexts_.erase(context);
    return;
  }
  Pair loaded{returned_handle(both.managed), returned_handle(both.direct), context->hierarchy};
  (context->hierarchy == 0 ? client.sessions : client.objects).push_back(loaded);
}

void ManagedAndDirect::clear(Client& client) {
  send(client, clear_tpm(), clear_tpm());
  for (Client& one : clients_) {
    std::erase_if(one.objects, [](const Pair& o) { return o.hierarchy == kOwnerHierarchy; });
  }
}

void ManagedAndDirect::reset() {
  small_.reset();
  large_.reset();
  manager_.power_changed();
  for (Client& one : clients_) {
    one.objects.clear();
    one.sessions.clear();
  }
}

void ManagedAndDirect::list(Client& client) {
  std::vector<uint32_t> expected;
  for (const Pair& object : client.objects) {
    expected.push_back(object.managed);
  }
  std::ranges::sort(expected);
  Bytes answer = client.space->send(get_handles(kFirstTransient));
  if (listed_handles(answer) != expected) {
    complain("the list is not of the client's objects", answer, {});
  }
  if (listed_handles(client.space->send(get_handles(0x02000000))).size() !=
      client.sessions.size()) {
    complain("the list is not of the client's sessions", answer, {});
  }
}

// What closed spaces leave in the TPM: nothing but sessions that clients saved.
void ManagedAndDirect::check_leftovers() {
  for (Client& client : clients_) {
    reopen(client);  // a first command after a power cycle finds out what is left
    client.space->send(tpm2_command(cc::get_random, hex("0008")));
  }
  std::ranges::for_each(clients_, [&](Client& client) { close(client); });
  bool has_right_sessions = small_.active_sessions() == large_.active_sessions() ||
                            (has_stranger_ && small_.active_sessions() > large_.active_sessions());
  if (small_.loaded_objects() != 0 || small_.loaded_sessions() != 0 || !has_right_sessions) {
    complain("something is left in the TPM: " + std::to_string(small_.loaded_objects()) +
                 " objects, " + std::to_string(small_.loaded_sessions()) + " loaded and " +
                 std::to_string(small_.active_sessions()) + " active sessions instead of " +
                 std::to_string(large_.active_sessions()),
             {}, {});
  }
}

std::vector<Step> shrink(std::vector<Step> steps) {
  for (size_t part = steps.size() / 2; part > 0;) {
    bool shorter = false;
    for (size_t at = 0; at + part <= steps.size();) {
      std::vector<Step> fewer = steps;
      auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(from, from + static_cast<std::ptrdiff_t>(part));
      if (ManagedAndDirect().run(fewer)) {
        steps = std::move(fewer);
        shorter = true;
      } else {
        at += part;
      }
    }
    part = shorter && part > 1 ? std::min(part, steps.size() / 2) : part / 2;
  }
  return steps;
}

}  // namespace vtpm
