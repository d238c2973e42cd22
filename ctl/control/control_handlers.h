// What each control request does. Declared for the table (control_table.cpp) and its tests.
//
// A handler gets its request as a value and returns the answer as one, or an error. It knows
// nothing of ioctls, files and sockets, and runs with no lock held.
#pragma once

#include "ctl/control/control_call.h"

namespace vtpm::handlers {

// -- power_handlers.cpp --
AnsweredOrAgain<requests::Init> init(ControlCall& call, const requests::Init& request);
Answered<requests::Shutdown> shutdown(ControlCall& call, const requests::Shutdown& request);
Answered<requests::Stop> stop(ControlCall& call, const requests::Stop& request);
Answered<requests::SetVersion> set_version(ControlCall& call, const requests::SetVersion& request);

// -- command_handlers.cpp --
Answered<requests::Execute> execute(ControlCall& call, const requests::Execute& request);
Answered<requests::SetLocality> set_locality(ControlCall& call,
                                             const requests::SetLocality& request);
Answered<requests::CancelCommand> cancel(ControlCall& call, const requests::CancelCommand& request);
Answered<requests::SetBufferSize> set_buffer_size(ControlCall& call,
                                                  const requests::SetBufferSize& request);
Answered<requests::GetEstablished> get_established(ControlCall& call,
                                                   const requests::GetEstablished& request);
Answered<requests::ResetEstablished> reset_established(ControlCall& call,
                                                       const requests::ResetEstablished& request);
Answered<requests::HashStart> hash_start(ControlCall& call, const requests::HashStart& request);
Answered<requests::HashData> hash_data(ControlCall& call, const requests::HashData& request);
Answered<requests::HashEnd> hash_end(ControlCall& call, const requests::HashEnd& request);

// -- state_handlers.cpp --
Answered<requests::GetState> get_state(ControlCall& call, const requests::GetState& request);
Answered<requests::SetState> set_state(ControlCall& call, const requests::SetState& request);
Answered<requests::StoreVolatile> store_volatile(ControlCall& call,
                                                 const requests::StoreVolatile& request);
AnsweredOrAgain<requests::LockStorage> lock_storage(ControlCall& call,
                                                    const requests::LockStorage& request);

// -- query_handlers.cpp --
Answered<requests::GetCapability> get_capability(ControlCall& call,
                                                 const requests::GetCapability& request);
Answered<requests::GetConfig> get_config(ControlCall& call, const requests::GetConfig& request);
Answered<requests::GetInfo> get_info(ControlCall& call, const requests::GetInfo& request);
Answered<requests::GetStatus> get_status(ControlCall& call, const requests::GetStatus& request);
Answered<requests::GetDetails> get_details(ControlCall& call, const requests::GetDetails& request);
Answered<requests::GetSpaces> get_spaces(ControlCall& call, const requests::GetSpaces& request);

}  // namespace vtpm::handlers
