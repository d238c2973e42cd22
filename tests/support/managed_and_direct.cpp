#include "tests/support/managed_and_direct.h"

#include <algorithm>

namespace vtpm {
namespace {

constexpr uint32_t kNobodys = 0x00FFFFFF;  // in handles that no TPM here ever gives
constexpr uint32_t kPersistent = 0x81000001;
constexpr uint8_t kContinue = 0x01;

// A command with a handle and a byte.
template <CommandCode code>
Bytes with_byte(uint32_t handle, uint8_t with) {
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

Bytes complete_event(uint32_t sequence, uint8_t /*with*/) {
  return tpm2_command_with_password(cc::event_sequence_complete,
                                    BigEndianWriter().u32(16).u32(sequence).take(), {});
}

Bytes make_persistent(uint32_t object, uint8_t /*with*/) {
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
  constexpr size_t kRows = ManagedAndDirect::kRows;
  return "client " + std::to_string(step.client) + ": " +
         std::string(ManagedAndDirect::rows().at(step.what % kRows).name) + " " +
         std::to_string(step.first) + " " + std::to_string(step.second);
}

const std::array<ManagedAndDirect::Row, ManagedAndDirect::kRows>& ManagedAndDirect::rows() {
  using Worlds = ManagedAndDirect;
  using U8 = uint8_t;
  using U32 = uint32_t;
  static constexpr std::array<Row, kRows> kAll = {{
      {"make key", &Worlds::make_new, [](U32, U8 w) { return make_key(w); }, kNullHierarchy},
      {"make owner's key", &Worlds::make_new,
       [](U32, U8 w) { return make_key(w, kOwnerHierarchy); }, kOwnerHierarchy},
      {"load child", &Worlds::make_from_object, with_byte<cc::load>},
      {"load external", &Worlds::make_new,
       [](U32, U8 w) { return tpm2_command(cc::load_external, Bytes(1, std::byte{w})); },
       kNullHierarchy},
      {"create", &Worlds::use_object, with_byte<cc::create>},
      {"use key", &Worlds::use_object, with_byte<cc::hmac>},
      {"start sequence", &Worlds::make_new, [](U32, U8) { return start_sequence(); },
       kNullHierarchy},
      {"start HMAC", &Worlds::make_from_object, with_byte<cc::hmac_start>, kNullHierarchy},
      {"update sequence", &Worlds::use_object, with_byte<cc::sequence_update>},
      {"complete", &Worlds::complete, with_byte<cc::sequence_complete>},
      {"complete event", &Worlds::complete, complete_event},
      {"start policy session", &Worlds::make_session, nullptr, 1},
      {"start HMAC session", &Worlds::make_session, nullptr, 0},
      {"policy command", &Worlds::use_session,
       [](U32 h, U8 w) { return policy_command_code(h, w); }},
      {"policy digest", &Worlds::use_session, [](U32 h, U8) { return policy_get_digest(h); }},
      {"policy restart", &Worlds::use_session, [](U32 h, U8) { return policy_restart(h); }},
      {"use under session", &Worlds::use_under_session, nullptr, kContinue},
      {"use, end session", &Worlds::use_under_session, nullptr, 0},
      {"flush object", &Worlds::flush_object},
      {"flush session", &Worlds::flush_session},
      {"save object", &Worlds::save_object},
      {"save session", &Worlds::save_session},
      {"load context", &Worlds::load},
      {"close", &Worlds::close},
      {"list", &Worlds::list},
      {"clear", &Worlds::clear},
      {"reset", &Worlds::reset},
      {"raw command", &Worlds::send_raw},
      {"persistent key", &Worlds::use_persistent},
      {"read public", &Worlds::use_object, [](U32 h, U8) { return read_public(h); }},
      {"unknown object", &Worlds::use_unknown_object},
      {"unknown session", &Worlds::use_unknown_session},
  }};
  return kAll;
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
  const Row& row = rows().at(step.what % kRows);
  (this->*row.run)(client, step, row);
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

void ManagedAndDirect::make_new(Client& client, const Step& step, const Row& row) {
  if (client.objects.size() == kMostObjects) {
    return;
  }
  Bytes command = row.make(0, step.second);
  Both both = send(client, command, command);
  if (both.succeeded()) {
    client.objects.push_back(
        {returned_handle(both.managed), returned_handle(both.direct), row.number});
  }
}

void ManagedAndDirect::make_from_object(Client& client, const Step& step, const Row& row) {
  if (client.objects.size() == kMostObjects) {
    return;
  }
  Pair from = pick(client.objects, step.first);
  Both both = send(client, row.make(from.managed, step.second), row.make(from.direct, step.second));
  if (both.succeeded()) {
    client.objects.push_back({returned_handle(both.managed), returned_handle(both.direct),
                              row.number == 0 ? from.hierarchy : row.number});
  }
}

void ManagedAndDirect::make_session(Client& client, const Step& /*step*/, const Row& row) {
  if (client.sessions.size() == kMostSessions) {
    return;
  }
  Bytes command = start_session(static_cast<SessionKind>(row.number));
  Both both = send(client, command, command);
  if (both.succeeded()) {
    client.sessions.push_back({returned_handle(both.managed), returned_handle(both.direct)});
  }
}

void ManagedAndDirect::use(Client& client, Make make, Pair thing, uint8_t with) {
  send(client, make(thing.managed, with), make(thing.direct, with));
}

void ManagedAndDirect::use_object(Client& client, const Step& step, const Row& row) {
  use(client, row.make, pick(client.objects, step.first), step.second);
}

void ManagedAndDirect::use_session(Client& client, const Step& step, const Row& row) {
  use(client, row.make, pick(client.sessions, step.first), step.second);
}

void ManagedAndDirect::use_under_session(Client& client, const Step& step, const Row& row) {
  use_under(client, pick(client.objects, step.first), pick(client.sessions, step.second),
            static_cast<uint8_t>(row.number));
}

void ManagedAndDirect::use_under(Client& client, Pair object, Pair session, uint8_t attributes) {
  Both both = send(client, under_session(object.managed, session.managed, attributes),
                   under_session(object.direct, session.direct, attributes));
  if (both.succeeded() && attributes == 0) {
    std::erase_if(client.sessions, [&](const Pair& one) { return one.managed == session.managed; });
  }
}

// It takes a slot for a moment when it is used.
void ManagedAndDirect::use_persistent(Client& client, const Step& step, const Row& /*row*/) {
  use(client, make_persistent, pick(client.objects, step.first), 0);
  use(client, with_byte<cc::hmac>, {kPersistent, kPersistent}, step.second);
}

void ManagedAndDirect::use_unknown_object(Client& client, const Step& step, const Row& /*row*/) {
  Pair nobodys{kFirstTransient + kNobodys, kFirstTransient + kNobodys};
  use_under(client, nobodys, pick(client.sessions, step.first), kContinue);
  use(
      client, [](uint32_t h, uint8_t) { return flush_context(h); }, nobodys, 0);
}

void ManagedAndDirect::use_unknown_session(Client& client, const Step& step, const Row& /*row*/) {
  Pair nobodys{0x02000000 + kNobodys, 0x02000000 + kNobodys};
  use_under(client, pick(client.objects, step.first), nobodys, kContinue);
  use(
      client, [](uint32_t h, uint8_t) { return flush_context(h); }, nobodys, 0);
  use(
      client, [](uint32_t h, uint8_t) { return policy_get_digest(h); }, nobodys, 0);
}

void ManagedAndDirect::complete(Client& client, const Step& step, const Row& row) {
  Pair object = pick(client.objects, step.first);
  if (send(client, row.make(object.managed, 1), row.make(object.direct, 1)).succeeded()) {
    std::erase_if(client.objects, [&](const Pair& one) { return one.managed == object.managed; });
  }
}

void ManagedAndDirect::flush(Client& client, std::vector<Pair>& things, uint8_t which) {
  Pair thing = pick(things, which);
  if (send(client, flush_context(thing.managed), flush_context(thing.direct)).succeeded()) {
    std::erase_if(things, [&](const Pair& one) { return one.managed == thing.managed; });
  }
}

void ManagedAndDirect::flush_object(Client& client, const Step& step, const Row& /*row*/) {
  flush(client, client.objects, step.first);
}

void ManagedAndDirect::flush_session(Client& client, const Step& step, const Row& /*row*/) {
  flush(client, client.sessions, step.first);
}

// What was saved, if it was.
std::optional<ManagedAndDirect::Pair> ManagedAndDirect::save(Client& client,
                                                             const std::vector<Pair>& things,
                                                             uint8_t which) {
  if (contexts_.size() == kMostSaved) {
    return {};
  }
  Pair thing = pick(things, which);
  Both both = send(client, context_save(thing.managed), context_save(thing.direct), false);
  if (!both.succeeded()) {
    return {};
  }
  contexts_.push_back({parameters_of(both.managed), parameters_of(both.direct), thing.hierarchy});
  return thing;
}

void ManagedAndDirect::save_object(Client& client, const Step& step, const Row& /*row*/) {
  save(client, client.objects, step.first);
}

void ManagedAndDirect::save_session(Client& client, const Step& step, const Row& /*row*/) {
  if (auto saved = save(client, client.sessions, step.first)) {
    std::erase_if(client.sessions, [&](const Pair& one) { return one.managed == saved->managed; });
  }
}

// A context that is not good any more is dropped.
void ManagedAndDirect::load(Client& client, const Step& step, const Row& /*row*/) {
  if (contexts_.empty() || client.objects.size() == kMostObjects ||
      client.sessions.size() == kMostSessions) {
    return;
  }
  auto context = contexts_.begin() + step.first % static_cast<int>(contexts_.size());
  Both both = send(client, context_load(context->managed), context_load(context->direct));
  if (!both.succeeded()) {
    contexts_.erase(context);
    return;
  }
  Pair loaded{returned_handle(both.managed), returned_handle(both.direct), context->hierarchy};
  (context->hierarchy == 0 ? client.sessions : client.objects).push_back(loaded);
}

void ManagedAndDirect::close(Client& client, const Step& /*step*/, const Row& /*row*/) {
  close(client);
}

void ManagedAndDirect::clear(Client& client, const Step& /*step*/, const Row& /*row*/) {
  send(client, clear_tpm(), clear_tpm());
  for (Client& one : clients_) {
    std::erase_if(one.objects, [](const Pair& o) { return o.hierarchy == kOwnerHierarchy; });
  }
}

void ManagedAndDirect::reset(Client& /*client*/, const Step& /*step*/, const Row& /*row*/) {
  small_.reset();
  large_.reset();
  manager_.power_changed();
  for (Client& one : clients_) {
    one.objects.clear();
    one.sessions.clear();
  }
}

void ManagedAndDirect::send_raw(Client& /*client*/, const Step& /*step*/, const Row& /*row*/) {
  raw_.send(tpm2_command(cc::get_random, hex("0008")));
}

void ManagedAndDirect::list(Client& client, const Step& /*step*/, const Row& /*row*/) {
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
